#include "server/api/025_add_offsets_to_txn.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;

runtime::Task<AddOffsetsToTxnHandler::Response> AddOffsetsToTxnHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  if (!authorizer_.allows(context.identity, Operation::write,
                          {ResourceType::transactional_id, request.transactional_id})) {
    throw RequestFailed(ErrorCode::transactional_id_authorization_failed);
  }
  if (!authorizer_.allows(context.identity, Operation::read, {ResourceType::group, request.group_id})) {
    throw RequestFailed(ErrorCode::group_authorization_failed);
  }
  transactions::AddOffsets call{request, context.version, groups_.partition_of(request.group_id)};
  auto asking = transactions_.ask(context.reactor, transactions_.partition_of(request.transactional_id),
                                  transactions::Call(std::move(call)));
  transactions::Answer answer = co_await std::move(asking);
  co_return std::get<Response>(std::move(answer));
}

AddOffsetsToTxnHandler::Response AddOffsetsToTxnHandler::failed(const RequestContext&, const Request&,
                                                                const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
