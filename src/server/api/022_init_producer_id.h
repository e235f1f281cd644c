// InitProducerId, versions 0 to 5. From 3: a producer may ask for the next epoch of the id it has (KIP-360). Idempotent
// producers get ids out of blocks that the controller gave this broker; a transactional id needs a transaction
// coordinator, which is not there yet: UNSUPPORTED_VERSION.
// Source of behaviour: KafkaApis.handleInitProducerIdRequest, TransactionCoordinator.handleInitProducerId.
#pragma once

#include "protocol/messages/init_producer_id.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/producer_ids.h"

namespace klamm::server {

class InitProducerIdHandler final : public Handler<protocol::InitProducerIdRequest, protocol::InitProducerIdResponse> {
 public:
  using Request = protocol::InitProducerIdRequest;
  using Response = protocol::InitProducerIdResponse;

  InitProducerIdHandler(runtime::Environment& environment, hosting::ControllerChannel& controller, BrokerId node_id,
                        std::function<BrokerEpoch()> broker_epoch, const security::Authorizer& authorizer)
      : ids_(environment, controller, node_id, std::move(broker_epoch)), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  ProducerIds ids_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
