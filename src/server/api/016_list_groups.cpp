#include "server/api/016_list_groups.h"

#include "server/group_calls.h"

namespace klamm::server {

runtime::Task<ListGroupsHandler::Response> ListGroupsHandler::handle(const RequestContext& context,
                                                                     const Request& request) {
  Response response;
  for (std::int32_t partition = 0; partition < groups_.partition_count(); ++partition) {
    auto asking = groups_.ask(context.reactor, PartitionIndex(partition), asked(context, request));
    groups::Answer answer = co_await std::move(asking);
    auto& part = std::get<Response>(answer);
    if (part.error_code == wire_of(ErrorCode::not_coordinator)) continue;  // another broker lists them
    if (part.error_code != 0) throw RequestFailed(static_cast<ErrorCode>(part.error_code));
    for (auto& group : part.groups) response.groups.push_back(std::move(group));
  }
  if (!authorizer_.allows(context.identity, security::Operation::describe,
                          {security::ResourceType::cluster, security::cluster_resource})) {
    std::erase_if(response.groups, [&](const auto& group) {
      return !authorizer_.allows(context.identity, security::Operation::describe,
                                 {security::ResourceType::group, group.group_id});
    });
  }
  co_return response;
}

ListGroupsHandler::Response ListGroupsHandler::failed(const RequestContext&, const Request&, const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
