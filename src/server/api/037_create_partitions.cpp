#include "server/api/037_create_partitions.h"

#include "controller/call.h"
#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<CreatePartitionsHandler::Response> CreatePartitionsHandler::handle(const RequestContext& context,
                                                                                 const Request& request) {
  Request allowed = request;
  Response refused;
  std::erase_if(allowed.topics, [&](const auto& topic) {
    if (authorizer_.allows(context.identity, security::Operation::alter, {security::ResourceType::topic, topic.name}))
      return false;
    auto& answer = refused.results.emplace_back();
    answer.name = topic.name;
    answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
    return true;
  });
  auto asking = controller_.create_partitions(context.reactor, caller_of(context), std::move(allowed));
  Response response = co_await std::move(asking);
  std::vector<std::string> grown;
  for (const auto& result : response.results)
    if (result.error_code == 0 && !request.validate_only) grown.push_back(result.name);
  auto waiting = wait_until_ready(context, metadata_, partitions_, node_id_, std::move(grown));
  co_await std::move(waiting);
  for (auto& answer : refused.results) response.results.push_back(std::move(answer));
  co_return response;
}

CreatePartitionsHandler::Response CreatePartitionsHandler::failed(const RequestContext&, const Request& request,
                                                                  const Error& error) const {
  return controller::failed(request, error);
}

}  // namespace klamm::server
