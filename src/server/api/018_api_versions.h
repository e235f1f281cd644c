// ApiVersions, versions 0 to 5. From 3: the client's software and the features; from 4: features whose lowest level is
// 0; from 5: which node of which cluster the client means (KIP-1242). A version that is not served is answered in
// version 0. Source of behaviour: KafkaApis.handleApiVersionsRequest, SimpleApiVersionManager.
#pragma once

#include <string>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/api_versions.h"
#include "server/api_table.h"
#include "server/handler.h"

namespace klamm::server {

class ApiVersionsHandler final : public ApiHandler {
 public:
  // `apis` is the table this handler stands in.
  ApiVersionsHandler(const ApiTable& apis, const hosting::MetadataPublisher& metadata, std::string cluster_id,
                     BrokerId node_id, std::int16_t kraft_version);

  runtime::Task<void> answer(Exchange& exchange) override;

 private:
  using Request = protocol::ApiVersionsRequest;
  using Response = protocol::ApiVersionsResponse;
  ErrorCode check(const RequestContext& context, const Request& request) const;
  void list_apis(const RequestContext& context, Response& response) const;
  void list_features(const RequestContext& context, Response& response) const;

  const ApiTable& apis_;
  const hosting::MetadataPublisher& metadata_;
  std::string cluster_id_;
  BrokerId node_id_;
  std::int16_t kraft_version_;
};

}  // namespace klamm::server
