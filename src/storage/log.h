// One partition on one broker: an ordered list of segments and what is derived from them (indexes, leader epochs,
// producer state). Nothing above sees segments. File names and formats are Kafka's (docs/formats.md).
// Source of behaviour: org.apache.kafka.storage.internals.log.{UnifiedLog,LocalLog,LogLoader,ProducerStateManager}.
//
// Callable from any reactor. Two things guard it: a short lock around what readers see, held for nanoseconds, and the
// writer's turn, held by whoever changes the log, over its file operations too. An append that finds the turn taken
// queues itself; who holds the turn writes it, merged with others into one write, and posts it back to its reactor.
// The first failed write or sync takes the directory offline (LogDirectory::failed): every later call answers
// KAFKA_STORAGE_ERROR.
//
// An empty log that a clean stop left as it was sleeps: its directory was looked at, and nothing of it is held but what
// names it. Its numbers are all zero, which is answered without more; whoever needs more wakes it, for which no file is
// read. So thousands of empty partitions cost little. A log that woke up stays awake.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "base/uuid.h"
#include "records/validator.h"
#include "runtime/environment.h"
#include "runtime/waiting.h"
#include "storage/leader_epochs.h"
#include "storage/log_settings.h"
#include "storage/producer_state.h"

namespace klamm::storage {

class Log;
class LogDirectory;

// All the numbers a fetch answers with, taken at one moment (KAFKA-9835, KAFKA-9807, KAFKA-7104).
struct LogOffsets {
  Offset log_start;
  Offset local_log_start;  // the two differ once segments live in remote storage
  Offset last_stable;      // reads with read_committed stop here
  Offset high_watermark;   // ordinary reads stop here
  Offset log_end;
};

struct LeaderAppend {
  LeaderEpoch epoch;  // of the appending leader; stamped into the batches
  Timestamp now;      // the wall clock: for time based rolls and LogAppendTime
  records::AppendOrigin origin = records::AppendOrigin::client;
  int transaction_version = 0;  // of the coordinator, for end markers
  // Of a transactional batch of a producer that may have no transaction open here: how many of its transactions had
  // ended (ProducerStanding::ends) when it was verified. Nothing: it is not looked at.
  std::optional<std::uint32_t> ends_seen = {};
};

struct AppendResult {
  Offset first_offset = no_offset;  // of a duplicate: where the first copy went
  Offset last_offset = no_offset;
  Timestamp log_append_time = no_timestamp;  // -1 with CreateTime
  Offset log_start = no_offset;
  bool duplicate = false;   // an idempotent resend: nothing was written
  bool needs_sync = false;  // flush.messages reached: the answer waits for Log::synced(last_offset + 1)
  std::vector<records::RecordError> record_errors;
};

enum class ReadIsolation : std::uint8_t { log_end, high_watermark, last_stable };

struct ReadRequest {
  Offset from;
  std::size_t bytes_max = 0;
  bool at_least_one_batch = false;  // give the first batch whole though it is larger than bytes_max
  ReadIsolation isolation = ReadIsolation::high_watermark;
};

struct AbortedTransaction {
  ProducerId producer_id;
  Offset first_offset;

  bool operator==(const AbortedTransaction&) const = default;
};

// Batches as they stand in one file; `from` may lie inside the first one. As in Kafka a read never crosses into the
// next segment and the last batch may be cut by `bytes_max` (readers skip it), never by the isolation's limit.
struct ReadResult {
  LogOffsets offsets;
  runtime::FileSlice data;                  // resident in memory; no file and length 0: nothing to read
  Offset data_offset = no_offset;           // base offset of the first batch
  std::vector<AbortedTransaction> aborted;  // with ReadIsolation::last_stable only

  std::size_t bytes() const { return data.length; }
};

struct TimestampOffset {
  Timestamp timestamp = no_timestamp;
  Offset offset = no_offset;
  LeaderEpoch leader_epoch = no_leader_epoch;

