// JoinGroup, versions 0 to 9: a member wants to be in the next generation of a classic group. Answered when that is
// formed, which can take minutes. Source of behaviour: KafkaApis.handleJoinGroupRequest.
#pragma once

#include "protocol/messages/join_group.h"
#include "security/authorizer.h"
#include "server/group_calls.h"

namespace klamm::server {

class JoinGroupHandler final
    : public MemberHandler<protocol::JoinGroupRequest, protocol::JoinGroupResponse, Waits::for_others> {
 public:
  JoinGroupHandler(GroupShards& groups, const security::Authorizer& authorizer) : MemberHandler(groups, authorizer) {}

 protected:
  void complete(const RequestContext& context, Response& response) const override;
};

}  // namespace klamm::server
