// DeleteRecords, versions 0 to 2: records before an offset go; -1 means up to the high watermark.
// Source of behaviour: KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecords.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/delete_records.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DeleteRecordsHandler final : public Handler<protocol::DeleteRecordsRequest, protocol::DeleteRecordsResponse> {
 public:
  using Request = protocol::DeleteRecordsRequest;
  using Response = protocol::DeleteRecordsResponse;

  DeleteRecordsHandler(const hosting::MetadataPublisher& metadata, const replication::PartitionTable& partitions,
                       const security::Authorizer& authorizer)
      : metadata_(metadata), partitions_(partitions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  runtime::Task<Result<Offset>> remove(const RequestContext& context, std::string_view topic, PartitionIndex partition,
                                       Offset before);

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
