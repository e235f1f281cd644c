// IncrementalAlterConfigs, versions 0 and 1: single keys are set, removed, appended to or subtracted from. What only
// this broker can judge it does here, the controller decides on the rest. Source of behaviour:
// KafkaApis.handleIncrementalAlterConfigsRequest, ConfigAdminManager.
#pragma once

#include "config/dynamic_config.h"
#include "controller/broker_configs.h"
#include "hosting/controller_channel.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class IncrementalAlterConfigsHandler final
    : public Handler<protocol::IncrementalAlterConfigsRequest, protocol::IncrementalAlterConfigsResponse> {
 public:
  using Request = protocol::IncrementalAlterConfigsRequest;
  using Response = protocol::IncrementalAlterConfigsResponse;

  IncrementalAlterConfigsHandler(hosting::ControllerChannel& controller, const security::Authorizer& authorizer,
                                 std::function<config::DynamicConfigRef()> settings,
                                 controller::AlterLoggers alter_loggers)
      : controller_(controller),
        authorizer_(authorizer),
        settings_(std::move(settings)),
        alter_loggers_(std::move(alter_loggers)) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  hosting::ControllerChannel& controller_;
  const security::Authorizer& authorizer_;
  std::function<config::DynamicConfigRef()> settings_;
  controller::AlterLoggers alter_loggers_;
};

}  // namespace klamm::server
