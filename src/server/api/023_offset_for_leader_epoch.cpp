#include "server/api/023_offset_for_leader_epoch.h"

#include "server/metadata_view.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;

runtime::Task<OffsetForLeaderEpochHandler::Response> OffsetForLeaderEpochHandler::handle(const RequestContext& context,
                                                                                         const Request& request) {
  const bool any = authorizer_.allows(context.identity, Operation::cluster_action,
                                      {ResourceType::cluster, security::cluster_resource});
  const auto& image = *metadata_.image(context.reactor);
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.topic = topic.topic;
    const bool allowed =
        any || authorizer_.allows(context.identity, Operation::describe, {ResourceType::topic, topic.topic});
    for (const auto& asked : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition = asked.partition;
      if (!allowed) {
        answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
        continue;
      }
      const auto partition = find_partition(image, partitions_, topic.topic, PartitionIndex(asked.partition));
      if (!partition) {
        answer.error_code = wire_of(partition.error().code);
        continue;
      }
      const auto end =
          (*partition)->end_offset_of(LeaderEpoch(asked.leader_epoch), LeaderEpoch(asked.current_leader_epoch));
      if (!end) {
        answer.error_code = wire_of(end.error().code);
        continue;
      }
      answer.leader_epoch = end->leader_epoch.value;
      answer.end_offset = end->end_offset.value;
    }
  }
  co_return response;
}

OffsetForLeaderEpochHandler::Response OffsetForLeaderEpochHandler::failed(const RequestContext&, const Request& request,
                                                                          const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition = asked.partition;
      answer.error_code = wire_of(error.code);
    }
  }
  return response;
}

}  // namespace klamm::server
