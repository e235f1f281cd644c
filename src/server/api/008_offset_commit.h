// OffsetCommit, versions 2 to 10: a group remembers how far it is. From 6: leader epochs; from 7: static members; from
// 9: member epochs of consumer groups; from 10: topics by id. Only partitions that exist take an offset. Source of
// behaviour: KafkaApis.handleOffsetCommitRequest.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/offset_commit.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class OffsetCommitHandler final : public Handler<protocol::OffsetCommitRequest, protocol::OffsetCommitResponse> {
 public:
  using Request = protocol::OffsetCommitRequest;
  using Response = protocol::OffsetCommitResponse;

  OffsetCommitHandler(const hosting::MetadataPublisher& metadata, GroupShards& groups,
                      const security::Authorizer& authorizer)
      : metadata_(metadata), groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
