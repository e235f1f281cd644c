// DescribeCluster, versions 0 to 2. From 1: brokers or controllers (KIP-919); from 2: fenced brokers too. Served by
// brokers and on the controller's listener, each about its own kind. Source of behaviour:
// AuthHelper.computeDescribeClusterResponse, KafkaApis.handleDescribeCluster.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/describe_cluster.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DescribeClusterHandler final
    : public Handler<protocol::DescribeClusterRequest, protocol::DescribeClusterResponse> {
 public:
  using Request = protocol::DescribeClusterRequest;
  using Response = protocol::DescribeClusterResponse;

  DescribeClusterHandler(const hosting::MetadataPublisher& metadata, const security::Authorizer& authorizer,
                         std::string cluster_id, BrokerId node_id)
      : metadata_(metadata), authorizer_(authorizer), cluster_id_(std::move(cluster_id)), node_id_(node_id) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  void check_controller_may_tell(const RequestContext& context) const;
  void list_brokers(const RequestContext& context, const Request& request, Response& response) const;
  void list_controllers(const RequestContext& context, Response& response) const;

  const hosting::MetadataPublisher& metadata_;
  const security::Authorizer& authorizer_;
  std::string cluster_id_;
  BrokerId node_id_;
};

}  // namespace klamm::server
