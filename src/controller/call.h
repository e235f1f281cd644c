// What the controller can be asked, and what it answers: the protocol's own messages, and a few calls of its own.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/error.h"
#include "base/types.h"
#include "metadata/record.h"
#include "protocol/messages/allocate_producer_ids.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/assign_replicas_to_dirs.h"
#include "protocol/messages/broker_heartbeat.h"
#include "protocol/messages/broker_registration.h"
#include "protocol/messages/controller_registration.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/unregister_broker.h"

namespace klamm::controller {

// A request, at the version at which its client spoke it.
template <typename Request>
struct Asked {
  Request request;
  std::int16_t api_version = Request::max_version;
};

// The first call after loading: writes what a new log begins with, or ends what the last leader left half done.
struct Activate {
  metadata::Records bootstrap;
  std::string source;  // for the log line: "the binary bootstrap metadata file: /data/bootstrap.checkpoint"
  Offset open_transaction = no_offset;  // where one began that nobody ended
};
struct Activated {};

using Call = std::variant<Activate, Asked<protocol::CreateTopicsRequest>, Asked<protocol::DeleteTopicsRequest>,
                          Asked<protocol::CreatePartitionsRequest>, Asked<protocol::IncrementalAlterConfigsRequest>,
                          Asked<protocol::AlterConfigsRequest>, Asked<protocol::AllocateProducerIdsRequest>,
                          Asked<protocol::BrokerRegistrationRequest>, Asked<protocol::BrokerHeartbeatRequest>,
                          Asked<protocol::UnregisterBrokerRequest>, Asked<protocol::AssignReplicasToDirsRequest>,
                          Asked<protocol::ControllerRegistrationRequest>>;

using Answer = std::variant<
    Activated, protocol::CreateTopicsResponse, protocol::DeleteTopicsResponse, protocol::CreatePartitionsResponse,
    protocol::IncrementalAlterConfigsResponse, protocol::AlterConfigsResponse, protocol::AllocateProducerIdsResponse,
    protocol::BrokerRegistrationResponse, protocol::BrokerHeartbeatResponse, protocol::UnregisterBrokerResponse,
    protocol::AssignReplicasToDirsResponse, protocol::ControllerRegistrationResponse>;

// The response when the whole request failed: each of its parts with the error.
protocol::CreateTopicsResponse failed(const protocol::CreateTopicsRequest& request, const Error& error);
protocol::DeleteTopicsResponse failed(const protocol::DeleteTopicsRequest& request, const Error& error);
protocol::CreatePartitionsResponse failed(const protocol::CreatePartitionsRequest& request, const Error& error);
protocol::IncrementalAlterConfigsResponse failed(const protocol::IncrementalAlterConfigsRequest& request,
                                                 const Error& error);
protocol::AlterConfigsResponse failed(const protocol::AlterConfigsRequest& request, const Error& error);
protocol::AllocateProducerIdsResponse failed(const protocol::AllocateProducerIdsRequest& request, const Error& error);
protocol::BrokerRegistrationResponse failed(const protocol::BrokerRegistrationRequest& request, const Error& error);
protocol::BrokerHeartbeatResponse failed(const protocol::BrokerHeartbeatRequest& request, const Error& error);
protocol::UnregisterBrokerResponse failed(const protocol::UnregisterBrokerRequest& request, const Error& error);
protocol::AssignReplicasToDirsResponse failed(const protocol::AssignReplicasToDirsRequest& request, const Error& error);
protocol::ControllerRegistrationResponse failed(const protocol::ControllerRegistrationRequest& request,
                                                const Error& error);

// The text of an error in a response: null when it has none of its own.
std::optional<std::string> message_of(const Error& error);

}  // namespace klamm::controller
