#include "server/api/068_consumer_group_heartbeat.h"

#include <algorithm>

#include "groups/consumer.h"
#include "server/group_calls.h"

namespace klamm::server {

runtime::Task<ConsumerGroupHeartbeatHandler::Response> ConsumerGroupHeartbeatHandler::handle(
    const RequestContext& context, const Request& request) {
  if (!groups_.serves_consumer_groups(*metadata_.image(context.reactor))) {
    throw RequestFailed(ErrorCode::unsupported_version);
  }
  using security::Operation;
  using security::ResourceType;
  if (!authorizer_.allows(context.identity, Operation::read, {ResourceType::group, request.group_id})) {
    throw RequestFailed(ErrorCode::group_authorization_failed);
  }
  if (request.subscribed_topic_names) {
    const auto may_see = [&](const std::string& topic) {
      return authorizer_.allows(context.identity, Operation::describe, {ResourceType::topic, topic});
    };
    if (!std::ranges::all_of(*request.subscribed_topic_names, may_see)) {
      throw RequestFailed(ErrorCode::topic_authorization_failed);
    }
  }
  // What is wrong with the request alone is told before anybody is asked who knows the group.
  if (auto valid = groups::check_consumer_heartbeat(groups_.group_settings(), request, context.version); !valid) {
    co_return groups::failed(groups::Asked<Request>{}, valid.error());
  }
  auto asking = groups_.ask(context.reactor, groups_.partition_of(request.group_id), asked(context, request));
  groups::Answer answer = co_await std::move(asking);
  co_return std::get<Response>(std::move(answer));
}

ConsumerGroupHeartbeatHandler::Response ConsumerGroupHeartbeatHandler::failed(const RequestContext&, const Request&,
                                                                              const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
