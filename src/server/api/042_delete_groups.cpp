#include "server/api/042_delete_groups.h"

#include <map>
#include <set>

#include "server/group_calls.h"

namespace klamm::server {

runtime::Task<DeleteGroupsHandler::Response> DeleteGroupsHandler::handle(const RequestContext& context,
                                                                         const Request& request) {
  std::map<PartitionIndex, Request> by_partition;
  std::set<std::string_view> seen;
  std::vector<std::string> refused;
  for (const std::string& group : request.groups_names) {
    if (!seen.insert(group).second) continue;
    if (authorizer_.allows(context.identity, security::Operation::remove, {security::ResourceType::group, group})) {
      by_partition[groups_.partition_of(group)].groups_names.push_back(group);
    } else {
      refused.push_back(group);
    }
  }
  Response response;
  for (auto& [partition, part] : by_partition) {
    auto asking = groups_.ask(context.reactor, partition, asked(context, std::move(part)));
    groups::Answer answer = co_await std::move(asking);
    for (auto& result : std::get<Response>(answer).results) response.results.push_back(std::move(result));
  }
  for (std::string& group : refused) {
    auto& result = response.results.emplace_back();
    result.group_id = std::move(group);
    result.error_code = wire_of(ErrorCode::group_authorization_failed);
  }
  co_return response;
}

DeleteGroupsHandler::Response DeleteGroupsHandler::failed(const RequestContext&, const Request& request,
                                                          const Error& error) const {
  Response response;
  std::set<std::string_view> seen;
  for (const std::string& group : request.groups_names) {
    if (!seen.insert(group).second) continue;
    auto& result = response.results.emplace_back();
    result.group_id = group;
    result.error_code = wire_of(error.code);
  }
  return response;
}

}  // namespace klamm::server
