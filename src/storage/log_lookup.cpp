// Offsets by time. All of it may read from disk: on I/O threads only.
#include <algorithm>

#include "records/record_reader.h"
#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

// A batch is read whole to look at its records.
constexpr std::uint64_t batch_bytes_max = 512u << 20;
// As far as a batch is opened to look for a record in it. A payload that was stored unopened may become anything.
constexpr records::DecompressionLimits opened_bytes_max{.plain_bytes_max = std::size_t{32} << 20};

// The first record of the batch for which `matches` holds.
template <typename Matches>
Result<std::optional<TimestampOffset>> find_record(runtime::File& file, const BatchAt& at, Matches matches) {
  if (at.size > batch_bytes_max)
    return fail(ErrorCode::corrupt_message, fmt::format("Batch of {} bytes in {}", at.size, file.path()));
  ByteVector bytes(at.size);
  bytes.resize(file.read_at(at.position, bytes));
  records::BatchWalker walker(bytes);
  if (walker.next() != records::BatchWalker::Step::entry) {
    return fail(ErrorCode::corrupt_message, fmt::format("No batch at {} in {}", at.position, file.path()));
  }
  if (auto ok = walker.entry().check(); !ok) return std::unexpected(std::move(ok.error()));
  records::Decompressor decompressor(opened_bytes_max);
  records::RecordReader reader(walker.entry(), decompressor, records::RecordReader::Large::sizes);
  while (reader.next()) {
    const auto& record = reader.record();
    if (matches(record)) {
      return std::optional(
          TimestampOffset{.timestamp = record.timestamp, .offset = record.offset, .leader_epoch = at.epoch});
    }
  }
  if (reader.ok()) return std::optional<TimestampOffset>();
  // Who reads from the beginning of the batch on misses nothing.
  if (reader.error().code == ErrorCode::message_too_large && walker.entry().is_batch())
    return std::optional(TimestampOffset{.timestamp = at.max_timestamp, .offset = at.first, .leader_epoch = at.epoch});
  return std::unexpected(reader.error());
}

}  // namespace

// The position of a batch such that none before it has a timestamp at or above `at` (beside those below `from`). What
// the time index says is believed only when the log says the same; nothing when it lies.
std::optional<std::uint64_t> Log::State::time_floor_position(const SegmentRef& segment, Timestamp at, Offset from) {
  runtime::FileRef time_file;
  std::size_t stored = 0;
  std::optional<TimeEntry> floor;
  {
    const ShortLock::Guard guard(lock);
    segment->open_indexes();
    if (segment->indexes_wrong) return std::nullopt;
    const auto memory = segment->time_index.memory();
    const auto above = std::ranges::lower_bound(memory, at.value, {}, &TimeEntry::timestamp);
    if (above != memory.begin()) {
      floor = *std::prev(above);
    } else {
      stored = segment->time_index.memory_first();
      time_file = segment->time_index_file();
    }
  }
  if (stored > 0) {
    const auto below = TimeIndex::count_while_stored(
        *time_file, stored, [&](const TimeEntry& entry) { return entry.timestamp < at.value; });
    if (below > 0) floor = TimeIndex::load_stored(*time_file, below - 1);
  }
  // The entry's offset has the largest timestamp so far, and that is below `at`: nothing up to it matters.
  const Offset target = std::max({from, segment->base, floor ? segment->base + floor->offset : segment->base});
  const auto found = view_of(*segment, target).locate(target);
  if (!found) return std::nullopt;
  if (found->index_is_wrong) index_is_wrong(segment);
  if (!found->batch) return segment->size;
  if (floor && target == segment->base + floor->offset && found->batch->max_timestamp.value != floor->timestamp)
    return std::nullopt;
  return found->batch->position;
}

// What the time index says of the largest timestamp, if the log says the same at that place; nothing when there is no
// entry or it lies.
std::optional<LargestTimestamp> Log::State::indexed_largest_of(const SegmentRef& segment) {
  runtime::FileRef time_file;
  std::optional<TimeEntry> last;
  std::size_t stored = 0;
  {
    const ShortLock::Guard guard(lock);
    segment->open_indexes();
    if (segment->indexes_wrong) return std::nullopt;
    if (const auto memory = segment->time_index.memory(); !memory.empty()) {
      last = memory.back();
    } else {
      stored = segment->time_index.memory_first();
      time_file = segment->time_index_file();
    }
  }
  if (stored > 0) last = TimeIndex::load_stored(*time_file, stored - 1);
  if (!last) return std::nullopt;
  const auto offset = segment->base + last->offset;
  const auto found = view_of(*segment, offset).locate(offset);
  if (found && found->batch && found->batch->max_timestamp.value == last->timestamp) {
    return LargestTimestamp{Timestamp(last->timestamp), found->batch->last};
  }
  index_is_wrong(segment);
  return std::nullopt;
}

