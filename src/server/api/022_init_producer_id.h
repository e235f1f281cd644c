// InitProducerId, versions 0 to 5. From 3: a producer may ask for the next epoch of the id it has (KIP-360). Idempotent
// producers get ids out of blocks that the controller gave this broker, transactional ones from the coordinator of
// their transactional id. Version 6 is not stable. Source of behaviour: KafkaApis.handleInitProducerIdRequest,
// TransactionCoordinator.handleInitProducerId.
#pragma once

#include "protocol/messages/init_producer_id.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/producer_ids.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class InitProducerIdHandler final : public Handler<protocol::InitProducerIdRequest, protocol::InitProducerIdResponse> {
 public:
  using Request = protocol::InitProducerIdRequest;
  using Response = protocol::InitProducerIdResponse;

  InitProducerIdHandler(ProducerIds& ids, TransactionShards& transactions, const security::Authorizer& authorizer)
      : ids_(ids), transactions_(transactions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  ProducerIds& ids_;
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
