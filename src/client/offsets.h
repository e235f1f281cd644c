// Names of partitions, offsets as a group commits them, and under which name it does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace klamm::client {

struct PartitionName {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const PartitionName&) const = default;
};

// An offset as it is committed: of the next record to be read.
struct OffsetAndMetadata {
  std::int64_t offset = -1;
  std::string metadata;
  std::int32_t leader_epoch = -1;

  bool operator==(const OffsetAndMetadata&) const = default;
};
using Offsets = std::map<PartitionName, OffsetAndMetadata>;

// Under which name the consumer commits: for offsets in transactions (KIP-447).
struct GroupMetadata {
  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
};

}  // namespace klamm::client
