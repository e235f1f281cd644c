// The way from a broker to the controller of its cluster, in the protocol's own messages: a direct call while the
// controller lives in the same process, a connection when it does not. Whoever calls does not know which.
//
// Callable on any reactor; the task goes on there. Every answer is a response of the protocol: when the controller is
// gone, or the request's own timeout passes, the error stands in the response. Authorization was done by the caller.
#pragma once

#include <cstdint>
#include <string>

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
#include "runtime/reactor.h"
#include "runtime/task.h"

namespace klamm::hosting {

// Who asks. `api_version`: of the client's request; some fields and errors exist from a version on.
struct CallerContext {
  std::int16_t api_version = 0;
  std::string principal = "User:ANONYMOUS";
  std::string client_id;
  std::string client_host;
};

class ControllerChannel {
 public:
  virtual ~ControllerChannel() = default;

  // Creates all topics that can be, or with validate_only none.
  virtual runtime::Task<protocol::CreateTopicsResponse> create_topics(runtime::Reactor& reactor, CallerContext caller,
                                                                      protocol::CreateTopicsRequest request) = 0;
  // By name (topic_names, and topics with a name) and by id, each answered.
  virtual runtime::Task<protocol::DeleteTopicsResponse> delete_topics(runtime::Reactor& reactor, CallerContext caller,
                                                                      protocol::DeleteTopicsRequest request) = 0;
  virtual runtime::Task<protocol::CreatePartitionsResponse> create_partitions(
      runtime::Reactor& reactor, CallerContext caller, protocol::CreatePartitionsRequest request) = 0;
  // Topics, brokers, groups, client metrics. What only the broker itself can check of its own keys (and of loggers) it
  // has checked before: controller/broker_configs.h.
  virtual runtime::Task<protocol::IncrementalAlterConfigsResponse> incremental_alter_configs(
      runtime::Reactor& reactor, CallerContext caller, protocol::IncrementalAlterConfigsRequest request) = 0;
  virtual runtime::Task<protocol::AlterConfigsResponse> alter_configs(runtime::Reactor& reactor, CallerContext caller,
                                                                      protocol::AlterConfigsRequest request) = 0;
  // A block of 1000 producer ids that nobody else was or will be given.
  virtual runtime::Task<protocol::AllocateProducerIdsResponse> allocate_producer_ids(
      runtime::Reactor& reactor, CallerContext caller, protocol::AllocateProducerIdsRequest request) = 0;
  virtual runtime::Task<protocol::BrokerRegistrationResponse> register_broker(
      runtime::Reactor& reactor, CallerContext caller, protocol::BrokerRegistrationRequest request) = 0;
  virtual runtime::Task<protocol::BrokerHeartbeatResponse> broker_heartbeat(
      runtime::Reactor& reactor, CallerContext caller, protocol::BrokerHeartbeatRequest request) = 0;
  virtual runtime::Task<protocol::UnregisterBrokerResponse> unregister_broker(
      runtime::Reactor& reactor, CallerContext caller, protocol::UnregisterBrokerRequest request) = 0;
  // A combined node says where its controller listens (levels from 3.7-IV0 on).
  virtual runtime::Task<protocol::ControllerRegistrationResponse> register_controller(
      runtime::Reactor& reactor, CallerContext caller, protocol::ControllerRegistrationRequest request) = 0;
  // Where the broker put its replicas.
  virtual runtime::Task<protocol::AssignReplicasToDirsResponse> assign_replicas_to_dirs(
      runtime::Reactor& reactor, CallerContext caller, protocol::AssignReplicasToDirsRequest request) = 0;
};

}  // namespace klamm::hosting