  bool operator==(const TimestampOffset&) const = default;
};

// For DescribeProducers.
struct ActiveProducer {
  ProducerId id;
  ProducerEpoch epoch;
  std::int32_t last_sequence;
  Timestamp last_timestamp;
  std::int32_t coordinator_epoch;
  Offset transaction_start;  // -1: none open
};

// How a producer stands here, for who verifies its transactions.
struct ProducerStanding {
  ProducerEpoch epoch = no_producer_epoch;
  std::int32_t coordinator_epoch = -1;
  bool in_transaction = false;
  std::uint32_t ends = 0;  // of its transactions, since the log was opened
};

enum class LogStartReason : std::uint8_t {
  leader_offset_incremented,
  segment_deletion,
  client_record_deletion,
  snapshot_generated
};

// What is known of a log before its files are looked at.
struct LogOpening {
  TopicPartition name;
  std::string directory_name;  // "orders-0", "orders-0.<32 hex>-future"
  LogSettingsRef settings;
  std::optional<Uuid> topic_id;  // written to partition.metadata when the log has none yet
  bool begun = false;            // the directory was just made, and holds partition.metadata alone, with `topic_id`
  bool clean = true;             // the last stop was clean: nothing above the recovery point needs a scan
  Offset recovery_point{0};
  std::optional<std::uint64_t> recovery_bytes_max;  // open() gives nothing when it would have to read more than that
  Offset log_start{0};
  std::optional<Offset> high_watermark;  // clamped to what the log holds
  std::chrono::milliseconds producer_id_expiration = std::chrono::days(1);
  bool listed = false;  // the directory was seen a moment ago: it is there
};

using LogRef = std::shared_ptr<Log>;

class Log : public std::enable_shared_from_this<Log> {
 public:
  struct State;  // log_state.h

  // Opens what is in the directory, or makes a new log. Blocks (recovery can take long): on an I/O thread or at start.
  // Derivable files that are missing or wrong are rebuilt; the tail is cut at the first batch that is not whole.
  // Throws runtime::DiskError; std::runtime_error when partition.metadata names another topic id.
  static LogRef open(LogDirectory& directory, LogOpening opening);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  const TopicPartition& name() const { return name_; }
  LogDirectory& directory() const { return *directory_; }
  bool sleeps() const { return state_.load(std::memory_order_acquire) == nullptr; }
  std::string path() const;  // of its directory; changes when it is renamed
  std::optional<Uuid> topic_id() const;
  // INCONSISTENT_TOPIC_ID when it has another one. Blocks for one small file.
  Result<void> assign_topic_id(Uuid id);
  bool is_future() const;
  LogSettingsRef settings() const;
  // Takes effect with the next append, read or look at the clock.
  void reconfigure(LogSettingsRef settings);

  // --- who writes --------------------------------------------------------------------------------------------------
  // From now on appends of an older epoch answer NOT_LEADER_OR_FOLLOWER. A new leader's epoch is known
  // from here on with the log's end as its start (KAFKA-7415); it goes to disk with the first record in it. Errors:
  // FENCED_LEADER_EPOCH when `epoch` is older than the current one, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<void>> set_writer_epoch(runtime::Reactor& reactor, LeaderEpoch epoch, bool as_leader);

