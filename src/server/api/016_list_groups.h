// ListGroups, versions 0 to 5: the groups that this broker coordinates. From 4: by state; from 5: by type. Source of
// behaviour: KafkaApis.handleListGroupsRequest.
#pragma once

#include "protocol/messages/list_groups.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class ListGroupsHandler final : public Handler<protocol::ListGroupsRequest, protocol::ListGroupsResponse> {
 public:
  using Request = protocol::ListGroupsRequest;
  using Response = protocol::ListGroupsResponse;

  ListGroupsHandler(GroupShards& groups, const security::Authorizer& authorizer)
      : groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
