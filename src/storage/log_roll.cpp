// Segments begin and end: rolling, producer snapshots beside them, and their delayed deletion.
#include <algorithm>

#include "base/ensure.h"
#include "base/plant.h"
#include "storage/log_state.h"

namespace klamm::storage {

using runtime::ShortLock;

namespace {

double milliseconds_since(const runtime::Clock& clock, runtime::MonoTime then) {
  return static_cast<double>((clock.now() - then).count()) / 1e6;
}

}  // namespace

std::string list_of(std::span<const SegmentRef> segments) {
  std::string text;
  for (const auto& segment : segments) text += (text.empty() ? "" : ", ") + segment->to_string();
  return text;
}

// --- segments ------------------------------------------------------------------------------------------------------

SegmentRef Log::State::make_segment(Offset base, bool replace_files) {
  auto segment = std::make_shared<Segment>(files, base, environment.clock.wall());
  if (replace_files) {
    for (const auto file_suffix : {suffix::log, suffix::index, suffix::time_index, suffix::transaction_index}) {
      const auto path = files.path(segment_file_name(base, file_suffix));
      if (!disk.exists(path)) continue;
      logger("UnifiedLog").warn("Newly rolled segment file {} already exists; deleting it first", path);
      disk.remove_file(path);
    }
  }
  segment->open_files();
  segment->indexes_open = true;
  segment->largest = LargestTimestamp{};
  segment->largest_checked = true;
  const auto jitter = std::min(settings->segment_jitter_ms, settings->segment_ms);
  if (jitter.count() > 0) {
    segment->roll_jitter = LogSettings::Milliseconds(
        static_cast<std::int64_t>(environment.random.next() % static_cast<std::uint64_t>(jitter.count())));
  }
  if (settings->preallocate) {
    segment->log_file()->reserve(0, settings->segment_bytes);
    segment->reserved_end = settings->segment_bytes;
  }
  return segment;
}

void Log::State::roll_now(Offset expected_base) {
  const auto begun = environment.clock.now();
  const Offset base = std::max(expected_base, log_end);
  Segment& old = active();
  ENSURE(base >= old.base);
  if (base == old.base && old.size == 0) return;  // it is empty and begins where the new one would
  ENSURE(base > old.base);
  {
    const ShortLock::Guard guard(lock);
    old.open_files();
    old.open_indexes();
    old.add_time_entry();
  }
  old.save_indexes();
  old.trim();
  auto segment = make_segment(base, true);
  {
    const ShortLock::Guard guard(lock);
    old.time_index.trim_memory(0);
    if (directory.index_memory_is_scarce() || environment.scheduling.chance("storage: index memory"))
      old.offset_index.trim_memory(0);
    old.index_memory.set(old.offset_index.memory().size());
    segments.push_back(std::move(segment));
    names_unsynced = true;
    // The new base may lie behind what the producer state has seen; a snapshot with its name says: all before it.
    producers_end = base;
  }
  take_snapshot(producers, base, false);
  if (planted(Plant::unsynced_roll)) names_unsynced = false;
  logger("UnifiedLog")
      .info("Rolled new log segment at offset {} in {:.0f} ms.", base, milliseconds_since(environment.clock, begun));
  if (scratch) scratch->file.reset();
  request_flush(nullptr, base);
}

runtime::Task<Result<void>> Log::roll(runtime::Reactor& reactor) {
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  try {
    state.roll_now(state.log_end);
  } catch (const runtime::DiskError& error) {
    co_return std::unexpected(state.failed("rolling log segment for", error));
  }
  co_return Result<void>();
}

void Log::State::drop_segments(std::span<const SegmentRef> dropped, std::string_view reason) {
  if (dropped.empty()) return;
  if (!reason.empty()) logger("UnifiedLog").info("{}: {}", reason, list_of(dropped));
  {
    const ShortLock::Guard guard(lock);
    std::erase_if(segments,
                  [&](const SegmentRef& segment) { return std::ranges::find(dropped, segment) != dropped.end(); });
  }
  retire_files(dropped);
}

// Renames the files of segments that are (about to be) out of sight; they are removed later, when no reader is left.
void Log::State::retire_files(std::span<const SegmentRef> dropped) {
  PendingDeletion deletion;
  deletion.at = later(environment.clock.now(), settings->file_delete_delay_ms);
  for (const auto& segment : dropped) {
    {
      const ShortLock::Guard guard(lock);
      segment->open_files();
    }
    segment->rename_to_deleted();
    deletion.segments.emplace_back(segment->base, segment->to_string());
    const auto snapshot = std::ranges::find(snapshots, segment->base);
    if (snapshot == snapshots.end()) continue;
    const auto path = snapshot_path(*snapshot);
    if (disk.exists(path)) {
      disk.rename(path, path + std::string(suffix::deleted));
      deletion.snapshots.push_back(*snapshot);
    }
    snapshots.erase(snapshot);
  }
  schedule_deletion(std::move(deletion));
}

void Log::State::schedule_deletion(PendingDeletion deletion) {
  {
    const ShortLock::Guard guard(lock);
    deletions.push_back(std::move(deletion));
  }
  wake_upkeep();
}

}  // namespace klamm::storage
