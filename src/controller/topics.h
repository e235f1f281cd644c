// Creating and deleting topics, adding partitions.
// Source of behaviour: org.apache.kafka.controller.ReplicationControlManager, kafka.server.ControllerApis.
#pragma once

#include "controller/call.h"
#include "controller/state.h"
#include "coordination/decision.h"

namespace klamm::controller {

Result<Outcome<protocol::CreateTopicsResponse>> create_topics(const State& state, const coordination::Moment& moment,
                                                              const protocol::CreateTopicsRequest& request);

Result<Outcome<protocol::DeleteTopicsResponse>> delete_topics(const State& state,
                                                              const Asked<protocol::DeleteTopicsRequest>& asked);

Result<Outcome<protocol::CreatePartitionsResponse>> create_partitions(const State& state,
                                                                      const coordination::Moment& moment,
                                                                      const protocol::CreatePartitionsRequest& request);

}  // namespace klamm::controller
