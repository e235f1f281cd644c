// The inside of a Log, shared by the files that implement it (log*.cpp, retention.cpp). Three kinds of fields:
// constant; under `lock`; and written by the holder of the turn, under `lock` when readers see them (so the holder
// reads them freely).
#pragma once

#include <array>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "runtime/lock.h"
#include "storage/log.h"
#include "storage/log_directory.h"
#include "storage/log_file_names.h"
#include "storage/segment.h"

namespace klamm::storage {

// A place in a file that is known to be where a batch begins, so that the next read need not search.
struct PositionHint {
  Offset offset = no_offset;
  Offset segment = no_offset;
  std::uint64_t position = 0;
};

class PositionHints {
 public:
  void add(const PositionHint& hint) {
    if (hints_[latest_].offset == hint.offset && hints_[latest_].segment == hint.segment) return;
    latest_ = (latest_ + 1) % hints_.size();
    hints_[latest_] = hint;
  }
  std::optional<std::uint64_t> find(Offset offset, Offset segment) const {
    for (const auto& hint : hints_) {
      if (hint.offset == offset && hint.segment == segment) return hint.position;
    }
    return std::nullopt;
  }
  void clear() { hints_.fill({}); }

 private:
  std::array<PositionHint, 8> hints_{};
  std::size_t latest_ = 0;
};

// One append on its way: in the frame of the coroutine that waits for it.
struct PendingAppend {
  records::ValidatedBatch* batch = nullptr;  // else `leader_batches`, else `follower_batches`
  MutableBytes leader_batches;
  Bytes follower_batches;
  LeaderAppend how;
  Result<AppendResult> result = AppendResult{};
};

// Who waits for the turn: for itself, or for its append to be written by whoever holds the turn.
class TurnWaiter {
 public:
  TurnWaiter(Log::State& state, runtime::Reactor& reactor, PendingAppend* append)
      : state_(state), append_(append), resumption_(reactor) {}
  ~TurnWaiter();
  TurnWaiter(const TurnWaiter&) = delete;
  TurnWaiter& operator=(const TurnWaiter&) = delete;

  // co_await waiter: true when the caller holds the turn now, false when its append was done by another.
  bool await_ready();
  bool await_suspend(std::coroutine_handle<> handle);
  bool await_resume() const { return holds_; }

 private:
  friend struct Log::State;

  Log::State& state_;
  PendingAppend* append_;
  runtime::Resumption resumption_;
  TurnWaiter* next_ = nullptr;
  bool queued_ = false;
  bool refused_ = false;
  bool holds_ = false;
};

// Gives the turn back at the end of a scope.
class TurnGuard {
 public:
  explicit TurnGuard(Log::State& state) : state_(state) {}
  ~TurnGuard();
  TurnGuard(const TurnGuard&) = delete;
  TurnGuard& operator=(const TurnGuard&) = delete;

 private:
  Log::State& state_;
};

// What the holder of the turn has written or is about to write, not yet seen by readers. Made with the first append.
struct AppendScratch {
  struct Staged {
    PendingAppend* append;
    std::size_t batch_count;
  };
  runtime::FileRef file;  // of the active segment
  std::vector<Staged> staged;
  std::vector<Bytes> parts;
  std::vector<BatchAt> batches;
  std::vector<CompletedTransaction> completed;
  std::optional<ProducerState::Update> update;
  std::uint64_t bytes = 0;
  Offset end{0};                       // the next offset after all that is staged
  std::uint64_t bytes_since_open = 0;  // says whether the log is hot
};

// A producer state under construction: it holds all below `end`.
struct ProducerBuild {
  ProducerState state;
  Offset end{0};
};
// Takes a batch of the log into the state; gives the transactions that it ended.
std::vector<CompletedTransaction> replay(ProducerState& state, const ProducerAppend& batch);

// "LogSegment(...), LogSegment(...)"
std::string list_of(std::span<const SegmentRef> segments);

struct PendingDeletion {
  runtime::MonoTime at;
  std::vector<std::pair<Offset, std::string>> segments;  // base, how the log line shows it
  std::vector<Offset> snapshots;
};

struct Log::State {
  State(Log& owner, LogDirectory& log_directory, LogOpening opening);
  ~State();

  // --- constant ----------------------------------------------------------------------------------------------------
  Log& log;
  LogDirectory& directory;
  runtime::Environment& environment;
  runtime::Disk& disk;
  const std::chrono::milliseconds producer_id_expiration;

  // --- under `lock` ------------------------------------------------------------------------------------------------
  mutable runtime::ShortLock lock;
  LogFiles files;
  LogSettingsRef settings;
  std::optional<Uuid> topic_id;

