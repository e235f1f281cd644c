#include "server/api/024_add_partitions_to_txn.h"

#include "metadata/topic_name.h"
#include "transactions/add_partitions.h"

namespace klamm::server {

using security::Operation;
using security::ResourceType;
using transactions::AddedPartitions;
using transactions::AddPartitions;

namespace {
constexpr std::int16_t brokers_from = 4;
}  // namespace

runtime::Task<AddPartitionsToTxnHandler::Response> AddPartitionsToTxnHandler::handle(const RequestContext& context,
                                                                                     const Request& request) {
  if (context.version >= brokers_from && !authorizer_.allows(context.identity, Operation::cluster_action,
                                                             {ResourceType::cluster, security::cluster_resource})) {
    throw RequestFailed(ErrorCode::cluster_authorization_failed);
  }
  std::vector<AddedPartitions> answers;
  for (AddPartitions& call : transactions::split(request, context.version)) {
    if (auto answer = refused(context, call)) {
      answers.push_back(std::move(*answer));
      continue;
    }
    const PartitionIndex shard = transactions_.partition_of(call.transaction.transactional_id);
    auto asking = transactions_.ask(context.reactor, shard, transactions::Call(std::move(call)));
    transactions::Answer answer = co_await std::move(asking);
    answers.push_back(std::get<AddedPartitions>(std::move(answer)));
  }
  co_return transactions::merge(std::move(answers), context.version);
}

// One partition that cannot be added, and none is.
std::optional<AddedPartitions> AddPartitionsToTxnHandler::refused(const RequestContext& context,
                                                                  const AddPartitions& call) const {
  const auto& asked = call.transaction;
  if (context.version < brokers_from && !authorizer_.allows(context.identity, Operation::write,
                                                            {ResourceType::transactional_id, asked.transactional_id})) {
    return transactions::failed(call, Error{ErrorCode::transactional_id_authorization_failed});
  }
  AddedPartitions answer = transactions::failed(call, Error{ErrorCode::operation_not_attempted});
  bool any = false;
  for (auto& topic : answer.topic_results) {
    for (auto& partition : topic.results_by_partition) {
      const ErrorCode code = check(context, topic.name, partition.partition_index);
      if (code == ErrorCode::none) continue;
      any = true;
      partition.partition_error_code = wire_of(code);
    }
  }
  if (!any) return std::nullopt;
  return answer;
}

ErrorCode AddPartitionsToTxnHandler::check(const RequestContext& context, const std::string& topic,
                                           std::int32_t partition) const {
  const bool allowed = context.version >= brokers_from ||
                       (!metadata::is_internal_topic(topic) &&
                        authorizer_.allows(context.identity, Operation::write, {ResourceType::topic, topic}));
  if (!allowed) return ErrorCode::topic_authorization_failed;
  const bool known = metadata_.image(context.reactor)->partition(topic, partition) != nullptr;
  return known ? ErrorCode::none : ErrorCode::unknown_topic_or_partition;
}

AddPartitionsToTxnHandler::Response AddPartitionsToTxnHandler::failed(const RequestContext& context,
                                                                      const Request& request,
                                                                      const Error& error) const {
  if (context.version >= brokers_from) {
    Response response;
    response.error_code = wire_of(error.code);
    return response;
  }
  std::vector<AddedPartitions> answers;
  for (const AddPartitions& call : transactions::split(request, context.version)) {
    answers.push_back(transactions::failed(call, error));
  }
  return transactions::merge(std::move(answers), context.version);
}

}  // namespace klamm::server
