#include "server/api/022_init_producer_id.h"

namespace klamm::server {

runtime::Task<protocol::InitProducerIdResponse> InitProducerIdHandler::handle(const RequestContext& context,
                                                                              const Request& request) {
  using security::Operation;
  using security::ResourceType;
  const auto refuse = [&](ErrorCode code) { return failed(context, request, {code, {}}); };
  if (request.transactional_id) {
    if (!authorizer_.allows(context.identity, Operation::write,
                            {ResourceType::transactional_id, *request.transactional_id})) {
      co_return refuse(ErrorCode::transactional_id_authorization_failed);
    }
  } else if (!authorizer_.allows(context.identity, Operation::idempotent_write,
                                 {ResourceType::cluster, security::cluster_resource})) {
    co_return refuse(ErrorCode::cluster_authorization_failed);
  }
  // Both or neither: the id that the producer has, and its epoch.
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) co_return refuse(ErrorCode::invalid_request);
  if (request.transactional_id) {
    const PartitionIndex shard = transactions_.partition_of(*request.transactional_id);
    transactions::Asked<Request> call{request, context.version};
    auto asking = transactions_.ask(context.reactor, shard, transactions::Call(std::move(call)));
    transactions::Answer answer = co_await std::move(asking);
    co_return std::get<Response>(std::move(answer));
  }
  // An idempotent producer cannot go on with an id: it gets a new one, whatever it says.
  auto taking = ids_.next(context.reactor);
  const auto id = co_await std::move(taking);
  if (!id) co_return refuse(id.error().code);
  Response response;
  response.producer_id = id->value;
  response.producer_epoch = 0;
  co_return response;
}

protocol::InitProducerIdResponse InitProducerIdHandler::failed(const RequestContext&, const Request&,
                                                               const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  response.producer_id = -1;
  response.producer_epoch = -1;
  return response;
}

}  // namespace klamm::server
