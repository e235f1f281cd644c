#include "server/api/061_describe_producers.h"

#include "metadata/topic_name.h"
#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<DescribeProducersHandler::Response> DescribeProducersHandler::handle(const RequestContext& context,
                                                                                   const Request& request) {
  Response response;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    const std::optional<Error> error = refused(context, topic.name);
    for (const std::int32_t index : topic.partition_indexes) {
      if (!error) {
        to.partitions.push_back(describe(context, topic.name, index));
        continue;
      }
      auto& partition = to.partitions.emplace_back();
      partition.partition_index = index;
      partition.error_code = wire_of(error->code);
      partition.error_message = message_of(*error);
    }
  }
  co_return response;
}

std::optional<Error> DescribeProducersHandler::refused(const RequestContext& context, const std::string& topic) const {
  if (const auto valid = metadata::check_topic_name(topic); !valid) return valid.error();
  if (!authorizer_.allows(context.identity, security::Operation::read, {security::ResourceType::topic, topic})) {
    return Error{ErrorCode::topic_authorization_failed};
  }
  if (!metadata_.image(context.reactor)->topic(topic)) return Error{ErrorCode::unknown_topic_or_partition};
  return std::nullopt;
}

DescribeProducersHandler::Response::PartitionResponse DescribeProducersHandler::describe(const RequestContext& context,
                                                                                         const std::string& topic,
                                                                                         std::int32_t index) const {
  Response::PartitionResponse response;
  response.partition_index = index;
  const auto partition = find_partition(*metadata_.image(context.reactor), partitions_, topic, PartitionIndex(index));
  const auto log = partition ? (*partition)->log_for(no_leader_epoch) : std::unexpected(partition.error());
  if (!log) {
    response.error_code = wire_of(log.error().code);
    return response;
  }
  for (const storage::ActiveProducer& each : (*log)->active_producers()) {
    auto& producer = response.active_producers.emplace_back();
    producer.producer_id = each.id.value;
    producer.producer_epoch = each.epoch.value;
    producer.last_sequence = each.last_sequence;
    producer.last_timestamp = each.last_timestamp.value;
    producer.coordinator_epoch = each.coordinator_epoch;
    producer.current_txn_start_offset = each.transaction_start.value;
  }
  return response;
}

DescribeProducersHandler::Response DescribeProducersHandler::failed(const RequestContext&, const Request& request,
                                                                    const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& partition = to.partitions.emplace_back();
      partition.partition_index = index;
      partition.error_code = wire_of(error.code);
    }
  }
  return response;
}

}  // namespace klamm::server
