// Reads. In the common case (a reader near the end, or one that goes on where its last read ended) everything is known
// in memory and the answer is a slice of a file, without touching it; else the indexes and batch headers are looked at,
// on the spot when they are in memory, on an I/O thread when not. What was found is remembered for the next read.
#include <algorithm>

#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

// What a walk from an index entry may look at.
constexpr std::uint64_t walk_bytes = 64u << 10;
// A cold reader gets so much ahead of what it asked for.
constexpr std::uint64_t load_ahead_bytes = 2u << 20;

bool resident(runtime::File& file, std::uint64_t from, std::uint64_t bytes, std::uint64_t size) {
  if (from >= size) return true;
  return file.resident(from, std::min(bytes, size - from));
}

}  // namespace

struct Log::State::ReadPlan {
  ReadRequest request;
  ReadResult result;
  Offset limit;  // records below it may be read
  SegmentRef segment;
  runtime::FileRef file;
  std::uint64_t segment_size = 0;      // published when the plan was made: limits below were drawn then
  std::optional<std::uint64_t> start;  // position of the first batch
  std::optional<std::uint64_t> limit_position;
  std::uint64_t probe_from = 0;  // where a search would begin to look
  bool wants_aborted = false;
  bool done = false;  // nothing to read, or everything is said
};

Log::State::Hints& Log::State::hints_locked() {
  if (!hints) hints = std::make_unique<Hints>();
  return *hints;
}

std::optional<std::uint64_t> Log::State::known_position_locked(Segment& segment, Offset offset) const {
  if (offset == segment.base) return 0;
  if (hints) {
    if (const auto position = hints->read.find(offset, segment.base)) return position;
    if (const auto position = hints->appended.find(offset, segment.base)) return position;
  }
  if (segment.indexes_wrong || !segment.fits(offset)) return std::nullopt;
  const auto relative = segment.relative(offset);
  const auto memory = segment.offset_index.memory();
  const auto entry = std::ranges::lower_bound(memory, relative, {}, &OffsetEntry::first);
  if (entry == memory.end() || entry->first != relative) return std::nullopt;
  return entry->position;
}

// Everything that can be said under the lock.
std::optional<Error> Log::State::plan_read(const ReadRequest& request, ReadPlan& plan) {
  const ShortLock::Guard guard(lock);
  if (auto error = unusable()) return error;
  plan.request = request;
  plan.result.offsets = offsets_locked();
  const auto from = request.from;
  if (from < log_start) {
    return Error{
        ErrorCode::offset_out_of_range,
        fmt::format(
            "Received request for offset {} for partition {}, but we only have log segments starting from offset: {}.",
            from, partition(), log_start)};
  }
  if (from > log_end) {
    return Error{ErrorCode::offset_out_of_range,
                 fmt::format("Received request for offset {} for partition {}, but we only have log segments upto {}.",
                             from, partition(), log_end)};
  }
  switch (request.isolation) {
    case ReadIsolation::log_end:
      plan.limit = log_end;
      break;
    case ReadIsolation::high_watermark:
      plan.limit = high_watermark;
      break;
    case ReadIsolation::last_stable:
      plan.limit = last_stable_locked();
      break;
  }
  plan.result.data_offset = from;
  if (from >= plan.limit) {
    plan.done = true;
    return std::nullopt;
  }
  auto number = floor_segment(from);
  plan.start = known_position_locked(*segments[number], std::max(from, segments[number]->base));
  // Where offsets are missing between two segments, the end of the first is the beginning of the second.
  while (plan.start && *plan.start >= segments[number]->size && number + 1 < segments.size()) {
    plan.start = 0;
    plan.result.data_offset = segments[++number]->base;
  }
  plan.segment = segments[number];
  Segment& segment = *plan.segment;
  plan.file = segment.log_file();
  plan.segment_size = segment.size;
  const bool ends_behind = number + 1 < segments.size() && segments[number + 1]->base <= plan.limit;
  plan.limit_position =
      ends_behind || plan.limit == log_end ? std::optional(segment.size) : known_position_locked(segment, plan.limit);
  if (!plan.start) plan.probe_from = view_locked(segment, from).floor_position;
  if (request.isolation == ReadIsolation::last_stable) {
    plan.wants_aborted = std::any_of(segments.begin() + static_cast<std::ptrdiff_t>(number), segments.end(),
                                     [](const SegmentRef& each) { return each->has_transaction_index; });
  }
  return std::nullopt;
}

