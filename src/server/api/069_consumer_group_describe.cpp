#include "server/api/069_consumer_group_describe.h"

#include <algorithm>
#include <map>
#include <set>

#include "server/group_calls.h"

namespace klamm::server {

runtime::Task<ConsumerGroupDescribeHandler::Response> ConsumerGroupDescribeHandler::handle(
    const RequestContext& context, const Request& request) {
  if (!groups_.serves_consumer_groups(*metadata_.image(context.reactor))) {
    throw RequestFailed(ErrorCode::unsupported_version);
  }
  Response response;
  std::map<PartitionIndex, Request> by_partition;
  std::set<std::string_view> seen;
  for (const std::string& group : request.group_ids) {
    // Named again, it is answered once: else a short request could ask for any amount of memory.
    if (!seen.insert(group).second) continue;
    if (authorizer_.allows(context.identity, security::Operation::describe, {security::ResourceType::group, group})) {
      by_partition[groups_.partition_of(group)].group_ids.push_back(group);
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
  for (auto& group : response.groups) {
    if (group.error_code != 0) continue;
    if (request.include_authorized_operations) {
      group.authorized_operations =
          authorizer_.allowed_operations(context.identity, {security::ResourceType::group, group.group_id});
    }
    if (may_see_topics(context, group)) continue;
    Response::DescribedGroup refused;
    refused.group_id = group.group_id;
    refused.error_code = wire_of(ErrorCode::topic_authorization_failed);
    refused.error_message = "The group has described topic(s) that the client is not authorized to describe.";
    group = std::move(refused);
  }
  co_return response;
}

bool ConsumerGroupDescribeHandler::may_see_topics(const RequestContext& context,
                                                  const Response::DescribedGroup& group) const {
  const auto may_see = [&](const Response::TopicPartitions& topic) {
    return authorizer_.allows(context.identity, security::Operation::describe,
                              {security::ResourceType::topic, topic.topic_name});
  };
  return std::ranges::all_of(group.members, [&](const Response::Member& member) {
    return std::ranges::all_of(member.assignment.topic_partitions, may_see) &&
           std::ranges::all_of(member.target_assignment.topic_partitions, may_see);
  });
}

ConsumerGroupDescribeHandler::Response ConsumerGroupDescribeHandler::failed(const RequestContext&,
                                                                            const Request& request,
                                                                            const Error& error) const {
  Response response;
  for (const std::string& id : request.group_ids) {
    auto& group = response.groups.emplace_back();
    group.group_id = id;
    group.error_code = wire_of(error.code);
  }
  return response;
}

}  // namespace klamm::server
