// AlterConfigs, versions 0 to 2: the whole configuration of a resource is replaced. What only this broker can judge it
// does here, the controller decides on the rest. Source of behaviour: KafkaApis.handleAlterConfigsRequest,
// ConfigAdminManager.
#pragma once

#include "config/dynamic_config.h"
#include "controller/broker_configs.h"
#include "hosting/controller_channel.h"
#include "protocol/messages/alter_configs.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class AlterConfigsHandler final : public Handler<protocol::AlterConfigsRequest, protocol::AlterConfigsResponse> {
 public:
  using Request = protocol::AlterConfigsRequest;
  using Response = protocol::AlterConfigsResponse;

  AlterConfigsHandler(hosting::ControllerChannel& controller, const security::Authorizer& authorizer,
                      std::function<config::DynamicConfigRef()> settings)
      : controller_(controller), authorizer_(authorizer), settings_(std::move(settings)) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  hosting::ControllerChannel& controller_;
  const security::Authorizer& authorizer_;
  std::function<config::DynamicConfigRef()> settings_;
};

}  // namespace klamm::server
