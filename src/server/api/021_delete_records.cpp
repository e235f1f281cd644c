#include "server/api/021_delete_records.h"

#include "metadata/topic_name.h"
#include "server/metadata_view.h"

namespace klamm::server {

runtime::Task<DeleteRecordsHandler::Response> DeleteRecordsHandler::handle(const RequestContext& context,
                                                                           const Request& request) {
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    const bool allowed =
        authorizer_.allows(context.identity, security::Operation::remove, {security::ResourceType::topic, topic.name});
    for (const auto& partition : topic.partitions) {
      Response::DeleteRecordsPartitionResult answer;
      answer.partition_index = partition.partition_index;
      answer.low_watermark = -1;
      if (!allowed) {
        answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
      } else {
        auto removing =
            remove(context, topic.name, PartitionIndex(partition.partition_index), Offset(partition.offset));
        const auto removed = co_await std::move(removing);
        if (removed)
          answer.low_watermark = removed->value;
        else
          answer.error_code = wire_of(removed.error().code);
      }
      answered.partitions.push_back(std::move(answer));
    }
  }
  co_return response;
}

runtime::Task<Result<Offset>> DeleteRecordsHandler::remove(const RequestContext& context, std::string_view topic,
                                                           PartitionIndex index, Offset before) {
  const auto partition = find_partition(*metadata_.image(context.reactor), partitions_, topic, index);
  if (!partition && partition.error().code == ErrorCode::unknown_topic_or_partition)
    co_return std::unexpected(partition.error());
  if (metadata::is_internal_topic(topic)) co_return fail(ErrorCode::invalid_topic_exception);
  if (!partition) co_return std::unexpected(partition.error());
  auto removing = (*partition)->delete_records_before(context.reactor, before);
  co_return co_await std::move(removing);
}

DeleteRecordsHandler::Response DeleteRecordsHandler::failed(const RequestContext&, const Request& request,
                                                            const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      answer.low_watermark = -1;
      answer.error_code = wire_of(error.code);
    }
  }
  return response;
}

}  // namespace klamm::server
