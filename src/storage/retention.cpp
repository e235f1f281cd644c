// What may be forgotten: segments below the log's start, too much, too old; never anything at or above the high
// watermark (KAFKA-5634). And the rest of a log's upkeep.
#include <algorithm>

#include "base/ensure.h"
#include "storage/log_flush.h"
#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

std::string_view reason_text(LogStartReason reason) {
  switch (reason) {
    case LogStartReason::leader_offset_incremented:
      return "leader offset increment";
    case LogStartReason::segment_deletion:
      return "segment deletion";
    case LogStartReason::client_record_deletion:
      return "client delete records request";
    case LogStartReason::snapshot_generated:
      return "snapshot generated";
  }
  return {};
}

}  // namespace

void Log::State::advance_log_start_now(Offset to, LogStartReason reason) {
  {
    const ShortLock::Guard guard(lock);
    set_log_start_locked(to);
    if (epochs.truncate_from_start(to)) epochs_unsaved = true;
    producers.high_watermark_moved(to);
    producers_end = std::max(producers_end, to);
    refresh_first_unstable_locked();
  }
  last_snapshot = snapshots.empty() ? to : snapshots.back();
  logger("UnifiedLog").info("Incremented log start offset to {} due to {}", to, reason_text(reason));
}

runtime::Task<Result<bool>> Log::advance_log_start(Reactor& reactor, Offset to, LogStartReason reason) {
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  const auto high_watermark = offsets().high_watermark;
  if (to > high_watermark) {
    co_return fail(
        ErrorCode::offset_out_of_range,
        fmt::format(
            "Cannot increment the log start offset to {} of partition {} since it is larger than the high watermark {}",
            to, name_.to_string(), high_watermark));
  }
  if (to <= state.log_start) co_return false;
  state.advance_log_start_now(to, reason);
  state.request_flush(&reactor, Offset(0));
  co_return true;
}

// --- retention -----------------------------------------------------------------------------------------------------

// Takes segments from the oldest on as long as `deletable` says so; gives how many.
std::size_t Log::State::delete_while(const Deletable& deletable,
                                     const std::function<void(std::span<const SegmentRef>)>& say) {
  Offset safe;
  {
    const ShortLock::Guard guard(lock);
    safe = high_watermark;
  }
  std::vector<SegmentRef> chosen;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto* next = i + 1 < segments.size() ? segments[i + 1].get() : nullptr;
    const Offset upper = next ? next->base : log_end;
    if (safe < upper || (!next && segments[i]->size == 0) || !deletable(segments[i], next)) break;
    chosen.push_back(segments[i]);
  }
  if (chosen.empty()) return 0;
  // One segment always stays.
  if (chosen.size() == segments.size()) roll_now(log_end);
  say(chosen);
  const Offset start = segments[chosen.size()]->base;
  if (start > log_start) advance_log_start_now(start, LogStartReason::segment_deletion);
  drop_segments(chosen, {});
  return chosen.size();
}

// Whether it is worth the way to an I/O thread.
bool Log::State::may_delete_locked(Timestamp now) const {
  const Segment& oldest = *segments.front();
  if (segments.size() > 1 && segments[1]->base <= log_start) return true;
  if (!settings->delete_old || (segments.size() == 1 && oldest.size == 0)) return false;
  if (settings->retention_bytes >= 0) {
    std::uint64_t bytes = 0;
    for (const auto& segment : segments) bytes += segment->size;
    if (static_cast<std::int64_t>(bytes) >= settings->retention_bytes) return true;
  }
  if (settings->retention_ms.count() < 0 || settings->retention_ms == LogSettings::endless) return false;
  if (!oldest.largest) return true;
  const auto newest = oldest.largest->timestamp.value >= 0 ? oldest.largest->timestamp : oldest.created;
  return now - newest > settings->retention_ms.count();
}

std::size_t Log::State::delete_old_now() {
  LogSettingsRef current;
  {
    const ShortLock::Guard guard(lock);
    current = settings;
  }
  const auto log_lines = logger("UnifiedLog");
  std::size_t deleted = delete_while(
      [&](const SegmentRef&, const Segment* next) { return next != nullptr && next->base <= log_start; },
      [&](std::span<const SegmentRef> chosen) {
        log_lines.info("Deleting segments due to log start offset {} breach: {}", log_start, list_of(chosen));
      });
  if (!current->delete_old) return deleted;

  const auto size = static_cast<std::int64_t>(log.size_bytes());
  if (current->retention_bytes >= 0 && size >= current->retention_bytes) {
    auto over = size - current->retention_bytes;
    deleted += delete_while(
        [&](const SegmentRef& segment, const Segment*) {
          const auto bytes = static_cast<std::int64_t>(segment->size);
          if (over < bytes) return false;
          over -= bytes;
          return true;
        },
        [&](std::span<const SegmentRef> chosen) {
          auto left = size;
          for (const auto& segment : chosen) {
            left -= static_cast<std::int64_t>(segment->size);
            log_lines.info(
                "Deleting segment {} due to log retention size {} breach. Log size after deletion will be {}.",
                segment->to_string(), current->retention_bytes, left);
          }
        });
  }

  if (current->retention_ms.count() >= 0 && current->retention_ms != LogSettings::endless) {
    const auto now = environment.clock.wall();
    deleted += delete_while(
        [&](const SegmentRef& segment, const Segment*) {
          // Without a timestamp (magic 0) the time counts since the segment was made or found.
          const auto is_old = [&](Timestamp largest) {
            return now - (largest.value >= 0 ? largest : segment->created) > current->retention_ms.count();
          };
          // The index is asked first; before anything goes, the log itself.
          if (const auto indexed = indexed_largest_of(segment); indexed && !is_old(indexed->timestamp)) return false;
          const auto largest = largest_of(segment).timestamp;
          const auto newest = largest.value >= 0 ? largest : segment->created;
          if (newest > now)
            log_lines.warn("{} contains future timestamp(s), making it ineligible to be deleted", segment->to_string());
          return is_old(largest);
        },
        [&](std::span<const SegmentRef> chosen) {
          for (const auto& segment : chosen) {
            const bool timed = segment->largest && segment->largest->timestamp.value >= 0;
            log_lines.info("Deleting segment {} due to log retention time {}ms breach based on the {}",
                           segment->to_string(), current->retention_ms.count(),
                           timed ? "largest record timestamp in the segment" : "last modified time of the segment");
          }
        });
  }
  return deleted;
}

