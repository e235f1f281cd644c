#include "server/api/026_end_txn.h"

namespace klamm::server {

runtime::Task<EndTxnHandler::Response> EndTxnHandler::handle(const RequestContext& context, const Request& request) {
  if (!authorizer_.allows(context.identity, security::Operation::write,
                          {security::ResourceType::transactional_id, request.transactional_id})) {
    throw RequestFailed(ErrorCode::transactional_id_authorization_failed);
  }
  transactions::Asked<Request> call{request, context.version};
  auto asking = transactions_.ask(context.reactor, transactions_.partition_of(request.transactional_id),
                                  transactions::Call(std::move(call)));
  transactions::Answer answer = co_await std::move(asking);
  co_return std::get<Response>(std::move(answer));
}

EndTxnHandler::Response EndTxnHandler::failed(const RequestContext&, const Request&, const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
