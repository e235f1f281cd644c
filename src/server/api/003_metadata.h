// Metadata, versions 0 to 13. From 4: whether missing topics are created; from 10: topic ids in answers; from 12: in
// requests; from 13: an error of the whole. Source of behaviour: KafkaApis.handleTopicMetadataRequest,
// KRaftMetadataCache, DefaultAutoTopicCreationManager.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/metadata.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

struct MetadataSettings {
  BrokerId node_id;
  std::string cluster_id;
  bool auto_create_topics = true;                     // auto.create.topics.enable
  std::chrono::milliseconds creation_timeout{30000};  // request.timeout.ms
};

class MetadataHandler final : public Handler<protocol::MetadataRequest, protocol::MetadataResponse> {
 public:
  using Request = protocol::MetadataRequest;
  using Response = protocol::MetadataResponse;

  MetadataHandler(const hosting::MetadataPublisher& metadata, hosting::ControllerChannel& controller,
                  const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                  MetadataSettings settings)
      : metadata_(metadata),
        controller_(controller),
        partitions_(partitions),
        authorizer_(authorizer),
        settings_(std::move(settings)) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  using TopicAnswer = Response::MetadataResponseTopic;
  void describe_all(const RequestContext& context, const metadata::Image& image, Response& response) const;
  void describe_by_id(const RequestContext& context, const metadata::Image& image, const Request& request,
                      Response& response) const;
  std::vector<std::string> describe_by_name(const RequestContext& context, const metadata::Image& image,
                                            const Request& request, Response& response) const;
  TopicAnswer describe(const RequestContext& context, const metadata::Image& image, const metadata::Topic& topic) const;
  runtime::Task<void> create(const RequestContext& context, std::vector<std::string> names);

  const hosting::MetadataPublisher& metadata_;
  hosting::ControllerChannel& controller_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
  MetadataSettings settings_;
};

}  // namespace klamm::server
