#include "replication/partition.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::replication {

using runtime::ShortLock;

// --- watches ---------------------------------------------------------------------------------------------------------

struct PartitionWatch::Signal final : runtime::Work {
  explicit Signal(PartitionWatch& its) : watch(&its) {}

  void run() override {
    pending.store(false, std::memory_order_release);
    if (watch == nullptr) {
      delete this;
      return;
    }
    watch->changed();
  }

  PartitionWatch* watch;  // its reactor alone reads and writes it
  std::atomic<bool> pending{false};
};

PartitionWatch::SignalHolder::SignalHolder(PartitionWatch& watch) : signal(new Signal(watch)) {}

PartitionWatch::SignalHolder::~SignalHolder() {
  // After leave() nobody posts any more; what was posted already is freed by its own run().
  signal->watch = nullptr;
  if (!signal->pending.load(std::memory_order_acquire)) delete signal;
}

PartitionWatch::~PartitionWatch() {
  leave();
}

void PartitionWatch::join(PartitionRef partition) {
  ENSURE(partition_ == nullptr);
  partition_ = std::move(partition);
  const ShortLock::Guard guard(partition_->lock_);
  next_ = partition_->watches_;
  previous_ = nullptr;
  if (next_ != nullptr) next_->previous_ = this;
  partition_->watches_ = this;
}

void PartitionWatch::leave() {
  if (partition_ == nullptr) return;
  {
    const ShortLock::Guard guard(partition_->lock_);
    if (next_ != nullptr) next_->previous_ = previous_;
    if (previous_ != nullptr) {
      previous_->next_ = next_;
    } else {
      partition_->watches_ = next_;
    }
    next_ = previous_ = nullptr;
  }
  partition_.reset();
}

void PartitionWatch::post() {
  if (!signal_.signal->pending.exchange(true, std::memory_order_acq_rel)) reactor_.post(*signal_.signal);
}

// --- state -----------------------------------------------------------------------------------------------------------

Partition::Partition(TopicPartition name, Uuid topic_id, BrokerId self, TopicSettingsRef settings,
                     runtime::Environment& environment)
    : name_(std::move(name)),
      topic_id_(topic_id),
      self_(self),
      environment_(environment),
      lock_(environment.scheduling),
      settings_(std::move(settings)),
      high_watermark_(environment.scheduling, Offset(0)) {}

Partition::~Partition() {
  ENSURE(watches_ == nullptr, name_.to_string());
}

void Partition::apply(const PartitionState& state, storage::LogRef log) {
  const ShortLock::Guard guard(lock_);
  if (closed_) return;
  state_ = state;
  log_ = std::move(log);
  const bool replica_here = std::ranges::find(state.replicas, self_) != state.replicas.end();
  role_ = !replica_here ? Role::none : state.leader == self_ ? Role::leader : Role::follower;
  if (log_ != nullptr) {
    const bool alone = role_ == Role::leader && state.isr.size() == 1 && state.isr.front() == self_;
    // Not what an append is still waiting for: that is shown when it is on disk.
    if (alone) log_->advance_high_watermark(log_->shown_end());
    high_watermark_.advance(log_->high_watermark());
  }
  wake_watches();
}

void Partition::reconfigure(TopicSettingsRef settings) {
  const ShortLock::Guard guard(lock_);
  settings_ = std::move(settings);
  if (log_ != nullptr) log_->reconfigure(settings_->log);
}

void Partition::storage_failed() {
  {
    const ShortLock::Guard guard(lock_);
    failed_ = true;
    log_.reset();
    wake_watches();
  }
  high_watermark_.close();
}

void Partition::close() {
  {
    const ShortLock::Guard guard(lock_);
    closed_ = true;
    role_ = Role::none;
    log_.reset();
    wake_watches();
  }
  high_watermark_.close();
}

PartitionState Partition::state() const {
  const ShortLock::Guard guard(lock_);
  return state_;
}

Role Partition::role() const {
  const ShortLock::Guard guard(lock_);
  return role_;
}

TopicSettingsRef Partition::settings() const {
  const ShortLock::Guard guard(lock_);
  return settings_;
}

storage::LogRef Partition::log() const {
  const ShortLock::Guard guard(lock_);
  return log_;
}

// The caller holds the lock.
void Partition::wake_watches() {
  for (PartitionWatch* watch = watches_; watch != nullptr; watch = watch->next_) watch->post();
}

Result<storage::LogRef> Partition::log_for(LeaderEpoch current_leader_epoch, bool leader_only) const {
  const ShortLock::Guard guard(lock_);
  return log_for_locked(current_leader_epoch, leader_only);
}

