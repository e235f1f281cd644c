// CreatePartitions, versions 0 to 3. The controller decides; this handler asks who may.
// Source of behaviour: ControllerApis.createPartitions.
#pragma once

#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/create_partitions.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class CreatePartitionsHandler final
    : public Handler<protocol::CreatePartitionsRequest, protocol::CreatePartitionsResponse> {
 public:
  using Request = protocol::CreatePartitionsRequest;
  using Response = protocol::CreatePartitionsResponse;

  CreatePartitionsHandler(const hosting::MetadataPublisher& metadata, hosting::ControllerChannel& controller,
                          const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                          BrokerId node_id)
      : metadata_(metadata),
        controller_(controller),
        partitions_(partitions),
        authorizer_(authorizer),
        node_id_(node_id) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  hosting::ControllerChannel& controller_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
  BrokerId node_id_;
};

}  // namespace klamm::server
