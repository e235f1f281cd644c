// Which partition of __consumer_offsets a group belongs to. Clients see it, and files depend on it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/types.h"

namespace klamm::groups {

// String.hashCode() of the text: over its UTF-16 units, with the wrap-around of 32 bits. Bytes that are no UTF-8 count
// as U+FFFD each, as Java's decoder reads them.
std::int32_t java_string_hash(std::string_view utf8);

// Source: GroupCoordinatorService.partitionFor, Utils.abs (the least integer becomes 0). `partitions` is positive.
PartitionIndex partition_for(std::string_view group_id, std::int32_t partitions);

}  // namespace klamm::groups
