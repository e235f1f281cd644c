// From a directory to a log: leftovers of interrupted deletions and replacements are finished or discarded, segments
// are listed, and after a crash everything above the recovery point is read, checked, cut where it is not whole, and
// what is derived from it made anew. After a clean stop nothing is scanned. Source of behaviour:
// org.apache.kafka.storage.internals.log.LogLoader.
#include <algorithm>
#include <set>

#include "base/ensure.h"
#include "base/plant.h"
#include "storage/log_state.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {

using runtime::OpenMode;

namespace {

constexpr std::uint64_t epochs_bytes_max = 16u << 20;
constexpr std::uint64_t partition_metadata_bytes_max = 4096;

class Loader {
 public:
  Loader(Log::State& state, const LogOpening& opening)
      : state_(state),
        opening_(opening),
        disk_(state.disk),
        log_(state.environment.log, "org.apache.kafka.storage.internals.log.LogLoader",
             fmt::format("[LogLoader partition={}, dir={}] ", state.partition(), state.directory.path())) {}

  bool load(std::vector<runtime::DirectoryEntry> listed);

 private:
  std::string path(std::string_view name) const { return state_.files.path(name); }
  void look_into_directory(std::vector<runtime::DirectoryEntry> listed);
  void list(std::vector<runtime::DirectoryEntry> entries);
  void list() { list(disk_.list(state_.files.directory)); }
  void read_topic_id();
  void read_epochs();
  void remove_leftovers();
  void finish_replacements();
  void list_segments();
  bool transaction_index_is_wrong(Segment& segment);
  bool is_much(Offset from) const;
  void recover(Offset from);
  bool recover_segment(Segment& segment, ProducerBuild& producers);
  void drop_from(std::size_t number);
  void split_off(Segment& segment, const BatchAt& from);
  std::optional<Offset> end_of_last_segment();
  void drop_below_start(Offset log_end);
  void look_at_active();

