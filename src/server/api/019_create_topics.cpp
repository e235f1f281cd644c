#include "server/api/019_create_topics.h"

#include <set>

#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<protocol::CreateTopicsResponse> CreateTopicsHandler::handle(const RequestContext& context,
                                                                          const Request& request) {
  using security::Operation;
  using security::ResourceType;
  Request allowed = request;
  std::set<std::string> refused;
  if (!authorizer_.allows(context.identity, Operation::create, {ResourceType::cluster, security::cluster_resource})) {
    std::erase_if(allowed.topics, [&](const auto& topic) {
      const bool may = authorizer_.allows(context.identity, Operation::create, {ResourceType::topic, topic.name});
      if (!may) refused.insert(topic.name);
      return !may;
    });
  }
  auto asking = controller_.create_topics(context.reactor, caller_of(context), std::move(allowed));
  Response response = co_await std::move(asking);
  std::vector<std::string> created;
  for (const auto& topic : response.topics)
    if (topic.error_code == 0 && !request.validate_only) created.push_back(topic.name);
  auto waiting = wait_until_ready(context, metadata_, partitions_, node_id_, std::move(created));
  co_await std::move(waiting);
  for (const std::string& name : refused) {
    response.topics.push_back({.name = name,
                               .error_code = wire_of(ErrorCode::topic_authorization_failed),
                               .error_message = "Authorization failed."});
  }
  // What a topic is configured to is told only to those who may know.
  for (auto& topic : response.topics) {
    if (topic.error_code != 0 ||
        authorizer_.allows(context.identity, Operation::describe_configs, {ResourceType::topic, topic.name})) {
      continue;
    }
    topic.topic_config_error_code = wire_of(ErrorCode::topic_authorization_failed);
    topic.num_partitions = -1;
    topic.replication_factor = -1;
    topic.configs.emplace();
  }
  co_return response;
}

protocol::CreateTopicsResponse CreateTopicsHandler::failed(const RequestContext&, const Request& request,
                                                           const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    response.topics.push_back(
        {.name = topic.name, .error_code = wire_of(error.code), .error_message = own_message(error)});
  }
  return response;
}

}  // namespace klamm::server
