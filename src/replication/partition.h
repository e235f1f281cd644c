// One partition as this broker sees it: role, epochs, replicas, in-sync set and high watermark around a storage::Log.
// Fed by PartitionState values; produce and fetch go through it. Source of behaviour: kafka.cluster.Partition.
//
// Callable from any reactor; the state is under a short lock, the log has its own.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "records/validator.h"
#include "replication/large_batches.h"
#include "replication/partition_state.h"
#include "replication/topic_settings.h"
#include "runtime/environment.h"
#include "runtime/waiting.h"
#include "storage/log.h"

namespace klamm::replication {

enum class Role : std::uint8_t { none, leader, follower };

class Partition;
using PartitionRef = std::shared_ptr<Partition>;

// Told, on its own reactor and at most once per signal, that what a reader may see of the partition changed: the high
// watermark or the last stable offset moved, or the partition is gone, failed or no longer led here. A long poll has
// one per partition. Lives in its owner, on the owner's reactor. An owner that saw `changed` looks again; signals that
// come before the reactor gets to it are one.
class PartitionWatch {
 public:
  explicit PartitionWatch(runtime::Reactor& reactor) : signal_(*this), reactor_(reactor) {}
  PartitionWatch(const PartitionWatch&) = delete;
  PartitionWatch& operator=(const PartitionWatch&) = delete;
  virtual ~PartitionWatch();

  void join(PartitionRef partition);
  // After it returned, changed() is not called any more.
  void leave();
  const PartitionRef& partition() const { return partition_; }

 protected:
  virtual void changed() = 0;

 private:
  friend class Partition;
  // What is posted to the reactor. It may still stand in the reactor's queue when the watch goes, so it is detached
  // then and frees itself when its turn comes.
  struct Signal;
  struct SignalHolder {
    explicit SignalHolder(PartitionWatch& watch);
    ~SignalHolder();
    Signal* signal;
  };
  void post();

  SignalHolder signal_;
  runtime::Reactor& reactor_;
  PartitionRef partition_;
  PartitionWatch* previous_ = nullptr;  // guarded by the partition's lock, as next_
  PartitionWatch* next_ = nullptr;
};

struct AppendRequest {
  MutableBytes records;  // stamped in place; stays valid until the task ends
  std::int16_t required_acks = -1;
  std::int16_t produce_version = 13;
  records::AppendOrigin origin = records::AppendOrigin::client;
  std::optional<std::uint32_t> ends_seen = {};  // as in storage::LeaderAppend
  // Where the batch is opened when it opened to more than the reactor's validator takes; null: by that validator.
  LargeBatches* aside = nullptr;
};

// Why an append was refused, as the Produce response tells it.
struct AppendFailure {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::string message;  // for the client; empty: null on the wire
  std::vector<records::RecordError> record_errors;
  Offset log_start = no_offset;
  // More than the validator takes: worth another try with `aside`. Nothing was waited for until then.
  bool opens_to_too_much = false;
};
using AppendOutcome = std::expected<storage::AppendResult, AppendFailure>;

struct FetchRequest {
  storage::ReadRequest read;
  BrokerId replica = no_broker;  // a follower's fetch; it must be one of the replicas
  LeaderEpoch current_leader_epoch = no_leader_epoch;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;
};

struct FetchResult {
  storage::ReadResult data;
  std::optional<storage::EpochEndOffset>
      diverging;  // with last_fetched_epoch: where the reader left this log's history
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  Partition(TopicPartition name, Uuid topic_id, BrokerId self, TopicSettingsRef settings,
            runtime::Environment& environment);
  ~Partition();

  const TopicPartition& name() const { return name_; }
  Uuid topic_id() const { return topic_id_; }

  // Takes the state over: role, epochs, replicas. `log` is there for a replica on this broker whose recovery is done
  // and whose writer epoch is set; empty while it is being recovered (then produce, fetch and look-ups answer
  // NOT_LEADER_OR_FOLLOWER).
  void apply(const PartitionState& state, storage::LogRef log);
  void reconfigure(TopicSettingsRef settings);
  // The log's directory failed: KAFKA_STORAGE_ERROR from now on.
  void storage_failed();
  PartitionState state() const;
  Role role() const;
  TopicSettingsRef settings() const;
  // Empty while there is none.
  storage::LogRef log() const;

  // The log when this broker leads (or just holds, with `leader_only` false) and the client's epoch fits (-1: not
  // given); else NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR.
  Result<storage::LogRef> log_for(LeaderEpoch current_leader_epoch, bool leader_only = true) const;

  // Validates, appends, waits for the disk when flush.messages says so, and moves the high watermark when this broker
  // alone is in sync. Errors: NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, and all of ProduceValidator and
  // Log::append_as_leader. `validator` belongs to the reactor.
  runtime::Task<AppendOutcome> append_as_leader(runtime::Reactor& reactor, records::ProduceValidator& validator,
                                                AppendRequest request);

  // The same for a batch that this broker made itself, the marker that ends a transaction: it is trusted, and stamped
  // in place. `batch` stays valid until the task ends. `transaction_version`: of the transaction. Errors: as above,
  // without those of the validator; INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
  runtime::Task<AppendOutcome> append_marker(runtime::Reactor& reactor, MutableBytes batch, int transaction_version);

  // acks=all: until the high watermark passed `last_offset`. Errors: REQUEST_TIMED_OUT, NOT_LEADER_OR_FOLLOWER,
  // NOT_ENOUGH_REPLICAS_AFTER_APPEND.
  runtime::Task<Result<void>> wait_replicated(runtime::Reactor& reactor, Offset last_offset,
                                              runtime::MonoTime deadline);

  // Errors: as log_for, and OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<FetchResult>> read(runtime::Reactor& reactor, FetchRequest request);

  // Errors: as log_for.
  Result<storage::EpochEndOffset> end_offset_of(LeaderEpoch epoch, LeaderEpoch current_leader_epoch) const;

  // DeleteRecords: answers the new log start offset (offset -1 means the high watermark). Errors: OFFSET_OUT_OF_RANGE,
  // POLICY_VIOLATION, and as log_for.
  runtime::Task<Result<Offset>> delete_records_before(runtime::Reactor& reactor, Offset offset);

  // The partition leaves this broker (deleted, moved, or shutdown): every wait and watch ends.
  void close();

 private:
  friend class PartitionWatch;
  struct Leading {
    storage::LogRef log;
    LeaderEpoch epoch;
    TopicSettingsRef settings;
    std::size_t in_sync = 0;
    std::size_t replicas = 0;
    bool alone = false;  // the in-sync set is this broker

    // min.insync.replicas; a topic of one replica cannot have two in sync, whatever it is configured to
    // (Partition.effectiveMinIsr).
    bool enough_in_sync() const;
  };
  Result<Leading> leading() const;
  Result<storage::LogRef> log_for_locked(LeaderEpoch current_leader_epoch, bool leader_only) const;
  void advance_high_watermark(const storage::LogRef& log, Offset to);
  void wake_watches();

  TopicPartition name_;
  Uuid topic_id_;
  BrokerId self_;
  Role role_ = Role::none;
  bool closed_ = false;
  bool failed_ = false;
  runtime::Environment& environment_;
  mutable runtime::ShortLock lock_;
  PartitionState state_;
  storage::LogRef log_;
  TopicSettingsRef settings_;
  runtime::Watermark high_watermark_;
  PartitionWatch* watches_ = nullptr;
};

}  // namespace klamm::replication