  Log::State& state_;
  const LogOpening& opening_;
  runtime::Disk& disk_;
  Logger log_;
  std::set<std::string, std::less<>> names_;
  bool epochs_missing_ = false;
  bool clean_ = true;
  std::optional<BatchAt> last_batch_;
};

void Loader::list(std::vector<runtime::DirectoryEntry> entries) {
  names_.clear();
  for (auto& entry : entries) {
    if (!entry.is_directory) names_.insert(std::move(entry.name));
  }
}

void Loader::read_topic_id() {
  std::optional<Result<Uuid>> read;
  if (names_.contains(partition_metadata_name)) {
    const auto file = path(partition_metadata_name);
    const auto content = disk_.read_file(file, partition_metadata_bytes_max);
    read = parse_partition_metadata(as_text(content), file);
  }
  if (read && *read) {
    if (opening_.topic_id && *opening_.topic_id != **read) {
      throw std::runtime_error(
          fmt::format("Tried to assign topic ID {} to log for topic partition {},but log already contained topic ID {}",
                      opening_.topic_id->to_string(), state_.partition(), (*read)->to_string()));
    }
    state_.topic_id = **read;
    return;
  }
  if (read) log_.error("{}", read->error().message);
  if (!opening_.topic_id) return;
  state_.topic_id = opening_.topic_id;
  if (!names_.empty()) return write_partition_metadata(disk_, state_.files.directory, *opening_.topic_id);
  // The segment's names are unsynced too.
  begin_partition_metadata(disk_, state_.files.directory, *opening_.topic_id)->sync_data();
  finish_partition_metadata(disk_, state_.files.directory);
}

void Loader::read_epochs() {
  epochs_missing_ = !names_.contains(leader_epoch_checkpoint_name);
  if (epochs_missing_) return;
  const auto file = path(leader_epoch_checkpoint_name);
  const auto content = disk_.read_file(file, epochs_bytes_max);
  // Kafka makes the file empty and fills it with the first epoch: empty beside records it is as good as missing.
  if (content.empty()) {
    epochs_missing_ = true;
    return;
  }
  auto epochs = LeaderEpochs::parse(as_text(content), file);
  if (epochs) {
    state_.epochs = std::move(*epochs);
    return;
  }
  log_.warn("{}; the leader epochs are taken from the log", epochs.error().message);
  epochs_missing_ = true;
}

// --- leftovers -----------------------------------------------------------------------------------------------------

// ".deleted" files go, and ".cleaned" ones, which are not complete; a ".swap" at or above one of those belongs to a
// split that was not complete either (KAFKA-6264).
void Loader::remove_leftovers() {
  std::optional<Offset> first_cleaned;
  std::vector<std::string> removed;
  for (const auto& name : names_) {
    if (name.ends_with(suffix::deleted) && !name.ends_with(suffix::metadata_snapshot_deleted)) removed.push_back(name);
    if (!name.ends_with(suffix::cleaned)) continue;
    removed.push_back(name);
    const auto offset = offset_of_file_name(name);
    if (offset && (!first_cleaned || *offset < *first_cleaned)) first_cleaned = offset;
  }
  for (const auto& name : names_) {
    const auto offset = offset_of_file_name(name);
    if (name.ends_with(suffix::swap) && first_cleaned && offset && *offset >= *first_cleaned) removed.push_back(name);
  }
  for (const auto& name : removed) {
    log_.debug("Deleting stray temporary file {}", path(name));
    disk_.remove_file(path(name));
    names_.erase(name);
  }
}

// What is left of ".swap" is complete: it replaces all segments from its first offset to its end (KAFKA-12520).
void Loader::finish_replacements() {
  std::optional<Offset> begin;
  Offset end(0);
  for (const auto& name : names_) {
    if (!name.ends_with(std::string(suffix::log) + std::string(suffix::swap))) continue;
    const auto base = offset_of_file_name(name);
    if (!base) continue;
    log_.info("Found log file {} from interrupted swap operation, which is recoverable from .swap files by renaming.",
              path(name));
    const auto file = disk_.open(path(name), OpenMode::read);
    HeaderWalk walk(*file, 0, file->size());
    Offset next = *base;
    for (auto batch = walk.next(); batch && *batch; batch = walk.next()) next = (*batch)->last + 1;
    begin = begin ? std::min(*begin, *base) : *base;
    end = std::max(end, next);
  }
  std::vector<std::string> replaced;
  std::vector<std::string> swapped;
  for (const auto& name : names_) {
    const auto offset = offset_of_file_name(name);
    if (name.ends_with(suffix::swap)) {
      swapped.push_back(name);
    } else if (begin && offset && *offset >= *begin && *offset < end) {
      replaced.push_back(name);
    }
  }
  for (const auto& name : replaced) {
    log_.info("Deleting segment files {} that is compacted but has not been deleted yet.", name);
    disk_.remove_file(path(name));
  }
  for (const auto& name : swapped) {
    log_.info("Recovering file {} by renaming from .swap files.", name);
    disk_.rename(path(name), path(name.substr(0, name.size() - suffix::swap.size())));
  }
  if (replaced.empty() && swapped.empty()) return;
  disk_.sync_directory(state_.files.directory);
  list();
}

// --- segments ------------------------------------------------------------------------------------------------------

void Loader::list_segments() {
  for (const auto& name : names_) {
    const auto offset = offset_of_file_name(name);
    if (!offset || segment_file_name(*offset, {}) != name.substr(0, 20)) continue;
    const auto rest = std::string_view(name).substr(20);
    if (rest == suffix::snapshot) {
      state_.snapshots.push_back(*offset);
    } else if (rest == suffix::log) {
      auto segment = std::make_shared<Segment>(state_.files, *offset, state_.environment.clock.wall());
      segment->size = disk_.file_size(path(name));
      const auto has = [&](std::string_view file_suffix) {
        return names_.contains(segment_file_name(*offset, file_suffix));
      };
      segment->has_transaction_index = has(suffix::transaction_index);
      if (!has(suffix::index)) {
        if (clean_ || *offset < opening_.recovery_point) {
          log_.error(
              "Could not find offset index file corresponding to log file {}, recovering segment and rebuilding index "
              "files...",
              path(name));
        }
        segment->indexes_wrong = true;
      }
      if (!has(suffix::time_index)) segment->indexes_wrong = true;
      state_.segments.push_back(std::move(segment));
    } else if (rest == suffix::index || rest == suffix::time_index || rest == suffix::transaction_index) {
      if (names_.contains(segment_file_name(*offset, suffix::log))) continue;
      log_.warn("Found an orphaned index file {}, with no corresponding log file.", path(name));
      disk_.remove_file(path(name));
    }
  }
}

bool Loader::transaction_index_is_wrong(Segment& segment) {
  if (!segment.has_transaction_index) return false;
  if (walk_transaction_index(*segment.transaction_index_file(), segment.base, [](const AbortedEntry&) { return true; }))
    return false;
  log_.warn(
      "Found a corrupted index file corresponding to log file {} due to its transaction index, recovering segment and "
      "rebuilding index files...",
      segment.log_file()->path());
  return true;
}

// --- recovery ------------------------------------------------------------------------------------------------------

bool Loader::is_much(Offset from) const {
  if (!opening_.recovery_bytes_max) return false;
  std::uint64_t bytes = 0;
  for (std::size_t i = state_.floor_segment(from); i < state_.segments.size(); ++i) bytes += state_.segments[i]->size;
  return bytes > *opening_.recovery_bytes_max;
}

// Reads every segment from the one that holds `from` on; what follows the first broken batch goes.
void Loader::recover(Offset from) {
  const auto first = state_.floor_segment(from);
  const auto base = state_.segments[first]->base;
  log_.info("Loading producer state till offset {}", base);
  for (const auto offset : std::vector(state_.snapshots)) {
    // Those above were not known to be on disk.
    if (offset > base || offset <= state_.log_start) state_.remove_snapshot(offset);
  }
  ProducerBuild producers = state_.load_newest_snapshot();
  if (producers.end < base) state_.scan_producers(producers, base);
  producers.end = std::max(producers.end, base);

  for (std::size_t i = first; i < state_.segments.size(); ++i) {
    Segment& segment = *state_.segments[i];
    // A power cut may take the end of one segment and leave the next: what is behind the gap was not known to be on
    // disk either. Compaction leaves such gaps too. And a segment that was dropped may be back when its going was not
    // synced: what was written since in its place is the log.
    const bool gap = i > first && segment.base > producers.end && !state_.settings->compact;
    const bool overlap = i > first && segment.base < producers.end;
    if (gap || overlap) {
      if (gap) {
        log_.warn("Offsets {} to {} are missing before segment {}, truncating to offset {}", producers.end,
                  segment.base - 1, segment.base, producers.end);
      } else {
        log_.warn("Segment {} begins before the end {} of the one before, truncating to offset {}", segment.base,
                  producers.end, producers.end);
      }
      drop_from(i);
      break;
    }
    log_.info("Recovering unflushed segment {}. {} recovered for {}.", segment.base, i - first, state_.partition());
    producers.end = std::max(producers.end, segment.base);
    state_.take_snapshot(producers.state, producers.end, true);
    if (recover_segment(segment, producers)) continue;
    log_.warn("Corruption found in segment {}, truncating to offset {}", segment.base, producers.end);
    drop_from(i + 1);
    break;
  }
  const auto end = producers.end;
  state_.set_producers(std::move(producers), end);
}

void Loader::drop_from(std::size_t number) {
  const std::vector<SegmentRef> rest(state_.segments.begin() + static_cast<std::ptrdiff_t>(number),
                                     state_.segments.end());
  if (rest.empty()) return;
  state_.drop_segments(rest, "Deleting segments as part of log recovery");
  // Before anything is written in their place: a power cut must not bring them back.
  disk_.sync_directory(state_.files.directory);
}

// False when something had to be cut off.
bool Loader::recover_segment(Segment& segment, ProducerBuild& producers) {
  segment.open_files();
  segment.reset_indexes();
  const auto file = segment.log_file();
  const auto bytes = file->size();
  segment.size = 0;
  segment.first_timestamp.reset();
  const auto interval = state_.settings->index_interval_bytes;
  SegmentScan scan(*file, 0, bytes);
  Offset last = segment.base - 1;
  auto step = scan.next();
  std::string why;
  for (; step == SegmentScan::Step::batch; step = scan.next()) {
    const auto& batch = scan.batch();
    if (planted(Plant::good_batch_truncated) && batch.end() == bytes) break;
    if (batch.first <= last || batch.last < segment.base) {
      why = fmt::format("offset {} after {}", batch.first, last);
      break;
    }
    if (!segment.fits(batch.last)) {
      split_off(segment, batch);
      break;
    }
    last = batch.last;
    segment.note(batch, interval);
    if (segment.index_page_is_full()) {
      segment.save_indexes();
      segment.offset_index.trim_memory(0);
      segment.time_index.trim_memory(0);
    }
    if (scan.magic() >= 2 && batch.epoch >= LeaderEpoch(0) &&
        batch.epoch > state_.epochs.latest_epoch().value_or(no_leader_epoch)) {
      state_.epochs.assign(batch.epoch, batch.first);
      state_.epochs_unsaved = true;
    }
    if (scan.producer()) {
      for (const auto& completed : replay(producers.state, *scan.producer())) {
        if (completed.aborted) {
          segment.has_transaction_index = true;
          segment.append_aborted({.producer_id = completed.producer_id,
                                  .first_offset = completed.first_offset,
                                  .last_offset = completed.last_offset,
                                  .last_stable_offset = producers.state.last_stable_after(completed)});
        }
        producers.state.complete(completed);
      }
    }
    producers.end = batch.last + 1;
  }
  if (step == SegmentScan::Step::corrupt) why = scan.why();
  const bool whole = segment.size == bytes;
  if (!whole) {
    if (!why.empty())
      log_.warn("Found invalid messages in log segment {} at byte offset {}: {}.", file->path(), segment.size, why);
    file->truncate(segment.size);
    // Nobody may find again what was cut off, whatever the recovery point says by then.
    file->sync_data();
  } else if (bytes > 0 && !planted(Plant::tail_behind_end)) {
    // What a power cut took may lie behind the end, in the end's own block: Linux lets a page grow while it is written.
    // A later cut may keep the size of what is appended next and not its bytes, and the old ones would be back in its
    // place (tests/faults/bare_ext4.py). File systems clear that block when they are told to end there.
    file->truncate(bytes);
  }
  segment.add_time_entry();
  segment.save_indexes();
  segment.offset_index.trim_memory(0);
  segment.time_index.trim_memory(0);
  return whole || why.empty();
}

// Batches too far from the segment's base for its indexes, which versions before KAFKA-5413 could write: they become a
// segment of their own. Made under other names first; a crash in between leaves either the old segment alone, or both,
// and then the old one is cut here again.
void Loader::split_off(Segment& segment, const BatchAt& from) {
  const auto following =
      std::ranges::find(state_.segments, segment.base, [](const SegmentRef& each) { return each->base; }) + 1;
  if (following != state_.segments.end() && (*following)->base <= from.first) return;
  log_.info("Splitting overflowed segment {}", segment.to_string());
  const auto name = segment_file_name(from.first, suffix::log);
  const auto file = disk_.open(path(name + std::string(suffix::cleaned)), OpenMode::create);
  file->truncate(0);
  const auto source = segment.log_file();
  const auto end = source->size();
  ByteVector buffer(1u << 20);
  for (std::uint64_t at = from.position; at < end;) {
    const auto read = source->read_at(at, MutableBytes(buffer).first(std::min<std::uint64_t>(buffer.size(), end - at)));
    if (read == 0) break;
    file->write_at(at - from.position, Bytes(buffer).first(read));
    at += read;
  }
  file->sync_data();
  disk_.rename(path(name + std::string(suffix::cleaned)), path(name));
  file->renamed(path(name));
  disk_.sync_directory(state_.files.directory);
  auto rest = std::make_shared<Segment>(state_.files, from.first, state_.environment.clock.wall());
  rest->size = end - from.position;
  state_.segments.insert(following, std::move(rest));
}

// The offset behind the last batch; nothing when the file does not end with a whole one.
std::optional<Offset> Loader::end_of_last_segment() {
  Segment& segment = state_.active();
  segment.open_files();
  segment.open_indexes();
  std::uint64_t from = 0;
  if (!segment.indexes_wrong && !segment.offset_index.empty()) {
    const auto last = OffsetIndex::load_stored(*segment.index_file(), segment.offset_index.count() - 1);
    const auto found = segment.view(segment.base + last.last).locate(segment.base + last.last);
    if (!found || !found->batch || found->index_is_wrong) {
      segment.indexes_wrong = true;
    } else {
      from = found->batch->position;
    }
  }
  HeaderWalk walk(*segment.log_file(), from, segment.size);
  Offset next = segment.base;
  Offset last = segment.base - 1;
  auto batch = walk.next();
  for (; batch && *batch; batch = walk.next()) {
    if ((*batch)->first <= last || !segment.fits((*batch)->last)) return std::nullopt;
    last = (*batch)->last;
    next = last + 1;
    last_batch_ = **batch;
  }
  if (!batch || walk.position() != segment.size) return std::nullopt;
  return next;
}

void Loader::drop_below_start(Offset log_end) {
  if (log_end >= opening_.log_start) return;
  log_.warn(
      "Deleting all segments because logEndOffset ({}) is smaller than logStartOffset {}. This could happen if segment "
      "files were deleted from the file system.",
      log_end, opening_.log_start);
  drop_from(0);
  state_.epochs.clear();
  state_.epochs_unsaved = true;
  for (const auto offset : std::vector(state_.snapshots)) state_.remove_snapshot(offset);
  state_.last_snapshot = Offset(0);
  state_.set_producers({}, opening_.log_start);
}

// What the first append asks of the active segment.
void Loader::look_at_active() {
  const auto segment = state_.segments.back();
  segment->open_files();
  segment->open_indexes();
  if (!segment->time_index.empty() && !segment->indexes_wrong) {
    segment->last_time_entry =
        segment->time_index.at(segment->time_index_file().get(), segment->time_index.count() - 1);
  }
  HeaderWalk walk(*segment->log_file(), 0, segment->size);
  if (const auto first = walk.next(); first && *first) segment->first_timestamp = (*first)->max_timestamp;
  if (segment->largest) return;
  // A clean stop left the largest timestamp as the last entry. Without one, though there are timestamps, it was lost.
  segment->largest = state_.indexed_largest_of(segment);
  if (segment->largest) return;
  if (segment->first_timestamp.value_or(no_timestamp) == no_timestamp) {
    segment->largest = LargestTimestamp{};
  } else {
    state_.largest_of(segment);
  }
}

void Loader::look_into_directory(std::vector<runtime::DirectoryEntry> listed) {
  if (opening_.begun) {
    state_.owe_parent_sync();
    state_.topic_id = opening_.topic_id;
    epochs_missing_ = true;
    return;
  }
  if (opening_.listed) {
    list(std::move(listed));
  } else {
    if (!disk_.is_directory(state_.files.directory)) {
      disk_.make_directories(state_.files.directory);
      state_.owe_parent_sync();
    }
    list();
  }
  read_topic_id();
  read_epochs();
  remove_leftovers();
  finish_replacements();
  list_segments();
}

bool Loader::load(std::vector<runtime::DirectoryEntry> listed) {
  clean_ = opening_.clean;
  look_into_directory(std::move(listed));
  state_.log_start = state_.local_log_start = opening_.log_start;

  // 1. The log's end: known after a clean stop, found by reading after any other.
  std::optional<Offset> end;
  if (!state_.segments.empty()) {
    auto recover_from = clean_ ? std::optional<Offset>() : opening_.recovery_point;
    for (const auto& segment : state_.segments) {
      if (recover_from && segment->base >= *recover_from) break;
      if (transaction_index_is_wrong(*segment)) recover_from = segment->base;
    }
    if (!recover_from) {
      end = end_of_last_segment();
      if (!end) {
        log_.warn("The last segment of a cleanly stopped log is not whole; it is recovered");
        recover_from = state_.segments.back()->base;
      }
    }
    if (recover_from) {
      if (is_much(*recover_from)) return false;
      recover(*recover_from);
      end = end_of_last_segment();
      ENSURE(end.has_value());
      clean_ = false;
    }
    drop_below_start(*end);
  }
  if (state_.segments.empty()) {
    state_.segments.push_back(state_.make_segment(opening_.log_start, !opening_.begun));
    state_.names_unsynced = true;
    end = opening_.log_start;
  }
  const bool was_recovered = !clean_;

  // 2. The numbers.
  state_.log_end = *end;
  state_.log_start = state_.local_log_start = std::max(opening_.log_start, state_.segments.front()->base);
  state_.flushed = std::max(state_.log_start, was_recovered ? std::min(opening_.recovery_point, *end) : *end);
  state_.high_watermark = state_.log_start;
  state_.closed_cleanly = !was_recovered;
  if (was_recovered) {
    // Whoever made these names was killed, perhaps before it synced them.
    state_.names_unsynced = true;
    state_.owe_parent_sync();
  }

  // 3. What is derived.
  if (last_batch_ && last_batch_->epoch >= LeaderEpoch(0) &&
      state_.epochs.epoch_of(last_batch_->last) != last_batch_->epoch) {
    if (!epochs_missing_)
      log_.warn("The leader epochs of the log are not those of its file; they are taken from the log");
    state_.epochs.clear();
    epochs_missing_ = true;
  }
  if (epochs_missing_ && state_.log_end > state_.segments.front()->base) {
    for (const auto& segment : state_.segments) {
      HeaderWalk walk(*segment->log_file(), 0, segment->size);
      for (auto batch = walk.next(); batch && *batch; batch = walk.next()) {
        if ((*batch)->first < segment->base) break;  // below the recovery point nobody has checked it
        if ((*batch)->epoch >= LeaderEpoch(0)) state_.epochs.assign((*batch)->epoch, (*batch)->first);
      }
    }
    state_.epochs_unsaved = true;
  }
  if (state_.epochs.truncate_from_end(state_.log_end)) state_.epochs_unsaved = true;
  if (state_.epochs.truncate_from_start(state_.log_start)) state_.epochs_unsaved = true;
  state_.remove_stray_snapshots();
  if (was_recovered) {
    state_.take_snapshot(state_.producers, state_.log_end, true);
  } else {
    state_.rebuild_producers(state_.log_end, true);
  }
  for (const auto& segment : state_.segments) state_.rebuild_wanted |= segment->indexes_wrong;
  if (state_.rebuild_wanted) state_.rebuild_wrong_indexes();
  look_at_active();

  // 4. What was visible.
  if (opening_.high_watermark) {
    const auto clamped = state_.set_high_watermark_locked(*opening_.high_watermark);
    if (clamped != *opening_.high_watermark) {
      log_.warn("High watermark {} lies outside of the log [{}, {}]; {} is taken", *opening_.high_watermark,
                state_.log_start, state_.log_end, clamped);
    }
  }
  state_.refresh_first_unstable_locked();
  // A log that nobody uses holds no descriptor.
  for (const auto& segment : state_.segments) segment->close_files();
  // What was made or found out here is durable with the first flush: until then another start would find it out again.
  return true;
}

}  // namespace

bool load_log(Log::State& state, const LogOpening& opening, std::vector<runtime::DirectoryEntry> listed) {
  return Loader(state, opening).load(std::move(listed));
}

}  // namespace klamm::storage
