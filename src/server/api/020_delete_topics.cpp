#include "server/api/020_delete_topics.h"

#include "controller/call.h"
#include "server/metadata_view.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;

runtime::Task<DeleteTopicsHandler::Response> DeleteTopicsHandler::handle(const RequestContext& context,
                                                                         const Request& request) {
  Request allowed = request;
  Response refused;
  if (!authorizer_.allows(context.identity, Operation::remove, {ResourceType::cluster, security::cluster_resource})) {
    const metadata::ImageRef image = metadata_.image(context.reactor);
    // The name behind an id is told only to those who may see the topic; so is that a name is nobody's.
    const auto refuse = [&](const std::string& name, Uuid id, bool exists) {
      const bool seen = authorizer_.allows(context.identity, Operation::describe, {ResourceType::topic, name});
      if (seen && !exists) return false;
      if (authorizer_.allows(context.identity, Operation::remove, {ResourceType::topic, name})) {
        if (seen || !id.is_zero()) return false;
      }
      auto& answer = refused.responses.emplace_back();
      if (id.is_zero() || seen)
        answer.name = name;
      else
        answer.name.reset();
      answer.topic_id = id;
      answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
      answer.error_message = error_message(ErrorCode::topic_authorization_failed);
      return true;
    };
    const auto refuse_name = [&](const std::string& name) {
      return refuse(name, zero_uuid, image->topic(name) != nullptr);
    };
    std::erase_if(allowed.topic_names, refuse_name);
    std::erase_if(allowed.topics, [&](const auto& topic) {
      if (topic.name) return topic.topic_id.is_zero() && refuse_name(*topic.name);  // both: malformed, whoever asks
      const auto* known = image->topic(topic.topic_id);
      return known && refuse(known->name, topic.topic_id, true);
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
