// Heartbeat, versions 0 to 4: a member of a classic group is alive. Source of behaviour:
// KafkaApis.handleHeartbeatRequest.
#pragma once

#include "protocol/messages/heartbeat.h"
#include "security/authorizer.h"
#include "server/group_calls.h"

namespace klamm::server {

class HeartbeatHandler final : public MemberHandler<protocol::HeartbeatRequest, protocol::HeartbeatResponse> {
 public:
  HeartbeatHandler(GroupShards& groups, const security::Authorizer& authorizer) : MemberHandler(groups, authorizer) {}
};

}  // namespace klamm::server
