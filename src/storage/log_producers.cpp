// Producer state of a log: loaded from the newest snapshot and the log behind it.
#include <algorithm>

#include "storage/log_state.h"
#include "storage/producer_snapshot.h"

namespace klamm::storage {

using runtime::OpenMode;
using runtime::ShortLock;

namespace {

// 10 million producers.
constexpr std::uint64_t snapshot_bytes_max = 512u << 20;

double milliseconds_between(runtime::MonoTime from, runtime::MonoTime to) {
  return static_cast<double>((to - from).count()) / 1e6;
}

}  // namespace

// --- snapshot files ------------------------------------------------------------------------------------------------

std::string Log::State::snapshot_path(Offset offset) const {
  return files.path(segment_file_name(offset, suffix::snapshot));
}

Logger Log::State::producers_logger() const {
  return {environment.log, "org.apache.kafka.storage.internals.log.ProducerStateManager",
          fmt::format("[ProducerStateManager partition={}] ", partition())};
}

void Log::State::take_snapshot(const ProducerState& of, Offset at, bool sync) {
  if (at <= last_snapshot) return;
  const auto begun = environment.clock.now();
  const auto content = encode_producer_snapshot(of.producers());
  const auto file = disk.open(snapshot_path(at), OpenMode::create);
  if (file->size() > 0) file->truncate(0);
  file->write_at(0, Bytes(content));
  if (sync) file->sync_data();
  last_snapshot = at;
  const auto place = std::ranges::lower_bound(snapshots, at);
  if (place == snapshots.end() || *place != at) snapshots.insert(place, at);
  {
    const ShortLock::Guard guard(lock);
    names_unsynced = true;
    if (!sync) snapshots_unsynced.push_back(at);
  }
  producers_logger().info("Wrote producer snapshot at offset {} with {} producer ids in {:.0f} ms.", at, of.size(),
                          milliseconds_between(begun, environment.clock.now()));
}

void Log::State::remove_snapshot(Offset offset) {
  const auto path = snapshot_path(offset);
  disk.remove_file(path);
  std::erase(snapshots, offset);
  Logger(environment.log, "org.apache.kafka.storage.internals.log.SnapshotFile")
      .info("Deleted producer state snapshot {}", path);
}

// Those without a segment of their name go, except the newest of them when it lies above all segments: a clean stop
// wrote it.
void Log::State::remove_stray_snapshots() {
  std::optional<Offset> newest_stray;
  for (const auto offset : std::vector(snapshots)) {
    const bool has_segment =
        std::ranges::any_of(segments, [&](const SegmentRef& segment) { return segment->base == offset; });
    if (has_segment) continue;
    if (newest_stray) remove_snapshot(*newest_stray);
    newest_stray = offset;
  }
  if (newest_stray && *newest_stray < segments.back()->base) remove_snapshot(*newest_stray);
}

// --- the state -----------------------------------------------------------------------------------------------------

std::vector<CompletedTransaction> replay(ProducerState& state, const ProducerAppend& batch) {
  ProducerState::Update update(state, {});
  // A leader checked it once; a plain batch inside a transaction, which is all that is refused here, changes nothing.
  if (!update.add(batch, ProducerCheck::replication)) return {};
  state.apply(update);
  const auto completed = ProducerState::completed(update);
  return {completed.begin(), completed.end()};
}

ProducerBuild Log::State::load_newest_snapshot() {
  ProducerBuild build;
  while (!snapshots.empty()) {
    const auto offset = snapshots.back();
    const auto path = snapshot_path(offset);
    producers_logger().debug("Loading producer state from snapshot file '{}'", path);
    const auto content = disk.read_file(path, snapshot_bytes_max);
    const auto entries = decode_producer_snapshot(content);
    if (!entries) {
      producers_logger().warn("Failed to load producer snapshot from '{}': {}", path, entries.error().message);
      remove_snapshot(offset);
      continue;
    }
    for (const auto& entry : *entries) build.state.load(entry);
    build.state.expire(environment.clock.wall(), producer_id_expiration);
    build.end = last_snapshot = offset;
    return build;
  }
  build.end = last_snapshot = log_start;
  return build;
}

// Reads the log from where the state ends up to `end`.
void Log::State::scan_producers(ProducerBuild& build, Offset end) {
  for (std::size_t i = floor_segment(build.end); i < segments.size() && build.end < end; ++i) {
    const auto& segment = segments[i];
    if (segment->base >= end) break;
    const auto from = std::max({segment->base, build.end, log_start});
    const auto located = view_of(*segment, from).locate(from);
    if (!located || !located->batch) continue;
    runtime::FileRef file;
    {
      const ShortLock::Guard guard(lock);
      file = segment->log_file();
    }
    SegmentScan scan(*file, located->batch->position, segment->size);
    while (scan.next() == SegmentScan::Step::batch && scan.batch().last < end) {
      if (!scan.producer()) continue;
      for (const auto& completed : replay(build.state, *scan.producer())) build.state.complete(completed);
    }
  }
  build.end = end;
}

void Log::State::rebuild_producers(Offset end, bool trust_absence) {
  if (snapshots.empty() && trust_absence) {
    // An upgrade from a version without producers, or nobody ever wrote with an id: nothing to be scanned for.
    ProducerBuild none;
    if (segments.size() > 1) take_snapshot(none.state, segments[segments.size() - 2]->base, true);
    take_snapshot(none.state, segments.back()->base, true);
    take_snapshot(none.state, end, true);
    set_producers(std::move(none), end);
    return;
  }
  const auto begun = environment.clock.now();
  for (const auto offset : std::vector(snapshots)) {
    if (offset > end || offset <= log_start) remove_snapshot(offset);
  }
  // Without any producer before a truncation there is none after it.
  const bool nobody = producers.is_empty() && producers_end >= end && producers_end > Offset(0);
  ProducerBuild build = load_newest_snapshot();
  const auto loaded = environment.clock.now();
  const auto scan_from = build.end;
  if (end > build.end && !nobody) scan_producers(build, end);
  set_producers(std::move(build), end);
  take_snapshot(producers, end, true);
  if (scan_from < end) {
    logger("UnifiedLog")
        .info(
            "Producer state recovery took {:.0f}ms for snapshot load and {:.0f}ms for segment recovery from offset {}",
            milliseconds_between(begun, loaded), milliseconds_between(loaded, environment.clock.now()), end);
  }
}

void Log::State::set_producers(ProducerBuild build, Offset end) {
  const ShortLock::Guard guard(lock);
  producers = std::move(build.state);
  producers_end = end;
}

}  // namespace klamm::storage
