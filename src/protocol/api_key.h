// The APIs of the protocol and what is known of each without looking into a message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace klamm::protocol {

enum class ApiKey : std::int16_t {
  produce = 0,
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  leader_and_isr = 4,
  stop_replica = 5,
  update_metadata = 6,
  controlled_shutdown = 7,
  offset_commit = 8,
  offset_fetch = 9,
  find_coordinator = 10,
  join_group = 11,
  heartbeat = 12,
  leave_group = 13,
  sync_group = 14,
  describe_groups = 15,
  list_groups = 16,
  sasl_handshake = 17,
  api_versions = 18,
  create_topics = 19,
  delete_topics = 20,
  delete_records = 21,
  init_producer_id = 22,
  offset_for_leader_epoch = 23,
  add_partitions_to_txn = 24,
  add_offsets_to_txn = 25,
  end_txn = 26,
  write_txn_markers = 27,
  txn_offset_commit = 28,
  describe_acls = 29,
  create_acls = 30,
  delete_acls = 31,
  describe_configs = 32,
  alter_configs = 33,
  alter_replica_log_dirs = 34,
  describe_log_dirs = 35,
  sasl_authenticate = 36,
  create_partitions = 37,
  create_delegation_token = 38,
  renew_delegation_token = 39,
  expire_delegation_token = 40,
  describe_delegation_token = 41,
  delete_groups = 42,
  elect_leaders = 43,
  incremental_alter_configs = 44,
  alter_partition_reassignments = 45,
  list_partition_reassignments = 46,
  offset_delete = 47,
  describe_client_quotas = 48,
  alter_client_quotas = 49,
  describe_user_scram_credentials = 50,
  alter_user_scram_credentials = 51,
  vote = 52,
  begin_quorum_epoch = 53,
  end_quorum_epoch = 54,
  describe_quorum = 55,
  alter_partition = 56,
  update_features = 57,
  envelope = 58,
  fetch_snapshot = 59,
  describe_cluster = 60,
  describe_producers = 61,
  broker_registration = 62,
  broker_heartbeat = 63,
  unregister_broker = 64,
  describe_transactions = 65,
  list_transactions = 66,
  allocate_producer_ids = 67,
  consumer_group_heartbeat = 68,
  consumer_group_describe = 69,
  controller_registration = 70,
  get_telemetry_subscriptions = 71,
  push_telemetry = 72,
  assign_replicas_to_dirs = 73,
  list_config_resources = 74,
  describe_topic_partitions = 75,
  share_group_heartbeat = 76,
  share_group_describe = 77,
  share_fetch = 78,
  share_acknowledge = 79,
  add_raft_voter = 80,
  remove_raft_voter = 81,
  update_raft_voter = 82,
  initialize_share_group_state = 83,
  read_share_group_state = 84,
  write_share_group_state = 85,
  delete_share_group_state = 86,
  read_share_group_state_summary = 87,
  streams_group_heartbeat = 88,
  streams_group_describe = 89,
  describe_share_group_offsets = 90,
  alter_share_group_offsets = 91,
  delete_share_group_offsets = 92,
  streams_group_topology_description_update = 93,
  unregister_controller = 94,
};

inline constexpr std::int16_t api_key_max = 94;

inline std::int16_t wire_of(ApiKey key) {
  return static_cast<std::int16_t>(key);
}

struct VersionRange {
  std::int16_t low;
  std::int16_t high;

  bool contains(std::int16_t version) const { return version >= low && version <= high; }
  // high < low: no version at all.
  bool empty() const { return high < low; }
  bool operator==(const VersionRange&) const = default;
};

// Where an API is served: by brokers of a KRaft cluster, by controllers, by brokers of a ZooKeeper cluster.
struct ApiListeners {
  bool broker;
  bool controller;
  bool zookeeper_broker;
};

// A row of the API table. Request and response of an API always have the same versions.
struct ApiRow {
  ApiKey key;
  std::string_view name;        // "Produce", as tools print it
  std::string_view upper_name;  // "PRODUCE", as log lines and errors print it
  VersionRange versions;        // all that our schemas have, unstable ones included
  VersionRange current;         // those of Kafka 4.4, unstable ones included; the others are of Kafka 3.9
  std::int16_t flexible_from;   // no_flexible_version when there is none
  bool latest_unstable;         // the highest version may change yet: only served when asked for
  ApiListeners listeners;

  // What a broker of today advertises.
  VersionRange stable() const {
    return {current.low, static_cast<std::int16_t>(current.high - (latest_unstable ? 1 : 0))};
  }
};

inline constexpr std::int16_t no_flexible_version = 32767;

// All rows, in the order of their keys.
std::span<const ApiRow> api_rows();
// Nothing when no API has this key.
const ApiRow* find_api(std::int16_t key);
const ApiRow& api_row(ApiKey key);
inline std::string_view api_name(ApiKey key) {
  return api_row(key).name;
}

// The version of the header before a request or response of this version. Only ControlledShutdown 0 has request header
// 0; a response to ApiVersions always has header 0, because the client may not know the version it is answered in.
std::int16_t request_header_version(ApiKey key, std::int16_t api_version);
std::int16_t response_header_version(ApiKey key, std::int16_t api_version);

}  // namespace klamm::protocol
