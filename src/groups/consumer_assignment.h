// Partitions that somebody is to have, or has: by the id of the topic, partitions ascending, no topic without any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "base/uuid.h"

namespace klamm::groups {

using PartitionList = std::vector<std::int32_t>;
using Assignment = std::map<Uuid, PartitionList>;

// A partition that a member has, and since which assignment epoch it has it without a break.
struct OwnedPartition {
  std::int32_t partition = 0;
  std::int32_t epoch = 0;

  bool operator==(const OwnedPartition&) const = default;
};
using OwnedPartitions = std::map<Uuid, std::vector<OwnedPartition>>;

inline bool contains(const PartitionList& partitions, std::int32_t partition) {
  return std::ranges::binary_search(partitions, partition);
}
inline const OwnedPartition* find(const OwnedPartitions& in, Uuid topic, std::int32_t partition) {
  const auto found = in.find(topic);
  if (found == in.end()) return nullptr;
  const auto at = std::ranges::lower_bound(found->second, partition, {}, &OwnedPartition::partition);
  return at != found->second.end() && at->partition == partition ? &*at : nullptr;
}

}  // namespace klamm::groups
