// LeaveGroup, versions 0 to 5: members of a classic group go; several from version 3 on. Source of behaviour:
// KafkaApis.handleLeaveGroupRequest.
#pragma once

#include "protocol/messages/leave_group.h"
#include "security/authorizer.h"
#include "server/group_calls.h"

namespace klamm::server {

class LeaveGroupHandler final : public MemberHandler<protocol::LeaveGroupRequest, protocol::LeaveGroupResponse> {
 public:
  LeaveGroupHandler(GroupShards& groups, const security::Authorizer& authorizer) : MemberHandler(groups, authorizer) {}
};

}  // namespace klamm::server
