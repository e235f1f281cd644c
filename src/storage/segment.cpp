#include "storage/segment.h"

#include "base/plant.h"

namespace klamm::storage {

using runtime::FileRef;
using runtime::OpenMode;

// --- files ---------------------------------------------------------------------------------------------------------

std::string Segment::name(std::string_view file_suffix) const {
  return files_->path(segment_file_name(base, file_suffix) + std::string(deleted_ ? suffix::deleted : ""));
}

const FileRef& Segment::open(FileRef Open::* file, std::string_view file_suffix) {
  if (!open_) open_ = std::make_unique<Open>();
  FileRef& opened = (*open_).*file;
  if (!opened) opened = files_->disk.open(name(file_suffix), OpenMode::create);
  return opened;
}

const FileRef& Segment::log_file() {
  return open(&Open::log, suffix::log);
}
const FileRef& Segment::index_file() {
  return open(&Open::index, suffix::index);
}
const FileRef& Segment::time_index_file() {
  return open(&Open::time_index, suffix::time_index);
}
const FileRef& Segment::transaction_index_file() {
  return open(&Open::transaction_index, suffix::transaction_index);
}

void Segment::open_files() {
  log_file();
  index_file();
  time_index_file();
  if (has_transaction_index) transaction_index_file();
}

void Segment::open_indexes() {
  if (indexes_open) return;
  const auto index_bytes = index_file()->size();
  const auto time_bytes = time_index_file()->size();
  offset_index.reset(index_bytes / OffsetEntry::bytes);
  time_index.reset(time_bytes / TimeEntry::bytes);
  if (index_bytes % OffsetEntry::bytes != 0 || time_bytes % TimeEntry::bytes != 0) indexes_wrong = true;
  indexes_open = true;
}

void Segment::directory_renamed() {
  if (!open_) return;
  const auto tell = [&](const FileRef& file, std::string_view file_suffix) {
    if (file) file->renamed(name(file_suffix));
  };
  tell(open_->log, suffix::log);
  tell(open_->index, suffix::index);
  tell(open_->time_index, suffix::time_index);
  tell(open_->transaction_index, suffix::transaction_index);
}

void Segment::close_files() {
  open_.reset();
}

void Segment::rename_to_deleted() {
  for (const auto file_suffix : {suffix::log, suffix::index, suffix::time_index, suffix::transaction_index}) {
    const auto from = name(file_suffix);
    if (files_->disk.exists(from)) files_->disk.rename(from, from + std::string(suffix::deleted));
  }
  deleted_ = true;
  directory_renamed();
}

void Segment::remove_files(runtime::Disk& disk, const std::string& directory, Offset base,
                           std::string_view name_suffix) {
  for (const auto file_suffix : {suffix::index, suffix::time_index, suffix::transaction_index, suffix::log}) {
    disk.remove_file(directory + "/" + segment_file_name(base, file_suffix) + std::string(name_suffix));
  }
}

// --- the active segment --------------------------------------------------------------------------------------------

void Segment::add_time_entry() {
  // Timestamps need not grow, the index does: an entry says "up to this offset none is larger".
  if (!largest || largest->timestamp.value <= last_time_entry.timestamp) return;
  last_time_entry = {.timestamp = largest->timestamp.value, .offset = relative(largest->offset)};
  time_index.append(last_time_entry);
}

void Segment::note(const BatchAt& batch, std::uint32_t index_interval_bytes) {
  if (!largest) largest = LargestTimestamp{};
  if (batch.max_timestamp > largest->timestamp) largest = {batch.max_timestamp, batch.last};
  if (!first_timestamp && batch.position == 0) first_timestamp = batch.max_timestamp;
  if (bytes_since_index_entry > index_interval_bytes) {
    offset_index.append({.last = relative(batch.last),
                         .position = static_cast<std::uint32_t>(batch.position),
                         .first = relative(batch.first)});
    add_time_entry();
    bytes_since_index_entry = 0;
  }
  bytes_since_index_entry += static_cast<std::uint32_t>(batch.size);
  size = batch.end();
}

bool Segment::should_roll(const LogSettings& settings, std::uint64_t staged_size, std::size_t staged_entries,
                          std::uint64_t bytes, Offset last_offset, Timestamp max_timestamp, Timestamp now) const {
  if (staged_size + bytes > settings.segment_bytes) return true;
  if (!fits(last_offset)) return true;
  const auto index_entries_max = settings.segment_index_bytes / OffsetEntry::bytes;
  const auto time_entries_max = settings.segment_index_bytes / TimeEntry::bytes;
  if (offset_index.count() + staged_entries >= index_entries_max) return true;
  // One entry stays free for the largest timestamp, which is added when the segment is rolled.
  if (time_index.count() + staged_entries + 1 >= time_entries_max) return true;
  if (staged_size == 0) return false;
  const bool timed = first_timestamp && first_timestamp->value >= 0;
  const auto waited = timed ? max_timestamp - *first_timestamp : now - created;
  const auto limit = settings.segment_ms_max();
  return limit != LogSettings::endless && waited > (limit - roll_jitter).count();
}

// --- blocking work under the turn ----------------------------------------------------------------------------------

namespace {

void cut(runtime::File& file, std::uint64_t to) {
  if (file.size() > to) file.truncate(to);
}

}  // namespace

void Segment::save_indexes() {
  if (offset_index.unsaved() > 0 || time_index.unsaved() > 0) indexes_unsynced = true;
  if (offset_index.unsaved() > 0) offset_index.save(*index_file());
  if (time_index.unsaved() > 0) time_index.save(*time_index_file());
}

void Segment::trim() {
  if (reserved_end <= size) return;
  log_file()->truncate(size);
  reserved_end = size;
}

void Segment::sync(bool with_indexes) {
  log_file()->sync_data();
  if (!with_indexes) return;
  index_file()->sync_data();
  time_index_file()->sync_data();
  if (has_transaction_index) transaction_index_file()->sync_data();
  indexes_unsynced = false;
}

Segment::Cut Segment::plan_cut(Offset offset) {
  Cut plan{.size = size};
  const auto located = view(offset).locate(offset);
  if (located && located->batch) {
    plan.size = located->batch->position;
  } else {
    // The offset lies behind every batch, or the headers cannot be walked up to it: nothing from the damage on is kept,
    // or what is appended next would never be found.
    HeaderWalk walk(*log_file(), 0, size);
    for (auto batch = walk.next(); batch && *batch && (*batch)->last < offset; batch = walk.next())
      plan.size = (*batch)->end();
    plan.size = std::min(plan.size, walk.position());
  }
  plan.offset_entries = offset_index.count_while(index_file().get(), [&](const OffsetEntry& entry) {
    return base + entry.last < offset && entry.position < plan.size;
  });
  plan.time_entries = time_index.count_while(time_index_file().get(),
                                             [&](const TimeEntry& entry) { return base + entry.offset < offset; });
  if (has_transaction_index) {
    walk_transaction_index(*transaction_index_file(), base, [&](const AbortedEntry& entry) {
      if (entry.last_offset >= offset) return false;
      plan.transaction_bytes += AbortedEntry::bytes;
      return true;
    });
  }
  // The largest timestamp of what is left: of the last time entry that stays, or of the batches behind it.
  std::uint64_t walk_from = 0;
  if (plan.time_entries > 0) {
    plan.last_time_entry = time_index.at(time_index_file().get(), plan.time_entries - 1);
    plan.largest = {Timestamp(plan.last_time_entry.timestamp), base + plan.last_time_entry.offset};
    const auto last = view(plan.largest.offset).locate(plan.largest.offset);
    if (last && last->batch) walk_from = last->batch->position;
  }
  HeaderWalk walk(*log_file(), walk_from, plan.size);
  for (auto batch = walk.next(); batch && *batch; batch = walk.next()) {
    if ((*batch)->max_timestamp > plan.largest.timestamp) plan.largest = {(*batch)->max_timestamp, (*batch)->last};
  }
  return plan;
}

void Segment::apply_cut(const Cut& plan, Timestamp now) {
  size = plan.size;
  offset_index.truncate(plan.offset_entries);
  time_index.truncate(plan.time_entries);
  last_time_entry = plan.last_time_entry;
  largest = plan.largest;
  largest_checked = true;
  reserved_end = std::min(reserved_end, size);
  written_back = std::min(written_back, size);
  bytes_since_index_entry = 0;
  if (size > 0) return;
  created = now;
  first_timestamp.reset();
}

void Segment::cut_files(const Cut& plan) {
  // Indexes first: one that says too little is harmless, one that says too much is not.
  cut(*index_file(), offset_index.stored_bytes());
  cut(*time_index_file(), time_index.stored_bytes());
  if (has_transaction_index) cut(*transaction_index_file(), plan.transaction_bytes);
  cut(*log_file(), plan.size);
}

void Segment::reset_indexes() {
  if (!planted(Plant::index_beyond_log)) {
    cut(*index_file(), 0);
    cut(*time_index_file(), 0);
  }
  if (has_transaction_index) cut(*transaction_index_file(), 0);
  offset_index.reset(0);
  time_index.reset(0);
  last_time_entry = {};
  largest = LargestTimestamp{};
  largest_checked = true;
  bytes_since_index_entry = 0;
  indexes_open = true;
  indexes_wrong = false;
}

void Segment::rebuild_indexes(std::uint64_t log_bytes, std::uint32_t index_interval_bytes) {
  has_transaction_index = false;  // that one is not derived from headers
  reset_indexes();
  HeaderWalk walk(*log_file(), 0, log_bytes);
  for (auto batch = walk.next(); batch && *batch && fits((*batch)->last); batch = walk.next()) {
    note(**batch, index_interval_bytes);
    if (!index_page_is_full()) continue;
    save_indexes();
    offset_index.trim_memory(0);
    time_index.trim_memory(0);
  }
  add_time_entry();
  save_indexes();
  offset_index.trim_memory(0);
  time_index.trim_memory(0);
}

void Segment::take_indexes(Segment& rebuilt) {
  offset_index = std::move(rebuilt.offset_index);
  time_index = std::move(rebuilt.time_index);
  last_time_entry = rebuilt.last_time_entry;
  largest = rebuilt.largest;
  largest_checked = true;
  indexes_open = true;
  indexes_wrong = false;
}

void Segment::append_aborted(const AbortedEntry& entry) {
  std::array<std::byte, AbortedEntry::bytes> bytes{};
  entry.store(bytes.data());
  const auto& file = transaction_index_file();
  file->write_at(file->size() / AbortedEntry::bytes * AbortedEntry::bytes, Bytes(bytes));
}

// --- look-ups ------------------------------------------------------------------------------------------------------

SegmentView Segment::view(Offset target) {
  SegmentView view{.base = base, .size = size, .log = log_file(), .index = {}};
  if (target <= base) return view;
  if (!indexes_open) open_indexes();
  if (indexes_wrong) return view;
  const auto relative_target = static_cast<std::int64_t>(target - base);
  const auto& memory = offset_index.memory();
  const auto after = std::partition_point(memory.begin(), memory.end(),
                                          [&](const OffsetEntry& entry) { return entry.last <= relative_target; });
  if (after != memory.begin()) {
    view.floor_position = std::prev(after)->position;
  } else if (offset_index.memory_first() > 0) {
    view.index = index_file();
    view.stored_entries = offset_index.memory_first();
  }
  return view;
}

Result<SegmentView::Found> SegmentView::locate(Offset target) const {
  Found found;
  std::uint64_t from = floor_position;
  if (index) {
    const auto relative_target = static_cast<std::int64_t>(target - base);
    const auto not_above = [&](const OffsetEntry& entry) { return std::int64_t{entry.last} <= relative_target; };
    // Most look for something near the end.
    auto entry = OffsetIndex::load_stored(*index, stored_entries - 1);
    bool found_floor = not_above(entry);
    if (!found_floor) {
      const auto count = OffsetIndex::count_while_stored(*index, stored_entries - 1, not_above);
      found_floor = count > 0;
      if (found_floor) entry = OffsetIndex::load_stored(*index, count - 1);
    }
    if (found_floor) {
      // A well-formed index can still be wrong: it is believed only when a batch with the offset begins where it says.
      HeaderWalk walk(*log, entry.position, size);
      const auto batch = entry.position < size ? walk.next() : Result<std::optional<BatchAt>>();
      const auto said = base + entry.last;
      if (batch && *batch && (*batch)->first <= said && said <= (*batch)->last) {
        from = entry.position;
      } else {
        found.index_is_wrong = true;
      }
    }
  }
  auto batch = find_batch(*log, from, size, target);
  if (!batch) return std::unexpected(std::move(batch.error()));
  found.batch = *batch;
  return found;
}

std::string Segment::to_string() const {
  return fmt::format("LogSegment(baseOffset={}, size={}, lastModifiedTime={}, largestRecordTimestamp={})", base, size,
                     created, largest ? largest->timestamp : no_timestamp);
}

}  // namespace klamm::storage
