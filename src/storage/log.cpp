#include "storage/log.h"

#include <algorithm>

#include "base/ensure.h"
#include "base/plant.h"
#include "storage/log_flush.h"
#include "storage/log_state.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

// --- state ---------------------------------------------------------------------------------------------------------

Log::State::State(Log& owner, LogDirectory& log_directory, LogOpening opening)
    : log(owner),
      directory(log_directory),
      environment(log_directory.environment()),
      disk(environment.disk),
      producer_id_expiration(opening.producer_id_expiration),
      lock(environment.scheduling),
      files{disk, log_directory.file(opening.directory_name), log_directory.index_entries()},
      settings(std::move(opening.settings)) {}

Log::State::~State() = default;

Logger Log::State::logger(std::string_view name) const {
  return {environment.log, std::string("org.apache.kafka.storage.internals.log.") + std::string(name),
          fmt::format("[{} partition={}, dir={}] ", name, partition(), directory.path())};
}

std::optional<Error> Log::State::unusable() const {
  if (directory.offline()) return directory.offline_error();
  if (closed) return Error{ErrorCode::not_leader_or_follower};
  return std::nullopt;
}

Error Log::State::failed(std::string_view what, const std::exception& cause) {
  return directory.failed(fmt::format("Error while {} {} in dir {}", what, partition(), directory.path()), cause);
}

// What was written below `flushed` and is not on disk: indexes of segments that were rolled, or recovered.
std::size_t Log::State::first_unsynced_segment() const {
  auto first = floor_segment(flushed);
  while (first > 0 && segments[first - 1]->indexes_unsynced) --first;
  return first;
}

// A start looks at the segment that holds it, and relies on all before that one.
Offset Log::State::recovery_checkpoint_locked() const {
  if (planted(Plant::checkpoint_ahead)) return log_end;
  const auto first = first_unsynced_segment();
  const Segment& segment = *segments[first];
  if (first + 1 < segments.size() && segment.indexes_unsynced) return std::min(segment.base, flushed);
  // The active segment may be rolled, and its indexes lost, before this is written again.
  const bool all_but_indexes =
      first + 1 == segments.size() && !closed_cleanly && flushed == log_end && flushed > segment.base;
  return all_but_indexes ? flushed - 1 : flushed;
}

std::size_t Log::State::floor_segment(Offset offset) const {
  const auto above =
      std::ranges::upper_bound(segments, offset, {}, [](const SegmentRef& segment) { return segment->base; });
  return above == segments.begin() ? 0 : static_cast<std::size_t>(above - segments.begin()) - 1;
}

Offset Log::State::last_stable_locked() const {
  return first_unstable && *first_unstable < high_watermark ? *first_unstable : high_watermark;
}

LogOffsets Log::State::offsets_locked() const {
  return {.log_start = log_start,
          .local_log_start = local_log_start,
          .last_stable = last_stable_locked(),
          .high_watermark = high_watermark,
          .log_end = log_end};
}

void Log::State::refresh_first_unstable_locked() {
  first_unstable = producers.first_unstable();
  if (first_unstable) first_unstable = std::max(*first_unstable, log_start);
}

Offset Log::State::set_high_watermark_locked(Offset to) {
  const auto next = std::clamp(to, log_start, std::max(log_start, log_end));
  if (next == high_watermark) return next;
  high_watermark = next;
  producers.high_watermark_moved(next);
  refresh_first_unstable_locked();
  touch(LogDirectory::high_watermark_moved);
  return next;
}

void Log::State::set_log_start_locked(Offset to) {
  log_start = to;
  local_log_start = to;
  if (high_watermark < to) set_high_watermark_locked(to);
  if (flushed < to) {
    flushed = to;
    touch(LogDirectory::recovery_point_moved);
  }
  touch(LogDirectory::log_start_moved);
}

SegmentView Log::State::view_of(Segment& segment, Offset target) {
  const ShortLock::Guard guard(lock);
  return view_locked(segment, target);
}

// Notes an index file that shows at the first look that it is none.
SegmentView Log::State::view_locked(Segment& segment, Offset target) {
  auto view = segment.view(target);
  rebuild_wanted |= segment.indexes_wrong;
  return view;
}

// --- life ----------------------------------------------------------------------------------------------------------

Log::Log(Opened, LogDirectory& directory, const LogOpening& opening) : name_(opening.name), directory_(&directory) {}

Log::~Log() {
  delete state_.load();
}

