#include "server/api/009_offset_fetch.h"

#include <set>

#include "server/group_calls.h"

namespace klamm::server {
namespace {

constexpr std::int16_t whole_error_from = 2;
constexpr std::int16_t several_groups_from = 8;
constexpr std::int16_t topic_ids_from = 10;

using Request = protocol::OffsetFetchRequest;
using Response = protocol::OffsetFetchResponse;

// All versions as the newest asks.
std::vector<Request::OffsetFetchRequestGroup> groups_of(const Request& request, std::int16_t version) {
  if (version >= several_groups_from) return request.groups;
  Request::OffsetFetchRequestGroup group;
  group.group_id = request.group_id;
  if (!request.topics) {
    group.topics.reset();
    return {std::move(group)};
  }
  for (const auto& topic : *request.topics) {
    auto& to = group.topics->emplace_back();
    to.name = topic.name;
    to.partition_indexes = topic.partition_indexes;
  }
  return {std::move(group)};
}

template <typename Partition>
void refuse(std::vector<Partition>& partitions, const std::vector<std::int32_t>& indexes, ErrorCode code) {
  for (const std::int32_t index : indexes) {
    auto& partition = partitions.emplace_back();
    partition.partition_index = index;
    partition.committed_offset = -1;
    partition.error_code = wire_of(code);
  }
}

// In the shape of the versions with one group.
Response only_group(Response::OffsetFetchResponseGroup group) {
  Response response;
  response.error_code = group.error_code;
  for (auto& topic : group.topics) {
    auto& to = response.topics.emplace_back();
    to.name = std::move(topic.name);
    for (auto& partition : topic.partitions) {
      auto& out = to.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      out.committed_offset = partition.committed_offset;
      out.committed_leader_epoch = partition.committed_leader_epoch;
      out.metadata = std::move(partition.metadata);
      out.error_code = partition.error_code;
    }
  }
  return response;
}

}  // namespace

runtime::Task<OffsetFetchHandler::Response> OffsetFetchHandler::handle(const RequestContext& context,
                                                                       const Request& request) {
  std::vector<Group> groups = groups_of(request, context.version);
  Response response;
  std::set<std::string> seen;
  for (Group& group : groups) {
    // Named again, it is answered once: else a short request could ask for any amount of memory.
    if (groups.size() > 1 && !seen.insert(group.group_id).second) continue;
    auto fetching = fetch(context, std::move(group), request.require_stable);
    Fetched fetched = co_await std::move(fetching);
    if (context.version >= several_groups_from) {
      response.groups.push_back(std::move(fetched));
      continue;
    }
    if (fetched.error_code != 0 && context.version < whole_error_from) {
      co_return failed(context, request, Error{static_cast<ErrorCode>(fetched.error_code)});
    }
    response = only_group(std::move(fetched));
  }
  co_return response;
}

runtime::Task<OffsetFetchHandler::Fetched> OffsetFetchHandler::fetch(const RequestContext& context, Group group,
                                                                     bool require_stable) {
  groups::FetchOffsets call{std::move(group), require_stable};
  if (!authorizer_.allows(context.identity, security::Operation::describe,
                          {security::ResourceType::group, call.group.group_id})) {
    co_return groups::failed(call, Error{ErrorCode::group_authorization_failed});
  }
  const bool all = !call.group.topics;
  auto refused = take_refused(context, call.group);
  const PartitionIndex shard = groups_.partition_of(call.group.group_id);
  auto asking = groups_.ask(context.reactor, shard, groups::Call(std::move(call)));
  groups::Answer answer = co_await std::move(asking);
  Fetched fetched = std::get<groups::FetchedOffsets>(std::move(answer));
  if (fetched.error_code != 0) co_return fetched;
  if (all) show_allowed(context, fetched);
  for (auto& topic : refused) fetched.topics.push_back(std::move(topic));
  co_return fetched;
}

// Takes the topics out that may not be seen, or that are not known by their ids; answers them.
std::vector<Response::OffsetFetchResponseTopics> OffsetFetchHandler::take_refused(const RequestContext& context,
                                                                                  Group& group) const {
  std::vector<Response::OffsetFetchResponseTopics> refused;
  if (!group.topics) return refused;
  const metadata::ImageRef& image = metadata_.image(context.reactor);
  std::vector<Request::OffsetFetchRequestTopics> rest;
  for (auto& topic : *group.topics) {
    const metadata::Topic* known = context.version >= topic_ids_from ? image->topic(topic.topic_id) : nullptr;
    if (known) topic.name = known->name;
    ErrorCode code = ErrorCode::none;
    if (context.version >= topic_ids_from && !known) {
      code = ErrorCode::unknown_topic_id;
    } else if (!authorizer_.allows(context.identity, security::Operation::describe,
                                   {security::ResourceType::topic, topic.name})) {
      code = ErrorCode::topic_authorization_failed;
    }
    if (code == ErrorCode::none) {
      rest.push_back(std::move(topic));
      continue;
    }
    auto& to = refused.emplace_back();
    to.name = topic.name;
    to.topic_id = topic.topic_id;
    refuse(to.partitions, topic.partition_indexes, code);
  }
  group.topics = std::move(rest);
  return refused;
}

// Of all that a group has: what may be seen, and can be named in the version's way.
void OffsetFetchHandler::show_allowed(const RequestContext& context, Fetched& fetched) const {
  const metadata::ImageRef& image = metadata_.image(context.reactor);
  std::erase_if(fetched.topics, [&](auto& topic) {
    if (!authorizer_.allows(context.identity, security::Operation::describe,
                            {security::ResourceType::topic, topic.name})) {
      return true;
    }
    if (context.version < topic_ids_from) return false;
    if (const metadata::Topic* known = topic.topic_id.is_zero() ? image->topic(topic.name) : nullptr) {
      topic.topic_id = known->id;
    }
    return topic.topic_id.is_zero();
  });
}

OffsetFetchHandler::Response OffsetFetchHandler::failed(const RequestContext& context, const Request& request,
                                                        const Error& error) const {
  Response response;
  if (context.version >= several_groups_from) {
    for (const Group& group : request.groups) {
      auto& to = response.groups.emplace_back();
      to.group_id = group.group_id;
      to.error_code = wire_of(error.code);
    }
    return response;
  }
  response.error_code = wire_of(error.code);
  if (context.version >= whole_error_from || !request.topics) return response;
  for (const auto& topic : *request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    refuse(to.partitions, topic.partition_indexes, error.code);
  }
  return response;
}

}  // namespace klamm::server
