// DescribeProducers, version 0: who wrote to partitions that are led here, and since where a transaction is open.
// Source of behaviour: KafkaApis.handleDescribeProducersRequest, Partition.activeProducerState.
#pragma once

#include <optional>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/describe_producers.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DescribeProducersHandler final
    : public Handler<protocol::DescribeProducersRequest, protocol::DescribeProducersResponse> {
 public:
  using Request = protocol::DescribeProducersRequest;
  using Response = protocol::DescribeProducersResponse;

  DescribeProducersHandler(const hosting::MetadataPublisher& metadata, const replication::PartitionTable& partitions,
                           const security::Authorizer& authorizer)
      : metadata_(metadata), partitions_(partitions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  std::optional<Error> refused(const RequestContext& context, const std::string& topic) const;
  Response::PartitionResponse describe(const RequestContext& context, const std::string& topic,
                                       std::int32_t partition) const;

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
