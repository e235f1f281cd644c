// DescribeTopicPartitions, version 0: topics with their partitions, page by page.
// Source of behaviour: DescribeTopicPartitionsRequestHandler, KRaftMetadataCache.describeTopicResponse.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DescribeTopicPartitionsHandler final
    : public Handler<protocol::DescribeTopicPartitionsRequest, protocol::DescribeTopicPartitionsResponse> {
 public:
  using Request = protocol::DescribeTopicPartitionsRequest;
  using Response = protocol::DescribeTopicPartitionsResponse;

  DescribeTopicPartitionsHandler(const hosting::MetadataPublisher& metadata,
                                 const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                                 BrokerId node_id, std::int32_t partitions_max)
      : metadata_(metadata),
        partitions_(partitions),
        authorizer_(authorizer),
        node_id_(node_id),
        partitions_max_(std::move(partitions_max)) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  Response::DescribeTopicPartitionsResponsePartition describe(const RequestContext& context,
                                                              const metadata::Image& image,
                                                              const metadata::Topic& topic, std::int32_t index) const;

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
  BrokerId node_id_;
  std::int32_t partitions_max_;
};

}  // namespace klamm::server
