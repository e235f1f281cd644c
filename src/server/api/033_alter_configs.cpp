#include "server/api/033_alter_configs.h"

#include "controller/call.h"
#include "server/metadata_view.h"

namespace klamm::server {

namespace {

// Who may not is told so; nothing for what may be looked at.
std::optional<Error> refusal(const security::Authorizer& authorizer, const RequestContext& context,
                             const protocol::AlterConfigsRequest::AlterConfigsResource& resource) {
  using security::Operation;
  using security::ResourceType;
  const auto may = [&](security::Resource on) {
    return authorizer.allows(context.identity, Operation::alter_configs, on);
  };
  switch (static_cast<metadata::ConfigResourceType>(resource.resource_type)) {
    case metadata::ConfigResourceType::topic:
      if (may({ResourceType::topic, resource.resource_name})) return std::nullopt;
      return Error{ErrorCode::topic_authorization_failed, {}};
    case metadata::ConfigResourceType::group:
      if (may({ResourceType::group, resource.resource_name})) return std::nullopt;
      return Error{ErrorCode::group_authorization_failed, {}};
    case metadata::ConfigResourceType::broker:
    case metadata::ConfigResourceType::broker_logger:
    case metadata::ConfigResourceType::client_metrics:
    case metadata::ConfigResourceType::unknown:
      if (may({ResourceType::cluster, security::cluster_resource})) return std::nullopt;
      return Error{ErrorCode::cluster_authorization_failed, {}};
  }
  return std::nullopt;  // no such type: told apart later
}

}  // namespace

runtime::Task<AlterConfigsHandler::Response> AlterConfigsHandler::handle(const RequestContext& context, const Request& request) {
  Request allowed = request;
  allowed.resources.clear();
  Response refused;
  for (const auto& resource : request.resources) {
    const auto error = refusal(authorizer_, context, resource);
    if (!error) {
      allowed.resources.push_back(resource);
      continue;
    }
    auto& answer = refused.responses.emplace_back();
    answer.error_code = wire_of(error->code);
    answer.error_message = error_message(error->code);
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
  }

  // What this broker answers itself, then the controller with the rest; the answer keeps the request's order.
  auto looked_at = controller::preprocess(allowed, *settings_());
  Response from_controller;
  if (!looked_at.rest.resources.empty()) {
    auto asking = controller_.alter_configs(context.reactor, caller_of(context), std::move(looked_at.rest));
    from_controller = co_await std::move(asking);
  }
  Response response = controller::reassemble(allowed, looked_at.answers, from_controller);
  for (auto& answer : refused.responses) response.responses.push_back(std::move(answer));
  co_return response;
}

AlterConfigsHandler::Response AlterConfigsHandler::failed(const RequestContext&, const Request& request, const Error& error) const {
  return controller::failed(request, error);
}

}  // namespace klamm::server
