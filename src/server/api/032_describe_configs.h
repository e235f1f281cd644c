// DescribeConfigs, versions 1 to 4. From 3: type and documentation. Topics, this broker, all brokers, groups, client
// metrics subscriptions. Source of behaviour: kafka.server.ConfigHelper.
#pragma once

#include "config/dynamic_config.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/describe_configs.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DescribeConfigsHandler final
    : public Handler<protocol::DescribeConfigsRequest, protocol::DescribeConfigsResponse> {
 public:
  using Request = protocol::DescribeConfigsRequest;
  using Response = protocol::DescribeConfigsResponse;

  DescribeConfigsHandler(const hosting::MetadataPublisher& metadata, const security::Authorizer& authorizer,
                         std::function<config::DynamicConfigRef()> settings, BrokerId node_id, const LogSink& log)
      : metadata_(metadata), authorizer_(authorizer), settings_(std::move(settings)), node_id_(node_id), log_(log) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  using Resource = Request::DescribeConfigsResource;
  bool allowed(const RequestContext& context, const Resource& resource) const;
  Result<std::vector<config::DescribedConfig>> describe(const RequestContext& context, const Resource& resource) const;
  Result<std::vector<config::DescribedConfig>> describe_broker(const Resource& resource) const;

  const hosting::MetadataPublisher& metadata_;
  const security::Authorizer& authorizer_;
  std::function<config::DynamicConfigRef()> settings_;
  BrokerId node_id_;
  const LogSink& log_;
};

}  // namespace klamm::server