LargestTimestamp Log::State::largest_of(const SegmentRef& segment) {
  runtime::FileRef log_file;
  std::uint64_t size = 0;
  bool is_active = false;
  {
    const ShortLock::Guard guard(lock);
    if (segment->largest && segment->largest_checked) return *segment->largest;
    log_file = segment->log_file();
    size = segment->size;
    is_active = segment == segments.back();
  }
  const auto indexed = indexed_largest_of(segment);
  auto largest = indexed.value_or(LargestTimestamp{});
  std::uint64_t from = 0;
  if (indexed) {
    const auto found = view_of(*segment, largest.offset).locate(largest.offset);
    if (found && found->batch) from = found->batch->end();
  }
  // What lies behind the last entry is asked itself, so that a cut index hides nothing.
  HeaderWalk walk(*log_file, from, size);
  for (auto batch = walk.next(); batch && *batch; batch = walk.next()) {
    if ((*batch)->max_timestamp > largest.timestamp) largest = {(*batch)->max_timestamp, (*batch)->last};
  }
  // The last entry of a segment that is not written to any more has the largest timestamp, or the index was cut.
  if (!is_active && indexed && largest.timestamp > indexed->timestamp) index_is_wrong(segment);
  const ShortLock::Guard guard(lock);
  if (!segment->largest || segment->largest->timestamp < largest.timestamp) segment->largest = largest;
  segment->largest_checked = true;
  return *segment->largest;
}

Result<std::optional<TimestampOffset>> Log::State::find_timestamp_now(Timestamp at) {
  std::vector<SegmentRef> searched;
  Offset from;
  {
    const ShortLock::Guard guard(lock);
    from = log_start;
    searched.assign(segments.begin() + static_cast<std::ptrdiff_t>(floor_segment(log_start)), segments.end());
  }
  for (const auto& segment : searched) {
    if (largest_of(segment).timestamp < at) continue;
    runtime::FileRef file;
    std::uint64_t size = 0;
    {
      const ShortLock::Guard guard(lock);
      file = segment->log_file();
      size = segment->size;
    }
    HeaderWalk walk(*file, time_floor_position(segment, at, from).value_or(0), size);
    while (true) {
      const auto batch = walk.next();
      if (!batch) return std::unexpected(batch.error());
      if (!*batch) break;
      if ((*batch)->max_timestamp < at || (*batch)->last < from) continue;
      auto found = find_record(*file, **batch, [&](const records::RecordView& record) {
        return record.timestamp >= at && record.offset >= from;
      });
      if (!found || *found) return found;
    }
  }
  return std::optional<TimestampOffset>();
}

Result<std::optional<TimestampOffset>> Log::State::find_max_timestamp_now() {
  std::vector<SegmentRef> searched;
  {
    const ShortLock::Guard guard(lock);
    searched = segments;
  }
  SegmentRef best;
  LargestTimestamp largest;
  for (const auto& segment : searched) {
    const auto candidate = largest_of(segment);
    if (best && candidate.timestamp <= largest.timestamp) continue;
    best = segment;
    largest = candidate;
  }
  if (!best || largest.timestamp == no_timestamp) return std::optional<TimestampOffset>();
  runtime::FileRef file;
  {
    const ShortLock::Guard guard(lock);
    file = best->log_file();
  }
  const auto found = view_of(*best, largest.offset).locate(largest.offset);
  if (!found) return std::unexpected(found.error());
  if (!found->batch) return std::optional<TimestampOffset>();
  const auto max = found->batch->max_timestamp;
  return find_record(*file, *found->batch, [&](const records::RecordView& record) { return record.timestamp == max; });
}

runtime::Task<Result<std::optional<TimestampOffset>>> Log::find_timestamp(Reactor& reactor, Timestamp at) {
  State& state = awake();
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  try {
    auto finding =
        runtime::blocking(reactor, [at, log = shared_from_this()] { return log->awake().find_timestamp_now(at); });
    co_return co_await std::move(finding);
  } catch (const runtime::DiskError& error) {
    if (auto gone = state.unusable()) co_return std::unexpected(std::move(*gone));
    co_return std::unexpected(state.failed("fetching offset by timestamp for", error));
  }
}

runtime::Task<Result<std::optional<TimestampOffset>>> Log::find_max_timestamp(Reactor& reactor) {
  State& state = awake();
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  try {
    auto finding =
        runtime::blocking(reactor, [log = shared_from_this()] { return log->awake().find_max_timestamp_now(); });
    co_return co_await std::move(finding);
  } catch (const runtime::DiskError& error) {
    if (auto gone = state.unusable()) co_return std::unexpected(std::move(*gone));
    co_return std::unexpected(state.failed("fetching offset by timestamp for", error));
  }
}

}  // namespace klamm::storage
