// CreateTopics, versions 2 to 7. From 4: -1 partitions and replicas mean the broker's defaults; from 5: the answer tells
// what was made; from 7: the topic's id. The controller decides; this handler asks who may.
// Source of behaviour: ControllerApis.createTopics.
#pragma once

#include "hosting/controller_channel.h"
#include "protocol/messages/create_topics.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class CreateTopicsHandler final : public Handler<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse> {
 public:
  using Request = protocol::CreateTopicsRequest;
  using Response = protocol::CreateTopicsResponse;

  CreateTopicsHandler(hosting::ControllerChannel& controller, const security::Authorizer& authorizer)
      : controller_(controller), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  hosting::ControllerChannel& controller_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
