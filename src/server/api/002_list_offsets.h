// ListOffsets, versions 1 to 11. From 2: isolation level; from 4: leader epochs; from 7 on the newest special
// timestamps one after another. Source of behaviour: KafkaApis.handleListOffsetRequest, ReplicaManager.fetchOffset.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/list_offsets.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class ListOffsetsHandler final : public Handler<protocol::ListOffsetsRequest, protocol::ListOffsetsResponse> {
 public:
  using Request = protocol::ListOffsetsRequest;
  using Response = protocol::ListOffsetsResponse;

  ListOffsetsHandler(const hosting::MetadataPublisher& metadata, const replication::PartitionTable& partitions,
                     const security::Authorizer& authorizer)
      : metadata_(metadata), partitions_(partitions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  using Asked = Request::ListOffsetsPartition;
  using Answer = Response::ListOffsetsPartitionResponse;
  runtime::Task<Result<storage::TimestampOffset>> look_up(const RequestContext& context, const Request& request,
                                                          std::string_view topic, const Asked& asked);

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