// Kafka's order: the epoch first, then the role, then the log (Partition.localLogWithEpochOrThrow).
Result<storage::LogRef> Partition::log_for_locked(LeaderEpoch current_leader_epoch, bool leader_only) const {
  if (failed_) return fail(ErrorCode::kafka_storage_error);
  if (closed_ || role_ == Role::none) return fail(ErrorCode::not_leader_or_follower);
  if (current_leader_epoch != no_leader_epoch) {
    if (current_leader_epoch < state_.leader_epoch) return fail(ErrorCode::fenced_leader_epoch);
    if (current_leader_epoch > state_.leader_epoch) return fail(ErrorCode::unknown_leader_epoch);
  }
  if (leader_only && role_ != Role::leader) return fail(ErrorCode::not_leader_or_follower);
  if (log_ == nullptr) return fail(ErrorCode::not_leader_or_follower);
  return log_;
}

bool Partition::Leading::enough_in_sync() const {
  return in_sync >= std::min(static_cast<std::size_t>(std::max(settings->min_insync_replicas, 1)), replicas);
}

Result<Partition::Leading> Partition::leading() const {
  const ShortLock::Guard guard(lock_);
  auto log = log_for_locked(no_leader_epoch, true);
  if (!log) return std::unexpected(std::move(log.error()));
  return Leading{std::move(*log),   state_.leader_epoch,    settings_,
                 state_.isr.size(), state_.replicas.size(), state_.isr.size() == 1 && state_.isr.front() == self_};
}

// --- append ----------------------------------------------------------------------------------------------------------

namespace {

AppendFailure failure_of(const Error& error) {
  return {.code = error.code};
}

// A refusal by the log: its text is for our log only, and the answer tells where the log starts unless the log was not
// there to say (ReplicaManager.appendRecordsToLeader).
AppendFailure refusal_of(const storage::Log& log, const Error& error) {
  switch (error.code) {
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::corrupt_message:
    case ErrorCode::kafka_storage_error:
      return failure_of(error);
    default:
      return {.code = error.code, .log_start = log.log_start()};
  }
}

records::ValidationOptions validation_options(const TopicPartition& name, const TopicSettings& settings,
                                              const AppendRequest& request, Timestamp now) {
  return {.topic = name.topic,
          .partition = name.partition,
          .origin = request.origin,
          .produce_version = request.produce_version,
          .now = now,
          .timestamp_type = settings.timestamp_type,
          .timestamp_before_max_ms = settings.timestamp_before_max_ms,
          .timestamp_after_max_ms = settings.timestamp_after_max_ms,
          .compacted = settings.log->compact,
          .target_compression = settings.target_compression,
          .batch_bytes_max = settings.log->max_message_bytes,
          .strict = settings.validate_strictly};
}

}  // namespace

runtime::Task<AppendOutcome> Partition::append_as_leader(runtime::Reactor& reactor,
                                                         records::ProduceValidator& validator, AppendRequest request) {
  const Timestamp now = environment_.clock.wall();
  std::optional<std::expected<records::ValidatedBatch, records::ValidationError>> opened;
  if (request.aside) {
    const TopicSettingsRef valid = settings();
    auto opening = request.aside->validate(reactor, request.records, validation_options(name_, *valid, request, now));
    opened = co_await std::move(opening);
  }

  const auto now_leading = leading();
  if (!now_leading) co_return std::unexpected(failure_of(now_leading.error()));
  const Leading& lead = *now_leading;

  if (request.required_acks == -1 && !lead.enough_in_sync()) {
    co_return std::unexpected(
        AppendFailure{.code = ErrorCode::not_enough_replicas, .log_start = lead.log->log_start()});
  }

  auto batch = opened ? std::move(*opened)
                      : validator.validate(request.records, validation_options(name_, *lead.settings, request, now));
  if (!batch) {
    records::ValidationError& error = batch.error();
    co_return std::unexpected(
        AppendFailure{.code = error.code,
                      .message = error.message_for_client ? std::move(error.message) : std::string(),
                      .record_errors = std::move(error.record_errors),
                      .log_start = error.with_log_start_offset ? lead.log->log_start() : no_offset,
                      .opens_to_too_much = error.opens_to_too_much});
  }

  const storage::LeaderAppend how{.epoch = lead.epoch,
                                  .now = opened ? environment_.clock.wall() : now,
                                  .origin = request.origin,
                                  .ends_seen = request.ends_seen};
  auto appending = lead.log->append_as_leader(reactor, *batch, how);
  auto appended = co_await std::move(appending);
  if (!appended) co_return std::unexpected(refusal_of(*lead.log, appended.error()));

  Offset visible = appended->last_offset + 1;
  if (appended->needs_sync) {
    auto syncing = lead.log->synced(reactor, visible);
    if (const auto synced = co_await std::move(syncing); !synced) co_return std::unexpected(failure_of(synced.error()));
  }
  bool alone = lead.alone;
  if (appended->needs_sync && !alone) {
    // The last other replica may have left the in-sync set meanwhile: then what is on disk now waits for nobody else.
    const auto still = leading();
    alone = still && still->alone && still->log == lead.log;
  }
  if (alone && !appended->duplicate) advance_high_watermark(lead.log, visible);
  co_return std::move(*appended);
}

