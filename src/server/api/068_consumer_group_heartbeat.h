// ConsumerGroupHeartbeat, versions 0 and 1: a member of a consumer group (KIP-848) says what it wants and has, and is
// told what it is to have. From 1: subscriptions by regular expression, and members make their ids themselves. Source
// of behaviour: KafkaApis.handleConsumerGroupHeartbeat.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class ConsumerGroupHeartbeatHandler final
    : public Handler<protocol::ConsumerGroupHeartbeatRequest, protocol::ConsumerGroupHeartbeatResponse> {
 public:
  using Request = protocol::ConsumerGroupHeartbeatRequest;
  using Response = protocol::ConsumerGroupHeartbeatResponse;

  ConsumerGroupHeartbeatHandler(const hosting::MetadataPublisher& metadata, GroupShards& groups,
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
