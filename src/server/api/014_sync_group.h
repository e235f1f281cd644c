// SyncGroup, versions 0 to 5: the leader of a classic group hands out the assignment, members wait for theirs. Source
// of behaviour: KafkaApis.handleSyncGroupRequest.
#pragma once

#include "protocol/messages/sync_group.h"
#include "security/authorizer.h"
#include "server/group_calls.h"

namespace klamm::server {

class SyncGroupHandler final
    : public MemberHandler<protocol::SyncGroupRequest, protocol::SyncGroupResponse, Waits::for_others> {
 public:
  SyncGroupHandler(GroupShards& groups, const security::Authorizer& authorizer) : MemberHandler(groups, authorizer) {}

 protected:
  void check(const RequestContext& context, const Request& request) const override;
};

}  // namespace klamm::server
