// Finds offsets by timestamp (ListOffsets) at the leaders, for consumers and for admins.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/topic_partition.h"
#include "client/core.h"
#include "client/result.h"
#include "client/settings.h"
#include "runtime/task.h"

namespace klamm::client {

// Timestamps with a meaning of their own.
namespace special_timestamp {
inline constexpr std::int64_t latest = -1;
inline constexpr std::int64_t earliest = -2;
inline constexpr std::int64_t greatest = -3;          // of the record with the greatest timestamp (KIP-734)
inline constexpr std::int64_t earliest_local = -4;    // KIP-405
inline constexpr std::int64_t latest_tiered = -5;     // KIP-1005
inline constexpr std::int64_t earliest_pending = -6;  // KIP-1023
}  // namespace special_timestamp

// `offset` is -1 when there is no record at or after the timestamp.
struct FoundOffset {
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::int32_t leader_epoch = -1;
  std::optional<Error> error;  // of this partition
  bool topic_failed = false;   // it is the error of the topic's metadata
};

// One answer for each partition asked for, after retries of what can be retried until the deadline.
runtime::Task<std::map<TopicPartition, FoundOffset>> look_up_offsets(Core& core,
                                                                     std::map<TopicPartition, std::int64_t> timestamps,
                                                                     Isolation isolation, runtime::MonoTime deadline);

}  // namespace klamm::client
