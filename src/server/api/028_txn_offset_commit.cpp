#include "server/api/028_txn_offset_commit.h"

#include "server/group_calls.h"
#include "server/metadata_view.h"
#include "server/offset_topics.h"

namespace klamm::server {

using Topics = OffsetTopics<protocol::TxnOffsetCommitRequest, protocol::TxnOffsetCommitResponse>;
using security::Operation;
using security::ResourceType;

namespace {

constexpr std::int16_t loading_from = 2;
constexpr std::int16_t topic_ids_from = 6;

// Older producers break when they are told that a coordinator loads (KAFKA-7296).
void tell_old(std::int16_t version, protocol::TxnOffsetCommitResponse& response) {
  if (version >= loading_from) return;
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) {
      if (error_code_of(partition.error_code) != ErrorCode::coordinator_load_in_progress) continue;
      partition.error_code = wire_of(ErrorCode::coordinator_not_available);
    }
  }
}

}  // namespace

runtime::Task<TxnOffsetCommitHandler::Response> TxnOffsetCommitHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  if (!authorizer_.allows(context.identity, Operation::write,
                          {ResourceType::transactional_id, request.transactional_id})) {
    throw RequestFailed(ErrorCode::transactional_id_authorization_failed);
  }
  if (!authorizer_.allows(context.identity, Operation::read, {ResourceType::group, request.group_id})) {
    throw RequestFailed(ErrorCode::group_authorization_failed);
  }
  Request accepted = request;
  accepted.topics.clear();
  Topics topics;
  for (const auto& topic : request.topics) {
    topics.sort(context, *metadata_.image(context.reactor), authorizer_, context.version >= topic_ids_from, topic,
                accepted);
  }
  if (accepted.topics.empty()) co_return topics.take();
  auto committing = commit(context, std::move(accepted));
  Response committed = co_await std::move(committing);
  tell_old(context.version, committed);
  co_return topics.with(std::move(committed));
}

runtime::Task<TxnOffsetCommitHandler::Response> TxnOffsetCommitHandler::commit(const RequestContext& context,
                                                                               Request accepted) {
  if (accepted.group_id.empty()) co_return Topics::all(accepted, ErrorCode::invalid_group_id);
  const PartitionIndex shard = groups_.partition_of(accepted.group_id);
  auto verifying = verify(context, accepted, shard);
  const auto verified = co_await std::move(verifying);
  if (!verified) {
    const ErrorCode code = verified.error().code;
    co_return Topics::all(accepted, code == ErrorCode::network_exception ? ErrorCode::coordinator_load_in_progress
                                                                         : groups::coordinator_error(code));
  }
  groups::Asked<Request> call{std::move(accepted), context.version, group_caller(context), *verified};
  auto asking = groups_.ask(context.reactor, shard, groups::Call(std::move(call)));
  groups::Answer answer = co_await std::move(asking);
  co_return std::get<Response>(std::move(answer));
}

runtime::Task<Result<std::optional<std::uint32_t>>> TxnOffsetCommitHandler::verify(const RequestContext& context,
                                                                                   const Request& request,
                                                                                   PartitionIndex shard) {
  using Seen = std::optional<std::uint32_t>;
  const TransactionSupport support = offset_commit_support(context.version);
  if (verification_.is_off(support)) co_return Seen();
  const auto partition =
      find_partition(*metadata_.image(context.reactor), partitions_, std::string(offsets_topic), shard);
  if (!partition) co_return std::unexpected(partition.error());
  const auto log = (*partition)->log_for(no_leader_epoch);
  if (!log) co_return std::unexpected(log.error());
  const TransactionClaim claim{request.transactional_id, ProducerId(request.producer_id),
                               ProducerEpoch(request.producer_epoch), support};
  const storage::ProducerStanding standing = (*log)->standing_of(claim.producer_id);
  if (claim.producer_epoch < standing.epoch) co_return fail(ErrorCode::invalid_producer_epoch);
  // Where every transaction has an epoch of its own, a late commit of an earlier one is refused for that.
  const Seen seen = support == TransactionSupport::adds ? Seen() : Seen(standing.ends);
  if (standing.in_transaction && standing.epoch == claim.producer_epoch) co_return seen;
  std::vector<TopicPartition> names{{std::string(offsets_topic), shard}};
  auto asking = verification_.ask(context.reactor, claim, std::move(names));
  const std::vector<ErrorCode> codes = co_await std::move(asking);
  if (codes.front() != ErrorCode::none) co_return fail(codes.front());
  co_return seen;
}

TxnOffsetCommitHandler::Response TxnOffsetCommitHandler::failed(const RequestContext& context, const Request& request,
                                                                const Error& error) const {
  Response response = Topics::all(request, error.code);
  tell_old(context.version, response);
  return response;
}

}  // namespace klamm::server
