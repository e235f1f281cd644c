#include "metadata/partition_registration.h"

#include <fmt/format.h>

#include <algorithm>

namespace klamm::metadata {
namespace {

LeaderRecoveryState recovery_state_of(std::int8_t value) {
  if (value == 0) return LeaderRecoveryState::recovered;
  if (value == 1) return LeaderRecoveryState::recovering;
  throw BadRecord(fmt::format("Unknown leader recovery state: {}", value));
}

// Records of before directories were assigned, and those of a migration, leave every replica "migrating".
std::vector<Uuid> directories_or_migrating(std::vector<Uuid> directories, std::size_t replicas) {
  if (std::ranges::all_of(directories, [](Uuid id) { return id == directory_migrating; })) {
    return std::vector<Uuid>(replicas, directory_migrating);
  }
  if (directories.size() != replicas) throw BadRecord("The lengths for replicas and directories do not match.");
  return directories;
}

}  // namespace

PartitionRegistration PartitionRegistration::from(const protocol::PartitionRecord& record) {
  PartitionRegistration partition;
  partition.replicas = record.replicas;
  partition.directories = directories_or_migrating(record.directories, record.replicas.size());
  partition.isr = record.isr;
  partition.removing_replicas = record.removing_replicas;
  partition.adding_replicas = record.adding_replicas;
  partition.elr = record.eligible_leader_replicas.value_or(std::vector<std::int32_t>{});
  partition.last_known_elr = record.last_known_elr.value_or(std::vector<std::int32_t>{});
  partition.leader = record.leader;
  partition.leader_epoch = record.leader_epoch;
  partition.partition_epoch = record.partition_epoch;
  partition.leader_recovery_state = recovery_state_of(record.leader_recovery_state);
  return partition;
}

PartitionRegistration PartitionRegistration::changed_by(const protocol::PartitionChangeRecord& record) const {
  PartitionRegistration next = *this;
  if (record.replicas) next.replicas = *record.replicas;
  if (record.directories || record.replicas) {
    next.directories = directories_or_migrating(record.directories.value_or(directories), next.replicas.size());
  }
  if (record.isr) next.isr = *record.isr;
  if (record.removing_replicas) next.removing_replicas = *record.removing_replicas;
  if (record.adding_replicas) next.adding_replicas = *record.adding_replicas;
  if (record.leader != no_leader_change) {
    next.leader = record.leader;
    ++next.leader_epoch;
  }
  if (record.leader_recovery_state != -1) next.leader_recovery_state = recovery_state_of(record.leader_recovery_state);
  if (record.eligible_leader_replicas) next.elr = *record.eligible_leader_replicas;
  if (record.last_known_elr) next.last_known_elr = *record.last_known_elr;
  ++next.partition_epoch;
  return next;
}

Record PartitionRegistration::to_record(Uuid topic_id, std::int32_t partition, MetadataVersion version,
                                        bool elr_enabled) const {
  protocol::PartitionRecord record;
  record.partition_id = partition;
  record.topic_id = topic_id;
  record.replicas = replicas;
  record.isr = isr;
  record.removing_replicas = removing_replicas;
  record.adding_replicas = adding_replicas;
  record.leader = leader;
  record.leader_recovery_state = static_cast<std::int8_t>(leader_recovery_state);
  record.leader_epoch = leader_epoch;
  record.partition_epoch = partition_epoch;
  if (elr_enabled && version.supports_elr()) {
    if (!elr.empty()) record.eligible_leader_replicas = elr;
    if (!last_known_elr.empty()) record.last_known_elr = last_known_elr;
  }
  if (version.supports_directory_assignment()) record.directories = directories;
  return {std::move(record), version.partition_record_version()};
}

bool PartitionRegistration::has_replica(std::int32_t broker) const {
  return std::ranges::find(replicas, broker) != replicas.end();
}

Uuid PartitionRegistration::directory_of(std::int32_t broker) const {
  const auto found = std::ranges::find(replicas, broker);
  return found == replicas.end() ? directory_unassigned
                                 : directories[static_cast<std::size_t>(found - replicas.begin())];
}

}  // namespace klamm::metadata
