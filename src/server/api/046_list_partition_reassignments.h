// ListPartitionReassignments, version 0: partitions whose replicas are being moved.
// Source of behaviour: ControllerApis.handleListPartitionReassignments,
// ReplicationControlManager.listPartitionReassignments.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class ListPartitionReassignmentsHandler final
    : public Handler<protocol::ListPartitionReassignmentsRequest, protocol::ListPartitionReassignmentsResponse> {
 public:
  using Request = protocol::ListPartitionReassignmentsRequest;
  using Response = protocol::ListPartitionReassignmentsResponse;

  ListPartitionReassignmentsHandler(const hosting::MetadataPublisher& metadata, const security::Authorizer& authorizer)
      : metadata_(metadata), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  void add(const metadata::Topic& topic, std::int32_t index, const metadata::PartitionRegistration& partition,
           Response& response) const;

  const hosting::MetadataPublisher& metadata_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
