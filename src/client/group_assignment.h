// How the partitions of a classic consumer group are given to its members: what members tell the leader and the leader
// tells them, and the assignors the leader has. Pure functions; racks are not looked at.
// Sources: org.apache.kafka.clients.consumer.internals.ConsumerProtocol,
// org.apache.kafka.clients.consumer.{RangeAssignor, RoundRobinAssignor,StickyAssignor,CooperativeStickyAssignor},
// KIP-54, KIP-429, KIP-792.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/topic_partition.h"

namespace klamm::client {

using PartitionSet = std::set<TopicPartition>;
// "[a-0, a-1]"
std::string to_string(const PartitionSet& partitions);

enum class Assignor : std::uint8_t { range, round_robin, sticky, cooperative_sticky };

// As JoinGroup names it: "cooperative-sticky".
std::string_view assignor_name(Assignor assignor);
std::optional<Assignor> assignor_of_name(std::string_view name);
// Of a value of partition.assignment.strategy: Kafka's class, or the name alone.
std::optional<Assignor> assignor_of_class(std::string_view class_name);
// Members keep their partitions while they join again. Only when each assignor they offer can: else the group is eager.
bool is_cooperative(const std::vector<Assignor>& assignors);

// What one member tells the leader.
struct Subscription {
  std::set<std::string> topics;
  PartitionSet owned;            // what it holds now, or held last
  std::int32_t generation = -1;  // in which it got that
  std::optional<std::string> rack;
};
// For JoinGroup, of the version 3 with a version number before it. `owned` of an eager member that uses `sticky` stands
// in the assignor's own data.
ByteVector encode_subscription(const Subscription& subscription, Assignor assignor);
// Nothing when it cannot be read.
std::optional<Subscription> decode_subscription(Bytes metadata, Assignor assignor);

ByteVector encode_assignment(const PartitionSet& partitions);
// Empty bytes mean no partitions; nothing when they cannot be read.
std::optional<PartitionSet> decode_assignment(Bytes assignment);

struct AssignedMember {
  std::string id;
  std::optional<std::string> instance_id;
  Subscription subscription;
};
using PartitionCounts = std::map<std::string, std::int32_t>;
using GroupAssignment = std::map<std::string, PartitionSet>;  // by member id, an entry for each

// Topics that have no entry in `counts` are not there and not assigned.
GroupAssignment assign(Assignor assignor, std::vector<AssignedMember> members, const PartitionCounts& counts);

}  // namespace klamm::client
