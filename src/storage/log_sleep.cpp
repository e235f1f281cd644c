// Logs that sleep: empty since a clean stop, and not touched since. What is looked at before one may sleep is all that
// loading it would have found out: that its files are there, that they are empty, and whose they are.
#include <algorithm>
#include <array>

#include "base/ensure.h"
#include "storage/log_flush.h"
#include "storage/log_state.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {

using runtime::ShortLock;

namespace {

constexpr std::uint64_t partition_metadata_bytes_max = 4096;

}  // namespace

bool holds_empty_log(runtime::Disk& disk, const std::string& directory,
                     const std::vector<runtime::DirectoryEntry>& entries) {
  const std::array<std::string, 3> needed{segment_file_name(Offset(0), suffix::log),
                                          segment_file_name(Offset(0), suffix::index),
                                          segment_file_name(Offset(0), suffix::time_index)};
  std::size_t found = 0;
  bool has_topic_id = false;
  for (const auto& entry : entries) {
    if (entry.is_directory) return false;
    if (entry.name == partition_metadata_name) {
      has_topic_id = true;
      continue;
    }
    const bool is_needed = std::ranges::find(needed, entry.name) != needed.end();
    if (!is_needed && entry.name != leader_epoch_checkpoint_name) return false;
    found += is_needed;
    if (disk.file_size(directory + "/" + entry.name) != 0) return false;
  }
  return has_topic_id && found == needed.size();
}

LogRef Log::open_asleep(LogDirectory& directory, const LogOpening& opening,
                        const std::vector<runtime::DirectoryEntry>& entries) {
  if (!opening.clean || opening.begun || opening.topic_id || opening.log_start != Offset(0)) return nullptr;
  if (opening.recovery_point != Offset(0) || opening.high_watermark.value_or(Offset(0)) != Offset(0)) return nullptr;
  if (opening.directory_name != partition_directory_name(opening.name)) return nullptr;
  auto& environment = directory.environment();
  const auto path = directory.file(opening.directory_name);
  if (!holds_empty_log(environment.disk, path, entries)) return nullptr;
  const auto file = path + "/" + std::string(partition_metadata_name);
  const auto content = environment.disk.read_file(file, partition_metadata_bytes_max);
  const auto topic_id = parse_partition_metadata(as_text(content), file);
  if (!topic_id) return nullptr;  // loading it says what is wrong

  auto log = std::make_shared<Log>(Opened{}, directory, opening);
  log->sleep_.topic_id = *topic_id;
  log->sleep_.opened = environment.clock.wall();
  log->sleep_.id_expiration = opening.producer_id_expiration;
  log->sleep_.settings = opening.settings;
  return log;
}

// What load_log() would have made of it. No file is opened for that: those of its one segment open when they are used.
Log::State& Log::wake() const {
  const ShortLock::Guard guard(directory_->sleepers());
  if (State* const state = state_.load(std::memory_order_relaxed)) return *state;
  LogOpening opening;
  opening.name = name_;
  opening.directory_name = partition_directory_name(name_);
  opening.settings = std::move(sleep_.settings);
  opening.producer_id_expiration = sleep_.id_expiration;
  auto state = std::make_unique<State>(const_cast<Log&>(*this), *directory_, std::move(opening));
  state->topic_id = sleep_.topic_id;
  state->closed_cleanly = true;
  state->closed = sleep_.closed;
  state->writer_epoch = sleep_.writer_epoch;
  state->is_leader = sleep_.is_leader;
  if (sleep_.known_epoch != no_leader_epoch) state->epochs.assign(sleep_.known_epoch, Offset(0));
  auto segment = std::make_shared<Segment>(state->files, Offset(0), sleep_.opened);
  segment->indexes_open = true;
  segment->largest = LargestTimestamp{};
  state->segments.push_back(std::move(segment));
  state_.store(state.get(), std::memory_order_release);
  return *state.release();
}

std::optional<Error> Log::unusable_asleep(const Sleep& sleep) const {
  if (directory_->offline()) return directory_->offline_error();
  if (sleep.closed) return Error{ErrorCode::not_leader_or_follower};
  return std::nullopt;
}

std::string Log::path_asleep() const {
  return directory_->file(partition_directory_name(name_));
}

std::optional<LeaderEpoch> Log::epoch_asleep() const {
  std::optional<LeaderEpoch> known;
  while_asleep([&](const Sleep& sleep) { known = sleep.known_epoch; });
  return known;
}

std::optional<Result<void>> Log::set_writer_epoch_asleep(LeaderEpoch epoch, bool as_leader) {
  std::optional<Result<void>> result;
  while_asleep([&](Sleep& sleep) {
    if (auto error = unusable_asleep(sleep)) {
      result = std::unexpected(std::move(*error));
    } else if (epoch < sleep.writer_epoch) {
      result = fail(ErrorCode::fenced_leader_epoch);
    } else {
      sleep.writer_epoch = epoch;
      sleep.is_leader = as_leader;
      if (as_leader && epoch >= LeaderEpoch(0)) sleep.known_epoch = epoch;
      result = Result<void>();
    }
  });
  return result;
}

std::optional<Result<void>> Log::close_asleep() {
  std::optional<Result<void>> result;
  while_asleep([&](Sleep& sleep) {
    auto error = unusable_asleep(sleep);
    sleep.closed = true;
    result = error ? Result<void>(std::unexpected(std::move(*error))) : Result<void>();
  });
  return result;
}

// At its end there is nothing to read. Whoever asks for more is told why not by the log itself.
std::optional<Result<ReadResult>> Log::read_asleep(const ReadRequest& request) const {
  std::optional<Result<ReadResult>> result;
  if (request.from != Offset(0)) return result;
  while_asleep([&](const Sleep& sleep) {
    if (auto error = unusable_asleep(sleep)) {
      result = std::unexpected(std::move(*error));
    } else {
      ReadResult nothing;
      nothing.offsets = offsets_asleep;
      nothing.data_offset = request.from;
      result = std::move(nothing);
    }
  });
  return result;
}

}  // namespace klamm::storage
