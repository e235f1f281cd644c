// CreateTopics, versions 2 to 7. From 4: -1 partitions and replicas mean the broker's defaults; from 5: the answer
// tells what was made; from 7: the topic's id. The controller decides; this handler asks who may. Source of behaviour:
// ControllerApis.createTopics.
#pragma once

#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/create_topics.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class CreateTopicsHandler final : public Handler<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse> {
 public:
  using Request = protocol::CreateTopicsRequest;
  using Response = protocol::CreateTopicsResponse;

  CreateTopicsHandler(const hosting::MetadataPublisher& metadata, hosting::ControllerChannel& controller,
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
