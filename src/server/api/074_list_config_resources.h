// ListConfigResources, versions 0 and 1: the names of resources that have, or can have, a configuration. 0: of client
// metrics alone; from 1: of the types that are asked for, or of all. Source of behaviour:
// KafkaApis.handleListConfigResources.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/list_config_resources.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class ListConfigResourcesHandler final
    : public Handler<protocol::ListConfigResourcesRequest, protocol::ListConfigResourcesResponse> {
 public:
  using Request = protocol::ListConfigResourcesRequest;
  using Response = protocol::ListConfigResourcesResponse;

  ListConfigResourcesHandler(const hosting::MetadataPublisher& metadata, const security::Authorizer& authorizer)
      : metadata_(metadata), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
