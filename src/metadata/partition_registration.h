// What the cluster knows of one partition. Source: org.apache.kafka.metadata.PartitionRegistration.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rare_list.h"
#include "base/small_list.h"
#include "base/types.h"
#include "base/uuid.h"
#include "metadata/metadata_version.h"
#include "metadata/record.h"

namespace klamm::metadata {

// Of PartitionChangeRecord: the leader does not change.
inline constexpr std::int32_t no_leader_change = -2;
inline constexpr std::int32_t no_leader = -1;

enum class LeaderRecoveryState : std::int8_t { recovered = 0, recovering = 1 };

struct PartitionRegistration {
  using Ids = SmallList<std::int32_t, 3>;  // of brokers
  using RareIds = RareList<std::int32_t>;

  Ids replicas;
  SmallList<Uuid, 1> directories;  // one a replica, in their order
  Ids isr;
  RareIds removing_replicas;
  RareIds adding_replicas;
  RareIds elr;
  RareIds last_known_elr;
  std::int32_t leader = no_leader;
  std::int32_t leader_epoch = 0;
  std::int32_t partition_epoch = 0;
  LeaderRecoveryState leader_recovery_state = LeaderRecoveryState::recovered;

  // Throws BadRecord when the record contradicts itself.
  static PartitionRegistration from(const protocol::PartitionRecord& record);
  // The leader epoch rises when the record names a leader, be it the same; the partition epoch always.
  PartitionRegistration changed_by(const protocol::PartitionChangeRecord& record) const;
  // Without `elr_enabled` the eligible leader replicas are left out.
  Record to_record(Uuid topic_id, std::int32_t partition, MetadataVersion version, bool elr_enabled) const;

  bool has_leader() const { return leader != no_leader; }
  std::int32_t preferred_replica() const { return replicas.empty() ? no_leader : replicas.front(); }
  bool has_replica(std::int32_t broker) const;
  // Where the broker keeps its replica; directory_unassigned when it has none.
  Uuid directory_of(std::int32_t broker) const;
  bool is_reassigning() const { return !removing_replicas.empty() || !adding_replicas.empty(); }

  bool operator==(const PartitionRegistration&) const = default;
};

}  // namespace klamm::metadata
