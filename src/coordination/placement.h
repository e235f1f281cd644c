// Which partition of __consumer_offsets a group belongs to, and which of __transaction_state a transactional id.
// Clients see it, and files depend on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/types.h"

namespace klamm::coordination {

// The text as Java has it: UTF-16 units. Bytes that are no UTF-8 are U+FFFD each, as Java's decoder reads them.
std::u16string java_text(std::string_view utf8);

// String.hashCode() of the text: over its UTF-16 units, with the wrap-around of 32 bits.
std::int32_t java_string_hash(std::string_view utf8);

// Source: GroupCoordinatorService.partitionFor, TransactionStateManager.partitionFor, Utils.abs (the least integer
// becomes 0). `partitions` is positive.
PartitionIndex partition_for(std::string_view id, std::int32_t partitions);

}  // namespace klamm::coordination
