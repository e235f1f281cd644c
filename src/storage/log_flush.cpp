#include "storage/log_flush.h"

#include "base/ensure.h"
#include "base/plant.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

// The reactor that flushes a log when nobody on a reactor asks: always the same one, by the name.
Reactor& home_reactor(const runtime::Environment& environment, const TopicPartition& name) {
  return *environment.reactors[std::hash<TopicPartition>{}(name) % environment.reactors.size()];
}

}  // namespace

std::int64_t Log::State::ask_flush_locked(Offset up_to, bool& start) {
  if (!flush_job) flush_job = std::make_unique<FlushJob>(*this);
  FlushJob& job = *flush_job;
  job.wanted_ = std::max(job.wanted_, up_to);
  start = !job.active_ && !job.failed_;
  if (start) job.active_ = true;
  return ++job.requested_;
}

// By who found it inactive.
void Log::State::start_flush(Reactor* reactor) {
  const bool here = reactor != nullptr && reactor->is_current();
  flush_job->reactor_ = here ? reactor : &home_reactor(environment, log.name());
  flush_job->keep_ = log.shared_from_this();
  if (here) {
    reactor->at_turn_end(*flush_job);
  } else {
    flush_job->reactor_->post(*flush_job);
  }
}

void Log::State::request_flush(Reactor* reactor, Offset up_to) {
  bool start = false;
  {
    const ShortLock::Guard guard(lock);
    ask_flush_locked(up_to, start);
  }
  if (start) start_flush(reactor);
}

runtime::Task<Result<void>> Log::State::flush(Reactor& reactor, Offset up_to) {
  bool start = false;
  std::int64_t number = 0;
  {
    const ShortLock::Guard guard(lock);
    number = ask_flush_locked(up_to, start);
    ++flush_job->waiting_;
  }
  if (start) start_flush(&reactor);
  auto waiting = flush_job->done_.wait(reactor, Offset(number), runtime::never);
  const auto result = co_await std::move(waiting);
  {
    const ShortLock::Guard guard(lock);
    --flush_job->waiting_;
  }
  if (result == runtime::WaitResult::reached) co_return Result<void>();
  co_return std::unexpected(directory.offline() ? directory.offline_error() : Error{ErrorCode::not_leader_or_follower});
}

std::unique_ptr<Log::State::FlushJob> Log::State::take_idle_flush_job_locked() {
  const bool idle = flush_job && !flush_job->active_ && !flush_job->failed_ && flush_job->waiting_ == 0;
  return idle ? std::move(flush_job) : nullptr;
}

bool Log::State::flush_under_way_locked() const {
  return flush_job && (flush_job->active_ || flush_job->failed_);
}

void Log::State::FlushJob::run() {
  reactor_->at_turn_end(*this);
}
void Log::State::FlushJob::turn_ended() {
  reactor_->offload(*this);
}

Log::State::FlushJob::Files Log::State::FlushJob::collect() {
  const ShortLock::Guard guard(state_.lock);
  running_ = requested_;
  truncations_ = state_.truncations;
  Files work{.up_to = std::min(wanted_, state_.log_end), .directory = state_.files.directory};
  work.names = std::exchange(state_.names_unsynced, false);
  work.parent = std::exchange(state_.parent_unsynced, false);
  work.snapshots = std::exchange(state_.snapshots_unsynced, {});
  if (std::exchange(state_.epochs_unsaved, false)) work.epochs = state_.epochs.to_text();
  const bool grew = work.up_to > state_.flushed;
  for (std::size_t i = state_.first_unsynced_segment(); i < state_.segments.size(); ++i) {
    const auto& segment = state_.segments[i];
    if (segment->base >= work.up_to) break;
    // Indexes of the active segment are rebuilt after a crash; those of the others are relied on.
    const bool rolled = i + 1 < state_.segments.size();
    if (!grew && !(rolled && segment->indexes_unsynced)) continue;
    if (rolled) {
      segment->open_files();
      indexes_ = true;
    } else {
      segment->log_file();
    }
    work.segments.emplace_back(segment, rolled);
  }
  up_to_ = work.up_to;
  return work;
}

void Log::State::FlushJob::sync_snapshots(const Files& work) {
  for (const auto offset : work.snapshots) {
    const auto path = fmt::format("{}/{}", work.directory, segment_file_name(offset, suffix::snapshot));
    if (state_.disk.exists(path)) state_.disk.open(path, runtime::OpenMode::write)->sync_data();
  }
}

void Log::State::FlushJob::block() {
  const auto work = collect();
  if (work.epochs) {
    state_.disk.replace_file(fmt::format("{}/{}", work.directory, leader_epoch_checkpoint_name),
                             as_bytes(*work.epochs));
  }
  sync_snapshots(work);
  for (const auto& [segment, with_indexes] : work.segments) segment->sync(with_indexes);
  if (work.names) state_.disk.sync_directory(work.directory);
  if (work.parent) state_.directory.sync_names();
}

void Log::State::FlushJob::done() {
  const auto keep = keep_;
  std::int64_t finished = 0;
  bool again = false;
  if (failure) {
    const auto why = std::exchange(failure, nullptr);
    bool removed = false;
    {
      const ShortLock::Guard guard(state_.lock);
      failed_ = true;
      active_ = false;
      removed = state_.closed;
      keep_.reset();
    }
    try {
      std::rethrow_exception(why);
    } catch (const std::exception& error) {
      // A log that is being removed has no files any more.
      if (!removed) state_.failed("flushing log for", error);
    }
    done_.close();
    return;
  }
  {
    const ShortLock::Guard guard(state_.lock);
    finished = running_;
    // After a truncation other records stand where those were that are on disk now.
    if (up_to_ > state_.flushed && truncations_ == state_.truncations) {
      state_.flushed = std::min(up_to_, state_.log_end);
      state_.touch(LogDirectory::recovery_point_moved);
    } else if (indexes_) {
      state_.touch(LogDirectory::recovery_point_moved);
    }
    indexes_ = false;
    if (state_.flushed >= state_.log_end) state_.flush_due = runtime::never;
  }
  done_.advance(Offset(finished));
  {
    const ShortLock::Guard guard(state_.lock);
    again = requested_ > finished && !planted(Plant::lost_wake_up);
    active_ = again;
    // From here on another thread may begin the next one, or free this one.
    if (!again) keep_.reset();
  }
  if (again) reactor_->offload(*this);
}

void Log::State::FlushJob::dropped() noexcept {
  LogRef keep;  // outlives the guard: the log may end with it
  const ShortLock::Guard guard(state_.lock);
  failed_ = true;
  active_ = false;
  keep.swap(keep_);
}

runtime::Task<Result<void>> Log::synced(Reactor& reactor, Offset up_to) {
  State& state = awake();
  Offset end;
  {
    const ShortLock::Guard guard(state.lock);
    if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
    if (state.flushed >= up_to) co_return Result<void>();
    end = state.log_end;
  }
  auto flushing = state.flush(reactor, end);
  co_return co_await std::move(flushing);
}

runtime::Task<Result<void>> Log::flush_all(Reactor& reactor) {
  State& state = awake();
  Offset end;
  {
    const ShortLock::Guard guard(state.lock);
    if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
    end = state.log_end;
  }
  auto flushing = state.flush(reactor, end);
  co_return co_await std::move(flushing);
}

}  // namespace klamm::storage
