// What a client knows of the cluster: brokers, topics, partitions and their leaders, as Metadata answers and leader
// hints tell. Source of the rules: org.apache.kafka.clients.Metadata.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/uuid.h"

namespace klamm::protocol {
struct MetadataResponse;
}

namespace klamm::client {

struct Broker {
  std::int32_t id = -1;
  std::string host;
  std::int32_t port = 0;
  std::optional<std::string> rack;

  bool operator==(const Broker&) const = default;
  // "localhost:9092 (id: 1 rack: null isFenced: false)", as Kafka's Node shows itself.
  std::string to_string(bool fenced = false) const;
};

struct PartitionInfo {
  ErrorCode error = ErrorCode::none;
  std::int32_t partition = -1;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = -1;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> isr;
  std::vector<std::int32_t> offline;
};

struct TopicInfo {
  ErrorCode error = ErrorCode::none;
  std::string name;
  Uuid id;
  bool internal = false;
  std::vector<PartitionInfo> partitions;  // by number, without gaps
};

// The whole of a Metadata answer, for those who asked for it.
struct ClusterSnapshot {
  std::optional<std::string> cluster_id;
  std::int32_t controller = -1;
  std::vector<Broker> brokers;
  std::vector<TopicInfo> topics;

  static ClusterSnapshot from(const protocol::MetadataResponse& response);
};

// The cache. Leaders never go back to an older epoch, unless the topic was created anew.
class Cluster {
 public:
  // `asked_all`: topics that the answer does not have are gone.
  void update(ClusterSnapshot answer, bool asked_all);
  // A broker said in an error who leads now.
  void set_leader(std::string_view topic, std::int32_t partition, std::int32_t leader, std::int32_t epoch);
  void add_broker(Broker broker) { brokers_.insert_or_assign(broker.id, std::move(broker)); }
  void forget_topic(std::string_view name);
  // Back to knowing nothing, for a new start from the bootstrap servers.
  void forget_brokers() { brokers_.clear(); }

  const std::map<std::int32_t, Broker>& brokers() const { return brokers_; }
  std::int32_t controller() const { return controller_; }
  const std::optional<std::string>& cluster_id() const { return cluster_id_; }
  const TopicInfo* topic(std::string_view name) const;
  const TopicInfo* topic(const Uuid& id) const;
  const std::map<std::string, TopicInfo, std::less<>>& topics() const { return topics_; }
  const PartitionInfo* partition(std::string_view topic, std::int32_t partition) const;

 private:
  std::optional<std::string> cluster_id_;
  std::int32_t controller_ = -1;
  std::map<std::int32_t, Broker> brokers_;
  std::map<std::string, TopicInfo, std::less<>> topics_;
  std::map<Uuid, std::string> names_;
};

}  // namespace klamm::client
