// Brokers that come, live and go, and what that means for the partitions they hold.
// Source of behaviour: org.apache.kafka.controller.ClusterControlManager, BrokerHeartbeatManager,
// ReplicationControlManager.
#pragma once

#include "controller/call.h"
#include "controller/state.h"
#include "coordination/decision.h"

namespace klamm::controller {

// The epoch it is given is the offset that comes next. Errors: inconsistent_cluster_id, duplicate_broker_registration,
// invalid_registration, unsupported_version, broker_id_not_registered (a ZooKeeper broker).
Result<Outcome<protocol::BrokerRegistrationResponse>> register_broker(
    State& state, const coordination::Moment& moment, const Asked<protocol::BrokerRegistrationRequest>& asked);

// Errors: stale_broker_epoch.
Result<Outcome<protocol::BrokerHeartbeatResponse>> broker_heartbeat(State& state, const coordination::Moment& moment,
                                                                    const protocol::BrokerHeartbeatRequest& request);

// Errors: broker_id_not_registered.
Result<Outcome<protocol::UnregisterBrokerResponse>> unregister_broker(const State& state,
                                                                      const protocol::UnregisterBrokerRequest& request);

// Errors: unsupported_version below 3.7-IV0.
Result<Outcome<protocol::ControllerRegistrationResponse>> register_controller(
    const State& state, const protocol::ControllerRegistrationRequest& request);

// Errors: unsupported_version below 3.7-IV2, stale_broker_epoch.
Result<Outcome<protocol::AssignReplicasToDirsResponse>> assign_replicas_to_dirs(
    const State& state, const protocol::AssignReplicasToDirsRequest& request);

// One broker whose session ran out is fenced; nothing when there is none. `again`: when to look next.
metadata::Records fence_expired_broker(State& state, const coordination::Moment& moment);
// When the next session of an unfenced broker runs out, own broker aside; nothing when there is none.
std::optional<std::chrono::nanoseconds> next_session_end(const State& state);
// After loading: every unfenced broker is given one session's time, except the one that lived in this process: whoever
// holds its directory's lock now is its successor.
void begin_sessions(State& state, const coordination::Moment& moment);

}  // namespace klamm::controller