LogRef Log::open(LogDirectory& directory, LogOpening opening) {
  std::vector<runtime::DirectoryEntry> entries;
  if (opening.listed) {
    entries = directory.environment().disk.list(directory.file(opening.directory_name));
    if (auto log = open_asleep(directory, opening, entries)) return log;
  }
  auto log = std::make_shared<Log>(Opened{}, directory, opening);
  log->state_ = new State(*log, directory, opening);
  return load_log(*log->state_, opening, std::move(entries)) ? log : nullptr;
}

std::string Log::path() const {
  if (sleeps()) return path_asleep();
  const ShortLock::Guard guard(awake().lock);
  return awake().files.directory;
}

std::optional<Uuid> Log::topic_id() const {
  if (sleeps()) return sleep_.topic_id;
  const ShortLock::Guard guard(awake().lock);
  return awake().topic_id;
}

Result<void> Log::assign_topic_id(Uuid id) {
  if (sleeps() && sleep_.topic_id == id) return {};
  {
    const ShortLock::Guard guard(awake().lock);
    if (awake().topic_id == id) return {};
    if (awake().topic_id) {
      return fail(
          ErrorCode::inconsistent_topic_id,
          fmt::format("Tried to assign topic ID {} to log for topic partition {},but log already contained topic ID {}",
                      id.to_string(), name_.to_string(), awake().topic_id->to_string()));
    }
    awake().topic_id = id;
  }
  try {
    write_partition_metadata(awake().disk, path(), id);
  } catch (const runtime::DiskError& error) {
    return std::unexpected(awake().failed("writing the partition metadata file of", error));
  }
  return {};
}

bool Log::is_future() const {
  if (sleeps()) return false;
  const ShortLock::Guard guard(awake().lock);
  return awake().files.directory.ends_with(suffix::future_directory);
}

LogSettingsRef Log::settings() const {
  LogSettingsRef held;
  if (while_asleep([&](const Sleep& sleep) { held = sleep.settings; })) return held;
  const ShortLock::Guard guard(awake().lock);
  return awake().settings;
}

void Log::reconfigure(LogSettingsRef settings) {
  if (while_asleep([&](Sleep& sleep) { sleep.settings = settings; })) return;
  {
    const ShortLock::Guard guard(awake().lock);
    awake().settings = std::move(settings);
  }
  awake().wake_upkeep();
}

void Log::rename_directory(const std::string& directory_name) {
  State& state = awake();
  const ShortLock::Guard guard(state.lock);
  auto renamed = directory_->file(directory_name);
  state.disk.rename(state.files.directory, renamed);
  state.files.directory = std::move(renamed);
  for (const auto& segment : state.segments) segment->directory_renamed();
}

// --- numbers -------------------------------------------------------------------------------------------------------

LogOffsets Log::offsets() const {
  if (sleeps()) return offsets_asleep;
  const ShortLock::Guard guard(awake().lock);
  return awake().offsets_locked();
}

Offset Log::log_start() const {
  return offsets().log_start;
}
Offset Log::log_end() const {
  return offsets().log_end;
}
Offset Log::high_watermark() const {
  return offsets().high_watermark;
}
Offset Log::last_stable_offset() const {
  return offsets().last_stable;
}

bool Log::owes_sync() const {
  if (sleeps()) return false;
  const ShortLock::Guard guard(awake().lock);
  return awake().log_end > awake().flushed && awake().log_end - awake().flushed >= awake().settings->flush_messages;
}

Offset Log::shown_end() const {
  if (sleeps()) return Offset(0);
  const ShortLock::Guard guard(awake().lock);
  return awake().log_end - awake().flushed >= awake().settings->flush_messages ? awake().flushed : awake().log_end;
}

Offset Log::recovery_point() const {
  if (sleeps()) return Offset(0);
  const ShortLock::Guard guard(awake().lock);
  return awake().flushed;
}

Offset Log::recovery_checkpoint() const {
  if (sleeps()) return Offset(0);
  const ShortLock::Guard guard(awake().lock);
  return awake().recovery_checkpoint_locked();
}

std::uint64_t Log::size_bytes() const {
  if (sleeps()) return 0;
  const ShortLock::Guard guard(awake().lock);
  std::uint64_t bytes = 0;
  for (const auto& segment : awake().segments) bytes += segment->size;
  return bytes;
}

std::size_t Log::segment_count() const {
  if (sleeps()) return 1;
  const ShortLock::Guard guard(awake().lock);
  return awake().segments.size();
}

Offset Log::first_segment_base() const {
  if (sleeps()) return Offset(0);
  const ShortLock::Guard guard(awake().lock);
  return awake().segments.front()->base;
}

