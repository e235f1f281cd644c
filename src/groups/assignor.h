// How the partitions of a consumer group are given to its members. Pure functions, with the same result as Kafka's for
// the same input, so that a group moves nothing when its coordinator changes house.
// Sources: org.apache.kafka.coordinator.group.assignor.RangeAssignor, UniformAssignor and its two builders (4.3.1;
// neither looks at racks).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "groups/consumer_assignment.h"

namespace klamm::groups {

struct AssignorMember {
  std::string_view id;
  std::optional<std::string_view> instance_id;
  std::vector<Uuid> topics;             // it subscribes to, ascending; all are in `partition_counts`
  const Assignment* current = nullptr;  // its target until now; null for none
};

struct AssignorInput {
  std::vector<AssignorMember> members;  // by id
  std::map<Uuid, std::int32_t> partition_counts;
  bool is_homogeneous = true;  // all have the same topics
};

// One for each member of the input, in its order.
using Assignments = std::vector<Assignment>;

// Contiguous ranges of each topic; the same numbers of all topics for one member where that can be.
Assignments assign_range(const AssignorInput& input);
// As many for each as can be, and then as few moved as can be.
Assignments assign_uniform(const AssignorInput& input);

// The two ways of the uniform assignor; `members` is not empty.
Assignments assign_uniform_homogeneous(const AssignorInput& input);
Assignments assign_uniform_heterogeneous(const AssignorInput& input);

// Null for a name that nobody has.
using AssignorFunction = Assignments (*)(const AssignorInput& input);
AssignorFunction find_assignor(std::string_view name);

}  // namespace klamm::groups