runtime::Task<std::size_t> Log::delete_old_segments(Reactor& reactor) {
  if (sleeps()) co_return 0;
  State& state = awake();
  {
    const auto now = state.environment.clock.wall();
    const ShortLock::Guard guard(state.lock);
    if (!state.may_delete_locked(now)) co_return 0;
  }
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (state.unusable()) co_return 0;
  try {
    auto deleting = runtime::blocking(reactor, [log = shared_from_this()] { return log->awake().delete_old_now(); });
    const auto deleted = co_await std::move(deleting);
    if (deleted > 0) state.request_flush(&reactor, Offset(0));
    co_return deleted;
  } catch (const runtime::DiskError& error) {
    state.failed("deleting segments for", error);
    co_return 0;
  }
}

// --- upkeep --------------------------------------------------------------------------------------------------------

runtime::MonoTime Log::due() const {
  if (sleeps()) return runtime::never;
  const ShortLock::Guard guard(awake().lock);
  if (awake().closed) return runtime::never;
  if (awake().rebuild_wanted) return runtime::MonoTime{};
  auto at = awake().flush_due;
  for (const auto& deletion : awake().deletions) at = std::min(at, deletion.at);
  return at;
}

void Log::State::remove_retired_files(runtime::MonoTime now) {
  std::vector<PendingDeletion> ready;
  std::string directory_path;
  {
    const ShortLock::Guard guard(lock);
    for (auto& deletion : deletions) {
      if (deletion.at <= now) ready.push_back(std::move(deletion));
    }
    std::erase_if(deletions, [&](const PendingDeletion& deletion) { return deletion.at <= now; });
    directory_path = files.directory;
  }
  const auto log_lines = logger("LocalLog");
  for (const auto& deletion : ready) {
    for (const auto& [base, text] : deletion.segments) {
      log_lines.info("Deleting segment files {}", text);
      Segment::remove_files(disk, directory_path, base, suffix::deleted);
    }
    for (const auto offset : deletion.snapshots) {
      disk.remove_file(
          fmt::format("{}/{}{}", directory_path, segment_file_name(offset, suffix::snapshot), suffix::deleted));
    }
  }
}

void Log::State::rebuild_wrong_indexes() {
  std::vector<SegmentRef> wrong;
  std::uint32_t interval = 0;
  {
    const ShortLock::Guard guard(lock);
    rebuild_wanted = false;
    interval = settings->index_interval_bytes;
    for (const auto& segment : segments) {
      if (segment->indexes_wrong) wrong.push_back(segment);
    }
  }
  for (const auto& segment : wrong) {
    // Readers do without the indexes until the new ones are there. The holder of the turn alone appends.
    Segment fresh(files, segment->base, segment->created);
    fresh.open_files();
    fresh.rebuild_indexes(segment->size, interval);
    // Nobody else syncs them: what is below the recovery point is never flushed again, not even by the roll that
    // makes today's active segment one of the past.
    fresh.sync(true);
    const ShortLock::Guard guard(lock);
    segment->take_indexes(fresh);
    if (segment == segments.back()) segment->bytes_since_index_entry = fresh.bytes_since_index_entry;
  }
}

void Log::State::let_go_of_memory() {
  const bool idle = std::exchange(end_at_last_rest, log_end) == log_end;
  if (idle) scratch.reset();
  std::unique_ptr<FlushJob> ended;  // destroyed outside of the lock
  const ShortLock::Guard guard(lock);
  if (idle) hints.reset();
  if (idle) ended = take_idle_flush_job_locked();
  for (const auto& segment : segments) {
    if (segment == segments.back() && !idle) continue;
    segment->offset_index.trim_memory(0);
    segment->index_memory.set(segment->offset_index.memory().size());
    segment->close_files();
  }
}

runtime::Task<void> Log::upkeep(Reactor& reactor) {
  if (sleeps()) co_return;
  State& state = awake();
  const auto now = reactor.now();
  bool flush = false;
  {
    const ShortLock::Guard guard(state.lock);
    flush = state.flush_due <= now;
    if (flush) state.flush_due = runtime::never;
  }
  if (flush) state.request_flush(&reactor, log_end());
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (state.unusable()) co_return;
  try {
    auto working = runtime::blocking(reactor, [now, log = shared_from_this()] {
      log->awake().remove_retired_files(now);
      log->awake().rebuild_wrong_indexes();
    });
    co_await std::move(working);
  } catch (const runtime::DiskError& error) {
    state.failed("deleting segments for", error);
  }
}

runtime::Task<void> Log::rest(Reactor& reactor, Timestamp now) {
  if (sleeps()) co_return;
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (state.unusable()) co_return;
  state.let_go_of_memory();
  const ShortLock::Guard guard(state.lock);
  state.producers.expire(now, state.producer_id_expiration);
}

}  // namespace klamm::storage
