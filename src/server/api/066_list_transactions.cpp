#include "server/api/066_list_transactions.h"

namespace klamm::server {

runtime::Task<ListTransactionsHandler::Response> ListTransactionsHandler::handle(const RequestContext& context,
                                                                                 const Request& request) {
  Response response = transactions_.check_filters(request);
  if (response.error_code != 0) co_return response;
  for (std::int32_t partition = 0; partition < transactions_.partition_count(); ++partition) {
    transactions::Asked<Request> call{request, context.version};
    auto asking = transactions_.ask(context.reactor, PartitionIndex(partition), transactions::Call(std::move(call)));
    transactions::Answer answer = co_await std::move(asking);
    auto& part = std::get<Response>(answer);
    if (part.error_code == wire_of(ErrorCode::not_coordinator)) continue;  // another broker lists them
    if (part.error_code != 0) throw RequestFailed(error_code_of(part.error_code));
    for (auto& transaction : part.transaction_states) response.transaction_states.push_back(std::move(transaction));
  }
  std::erase_if(response.transaction_states, [&](const auto& transaction) {
    return !authorizer_.allows(context.identity, security::Operation::describe,
                               {security::ResourceType::transactional_id, transaction.transactional_id});
  });
  co_return response;
}

ListTransactionsHandler::Response ListTransactionsHandler::failed(const RequestContext&, const Request&,
                                                                  const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
