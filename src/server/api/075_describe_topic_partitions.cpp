#include "server/api/075_describe_topic_partitions.h"

#include <algorithm>
#include <set>

#include "metadata/topic_name.h"
#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<DescribeTopicPartitionsHandler::Response> DescribeTopicPartitionsHandler::handle(
    const RequestContext& context, const Request& request) {
  const metadata::ImageRef image = metadata_.image(context.reactor);
  const bool all = request.topics.empty();
  const std::string_view first = request.cursor ? std::string_view(request.cursor->topic_name) : std::string_view();

  // 1. Which topics, in the order of their names, from the cursor on.
  std::set<std::string, std::less<>> names;
  if (all) {
    for (const auto& topic : image->topics())
      if (topic->name >= first) names.insert(topic->name);
  } else {
    for (const auto& topic : request.topics)
      if (topic.name >= first) names.insert(topic.name);
    if (request.cursor && !names.contains(first))
      throw RequestFailed(
          ErrorCode::invalid_request,
          fmt::format("DescribeTopicPartitionsRequest topic list should contain the cursor topic: {}", first));
  }
  if (request.cursor && request.cursor->partition_index < 0)
    throw RequestFailed(ErrorCode::invalid_request, "DescribeTopicPartitionsRequest cursor partition must be valid");

  // 2. As many partitions as may be in one answer.
  Response response;
  Response refused;
  std::int32_t room = std::max(std::min(partitions_max_, request.response_partition_limit), 1);
  for (const std::string& name : names) {
    if (!authorizer_.allows(context.identity, security::Operation::describe, {security::ResourceType::topic, name})) {
      if (all) continue;
      auto& answer = refused.topics.emplace_back();
      answer.name = name;
      answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
      continue;
    }
    if (response.next_cursor) continue;  // only to find who else is refused
    if (room == 0) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      continue;
    }
    auto& answer = response.topics.emplace_back();
    answer.name = name;
    answer.is_internal = metadata::is_internal_topic(name);
    answer.topic_authorized_operations =
        authorizer_.allowed_operations(context.identity, {security::ResourceType::topic, name});
    const auto* topic = image->topic(name);
    if (!topic) {
      answer.error_code = wire_of(metadata::check_topic_name(name) ? ErrorCode::unknown_topic_or_partition
                                                                   : ErrorCode::invalid_topic_exception);
      continue;
    }
    answer.topic_id = topic->id;
    const std::int32_t from = request.cursor && name == first ? request.cursor->partition_index : 0;
    const auto count = static_cast<std::int32_t>(topic->partition_count());
    const std::int32_t end = from < count ? from + std::min(room, count - from) : count;
    for (std::int32_t index = from; index < end; ++index)
      answer.partitions.push_back(describe(context, *image, *topic, index));
    room -= static_cast<std::int32_t>(answer.partitions.size());
    if (end < count) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      response.next_cursor->partition_index = end;
    }
  }
  for (auto& answer : refused.topics) response.topics.push_back(std::move(answer));
  co_return response;
}

DescribeTopicPartitionsHandler::Response::DescribeTopicPartitionsResponsePartition
DescribeTopicPartitionsHandler::describe(const RequestContext& context, const metadata::Image& image,
                                         const metadata::Topic& topic, std::int32_t index) const {
  Response::DescribeTopicPartitionsResponsePartition answer;
  answer.partition_index = index;
  const auto* partition = topic.partition(index);
  if (!partition) {
    answer.error_code = wire_of(ErrorCode::unknown_topic_or_partition);
    return answer;
  }
  const auto* leader = image.broker(BrokerId(partition->leader));
  const bool ready = BrokerId(partition->leader) != node_id_ || is_ready(partitions_, topic.id, PartitionIndex(index));
  answer.leader_id = leader && ready && leader->endpoint(context.identity.listener) ? partition->leader : -1;
  answer.leader_epoch = partition->leader_epoch;
  answer.replica_nodes = partition->replicas;
  answer.isr_nodes = partition->isr;
  answer.offline_replicas = offline_replicas(image, *partition, context.identity.listener);
  answer.eligible_leader_replicas = partition->elr;
  answer.last_known_elr = partition->last_known_elr;
  return answer;
}

DescribeTopicPartitionsHandler::Response DescribeTopicPartitionsHandler::failed(const RequestContext&,
                                                                                const Request& request,
                                                                                const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.emplace_back();
    answer.name = topic.name;
    answer.error_code = wire_of(error.code);
  }
  return response;
}

}  // namespace klamm::server
