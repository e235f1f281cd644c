// OffsetFetch, versions 1 to 10: how far groups are. From 2: an error of the whole, and all topics at once; from 7:
// require_stable; from 8: several groups; from 9: member epochs; from 10: topics by id. A group that nobody knows has
// no offsets, which is no error. Source of behaviour: KafkaApis.handleOffsetFetchRequest.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/offset_fetch.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

class OffsetFetchHandler final : public Handler<protocol::OffsetFetchRequest, protocol::OffsetFetchResponse> {
 public:
  using Request = protocol::OffsetFetchRequest;
  using Response = protocol::OffsetFetchResponse;

  OffsetFetchHandler(const hosting::MetadataPublisher& metadata, GroupShards& groups,
                     const security::Authorizer& authorizer)
      : metadata_(metadata), groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  using Group = Request::OffsetFetchRequestGroup;
  using Fetched = Response::OffsetFetchResponseGroup;
  // The group is passed as it is answered for: without the topics that may not be seen.
  runtime::Task<Fetched> fetch(const RequestContext& context, Group group, bool require_stable);
  std::vector<Response::OffsetFetchResponseTopics> take_refused(const RequestContext& context, Group& group) const;
  void show_allowed(const RequestContext& context, Fetched& fetched) const;

  const hosting::MetadataPublisher& metadata_;
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
