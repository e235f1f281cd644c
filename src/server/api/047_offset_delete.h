// OffsetDelete, version 0: a group forgets offsets of topics that nobody in it is subscribed to. Source of behaviour:
// KafkaApis.handleOffsetDeleteRequest.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/offset_delete.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class OffsetDeleteHandler final : public Handler<protocol::OffsetDeleteRequest, protocol::OffsetDeleteResponse> {
 public:
  using Request = protocol::OffsetDeleteRequest;
  using Response = protocol::OffsetDeleteResponse;

  OffsetDeleteHandler(const hosting::MetadataPublisher& metadata, GroupShards& groups,
                      const security::Authorizer& authorizer)
      : metadata_(metadata), groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
