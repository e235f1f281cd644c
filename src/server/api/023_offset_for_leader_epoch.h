// OffsetForLeaderEpoch, versions 2 to 4: where the records of a leader epoch end. From 3: who asks.
// Source of behaviour: KafkaApis.handleOffsetForLeaderEpochRequest, ReplicaManager.lastOffsetForLeaderEpoch.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class OffsetForLeaderEpochHandler final
    : public Handler<protocol::OffsetForLeaderEpochRequest, protocol::OffsetForLeaderEpochResponse> {
 public:
  using Request = protocol::OffsetForLeaderEpochRequest;
  using Response = protocol::OffsetForLeaderEpochResponse;

  OffsetForLeaderEpochHandler(const hosting::MetadataPublisher& metadata, const replication::PartitionTable& partitions,
                              const security::Authorizer& authorizer)
      : metadata_(metadata), partitions_(partitions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