std::vector<ActiveProducer> Log::active_producers() const {
  if (sleeps()) return {};
  const ShortLock::Guard guard(awake().lock);
  std::vector<ActiveProducer> active;
  active.reserve(awake().producers.size());
  for (const auto& entry : awake().producers.producers()) {
    active.push_back({.id = entry.id,
                      .epoch = entry.epoch,
                      .last_sequence = entry.last_sequence(),
                      .last_timestamp = entry.last_timestamp,
                      .coordinator_epoch = entry.coordinator_epoch,
                      .transaction_start = entry.transaction_start});
  }
  return active;
}

ProducerStanding Log::standing_of(ProducerId producer) const {
  if (sleeps()) return {};
  const ShortLock::Guard guard(awake().lock);
  const ProducerEntry* entry = awake().producers.find(producer);
  if (entry == nullptr) return {};
  return {.epoch = entry->epoch,
          .coordinator_epoch = entry->coordinator_epoch,
          .in_transaction = entry->transaction_start != no_offset,
          .ends = entry->ends};
}

Offset Log::update_high_watermark(Offset to) {
  if (sleeps()) return Offset(0);
  const ShortLock::Guard guard(awake().lock);
  return awake().set_high_watermark_locked(to);
}

std::optional<Offset> Log::advance_high_watermark(Offset to) {
  if (sleeps()) return std::nullopt;
  const ShortLock::Guard guard(awake().lock);
  if (to <= awake().high_watermark) return std::nullopt;
  const auto before = awake().high_watermark;
  const auto now = awake().set_high_watermark_locked(to);
  return now > before ? std::optional(now) : std::nullopt;
}

// --- epochs --------------------------------------------------------------------------------------------------------

EpochEndOffset Log::end_offset_of_epoch(LeaderEpoch epoch) const {
  const ShortLock::Guard guard(awake().lock);
  return awake().epochs.end_offset_of(epoch, awake().log_end);
}

std::optional<LeaderEpoch> Log::latest_epoch() const {
  if (const auto known = epoch_asleep()) return *known == no_leader_epoch ? std::nullopt : known;
  const ShortLock::Guard guard(awake().lock);
  return awake().epochs.latest_epoch();
}

std::vector<EpochEntry> Log::epochs() const {
  const ShortLock::Guard guard(awake().lock);
  const auto entries = awake().epochs.entries();
  return {entries.begin(), entries.end()};
}

TimestampOffset Log::earliest() const {
  if (const auto known = epoch_asleep()) return {.offset = Offset(0), .leader_epoch = *known};
  const ShortLock::Guard guard(awake().lock);
  // The first known epoch need not reach back to the log's start: older formats carry none.
  const auto first = awake().epochs.earliest();
  const bool known = first && first->start <= awake().log_start;
  return {
      .timestamp = no_timestamp, .offset = awake().log_start, .leader_epoch = known ? first->epoch : no_leader_epoch};
}

TimestampOffset Log::earliest_local() const {
  if (const auto known = epoch_asleep()) return {.offset = Offset(0), .leader_epoch = *known};
  const ShortLock::Guard guard(awake().lock);
  return {.timestamp = no_timestamp,
          .offset = awake().local_log_start,
          .leader_epoch = awake().epochs.epoch_of(awake().local_log_start).value_or(no_leader_epoch)};
}

TimestampOffset Log::latest() const {
  if (const auto known = epoch_asleep()) return {.offset = Offset(0), .leader_epoch = *known};
  const ShortLock::Guard guard(awake().lock);
  return {.timestamp = no_timestamp,
          .offset = awake().log_end,
          .leader_epoch = awake().epochs.latest_epoch().value_or(no_leader_epoch)};
}

runtime::Task<Result<void>> Log::set_writer_epoch(Reactor& reactor, LeaderEpoch epoch, bool as_leader) {
  if (const auto set = set_writer_epoch_asleep(epoch, as_leader)) co_return *set;
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  const ShortLock::Guard guard(state.lock);
  if (auto error = state.unusable()) co_return std::unexpected(std::move(*error));
  if (epoch < state.writer_epoch) co_return fail(ErrorCode::fenced_leader_epoch);
  state.writer_epoch = epoch;
  state.is_leader = as_leader;
  // While nothing was appended in it, the epoch need not be in the file: it is asked for as long as its leader lives
  // (KAFKA-7415), and who comes after begins an epoch of its own at the same offset.
  if (as_leader && epoch >= LeaderEpoch(0)) state.epochs.assign(epoch, state.log_end);
  co_return Result<void>();
}

}  // namespace klamm::storage
