// One partition as this broker sees it: role, epochs, replicas, in-sync set and high watermark around a storage::Log.
// Fed by PartitionState values; produce and fetch go through it. Source of behaviour: kafka.cluster.Partition.
//
// Callable from any reactor; the state is under a short lock, the log has its own.
#pragma once

#include <memory>
#include <optional>

#include "base/error.h"
#include "base/topic_partition.h"
#include "records/validator.h"
#include "replication/partition_state.h"
#include "runtime/environment.h"
#include "runtime/waiting.h"
#include "storage/log.h"

namespace klamm::replication {

enum class Role : std::uint8_t { none, leader, follower };

class Partition;

// Told, on its own reactor and at most once per signal, that what a reader may see of the partition changed: the high
// watermark or the last stable offset moved, or the partition is gone, failed or no longer led here. A long poll has one
// per partition. Lives in its owner; leave() before it goes.
class PartitionWatch : public runtime::Work {
 public:
  explicit PartitionWatch(runtime::Reactor& reactor) : reactor_(reactor) {}
  ~PartitionWatch() override;
  // On the owner's reactor.
  void join(const std::shared_ptr<Partition>& partition);
  void leave();

 protected:
  virtual void changed() = 0;

 private:
  friend class Partition;
  void run() final;
  runtime::Reactor& reactor_;
  std::shared_ptr<Partition> partition_;
  PartitionWatch* previous_ = nullptr;
  PartitionWatch* next_ = nullptr;
  std::atomic<bool> posted_{false};
};

struct AppendRequest {
  MutableBytes records;                 // stamped in place; stays valid until the task ends
  std::int16_t required_acks = -1;
  std::int16_t api_version = 0;
};

struct FetchRead {
  storage::ReadResult data;
  std::optional<storage::EpochEndOffset> diverging;  // follower fetches whose last epoch does not match
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  struct Settings {
    BrokerId self;
    runtime::Environment& environment;
  };

  Partition(TopicPartition name, Uuid topic_id, Settings settings);
  ~Partition();

  const TopicPartition& name() const { return name_; }
  Uuid topic_id() const { return topic_id_; }

  // Takes the state over: role, epochs, replicas. `log` is there for a replica on this broker whose recovery is done; empty
  // while it is being recovered (then produce, fetch and look-ups answer NOT_LEADER_OR_FOLLOWER).
  void apply(const PartitionState& state, storage::LogRef log);
  PartitionState state() const;
  Role role() const;
  storage::LogRef log() const;

  // The log when this broker leads (or just holds, with `leader_only` false) and the client's epoch fits (-1: not given);
  // else NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR.
  Result<storage::LogRef> log_for(LeaderEpoch current_leader_epoch, bool leader_only = true) const;

  // Validates, appends, and moves the high watermark when this broker alone is in sync. Errors: NOT_LEADER_OR_FOLLOWER,
  // NOT_ENOUGH_REPLICAS, and all of records::validate and Log::append_as_leader.
  runtime::Task<Result<storage::AppendResult>> append_as_leader(runtime::Reactor& reactor, AppendRequest request);

  // acks=all: until the high watermark passed `last_offset`. Errors: REQUEST_TIMED_OUT, NOT_LEADER_OR_FOLLOWER,
  // NOT_ENOUGH_REPLICAS_AFTER_APPEND.
  runtime::Task<Result<void>> wait_replicated(runtime::Reactor& reactor, Offset last_offset, runtime::MonoTime deadline);

  // Errors: as log_for, and OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
  runtime::Task<Result<FetchRead>> read(runtime::Reactor& reactor, storage::ReadRequest request,
                                        LeaderEpoch current_leader_epoch, LeaderEpoch last_fetched_epoch);

  Result<storage::EpochEndOffset> end_offset_of(LeaderEpoch epoch, LeaderEpoch current_leader_epoch) const;

  // DeleteRecords: the new log start offset (offset -1 means the high watermark). Errors: OFFSET_OUT_OF_RANGE, POLICY_VIOLATION.
  runtime::Task<Result<Offset>> delete_records_before(runtime::Reactor& reactor, Offset offset);

  runtime::Watermark& high_watermark() { return high_watermark_; }

  // The partition leaves this broker (deleted, moved, or shutdown): every wait and watch ends.
  void close();

 private:
  friend class PartitionWatch;
  void wake_watches();

  TopicPartition name_;
  Uuid topic_id_;
  Settings settings_;
  mutable runtime::ShortLock lock_;
  PartitionState state_;
  Role role_ = Role::none;
  bool closed_ = false;
  storage::LogRef log_;
  runtime::Watermark high_watermark_;
  PartitionWatch* watches_ = nullptr;
};
using PartitionRef = std::shared_ptr<Partition>;

}  // namespace klamm::replication