  Offset log_start{0};
  Offset local_log_start{0};
  Offset high_watermark{0};
  Offset log_end{0};
  Offset flushed{0};            // the recovery point
  bool closed_cleanly = false;  // and untouched since, or about to be closed: indexes too are on disk
  std::optional<Offset> first_unstable;
  LeaderEpoch writer_epoch = no_leader_epoch;
  std::uint32_t truncations = 0;
  std::atomic<bool> closed{false};  // read without the lock too
  bool is_leader = false;
  bool turn_taken = false;
  bool rebuild_wanted = false;  // some segment's indexes are wrong
  bool epochs_unsaved = false;
  bool names_unsynced = false;       // files were made in the log's directory
  bool parent_unsynced = false;      // the directory itself was made
  std::vector<SegmentRef> segments;  // by base offset, never empty once open; the last is the active one
  LeaderEpochs epochs;
  ProducerState producers;
  Offset producers_end{0};  // the producer state holds all below it
  struct Hints {
    PositionHints appended;
    PositionHints read;
  };
  std::unique_ptr<Hints> hints;
  std::vector<PendingDeletion> deletions;
  runtime::MonoTime flush_due = runtime::never;  // flush.ms after the first append that is not flushed

  // --- the turn ----------------------------------------------------------------------------------------------------
  TurnWaiter* first_waiter = nullptr;  // under `lock`
  TurnWaiter* last_waiter = nullptr;
  std::unique_ptr<AppendScratch> scratch;
  std::vector<Offset> snapshots;  // offsets of the .snapshot files, ascending
  Offset last_snapshot{0};
  Offset end_at_last_rest{-1};  // says whether anything was appended in between

  // --- flushing ----------------------------------------------------------------------------------------------------
  class FlushJob;
  std::unique_ptr<FlushJob> flush_job;     // made when first needed
  std::vector<Offset> snapshots_unsynced;  // under `lock`

  // --- log.cpp -----------------------------------------------------------------------------------------------------
  std::string partition() const { return log.name().to_string(); }
  Logger logger(std::string_view name) const;  // with Kafka's prefix "[UnifiedLog partition=orders-0, dir=/data] "
  // Nothing when the log may be used.
  std::optional<Error> unusable() const;
  // What a failed file operation means: "Error while {what} {partition} in dir {dir}", the directory goes offline.
  Error failed(std::string_view what, const std::exception& cause);
  Segment& active() const { return *segments.back(); }
  std::size_t floor_segment(Offset offset) const;  // number of the segment that holds it, 0 when all are above
  std::size_t first_unsynced_segment() const;
  Offset recovery_checkpoint_locked() const;
  LogOffsets offsets_locked() const;
  Offset last_stable_locked() const;
  void refresh_first_unstable_locked();
  Offset set_high_watermark_locked(Offset to);
  void set_log_start_locked(Offset to);
  SegmentView view_of(Segment& segment, Offset target);
  SegmentView view_locked(Segment& segment, Offset target);
  void touch(unsigned what) { directory.touch(what); }
  void owe_parent_sync() {
    parent_unsynced = true;
    directory.name_made();
  }
  void wake_upkeep() const { directory.log_has_work(log); }

  // --- log_turn.cpp ------------------------------------------------------------------------------------------------
  void release_turn();
  void hand_over(TurnWaiter& waiter);

  // --- log_append.cpp: by the holder of the turn -------------------------------------------------------------------
  void run_appends(std::span<PendingAppend* const> appends);
  void stage(PendingAppend& append);
  void stage_leader_batch(PendingAppend& append);
  void stage_leader_batches(PendingAppend& append);
  void stage_follower_batches(PendingAppend& append);
  std::optional<Error> writer_refuses(const PendingAppend& append) const;
  Result<void> check_producer(const ProducerAppend& batch, const LeaderAppend& how);
  bool make_room(Offset first, Offset last, std::uint64_t bytes, Timestamp max_timestamp, Timestamp now);
  void add_staged(Bytes bytes, const BatchAt& batch);
  void finish_stage(PendingAppend& append, std::size_t batch_count, AppendResult result);
  bool write_staged();
  void publish_staged();
  void fail_staged(const Error& error);
  void reserve_ahead(Segment& segment, std::uint64_t end);
  void write_completed_transactions();

  // --- log_roll.cpp: by the holder of the turn; these throw DiskError ----------------------------------------------
  void roll_now(Offset expected_base);
  SegmentRef make_segment(Offset base, bool replace_files);
  // Takes the segments out of sight and retires their files.
  void drop_segments(std::span<const SegmentRef> dropped, std::string_view reason);
  void retire_files(std::span<const SegmentRef> dropped);
  void schedule_deletion(PendingDeletion deletion);