  // --- append ------------------------------------------------------------------------------------------------------
  // Stamps offset, epoch and time into the batch and appends it. `batch` stays until the task ends. Uncontended it
  // completes without a wait: one write to the page cache, no global allocation. Errors: NOT_LEADER_OR_FOLLOWER,
  // RECORD_LIST_TOO_LARGE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE (also when a
  // transaction of the producer ended since it was verified), KAFKA_STORAGE_ERROR.
  runtime::Task<Result<AppendResult>> append_as_leader(runtime::Reactor& reactor, records::ValidatedBatch& batch,
                                                       LeaderAppend how);
  // The same for whole batches the broker made itself (coordinators, metadata, markers): they are trusted, control
  // batches included; offsets and epoch are stamped in place, all or none are appended. Errors also: MESSAGE_TOO_LARGE.
  runtime::Task<Result<AppendResult>> append_as_leader(runtime::Reactor& reactor, MutableBytes batches,
                                                       LeaderAppend how);
  // Keeps offsets and epochs. Batches of an epoch above `epoch` and what follows them are left out; a cut last batch
  // too. Errors: CORRUPT_MESSAGE (checksum, order), OFFSET_OUT_OF_RANGE (below the log's end), NOT_LEADER_OR_FOLLOWER
  // when the writer is not a follower of this epoch, RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<AppendResult>> append_as_follower(runtime::Reactor& reactor, Bytes batches, LeaderEpoch epoch);

  // --- durability --------------------------------------------------------------------------------------------------
  // Until all below `up_to` is on disk. One fdatasync serves all that wait. Errors: KAFKA_STORAGE_ERROR.
  runtime::Task<Result<void>> synced(runtime::Reactor& reactor, Offset up_to);
  // All that is appended now, and the names of its files.
  runtime::Task<Result<void>> flush_all(runtime::Reactor& reactor);
  // What recovery found is more than flush.messages leaves unsynced: nobody may see it before flush_all.
  bool owes_sync() const;
  // The end of what may be seen where no other replica has to have it: that of the log, unless flush.messages makes the
  // end wait for the disk.
  Offset shown_end() const;
  Offset recovery_point() const;
  // What the next start may rely on, indexes included, should this one not end in order.
  Offset recovery_checkpoint() const;

  // --- truncate ----------------------------------------------------------------------------------------------------
  // Everything from `offset` on goes. False: there was nothing there.
  runtime::Task<Result<bool>> truncate_to(runtime::Reactor& reactor, Offset offset);
  // Everything goes; the next record gets `offset`. `log_start`: when it differs from that.
  runtime::Task<Result<void>> truncate_fully_and_start_at(runtime::Reactor& reactor, Offset offset,
                                                          std::optional<Offset> log_start = {});

  // --- read --------------------------------------------------------------------------------------------------------
  // Cold ranges are loaded by an I/O thread first. Errors: OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<ReadResult>> read(runtime::Reactor& reactor, ReadRequest request);
  LogOffsets offsets() const;
  Offset log_start() const;
  Offset log_end() const;
  Offset high_watermark() const;
  Offset last_stable_offset() const;
  std::uint64_t size_bytes() const;
  std::size_t segment_count() const;
  Offset first_segment_base() const;
  std::vector<ActiveProducer> active_producers() const;
  ProducerStanding standing_of(ProducerId producer) const;

  // --- look-ups ----------------------------------------------------------------------------------------------------
  EpochEndOffset end_offset_of_epoch(LeaderEpoch epoch) const;
  std::optional<LeaderEpoch> latest_epoch() const;
  std::vector<EpochEntry> epochs() const;
  TimestampOffset earliest() const;        // ListOffsets -2
  TimestampOffset earliest_local() const;  // ListOffsets -4
  TimestampOffset latest() const;          // ListOffsets -1: the log's end; the caller limits it to what may be seen
  // The first record at or after the time; nothing when there is none. Errors: KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE.
  runtime::Task<Result<std::optional<TimestampOffset>>> find_timestamp(runtime::Reactor& reactor, Timestamp at);
  // ListOffsets -3: the record with the largest timestamp.
  runtime::Task<Result<std::optional<TimestampOffset>>> find_max_timestamp(runtime::Reactor& reactor);

