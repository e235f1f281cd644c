#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

bool Log::State::truncate_now(Offset offset) {
  const auto log_lines = logger("UnifiedLog");
  if (offset < high_watermark) {
    log_lines.warn("Truncating {} to offset {} below high watermark {}", partition(), offset, high_watermark);
  }
  if (offset >= log_end) {
    log_lines.info("Truncating to {} has no effect as the largest offset in the log is {}", offset, log_end - 1);
    // An epoch this broker began as leader may lie at the end without a record.
    const ShortLock::Guard guard(lock);
    if (epochs.truncate_from_end(log_end)) epochs_unsaved = true;
    return false;
  }
  log_lines.info("Truncating to offset {}", offset);
  if (segments.front()->base > offset) {
    truncate_fully_now(offset, std::nullopt);
    return true;
  }
  const std::vector<SegmentRef> dropped(segments.begin() + static_cast<std::ptrdiff_t>(floor_segment(offset)) + 1,
                                        segments.end());
  Segment& last = *segments[floor_segment(offset)];
  {
    const ShortLock::Guard guard(lock);
    last.open_files();
    last.open_indexes();
  }
  const auto cut = last.plan_cut(offset);
  // Producer state first, offsets last: a sequence must not be checked against batches that are gone (KAFKA-12153).
  rebuild_producers(offset, false);
  {
    const ShortLock::Guard guard(lock);
    hints.reset();
    ++truncations;
    segments.resize(segments.size() - dropped.size());
    last.apply_cut(cut, environment.clock.wall());
    log_end = offset;
    if (flushed > offset) flushed = offset;
    log_start = std::min(log_start, offset);
    local_log_start = std::min(local_log_start, offset);
    if (epochs.truncate_from_end(offset)) epochs_unsaved = true;
    if (high_watermark > offset) set_high_watermark_locked(offset);
    producers.high_watermark_moved(high_watermark);
    refresh_first_unstable_locked();
  }
  touch(LogDirectory::recovery_point_moved | LogDirectory::high_watermark_moved);
  if (!dropped.empty()) logger("UnifiedLog").info("Deleting segments as part of log truncation: {}", list_of(dropped));
  retire_files(dropped);
  last.cut_files(cut);
  if (scratch) scratch->file.reset();
  return true;
}

void Log::State::truncate_fully_now(Offset offset, std::optional<Offset> new_log_start) {
  logger("UnifiedLog")
      .debug("Truncate and start at offset {}, logStartOffset: {}", offset, new_log_start.value_or(offset));
  const auto dropped = segments;
  {
    const ShortLock::Guard guard(lock);
    hints.reset();
    ++truncations;
    producers.clear();
    epochs.clear();
    epochs_unsaved = true;
    for (const auto& segment : dropped) segment->size = 0;
    // Start, end and high watermark move together (KAFKA-9491).
    log_start = local_log_start = new_log_start.value_or(offset);
    log_end = flushed = offset;
    producers_end = offset;
    set_high_watermark_locked(offset);
    first_unstable.reset();
    touch(LogDirectory::recovery_point_moved | LogDirectory::log_start_moved | LogDirectory::high_watermark_moved);
  }
  for (const auto snapshot : std::vector(snapshots)) remove_snapshot(snapshot);
  last_snapshot = Offset(0);
  if (!dropped.empty()) logger("UnifiedLog").info("Deleting segments as part of log truncation: {}", list_of(dropped));
  // Renamed before the new one is made, which may have one of their names; readers see them, empty, until it is there.
  retire_files(dropped);
  auto fresh = make_segment(offset, true);
  {
    const ShortLock::Guard guard(lock);
    segments.assign(1, std::move(fresh));
    names_unsynced = true;
  }
  if (scratch) scratch->file.reset();
  take_snapshot(producers, offset, true);
}

runtime::Task<Result<bool>> Log::truncate_to(Reactor& reactor, Offset offset) {
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  if (offset < Offset(0)) co_return fail(ErrorCode::offset_out_of_range);
  try {
    auto truncating = runtime::blocking(reactor, [&state, offset] { return state.truncate_now(offset); });
    const bool truncated = co_await std::move(truncating);
    state.request_flush(&reactor, Offset(0));
    co_return truncated;
  } catch (const runtime::DiskError& error) {
    co_return std::unexpected(state.failed(fmt::format("truncating log to offset {} for", offset), error));
  }
}

runtime::Task<Result<void>> Log::truncate_fully_and_start_at(Reactor& reactor, Offset offset,
                                                             std::optional<Offset> log_start) {
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  if (offset < Offset(0)) co_return fail(ErrorCode::offset_out_of_range);
  try {
    auto truncating =
        runtime::blocking(reactor, [&state, offset, log_start] { state.truncate_fully_now(offset, log_start); });
    co_await std::move(truncating);
    state.request_flush(&reactor, Offset(0));
    co_return Result<void>();
  } catch (const runtime::DiskError& error) {
    co_return std::unexpected(state.failed("truncating the entire log for", error));
  }
}

}  // namespace klamm::storage
