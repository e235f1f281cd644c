#include "client/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/messages/metadata.h"

namespace klamm::client {

std::string Broker::to_string(bool fenced) const {
  return fmt::format("{}:{} (id: {} rack: {} isFenced: {})", host, port, id, rack.value_or("null"), fenced);
}

ClusterSnapshot ClusterSnapshot::from(const protocol::MetadataResponse& response) {
  ClusterSnapshot snapshot{response.cluster_id, response.controller_id, {}, {}};
  for (const auto& broker : response.brokers) {
    snapshot.brokers.push_back({broker.node_id, broker.host, broker.port, broker.rack});
  }
  for (const auto& topic : response.topics) {
    TopicInfo info{error_code_of(topic.error_code), topic.name.value_or(""), topic.topic_id, topic.is_internal, {}};
    for (const auto& partition : topic.partitions) {
      info.partitions.push_back({error_code_of(partition.error_code), partition.partition_index, partition.leader_id,
                                 partition.leader_epoch, partition.replica_nodes, partition.isr_nodes,
                                 partition.offline_replicas});
    }
    std::ranges::sort(info.partitions, {}, &PartitionInfo::partition);
    // A broker numbers partitions from 0 on; what does not fit is not addressable and is left out.
    for (std::size_t i = 0; i < info.partitions.size(); ++i) {
      if (info.partitions[i].partition != static_cast<std::int32_t>(i)) {
        info.partitions.resize(i);
        break;
      }
    }
    snapshot.topics.push_back(std::move(info));
  }
  return snapshot;
}

void Cluster::update(ClusterSnapshot answer, bool asked_all) {
  cluster_id_ = std::move(answer.cluster_id);
  controller_ = answer.controller;
  brokers_.clear();
  for (Broker& broker : answer.brokers) add_broker(std::move(broker));
  if (asked_all) {
    topics_.clear();
    names_.clear();
  }
  for (TopicInfo& topic : answer.topics) {
    const auto known = topics_.find(topic.name);
    if (known != topics_.end() && known->second.id == topic.id) {
      const auto& before = known->second.partitions;
      for (PartitionInfo& partition : topic.partitions) {
        const auto at = static_cast<std::size_t>(partition.partition);
        if (at < before.size() && partition.leader_epoch >= 0 && before[at].leader_epoch > partition.leader_epoch) {
          partition = before[at];
        }
      }
    } else if (known != topics_.end()) {
      names_.erase(known->second.id);
    }
    if (!topic.id.is_zero()) names_[topic.id] = topic.name;
    topics_.insert_or_assign(topic.name, std::move(topic));
  }
}

void Cluster::set_leader(std::string_view topic, std::int32_t partition, std::int32_t leader, std::int32_t epoch) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0 || static_cast<std::size_t>(partition) >= found->second.partitions.size())
    return;
  PartitionInfo& info = found->second.partitions[static_cast<std::size_t>(partition)];
  if (epoch <= info.leader_epoch || !brokers_.contains(leader)) return;
  info.leader = leader;
  info.leader_epoch = epoch;
  info.error = ErrorCode::none;
}

void Cluster::forget_topic(std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  names_.erase(found->second.id);
  topics_.erase(found);
}

const TopicInfo* Cluster::topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

const TopicInfo* Cluster::topic(const Uuid& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? nullptr : topic(found->second);
}

const PartitionInfo* Cluster::partition(std::string_view name, std::int32_t partition) const {
  const TopicInfo* info = topic(name);
  if (info == nullptr || partition < 0 || static_cast<std::size_t>(partition) >= info->partitions.size())
    return nullptr;
  return &info->partitions[static_cast<std::size_t>(partition)];
}

}  // namespace klamm::client
