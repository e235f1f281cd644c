#include "server/api/033_alter_configs.h"

#include "controller/call.h"
#include "server/config_access.h"
#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<AlterConfigsHandler::Response> AlterConfigsHandler::handle(const RequestContext& context,
                                                                         const Request& request) {
  Request allowed = request;
  allowed.resources.clear();
  Response refused;
  for (const auto& resource : request.resources) {
    const auto error = config_change_refusal(authorizer_, context, resource.resource_type, resource.resource_name);
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

AlterConfigsHandler::Response AlterConfigsHandler::failed(const RequestContext&, const Request& request,
                                                          const Error& error) const {
  return controller::failed(request, error);
}

}  // namespace klamm::server
