// What several handlers ask of the cluster's metadata and of the partitions here, in the words of the protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"
#include "server/exchange.h"

namespace klamm::server {

// KIP-951: who leads, beside an answer that says that we do not.
struct LeaderHint {
  BrokerId leader = no_broker;
  LeaderEpoch epoch = no_leader_epoch;
  const metadata::BrokerRegistration* broker = nullptr;  // alive; valid as long as the image is held
  const metadata::Endpoint* endpoint = nullptr;          // of the listener that was asked
};

LeaderHint leader_hint(const metadata::Image& image, const replication::PartitionTable& partitions,
                       std::string_view topic, PartitionIndex partition, std::string_view listener);

// A broker that clients of the listener can be sent to: not fenced, with such a listener. Null otherwise.
const metadata::Endpoint* alive_endpoint(const metadata::Image& image, BrokerId broker, std::string_view listener);

// The partition when it is here; else the error that Kafka gives for a partition that exists and for one that does not.
// Source: ReplicaManager.getPartitionOrError.
Result<replication::PartitionRef> find_partition(const metadata::Image& image,
                                                 const replication::PartitionTable& partitions, std::string_view topic,
                                                 PartitionIndex partition);

// The text that stands beside an error code of an ApiError: nothing where it is only the code's own, or a failure of
// ours. Source: ApiError.fromThrowable.
std::optional<std::string> own_message(const Error& error);

// Replicas that cannot serve: their broker is unknown, fenced, without such a listener, or their directory is offline.
std::vector<std::int32_t> offline_replicas(const metadata::Image& image,
                                           const metadata::PartitionRegistration& partition, std::string_view listener);

// This broker has the partition's log and can serve from it: recovery is done.
bool is_ready(const replication::PartitionTable& partitions, Uuid topic_id, PartitionIndex partition);

// Waits a little until the partitions here that the newest metadata gives to `node_id` are ready, so that who created
// them can use them at once. Gives up quietly: then clients try again, as they do with any leader.
runtime::Task<void> wait_until_ready(const RequestContext& context, const hosting::MetadataPublisher& metadata,
                                     const replication::PartitionTable& partitions, BrokerId node_id,
                                     std::vector<std::string> topics);

// For calls to the controller.
hosting::CallerContext caller_of(const RequestContext& context);

}  // namespace klamm::server