runtime::Task<AppendOutcome> Partition::append_marker(runtime::Reactor& reactor, MutableBytes batch,
                                                      int transaction_version) {
  const auto now_leading = leading();
  if (!now_leading) co_return std::unexpected(failure_of(now_leading.error()));
  const Leading& lead = *now_leading;
  if (!lead.enough_in_sync()) {
    co_return std::unexpected(
        AppendFailure{.code = ErrorCode::not_enough_replicas, .log_start = lead.log->log_start()});
  }
  const storage::LeaderAppend how{.epoch = lead.epoch,
                                  .now = environment_.clock.wall(),
                                  .origin = records::AppendOrigin::coordinator,
                                  .transaction_version = transaction_version};
  auto appending = lead.log->append_as_leader(reactor, batch, how);
  auto appended = co_await std::move(appending);
  if (!appended) co_return std::unexpected(refusal_of(*lead.log, appended.error()));
  const Offset visible = appended->last_offset + 1;
  if (appended->needs_sync) {
    auto syncing = lead.log->synced(reactor, visible);
    if (const auto synced = co_await std::move(syncing); !synced) co_return std::unexpected(failure_of(synced.error()));
  }
  if (lead.alone) advance_high_watermark(lead.log, visible);
  co_return std::move(*appended);
}

void Partition::advance_high_watermark(const storage::LogRef& log, Offset to) {
  const auto moved = log->advance_high_watermark(to);
  if (!moved) return;
  high_watermark_.advance(*moved);
  const ShortLock::Guard guard(lock_);
  wake_watches();
}

runtime::Task<Result<void>> Partition::wait_replicated(runtime::Reactor& reactor, Offset last_offset,
                                                       runtime::MonoTime deadline) {
  if (high_watermark_.value() <= last_offset) {
    auto waiting = high_watermark_.wait(reactor, last_offset + 1, deadline);
    switch (co_await std::move(waiting)) {
      case runtime::WaitResult::reached:
        break;
      case runtime::WaitResult::timed_out:
        co_return fail(ErrorCode::request_timed_out);
      case runtime::WaitResult::closed:
        co_return fail(ErrorCode::not_leader_or_follower);
    }
  }
  const auto lead = leading();
  if (!lead) co_return std::unexpected(lead.error());
  if (!lead->enough_in_sync()) co_return fail(ErrorCode::not_enough_replicas_after_append);
  co_return Result<void>();
}

// --- read ------------------------------------------------------------------------------------------------------------

runtime::Task<Result<FetchResult>> Partition::read(runtime::Reactor& reactor, FetchRequest request) {
  storage::LogRef log;
  {
    const ShortLock::Guard guard(lock_);
    auto found = log_for_locked(request.current_leader_epoch, true);
    if (!found) co_return std::unexpected(std::move(found.error()));
    log = std::move(*found);
    const bool follower = request.replica.value >= 0;
    if (follower && std::ranges::find(state_.replicas, request.replica) == state_.replicas.end()) {
      co_return fail(ErrorCode::not_leader_or_follower);
    }
  }

  if (request.last_fetched_epoch != no_leader_epoch) {
    const auto end = log->end_offset_of_epoch(request.last_fetched_epoch);
    if (end.leader_epoch == no_leader_epoch || end.end_offset == no_offset)
      co_return fail(ErrorCode::offset_out_of_range);
    if (end.leader_epoch < request.last_fetched_epoch || end.end_offset < request.read.from) {
      FetchResult diverged;
      diverged.data.offsets = log->offsets();
      diverged.diverging = end;
      co_return diverged;
    }
  }

  auto reading = log->read(reactor, request.read);
  auto read = co_await std::move(reading);
  if (!read) co_return std::unexpected(std::move(read.error()));
  co_return FetchResult{.data = std::move(*read), .diverging = {}};
}

Result<storage::EpochEndOffset> Partition::end_offset_of(LeaderEpoch epoch, LeaderEpoch current_leader_epoch) const {
  auto log = log_for(current_leader_epoch, true);
  if (!log) return std::unexpected(std::move(log.error()));
  return (*log)->end_offset_of_epoch(epoch);
}

runtime::Task<Result<Offset>> Partition::delete_records_before(runtime::Reactor& reactor, Offset offset) {
  const auto lead = leading();
  if (!lead) co_return std::unexpected(lead.error());
  const storage::LogSettings& log_settings = *lead->settings->log;
  if (log_settings.compact && !log_settings.delete_old) co_return fail(ErrorCode::policy_violation);
  const Offset to = offset == Offset(-1) ? lead->log->high_watermark() : offset;
  if (to < Offset(0)) co_return fail(ErrorCode::offset_out_of_range);
  auto deleting = lead->log->delete_records_before(reactor, to);
  if (const auto deleted = co_await std::move(deleting); !deleted) co_return std::unexpected(deleted.error());
  co_return lead->log->log_start();
}

}  // namespace klamm::replication