// Whether what is left to find can be looked for without waiting for the disk.
bool Log::State::can_finish_now(const ReadPlan& plan) {
  if (plan.wants_aborted) return false;
  SegmentView view;
  if (!plan.start || !plan.limit_position) {
    view = view_of(*plan.segment, plan.start ? plan.limit : plan.request.from);
    if (view.index &&
        !resident(*view.index, 0, view.stored_entries * OffsetEntry::bytes, view.stored_entries * OffsetEntry::bytes)) {
      return false;
    }
  }
  return resident(*plan.file, plan.start.value_or(plan.probe_from), walk_bytes, plan.segment_size);
}

void Log::State::index_is_wrong(const SegmentRef& segment) {
  logger("UnifiedLog").warn("Found a corrupted index file corresponding to segment {}; it is rebuilt", segment->base);
  {
    const ShortLock::Guard guard(lock);
    segment->indexes_wrong = true;
    rebuild_wanted = true;
  }
  wake_upkeep();
}

std::optional<Error> Log::State::find_start(ReadPlan& plan) {
  while (!plan.start) {
    const auto found = view_of(*plan.segment, plan.request.from).locate(plan.request.from);
    if (!found) return found.error();
    if (found->index_is_wrong) index_is_wrong(plan.segment);
    if (found->batch) {
      plan.start = found->batch->position;
      plan.result.data_offset = found->batch->first;
      return std::nullopt;
    }
    // Compaction can leave nothing behind the offset in its segment: then the next one goes on.
    const ShortLock::Guard guard(lock);
    const auto number = floor_segment(plan.segment->base) + 1;
    if (number >= segments.size() || segments[number]->base >= plan.limit) {
      plan.done = true;
      return std::nullopt;
    }
    plan.segment = segments[number];
    plan.file = plan.segment->log_file();
    plan.segment_size = plan.segment->size;
    plan.start = 0;
    plan.result.data_offset = plan.segment->base;
    const bool ends_behind = number + 1 < segments.size() && segments[number + 1]->base <= plan.limit;
    plan.limit_position = ends_behind || plan.limit == log_end ? std::optional(plan.segment_size)
                                                               : known_position_locked(*plan.segment, plan.limit);
  }
  return std::nullopt;
}

std::optional<Error> Log::State::find_limit(ReadPlan& plan) {
  if (plan.limit_position) return std::nullopt;
  const auto found = view_of(*plan.segment, plan.limit).locate(plan.limit);
  if (!found) return found.error();
  if (found->index_is_wrong) index_is_wrong(plan.segment);
  // A batch that reaches above the limit stays unread as a whole.
  plan.limit_position = found->batch ? std::min(found->batch->position, plan.segment_size) : plan.segment_size;
  return std::nullopt;
}

// How far the slice goes: to the limit, or to the last known beginning of a batch within bytes_max, so that the next
// read knows where it starts.
std::optional<Error> Log::State::choose_end(ReadPlan& plan) {
  auto& result = plan.result;
  const auto start = *plan.start;
  const auto available = *plan.limit_position - std::min(start, *plan.limit_position);
  if (available == 0) {
    plan.done = true;
    return std::nullopt;
  }
  result.data = {.file = plan.file, .offset = start, .length = available};
  if (plan.request.at_least_one_batch && environment.scheduling.chance("storage: short read"))
    plan.request.bytes_max = 1;
  std::optional<PositionHint> next;
  if (available <= plan.request.bytes_max) {
    next = {.offset = plan.limit, .segment = plan.segment->base, .position = *plan.limit_position};
  } else {
    const ShortLock::Guard guard(lock);
    const auto memory = plan.segment->offset_index.memory();
    const auto end = std::ranges::upper_bound(memory, start + plan.request.bytes_max, {},
                                              [](const OffsetEntry& entry) { return std::uint64_t{entry.position}; });
    if (!plan.segment->indexes_wrong && end != memory.begin() && std::prev(end)->position > start) {
      const auto& last = *std::prev(end);
      result.data.length = last.position - start;
      next = {.offset = plan.segment->base + last.first, .segment = plan.segment->base, .position = last.position};
    }
  }
  if (!next) {
    // Cut wherever bytes_max says; the first batch is whole or not given at all.
    HeaderWalk walk(*plan.file, start, *plan.limit_position);
    const auto batch = walk.next();
    if (!batch) return batch.error();
    if (!*batch)
      return Error{ErrorCode::corrupt_message, fmt::format("No batch at {} in {}", start, plan.file->path())};
    const auto first_bytes = (*batch)->size;
    result.data.length = std::min<std::uint64_t>(
        available, std::max<std::uint64_t>(plan.request.bytes_max, plan.request.at_least_one_batch ? first_bytes : 0));
    if (first_bytes > result.data.length) {
      result.data = {};
      plan.done = true;
      return std::nullopt;
    }
    if (first_bytes == result.data.length) {
      next = {.offset = (*batch)->last + 1, .segment = plan.segment->base, .position = start + first_bytes};
    }
  }
  if (next) {
    const ShortLock::Guard guard(lock);
    hints_locked().read.add(*next);
  }
  return std::nullopt;
}