  // --- numbers that others move ------------------------------------------------------------------------------------
  // Sets it, clamped to [log start, log end]; may go back after a truncation. Returns the new value.
  Offset update_high_watermark(Offset to);
  // Never goes back. Nothing when it did not move.
  std::optional<Offset> advance_high_watermark(Offset to);
  // What lies below is no longer read; the files go with the next delete_old_segments. True when it moved. Errors:
  // OFFSET_OUT_OF_RANGE above the high watermark, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<bool>> advance_log_start(runtime::Reactor& reactor, Offset to, LogStartReason reason);
  runtime::Task<Result<bool>> delete_records_before(runtime::Reactor& reactor, Offset offset) {
    return advance_log_start(reactor, offset, LogStartReason::client_record_deletion);
  }

  // --- upkeep (LogDirectories calls these) -------------------------------------------------------------------------
  // Retention by start, size and time. Returns the segments removed; their files go file.delete.delay.ms later.
  runtime::Task<std::size_t> delete_old_segments(runtime::Reactor& reactor);
  runtime::Task<Result<void>> roll(runtime::Reactor& reactor);
  // Now and then: forgets producers that were silent for producer.id.expiration.ms, and memory that only hot reads
  // need.
  runtime::Task<void> rest(runtime::Reactor& reactor, Timestamp now);
  // When upkeep() has something to do next: delayed deletions, flush.ms.
  runtime::MonoTime due() const;
  runtime::Task<void> upkeep(runtime::Reactor& reactor);
  // Ends it: with `clean` everything is on disk with a producer snapshot afterwards, and indexes and log are trimmed.
  runtime::Task<Result<void>> close(runtime::Reactor& reactor, bool clean);
  // A clean close in two steps, for many logs together: everything is written, and is on disk once the caller has
  // synced the file system, which it then says. A crash in between leaves no more than one before it.
  runtime::Task<Result<void>> close_unsynced(runtime::Reactor& reactor);
  void closed_on_disk();
  // A clean close has something to bring to disk.
  bool has_unsynced() const;
  // Blocks. The directory gets another name, in the same log directory ("-delete", "-stray", or a future log's own
  // name).
  void rename_directory(const std::string& directory_name);

 private:
  struct Opened {};  // only open() makes one

 public:
  Log(Opened, LogDirectory& directory, const LogOpening& opening);

 private:
  // What is held of a log that sleeps. Under LogDirectory::sleepers(), but for what does not change.
  struct Sleep {
    Uuid topic_id;                               // constant
    Timestamp opened;                            // constant
    std::chrono::milliseconds id_expiration{0};  // constant
    LogSettingsRef settings;                     // goes to the State
    LeaderEpoch writer_epoch = no_leader_epoch;
    LeaderEpoch known_epoch = no_leader_epoch;  // the one leader epoch, which begins at 0
    bool is_leader = false;
    bool closed = false;
  };

  static LogRef open_asleep(LogDirectory& directory, const LogOpening& opening,
                            const std::vector<runtime::DirectoryEntry>& entries);
  State& awake() const {
    if (State* const state = state_.load(std::memory_order_acquire)) return *state;
    return wake();
  }
  State& wake() const;
  enum class Closing : std::uint8_t { as_it_is, on_disk, written };
  runtime::Task<Result<void>> close(runtime::Reactor& reactor, Closing how);
  // Calls `use` with what is held of the sleeping log; false, and it is not called, when the log is awake.
  template <typename Use>
  bool while_asleep(const Use& use) const;
  static constexpr LogOffsets offsets_asleep{Offset(0), Offset(0), Offset(0), Offset(0), Offset(0)};
  // These give nothing when the log is awake.
  std::optional<Error> unusable_asleep(const Sleep& sleep) const;
  std::optional<LeaderEpoch> epoch_asleep() const;
  std::optional<Result<void>> set_writer_epoch_asleep(LeaderEpoch epoch, bool as_leader);
  std::optional<Result<void>> close_asleep();
  std::optional<Result<ReadResult>> read_asleep(const ReadRequest& request) const;
  std::string path_asleep() const;

  TopicPartition name_;
  LogDirectory* directory_;
  mutable std::atomic<State*> state_{nullptr};  // owned; null: it sleeps
  mutable Sleep sleep_;
};

}  // namespace klamm::storage
