#include "server/api/065_describe_transactions.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;

runtime::Task<DescribeTransactionsHandler::Response> DescribeTransactionsHandler::handle(const RequestContext& context,
                                                                                         const Request& request) {
  Response response;
  for (const std::string& id : request.transactional_ids) {
    if (!authorizer_.allows(context.identity, Operation::describe, {ResourceType::transactional_id, id})) {
      auto& state = response.transaction_states.emplace_back();
      state.transactional_id = id;
      state.error_code = wire_of(ErrorCode::transactional_id_authorization_failed);
      continue;
    }
    transactions::Asked<Request> call;
    call.request.transactional_ids = {id};
    auto asking = transactions_.ask(context.reactor, transactions_.partition_of(id), transactions::Call(call));
    transactions::Answer answer = co_await std::move(asking);
    auto& state = std::get<Response>(answer).transaction_states.at(0);
    std::erase_if(state.topics, [&](const auto& topic) {
      return !authorizer_.allows(context.identity, Operation::describe, {ResourceType::topic, topic.topic});
    });
    response.transaction_states.push_back(std::move(state));
  }
  co_return response;
}

DescribeTransactionsHandler::Response DescribeTransactionsHandler::failed(const RequestContext&, const Request& request,
                                                                          const Error& error) const {
  transactions::Asked<Request> call;
  call.request = request;
  return transactions::failed(call, error);
}

}  // namespace klamm::server
