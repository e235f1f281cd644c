#include "hosting/partition_writer.h"

#include <algorithm>
#include <limits>

#include "base/ensure.h"
#include "records/control_record.h"

namespace klamm::hosting {
namespace {

// The most that a record takes besides its key and value: five varints, attributes, no headers.
constexpr std::size_t record_overhead_max = 32;

std::size_t bytes_of(const LogEntry& entry) {
  return record_overhead_max + entry.key.size() + (entry.value ? entry.value->size() : 0);
}

}  // namespace

std::size_t PartitionWriterSettings::record_bytes_max() const {
  const std::size_t frame = records::batch_overhead + record_overhead_max;
  return batch_bytes_max > frame ? batch_bytes_max - frame : 0;
}

// Hooked in once per turn in which records were taken.
struct PartitionWriter::WriteAtTurnEnd final : runtime::TurnEnd {
  explicit WriteAtTurnEnd(PartitionWriter& its) : writer(its) {}
  void turn_ended() override {
    if (!writer.writing_ && !writer.failed_) writer.tasks_.start(writer.write());
  }
  PartitionWriter& writer;
};

struct PartitionWriter::Watch final : replication::PartitionWatch {
  explicit Watch(PartitionWriter& its) : PartitionWatch(its.owner_), writer(its) {}
  ~Watch() override { leave(); }
  void changed() override { writer.look(); }
  PartitionWriter& writer;
};

PartitionWriter::PartitionWriter(runtime::Environment& environment, runtime::Reactor& owner, BatchTools& tools,
                                 replication::PartitionRef partition, LeaderEpoch epoch, Offset next,
                                 PartitionWriterSettings settings, Logger log, FailureListener on_failure)
    : environment_(environment),
      owner_(owner),
      tools_(tools),
      partition_(std::move(partition)),
      epoch_(epoch),
      next_offset_(next),
      settings_(settings),
      log_(std::move(log)),
      committed_(environment.scheduling, Offset(0)),
      open_base_(next),
      at_turn_end_(std::make_unique<WriteAtTurnEnd>(*this)),
      watch_(std::make_unique<Watch>(*this)),
      tasks_(owner) {
  watch_->join(partition_);
  look();
  on_failure_ = std::move(on_failure);  // who makes this asks failed() instead
}

PartitionWriter::~PartitionWriter() = default;

bool PartitionWriter::fits(std::size_t entry_bytes) const {
  const std::size_t before = builder_.empty() ? records::batch_overhead : builder_.plain_bytes();
  return before + entry_bytes <= settings_.batch_bytes_max;
}

Result<Offset> PartitionWriter::append(std::span<const LogEntry> entries, bool atomic) {
  if (failed_) return fail(ErrorCode::kafka_storage_error);
  std::size_t all = 0;
  std::size_t largest = 0;
  for (const LogEntry& entry : entries) {
    if (auto allowed = check_producer(entry); !allowed) return std::unexpected(std::move(allowed.error()));
    all += bytes_of(entry);
    largest = std::max(largest, bytes_of(entry));
  }
  if (records::batch_overhead + (atomic ? all : largest) > settings_.batch_bytes_max) {
    return fail(ErrorCode::record_list_too_large);
  }
  if (atomic && !fits(all)) close_batch();
  const Timestamp now = environment_.clock.wall();
  for (const LogEntry& entry : entries) take(entry, now);
  owner_.at_turn_end(*at_turn_end_);
  return next_offset_;
}

// --- producers -------------------------------------------------------------------------------------------------------

storage::ProducerStanding PartitionWriter::standing_of(ProducerId producer) const {
  if (const auto found = unwritten_.find(producer); found != unwritten_.end()) return found->second.standing;
  const auto log = partition_->log_for(epoch_);
  return log ? (*log)->standing_of(producer) : storage::ProducerStanding{};
}

// What the log says at the append, said now: by then the decision is applied, and only a new beginning helps.
Result<void> PartitionWriter::check_producer(const LogEntry& entry) const {
  if (entry.producer == no_producer_id) return {};
  const storage::ProducerStanding standing = standing_of(entry.producer);
  if (entry.end) {
    const bool strict = entry.end->transaction_version >= 2;
    const bool repeated =
        entry.producer_epoch == standing.epoch &&
        (!standing.in_transaction || entry.producer_epoch.value == std::numeric_limits<std::int16_t>::max());
    const bool fits =
        strict ? entry.producer_epoch > standing.epoch || repeated : entry.producer_epoch >= standing.epoch;
    if (!fits) return fail(ErrorCode::invalid_producer_epoch);
    if (standing.coordinator_epoch > entry.end->coordinator_epoch) {
      return fail(ErrorCode::transaction_coordinator_fenced);
    }
    return {};
  }
  if (entry.producer_epoch < standing.epoch) return fail(ErrorCode::invalid_producer_epoch);
  if (entry.ends_seen && *entry.ends_seen != standing.ends) return fail(ErrorCode::invalid_txn_state);
  return {};
}

void PartitionWriter::note_producer(const LogEntry& entry, bool new_batch) {
  if (entry.producer == no_producer_id) return;
  Unwritten unwritten{standing_of(entry.producer), 0};
  if (const auto found = unwritten_.find(entry.producer); found != unwritten_.end()) {
    unwritten.batches = found->second.batches;
  }
  if (new_batch) ++unwritten.batches;
  unwritten.standing.epoch = entry.producer_epoch;
  unwritten.standing.in_transaction = !entry.end;
  if (entry.end) {
    unwritten.standing.coordinator_epoch = entry.end->coordinator_epoch;
    ++unwritten.standing.ends;
  }
  unwritten_[entry.producer] = unwritten;
}

void PartitionWriter::was_written(ProducerId producer) {
  const auto found = unwritten_.find(producer);
  if (found != unwritten_.end() && --found->second.batches == 0) unwritten_.erase(found);
}

// --- batches ---------------------------------------------------------------------------------------------------------

void PartitionWriter::take(const LogEntry& entry, Timestamp now) {
  if (entry.end) return take_end(entry, now);
  const bool same = entry.producer == open_producer_ && entry.producer_epoch == open_producer_epoch_;
  if (!builder_.empty() && (!same || !fits(bytes_of(entry)))) close_batch();
  note_producer(entry, builder_.empty());
  if (builder_.empty()) {
    records::BatchOptions options;
    options.compression = settings_.compression;
    options.producer_id = entry.producer;
    options.producer_epoch = entry.producer_epoch;
    options.transactional = entry.producer != no_producer_id;
    builder_.reset(options);
    open_base_ = next_offset_;
    open_producer_ = entry.producer;
    open_producer_epoch_ = entry.producer_epoch;
  }
  records::RecordFields fields;
  fields.timestamp = now;
  fields.key = Bytes(entry.key);
  if (entry.value) fields.value = Bytes(*entry.value);
  builder_.append(fields);
  next_offset_ = next_offset_ + 1;
}

void PartitionWriter::take_end(const LogEntry& entry, Timestamp now) {
  close_batch();
  note_producer(entry, true);
  const auto type = entry.end->commit ? records::ControlRecordType::commit : records::ControlRecordType::abort;
  batches_.push_back({next_offset_,
                      records::end_transaction_batch({.timestamp = now}, entry.producer, entry.producer_epoch,
                                                     {type, entry.end->coordinator_epoch}),
                      entry.producer, entry.end});
  next_offset_ = next_offset_ + 1;
}

void PartitionWriter::close_batch() {
  if (builder_.empty()) return;
  batches_.push_back({open_base_, builder_.take(tools_.compressor), open_producer_, {}});
  builder_.reset({});
}

runtime::Task<void> PartitionWriter::write() {
  writing_ = true;
  while (!failed_) {
    if (batches_.empty()) close_batch();
    if (batches_.empty()) break;
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    auto writing = write_one(std::move(batch));
    if (!co_await std::move(writing)) break;
  }
  writing_ = false;
}

runtime::Task<replication::AppendOutcome> PartitionWriter::append(Batch& batch) {
  // Through the validated path an end would be taken for a batch that compaction emptied.
  if (batch.end) return partition_->append_marker(owner_, batch.bytes, batch.end->transaction_version);
  replication::AppendRequest request;
  request.records = batch.bytes;
  request.origin = records::AppendOrigin::coordinator;
  return partition_->append_as_leader(owner_, tools_.validator, request);
}

runtime::Task<bool> PartitionWriter::write_one(Batch batch) {
  auto appending = append(batch);
  const auto appended = co_await std::move(appending);
  if (failed_) co_return false;
  if (!appended) {
    log_.error("Failed to write records to {} due to an unexpected error: {}.", partition_->name().to_string(),
               appended.error().message.empty() ? std::string(error_message(appended.error().code))
                                                : appended.error().message);
    fail_with(Error{appended.error().code});
    co_return false;
  }
  if (appended->first_offset != batch.base) {
    log_.error(
        "The state machine of the coordinator {} is out of sync with the underlying log. The last written offset "
        "returned is {} while the coordinator expected {}. The coordinator will be reloaded in order to re-synchronize "
        "the state machine.",
        partition_->name().to_string(), appended->first_offset, batch.base);
    fail_with(Error{ErrorCode::not_leader_or_follower});
    co_return false;
  }
  was_written(batch.producer);
  look();
  co_return !failed_;
}

// How far the partition is, and whether it is still ours.
void PartitionWriter::look() {
  if (failed_) return;
  const auto log = partition_->log_for(epoch_);
  if (!log) return fail_with(log.error());
  committed_.advance((*log)->high_watermark());
}

void PartitionWriter::fail_with(const Error& error) {
  if (std::exchange(failed_, true)) return;
  if (on_failure_) on_failure_(error);
  committed_.close();
}

runtime::Task<void> PartitionWriter::stop() {
  while (tasks_.running() > 0) {
    auto waiting = tasks_.wait();
    co_await std::move(waiting);
  }
  if (!failed_) {
    auto rest = write();
    co_await std::move(rest);
  }
  failed_ = true;
  watch_->leave();
  committed_.close();
}

}  // namespace klamm::hosting
