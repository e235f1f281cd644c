// One stretch of a log: <base>.log with its indexes. Fields are written by the holder of the log's writer's turn, under
// the log's lock where readers see them; readers copy what they need under the lock (SegmentView) and look into the
// files without it: what lies below the published size does not change until a truncation. Source of behaviour:
// org.apache.kafka.storage.internals.log.LogSegment.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "runtime/disk.h"
#include "storage/index_entries.h"
#include "storage/log_directory.h"
#include "storage/log_file_names.h"
#include "storage/log_settings.h"
#include "storage/segment_scan.h"
#include "storage/transaction_index.h"

namespace klamm::storage {

// Where a log's files are. One per log; the directory's name changes when it is renamed.
struct LogFiles {
  runtime::Disk& disk;
  std::string directory;  // absolute
  std::atomic<std::int64_t>& index_entries;

  std::string path(std::string_view name) const { return directory + "/" + std::string(name); }
};

struct LargestTimestamp {
  Timestamp timestamp = no_timestamp;
  Offset offset = no_offset;  // last offset of the batch that has it
};

// What a reader needs to find a batch, copied under the lock.
struct SegmentView {
  Offset base;
  std::uint64_t size = 0;
  runtime::FileRef log;
  runtime::FileRef index;  // only when entries must be looked up in the file
  std::size_t stored_entries = 0;
  std::uint64_t floor_position = 0;  // a batch not above the target begins here, when the index file is not needed

  struct Found {
    std::optional<BatchAt> batch;  // nothing: the target lies behind the last batch
    bool index_is_wrong = false;   // it was found nevertheless, by a walk from the beginning
  };
  // The batch that holds `target`, or the next one. Blocks where the files are not in memory.
  Result<Found> locate(Offset target) const;
};

class Segment {
 public:
  Segment(const LogFiles& files, Offset base_offset, Timestamp now)
      : base(base_offset), index_memory(files.index_entries), created(now), files_(&files) {}

  const Offset base;
  std::uint64_t size = 0;  // bytes published to readers

  OffsetIndex offset_index;
  TimeIndex time_index;
  IndexMemory index_memory;
  bool indexes_open = false;                  // their files were measured
  bool indexes_wrong = false;                 // not to be used; to be rebuilt
  std::atomic<bool> indexes_unsynced{false};  // entries went to the files since the last sync of them
  bool has_transaction_index = false;

  std::optional<LargestTimestamp> largest;  // unknown until looked for in a segment that was found on disk
  bool largest_checked = false;             // the log says so, not its time index alone
  TimeEntry last_time_entry;
  std::optional<Timestamp> first_timestamp;  // of the first batch, which starts the clock of segment.ms
  Timestamp created;
  LogSettings::Milliseconds roll_jitter{0};
  std::uint32_t bytes_since_index_entry = 0;
  std::uint64_t reserved_end = 0;  // blocks are reserved up to here
  std::uint64_t written_back = 0;  // the kernel was told to write out what lies below

  // --- files (under the lock: they open on demand) -----------------------------------------------------------------
  const runtime::FileRef& log_file();
  const runtime::FileRef& index_file();
  const runtime::FileRef& time_index_file();
  const runtime::FileRef& transaction_index_file();
  // All that there are, so that the holder of the turn may use them without the lock afterwards.
  void open_files();
  // Measures the index files.
  void open_indexes();
  // The directory has another name now.
  void directory_renamed();
  // Lets go of them; the next that needs one opens it again.
  void close_files();
  SegmentView view(Offset target);

  // --- offsets -----------------------------------------------------------------------------------------------------
  bool fits(Offset offset) const { return offset >= base && offset - base <= std::numeric_limits<std::int32_t>::max(); }
  std::uint32_t relative(Offset offset) const { return static_cast<std::uint32_t>(offset - base); }

  // --- the active segment ------------------------------------------------------------------------------------------
  // Takes a batch that was written at the end into size, indexes and timestamps.
  void note(const BatchAt& batch, std::uint32_t index_interval_bytes);
  bool index_page_is_full() const { return offset_index.page_is_full() || time_index.page_is_full(); }
  // Whether a batch with these numbers belongs into a new segment. `with_size`, `with_entries`: what is staged beside.
  bool should_roll(const LogSettings& settings, std::uint64_t staged_size, std::size_t staged_entries,
                   std::uint64_t bytes, Offset last_offset, Timestamp max_timestamp, Timestamp now) const;
  void add_time_entry();

  // --- under the turn, after open_files(); these block -------------------------------------------------------------
  void save_indexes();
  // Gives reserved blocks back to the file system.
  void trim();
  // fdatasync of the log, and of the indexes.
  void sync(bool with_indexes);
  void append_aborted(const AbortedEntry& entry);
  // Adds ".deleted" to the names; the files go with remove_files.
  void rename_to_deleted();
  static void remove_files(runtime::Disk& disk, const std::string& directory, Offset base,
                           std::string_view name_suffix);

  // Truncation in three steps: what is to be kept, found in the files; the fields, under the lock; the files.
  struct Cut {
    std::uint64_t size = 0;
    std::size_t offset_entries = 0;
    std::size_t time_entries = 0;
    std::uint64_t transaction_bytes = 0;
    TimeEntry last_time_entry;
    LargestTimestamp largest;
  };
  Cut plan_cut(Offset offset);
  void apply_cut(const Cut& cut, Timestamp now);
  void cut_files(const Cut& cut);

  // Empties the indexes in memory and on disk: for recovery, which fills them again.
  void reset_indexes();
  // Fills them from the headers of a segment of that size, as far as these are whole.
  void rebuild_indexes(std::uint64_t log_bytes, std::uint32_t index_interval_bytes);
  // Takes over what another object for the same files rebuilt.
  void take_indexes(Segment& rebuilt);

  // As Kafka's log lines show a segment.
  std::string to_string() const;

 private:
  struct Open {
    runtime::FileRef log;
    runtime::FileRef index;
    runtime::FileRef time_index;
    runtime::FileRef transaction_index;
  };
  const runtime::FileRef& open(runtime::FileRef Open::* file, std::string_view file_suffix);
  std::string name(std::string_view file_suffix) const;

  const LogFiles* files_;
  std::unique_ptr<Open> open_;
  bool deleted_ = false;  // the names end in ".deleted"
};
using SegmentRef = std::shared_ptr<Segment>;

}  // namespace klamm::storage
