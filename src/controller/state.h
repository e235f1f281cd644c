// What a decision of the controller looks at: the image with all records applied so far, and what is not in records.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/logger.h"
#include "base/types.h"
#include "controller/config_rules.h"
#include "coordination/decision.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace klamm::controller {

struct ControllerSettings {
  std::string cluster_id;
  BrokerId node_id;                             // of the process this controller lives in
  std::int32_t num_partitions = 1;              // num.partitions
  std::int16_t default_replication_factor = 1;  // default.replication.factor
  std::int32_t min_insync_replicas = 1;  // min.insync.replicas of the file: becomes the cluster's when ELR begins
  bool delete_topic_enable = true;       // delete.topic.enable
  std::chrono::nanoseconds broker_session_timeout = std::chrono::seconds(9);  // broker.session.timeout.ms
  std::int16_t kraft_version = 0;  // finalized, from the control records of the log
};

// Source of the bound: QuorumController.MAX_RECORDS_PER_USER_OP.
inline constexpr std::size_t records_per_call_max = 10'000;

// What a broker said last. Lives in memory only: after a start every unfenced broker is given one session's time.
struct Heartbeat {
  BrokerEpoch epoch{-1};
  std::chrono::nanoseconds last_contact{};
  bool ever = false;  // last_contact means something
  Offset metadata_offset = no_offset;
  Offset controlled_shutdown_offset = no_offset;  // the offset that all others must reach; -1: not shutting down
};

struct State {
  metadata::ImageRef image = metadata::Image::empty();
  // Offsets of the RegisterBrokerRecords: a broker must have read its own to be unfenced.
  std::map<BrokerId, Offset> registered_at;
  std::map<BrokerId, Heartbeat> heartbeats;
  // Topics whose names could collide in metrics, by their unified names.
  std::map<std::string, std::set<std::string>, std::less<>> collisions;

  const ControllerSettings& settings;
  const ConfigRules& rules;
  Logger log;

  State(const ControllerSettings& s, const ConfigRules& r, Logger l) : settings(s), rules(r), log(std::move(l)) {}

  // The level in force. Before the bootstrap records there is none, and nobody asks.
  metadata::MetadataVersion version() const {
    return image->metadata_version().value_or(metadata::metadata_version_min);
  }
  bool is_active(std::int32_t broker) const;
  // The only directory of a broker, or unassigned when there are several.
  Uuid default_directory(std::int32_t broker) const;
  ConfigLayers layers(const metadata::ConfigEntries& topic) const;
  std::int32_t effective_min_isr(const metadata::Topic& topic) const;
  bool unclean_election_enabled(const metadata::Topic& topic) const;
  // Errors: stale_broker_epoch.
  Result<void> check_broker_epoch(std::int32_t broker, std::int64_t epoch) const;
};

// Records to append and the answer to give.
template <typename Response>
struct Outcome {
  metadata::Records records;
  Response response;
  bool atomic = true;
};

}  // namespace klamm::controller