  // --- log_truncate.cpp --------------------------------------------------------------------------------------------
  bool truncate_now(Offset offset);
  void truncate_fully_now(Offset offset, std::optional<Offset> new_log_start);

  // --- log_read.cpp ------------------------------------------------------------------------------------------------
  struct ReadPlan;
  std::optional<Error> plan_read(const ReadRequest& request, ReadPlan& plan);
  bool can_finish_now(const ReadPlan& plan);
  std::optional<Error> finish_read(ReadPlan& plan);
  std::optional<Error> find_start(ReadPlan& plan);
  std::optional<Error> find_limit(ReadPlan& plan);
  std::optional<Error> choose_end(ReadPlan& plan);
  void collect_aborted(ReadPlan& plan);
  std::optional<std::uint64_t> known_position_locked(Segment& segment, Offset offset) const;
  void index_is_wrong(const SegmentRef& segment);
  Hints& hints_locked();

  // --- log_lookup.cpp ----------------------------------------------------------------------------------------------
  LargestTimestamp largest_of(const SegmentRef& segment);
  std::optional<LargestTimestamp> indexed_largest_of(const SegmentRef& segment);
  std::optional<std::uint64_t> time_floor_position(const SegmentRef& segment, Timestamp at, Offset from);
  Result<std::optional<TimestampOffset>> find_timestamp_now(Timestamp at);
  Result<std::optional<TimestampOffset>> find_max_timestamp_now();

  // --- log_producers.cpp -------------------------------------------------------------------------------------------
  std::string snapshot_path(Offset offset) const;
  Logger producers_logger() const;
  // Writes <at>.snapshot, unless there is one as new.
  void take_snapshot(const ProducerState& of, Offset at, bool sync);
  void remove_snapshot(Offset offset);
  void remove_stray_snapshots();
  ProducerBuild load_newest_snapshot();
  void scan_producers(ProducerBuild& build, Offset end);
  // Loads the newest snapshot at or below `end`, then the log from there. `trust_absence`: no snapshots, no producers.
  void rebuild_producers(Offset end, bool trust_absence);
  void set_producers(ProducerBuild build, Offset end);

  // --- log_flush.cpp -----------------------------------------------------------------------------------------------
  // Brings to disk: records below `up_to`, and what else is marked unsaved or unsynced now. request_flush() does not
  // wait for it; `reactor`: the caller's, when it is on one.
  void request_flush(runtime::Reactor* reactor, Offset up_to);
  runtime::Task<Result<void>> flush(runtime::Reactor& reactor, Offset up_to);
  std::int64_t ask_flush_locked(Offset up_to, bool& start);
  void start_flush(runtime::Reactor* reactor);
  std::unique_ptr<FlushJob> take_idle_flush_job_locked();
  bool flush_under_way_locked() const;

  // --- retention.cpp -----------------------------------------------------------------------------------------------
  bool may_delete_locked(Timestamp now) const;
  std::size_t delete_old_now();
  using Deletable = std::function<bool(const SegmentRef& segment, const Segment* next)>;
  std::size_t delete_while(const Deletable& deletable, const std::function<void(std::span<const SegmentRef>)>& say);
  void advance_log_start_now(Offset to, LogStartReason reason);
  void remove_retired_files(runtime::MonoTime now);
  void rebuild_wrong_indexes();
  void let_go_of_memory();

  // --- log_close.cpp -----------------------------------------------------------------------------------------------
  bool owes_contents_locked() const;
  void close_cleanly(bool sync);
  void closed_on_disk_locked();
  void replace_epochs_file(std::string_view text, bool sync);
};

// Recovery and loading: log_loader.cpp. False when recovery would read more than the opening allows. `listed`: what is
// in the directory, when somebody just looked.
bool load_log(Log::State& state, const LogOpening& opening, std::vector<runtime::DirectoryEntry> listed);

// Whether all that the entries name is what an empty log that begins at 0 has: its segment's files, empty, and the
// topic's id.
bool holds_empty_log(runtime::Disk& disk, const std::string& directory,
                     const std::vector<runtime::DirectoryEntry>& entries);

template <typename Use>
bool Log::while_asleep(const Use& use) const {
  if (!sleeps()) return false;
  const runtime::ShortLock::Guard guard(directory_->sleepers());
  if (!sleeps()) return false;
  use(sleep_);
  return true;
}

}  // namespace klamm::storage
