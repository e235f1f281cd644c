// FindCoordinator, versions 0 to 6: which broker coordinates a group. From 1: transactional ids too; from 4: several
// keys at once; from 6: share partitions. Whoever asks first causes the topic to be made, and is told to ask again.
// Share partitions have no coordinator yet: UNSUPPORTED_VERSION, which clients take for final.
// Source of behaviour: KafkaApis.handleFindCoordinatorRequest.
#pragma once

#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/find_coordinator.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class FindCoordinatorHandler final
    : public Handler<protocol::FindCoordinatorRequest, protocol::FindCoordinatorResponse> {
 public:
  using Request = protocol::FindCoordinatorRequest;
  using Response = protocol::FindCoordinatorResponse;

  FindCoordinatorHandler(const hosting::MetadataPublisher& metadata, hosting::ControllerChannel& controller,
                         GroupShards& groups, TransactionShards& transactions, const security::Authorizer& authorizer)
      : metadata_(metadata),
        controller_(controller),
        groups_(groups),
        transactions_(transactions),
        authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  struct Found {
    ErrorCode error = ErrorCode::none;
    std::int32_t node_id = -1;
    std::string host;
    std::int32_t port = -1;
  };
  Found find(const RequestContext& context, std::int8_t type, const std::string& key) const;
  Found find_in(const RequestContext& context, std::string_view topic, PartitionIndex partition) const;
  runtime::Task<void> create_missing(const RequestContext& context, std::int8_t type);

  const hosting::MetadataPublisher& metadata_;
  hosting::ControllerChannel& controller_;
  GroupShards& groups_;
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
