#include "server/api/008_offset_commit.h"

#include "server/group_calls.h"
#include "server/offset_topics.h"

namespace klamm::server {
namespace {
constexpr std::int16_t topic_ids_from = 10;
}  // namespace

runtime::Task<OffsetCommitHandler::Response> OffsetCommitHandler::handle(const RequestContext& context,
                                                                         const Request& request) {
  if (!authorizer_.allows(context.identity, security::Operation::read,
                          {security::ResourceType::group, request.group_id})) {
    throw RequestFailed(ErrorCode::group_authorization_failed);
  }
  Request accepted;
  accepted.group_id = request.group_id;
  accepted.generation_id_or_member_epoch = request.generation_id_or_member_epoch;
  accepted.member_id = request.member_id;
  accepted.group_instance_id = request.group_instance_id;
  accepted.retention_time_ms = request.retention_time_ms;
  OffsetTopics<Request, Response> topics;
  for (const auto& topic : request.topics) {
    topics.sort(context, *metadata_.image(context.reactor), authorizer_, context.version >= topic_ids_from, topic,
                accepted);
  }
  if (accepted.topics.empty()) co_return topics.take();

  auto asking =
      groups_.ask(context.reactor, groups_.partition_of(request.group_id), asked(context, std::move(accepted)));
  groups::Answer answer = co_await std::move(asking);
  co_return topics.with(std::get<Response>(std::move(answer)));
}

OffsetCommitHandler::Response OffsetCommitHandler::failed(const RequestContext&, const Request& request,
                                                          const Error& error) const {
  return OffsetTopics<Request, Response>::all(request, error.code);
}

}  // namespace klamm::server
