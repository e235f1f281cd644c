#include "server/api/020_delete_topics.h"

#include "controller/call.h"
#include "server/metadata_view.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;

runtime::Task<DeleteTopicsHandler::Response> DeleteTopicsHandler::handle(const RequestContext& context, const Request& request) {
  Request allowed = request;
  Response refused;
  if (!authorizer_.allows(context.identity, Operation::remove, {ResourceType::cluster, security::cluster_resource})) {
    const metadata::ImageRef image = metadata_.image(context.reactor);
    // The name behind an id is told only to those who may see the topic.
    const auto refuse = [&](const std::string& name, Uuid id) {
      if (authorizer_.allows(context.identity, Operation::remove, {ResourceType::topic, name})) return false;
      auto& answer = refused.responses.emplace_back();
      if (id.is_zero() || authorizer_.allows(context.identity, Operation::describe, {ResourceType::topic, name}))
        answer.name = name;
      else
        answer.name.reset();
      answer.topic_id = id;
      answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
      return true;
    };
    std::erase_if(allowed.topic_names, [&](const std::string& name) { return refuse(name, zero_uuid); });
    std::erase_if(allowed.topics, [&](const auto& topic) {
      if (topic.name) return refuse(*topic.name, zero_uuid);
      const auto* known = image->topic(topic.topic_id);
      return known && refuse(known->name, topic.topic_id);
    });
  }
  auto asking = controller_.delete_topics(context.reactor, caller_of(context), std::move(allowed));
  Response response = co_await std::move(asking);
  for (auto& answer : refused.responses) response.responses.push_back(std::move(answer));
  co_return response;
}

DeleteTopicsHandler::Response DeleteTopicsHandler::failed(const RequestContext&, const Request& request,
                                                          const Error& error) const {
  return controller::failed(request, error);
}

}  // namespace klamm::server
