// What several handlers ask of the cluster's metadata and of the partitions here, in the words of the protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"

namespace klamm::server {

// KIP-951: who leads, beside an answer that says that we do not.
struct LeaderHint {
  BrokerId leader = no_broker;
  LeaderEpoch epoch = no_leader_epoch;
  const metadata::BrokerRegistration* broker = nullptr;  // alive; valid as long as the image is held
  const metadata::Endpoint* endpoint = nullptr;          // of the listener that was asked
};

LeaderHint leader_hint(const metadata::Image& image, const replication::PartitionTable& partitions, std::string_view topic,
                       PartitionIndex partition, std::string_view listener);

// A broker that clients of the listener can be sent to: not fenced, with such a listener. Null otherwise.
const metadata::Endpoint* alive_endpoint(const metadata::Image& image, BrokerId broker, std::string_view listener);

// The partition when it is here; else the error that Kafka gives for a partition that exists and for one that does not.
// Source: ReplicaManager.getPartitionOrError.
Result<replication::PartitionRef> find_partition(const metadata::Image& image, const replication::PartitionTable& partitions,
                                                 std::string_view topic, PartitionIndex partition);

// The text that stands beside an error code of an ApiError: nothing where it is only the code's own, or a failure of ours.
// Source: ApiError.fromThrowable.
std::optional<std::string> own_message(const Error& error);

inline constexpr std::int32_t operations_not_asked = INT32_MIN;  // authorized operations that nobody asked for

}  // namespace klamm::server
