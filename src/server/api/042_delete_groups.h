// DeleteGroups, versions 0 to 3: empty groups go, with their offsets. From 3: a text beside the error. Source of
// behaviour: KafkaApis.handleDeleteGroupsRequest.
#pragma once

#include "protocol/messages/delete_groups.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class DeleteGroupsHandler final : public Handler<protocol::DeleteGroupsRequest, protocol::DeleteGroupsResponse> {
 public:
  using Request = protocol::DeleteGroupsRequest;
  using Response = protocol::DeleteGroupsResponse;

  DeleteGroupsHandler(GroupShards& groups, const security::Authorizer& authorizer)
      : groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
