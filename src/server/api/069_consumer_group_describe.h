// ConsumerGroupDescribe, versions 0 and 1: state, members and assignments of consumer groups (KIP-848). From 1: which
// protocol a member speaks. Source of behaviour: KafkaApis.handleConsumerGroupDescribe.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/consumer_group_describe.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class ConsumerGroupDescribeHandler final
    : public Handler<protocol::ConsumerGroupDescribeRequest, protocol::ConsumerGroupDescribeResponse> {
 public:
  using Request = protocol::ConsumerGroupDescribeRequest;
  using Response = protocol::ConsumerGroupDescribeResponse;

  ConsumerGroupDescribeHandler(const hosting::MetadataPublisher& metadata, GroupShards& groups,
                               const security::Authorizer& authorizer)
      : metadata_(metadata), groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  bool may_see_topics(const RequestContext& context, const Response::DescribedGroup& group) const;

  const hosting::MetadataPublisher& metadata_;
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
