// DescribeGroups, versions 0 to 6: state and members of classic groups. From 3: what the caller may do with each; from
// 4: static members; from 6: an unknown group is an error. Source of behaviour: KafkaApis.handleDescribeGroupsRequest.
#pragma once

#include "protocol/messages/describe_groups.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class DescribeGroupsHandler final : public Handler<protocol::DescribeGroupsRequest, protocol::DescribeGroupsResponse> {
 public:
  using Request = protocol::DescribeGroupsRequest;
  using Response = protocol::DescribeGroupsResponse;

  DescribeGroupsHandler(GroupShards& groups, const security::Authorizer& authorizer)
      : groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
