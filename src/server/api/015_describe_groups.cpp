#include "server/api/015_describe_groups.h"

#include <map>
#include <set>

#include "server/group_calls.h"

namespace klamm::server {
namespace {
constexpr std::int16_t operations_from = 3;
}  // namespace

runtime::Task<DescribeGroupsHandler::Response> DescribeGroupsHandler::handle(const RequestContext& context,
                                                                             const Request& request) {
  Response response;
  std::map<PartitionIndex, Request> by_partition;
  std::set<std::string_view> seen;
  for (const std::string& group : request.groups) {
    // Named again, it is answered once: else a short request could ask for any amount of memory.
    if (!seen.insert(group).second) continue;
    if (authorizer_.allows(context.identity, security::Operation::describe, {security::ResourceType::group, group})) {
      by_partition[groups_.partition_of(group)].groups.push_back(group);
      continue;
    }
    auto& refused = response.groups.emplace_back();
    refused.group_id = group;
    refused.error_code = wire_of(ErrorCode::group_authorization_failed);
  }
  for (auto& [partition, part] : by_partition) {
    auto asking = groups_.ask(context.reactor, partition, asked(context, std::move(part)));
    groups::Answer answer = co_await std::move(asking);
    for (auto& group : std::get<Response>(answer).groups) response.groups.push_back(std::move(group));
  }
  if (request.include_authorized_operations && context.version >= operations_from) {
    for (auto& group : response.groups) {
      if (group.error_code != 0) continue;
      group.authorized_operations =
          authorizer_.allowed_operations(context.identity, {security::ResourceType::group, group.group_id});
    }
  }
  co_return response;
}

DescribeGroupsHandler::Response DescribeGroupsHandler::failed(const RequestContext&, const Request& request,
                                                              const Error& error) const {
  Response response;
  for (const std::string& id : request.groups) {
    auto& group = response.groups.emplace_back();
    group.group_id = id;
    group.error_code = wire_of(error.code);
  }
  return response;
}

}  // namespace klamm::server
