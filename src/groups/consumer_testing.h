// For tests: members of consumer groups, who do what clients do, and the cluster that they see.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "groups/testing.h"
#include "metadata/delta.h"

namespace klamm::groups::testing {

using HeartbeatRequest = protocol::ConsumerGroupHeartbeatRequest;
using HeartbeatResponse = protocol::ConsumerGroupHeartbeatResponse;

inline Uuid id_of(std::string_view topic) {
  std::uint64_t low = 0;
  for (const char c : topic) low = low * 256 + static_cast<unsigned char>(c);
  return {0x1000, low};
}

inline std::vector<HeartbeatRequest::TopicPartitions> claim(const Assignment& assignment) {
  std::vector<HeartbeatRequest::TopicPartitions> out;
  for (const auto& [topic, partitions] : assignment) out.push_back({.topic_id = topic, .partitions = partitions});
  return out;
}

// A client: what it was told last, and what it has.
struct Client {
  std::string id;
  std::vector<std::string> topics;
  std::optional<std::string> instance = {};
  std::optional<std::string> regex = {};
  std::optional<std::string> assignor = {};
  std::int32_t epoch = 0;
  Assignment has = {};            // owns and may commit
  Assignment wanted = {};         // as last told
  bool missed_an_answer = false;  // says everything again, to be told everything
};

struct ConsumerStory : GroupStory {
  ConsumerStory() { settings.consumer_assignment_interval.usual = {}; }

  // The cluster has these topics, with so many partitions.
  void cluster(const std::map<std::string, std::int32_t>& topics) {
    metadata::Delta delta(coordinator->state().image);
    const auto& before = *coordinator->state().image;
    const auto replay = [&](auto record) { delta.replay({std::move(record), 0}); };
    for (const auto& topic : before.topics()) {
      if (!topics.contains(topic->name)) replay(protocol::RemoveTopicRecord{.topic_id = topic->id});
    }
    for (const auto& [name, partitions] : topics) {
      const metadata::Topic* known = before.topic(name);
      const auto has = known ? static_cast<std::int32_t>(known->partition_count()) : 0;
      if (!known) replay(protocol::TopicRecord{.name = name, .topic_id = id_of(name)});
      for (std::int32_t i = has; i < partitions; ++i) {
        protocol::PartitionRecord record;
        record.topic_id = id_of(name);
        record.partition_id = i;
        record.replicas = record.isr = {0};
        record.leader = 0;
        replay(std::move(record));
      }
    }
    ask(Call(ImageChanged{delta.finish({Offset(++image_offset), LeaderEpoch(1), Timestamp(0)})}));
  }

  HeartbeatResponse beat(HeartbeatRequest request, int version = 1) {
    if (request.group_id.empty()) request.group_id = "g";
    return this->request<HeartbeatResponse>(std::move(request), version);
  }
  // The first heartbeat of a client; what it is told it takes.
  HeartbeatResponse join(Client& client) {
    HeartbeatRequest request;
    request.member_id = client.id;
    request.instance_id = client.instance;
    request.rebalance_timeout_ms = 60'000;
    if (!client.regex) request.subscribed_topic_names = client.topics;
    request.subscribed_topic_regex = client.regex;
    request.server_assignor = client.assignor;
    request.topic_partitions.emplace();
    client.has.clear();
    const auto response = beat(std::move(request));
    hear(client, response);
    return response;
  }
  // A heartbeat in between: what it has to give up it has given up by then, and what it gets it takes.
  HeartbeatResponse beat(Client& client) {
    give_up(client);
    const auto response = beat(says_what_it_has(client));
    hear(client, response);
    return response;
  }
  HeartbeatResponse subscribe(Client& client, std::vector<std::string> topics) {
    client.topics = std::move(topics);
    auto request = says_what_it_has(client);
    request.subscribed_topic_names = client.topics;
    const auto response = beat(std::move(request));
    hear(client, response);
    return response;
  }
  HeartbeatResponse leave(const Client& client, std::int32_t epoch = -1) {
    HeartbeatRequest request;
    request.member_id = client.id;
    request.instance_id = client.instance;
    request.member_epoch = epoch;
    return beat(std::move(request));
  }
  HeartbeatRequest says_what_it_has(const Client& client) const {
    HeartbeatRequest request;
    request.member_id = client.id;
    request.instance_id = client.instance;
    request.member_epoch = client.epoch;
    request.topic_partitions = claim(client.has);
    if (!client.missed_an_answer) return request;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names = client.topics;
    return request;
  }
  static void give_up(Client& client) {
    Assignment kept;
    for (const auto& [topic, partitions] : client.has) {
      for (const auto partition : partitions) {
        const auto wanted = client.wanted.find(topic);
        if (wanted != client.wanted.end() && contains(wanted->second, partition)) kept[topic].push_back(partition);
      }
    }
    client.has = std::move(kept);
  }
  static void hear(Client& client, const HeartbeatResponse& response) {
    if (response.error_code != 0) return;
    client.epoch = response.member_epoch;
    client.missed_an_answer = false;
    if (!response.assignment) return;
    client.wanted.clear();
    for (const auto& topic : response.assignment->topic_partitions) client.wanted[topic.topic_id] = topic.partitions;
    // It takes at once what is new, and goes on with what it has to give up until it has said so.
    for (const auto& [topic, partitions] : client.wanted) {
      auto& has = client.has[topic];
      has.insert(has.end(), partitions.begin(), partitions.end());
      std::ranges::sort(has);
      const auto twice = std::ranges::unique(has);
      has.erase(twice.begin(), twice.end());
    }
  }

  const ConsumerGroup& group(std::string_view id = "g") const { return *coordinator->state().consumer(id); }
  const ConsumerMember& member(const Client& client) const { return *group().member(client.id); }
  static ErrorCode code(const HeartbeatResponse& response) { return static_cast<ErrorCode>(response.error_code); }

  std::int64_t image_offset = 100;
};

inline Assignment of(std::string_view topic, PartitionList partitions) {
  return {{id_of(topic), std::move(partitions)}};
}

}  // namespace klamm::groups::testing