void Log::State::collect_aborted(ReadPlan& plan) {
  std::vector<SegmentRef> from_here;
  Offset upper = plan.limit;
  {
    const ShortLock::Guard guard(lock);
    from_here.assign(segments.begin() + static_cast<std::ptrdiff_t>(floor_segment(plan.segment->base)), segments.end());
    for (const auto& segment : from_here) {
      if (segment->has_transaction_index) segment->transaction_index_file();
    }
    // The first index entry behind the slice bounds the offsets in it.
    const auto memory = plan.segment->offset_index.memory();
    const auto end = std::ranges::lower_bound(memory, plan.result.data.offset + plan.result.data.length, {},
                                              [](const OffsetEntry& entry) { return std::uint64_t{entry.position}; });
    if (end != memory.end()) upper = std::min(upper, plan.segment->base + end->last);
    if (from_here.size() > 1) upper = std::min(upper, from_here[1]->base);
  }
  for (const auto& segment : from_here) {
    if (!segment->has_transaction_index) continue;
    bool complete = false;
    walk_transaction_index(*segment->transaction_index_file(), segment->base, [&](const AbortedEntry& entry) {
      if (entry.last_offset >= plan.request.from && entry.first_offset < upper) {
        plan.result.aborted.push_back({.producer_id = entry.producer_id, .first_offset = entry.first_offset});
      }
      complete = entry.last_stable_offset >= upper;
      return !complete;
    });
    if (complete) return;
  }
}

std::optional<Error> Log::State::finish_read(ReadPlan& plan) {
  if (auto error = find_start(plan); error || plan.done) return error;
  if (auto error = find_limit(plan)) return error;
  if (auto error = choose_end(plan); error || plan.done) return error;
  if (plan.wants_aborted) collect_aborted(plan);
  return std::nullopt;
}

runtime::Task<Result<ReadResult>> Log::read(Reactor& reactor, ReadRequest request) {
  if (auto read = read_asleep(request)) co_return std::move(*read);
  State& state = awake();
  State::ReadPlan plan;
  if (auto error = state.plan_read(request, plan)) co_return std::unexpected(std::move(*error));
  if (plan.done) co_return std::move(plan.result);
  try {
    const bool all_known = plan.start && plan.limit_position && !plan.wants_aborted &&
                           *plan.limit_position - std::min(*plan.start, *plan.limit_position) <= request.bytes_max;
    std::optional<Error> error;
    if (all_known || state.can_finish_now(plan)) {
      error = state.finish_read(plan);
    } else {
      auto finishing = runtime::blocking(reactor, [moved = std::move(plan), log = shared_from_this()]() mutable {
        auto failure = log->awake().finish_read(moved);
        return std::pair(std::move(failure), std::move(moved));
      });
      std::tie(error, plan) = co_await std::move(finishing);
    }
    if (error) co_return std::unexpected(std::move(*error));
    const auto& data = plan.result.data;
    if (data.length > 0 && !data.file->resident(data.offset, data.length)) {
      const auto bytes = std::min(std::max(data.length, load_ahead_bytes), plan.segment_size - data.offset);
      auto loading =
          runtime::blocking(reactor, [file = data.file, offset = data.offset, bytes] { file->load(offset, bytes); });
      co_await std::move(loading);
    }
    co_return std::move(plan.result);
  } catch (const runtime::DiskError& error) {
    // The files of a log that is being removed have other names already.
    if (auto gone = state.unusable()) co_return std::unexpected(std::move(*gone));
    co_return std::unexpected(state.failed("reading from", error));
  }
}

}  // namespace klamm::storage
