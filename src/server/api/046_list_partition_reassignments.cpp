#include "server/api/046_list_partition_reassignments.h"

#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<ListPartitionReassignmentsHandler::Response> ListPartitionReassignmentsHandler::handle(
    const RequestContext& context, const Request& request) {
  if (!authorizer_.allows(context.identity, security::Operation::describe,
                          {security::ResourceType::cluster, security::cluster_resource}))
    throw RequestFailed(ErrorCode::cluster_authorization_failed);
  const metadata::ImageRef image = metadata_.image(context.reactor);
  Response response;
  response.error_message.reset();
  if (!request.topics) {
    for (const auto& topic : image->topics())
      for (const auto& [index, partition] : topic->partitions) add(*topic, index, partition, response);
    co_return response;
  }
  for (const auto& asked : *request.topics) {
    const auto* topic = image->topic(asked.name);
    if (!topic) continue;
    for (const std::int32_t index : asked.partition_indexes)
      if (const auto* partition = topic->partition(index)) add(*topic, index, *partition, response);
  }
  co_return response;
}

void ListPartitionReassignmentsHandler::add(const metadata::Topic& topic, std::int32_t index,
                                            const metadata::PartitionRegistration& partition,
                                            Response& response) const {
  if (!partition.is_reassigning()) return;
  if (response.topics.empty() || response.topics.back().name != topic.name)
    response.topics.emplace_back().name = topic.name;
  auto& ongoing = response.topics.back().partitions.emplace_back();
  ongoing.partition_index = index;
  ongoing.replicas = partition.replicas;
  ongoing.adding_replicas = partition.adding_replicas;
  ongoing.removing_replicas = partition.removing_replicas;
}

// What was asked for comes back, without replicas.
ListPartitionReassignmentsHandler::Response ListPartitionReassignmentsHandler::failed(const RequestContext&,
                                                                                      const Request& request,
                                                                                      const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  response.error_message = own_message(error);
  if (!request.topics) return response;
  for (const auto& asked : *request.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    for (const std::int32_t index : asked.partition_indexes) topic.partitions.emplace_back().partition_index = index;
  }
  return response;
}

}  // namespace klamm::server
