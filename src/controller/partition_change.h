// Works out what a partition becomes when brokers come, go or move it: in-sync set, leader, eligible leader replicas,
// directories; as a PartitionChangeRecord. Source of behaviour: org.apache.kafka.controller.PartitionChangeBuilder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/uuid.h"
#include "metadata/metadata_version.h"
#include "metadata/partition_registration.h"
#include "metadata/record.h"

namespace klamm::controller {

enum class Election : std::uint8_t {
  preferred,  // the first replica if it can lead; else as online
  online,     // whoever is in sync, the present leader first
  unclean,    // as online, and if nobody is in sync then whoever lives
};

struct PartitionChange {
  const metadata::PartitionRegistration& before;
  Uuid topic_id;
  std::int32_t partition = 0;

  metadata::MetadataVersion version;
  bool elr_enabled = false;
  std::int32_t min_isr = 1;
  std::function<bool(std::int32_t)> can_lead;
  // Where a broker puts a replica that nobody placed.
  std::function<Uuid(std::int32_t)> default_directory;

  Election election = Election::online;
  // What is wanted; nothing: as before.
  std::optional<std::vector<std::int32_t>> isr;
  std::optional<std::vector<std::int32_t>> replicas;
  std::optional<std::vector<std::int32_t>> removing_replicas;
  std::optional<std::vector<std::int32_t>> adding_replicas;
  std::optional<metadata::LeaderRecoveryState> leader_recovery_state;
  std::vector<std::int32_t> unclean_shutdown_replicas;
  std::map<std::int32_t, Uuid> directories;  // by broker
};

// Nothing when nothing changes.
std::optional<metadata::Record> change_partition(const PartitionChange& change);

}  // namespace klamm::controller
