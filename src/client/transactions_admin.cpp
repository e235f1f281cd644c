#include "client/transactions_admin.h"

#include <algorithm>
#include <utility>

#include "client/admin.h"
#include "client/admin_call.h"
#include "client/core.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_transactions.h"
#include "protocol/messages/write_txn_markers.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr std::int8_t transaction_key = 1;

bool of_the_moment(ErrorCode code) {
  return code == ErrorCode::coordinator_load_in_progress || code == ErrorCode::coordinator_not_available ||
         code == ErrorCode::not_coordinator || code == ErrorCode::concurrent_transactions;
}

std::string text_of(const AbortedTransaction& transaction) {
  return fmt::format("AbortTransactionSpec(topicPartition={}-{}, producerId={}, producerEpoch={}, coordinatorEpoch={})",
                     transaction.partition.topic, transaction.partition.partition, transaction.producer_id,
                     transaction.producer_epoch, transaction.coordinator_epoch);
}

Error error_of_abort(ErrorCode code, const AbortedTransaction& transaction) {
  const std::string begin = fmt::format("WriteTxnMarkers request with {} failed", text_of(transaction));
  switch (code) {
    case ErrorCode::cluster_authorization_failed:
      return Error(code, begin + " due to cluster authorization error");
    case ErrorCode::invalid_producer_epoch:
      return Error(code, begin + " due an invalid producer epoch");
    case ErrorCode::transaction_coordinator_fenced:
      return Error(code, fmt::format("{} since the provided coordinator epoch {} has been fenced by the active "
                                     "coordinator",
                                     begin, transaction.coordinator_epoch));
    default:
      return Error(code, fmt::format("{} due to unexpected error: {}", begin, error_message(code)));
  }
}

bool leads_elsewhere(ErrorCode code) {
  return code == ErrorCode::not_leader_or_follower || code == ErrorCode::replica_not_available ||
         code == ErrorCode::broker_not_available || code == ErrorCode::unknown_topic_or_partition;
}

ProducerDescription described(const protocol::DescribeProducersResponse::ProducerState& state) {
  ProducerDescription producer{
      state.producer_id, state.producer_epoch, state.last_sequence, state.last_timestamp, {}, {}};
  if (state.coordinator_epoch >= 0) producer.coordinator_epoch = state.coordinator_epoch;
  if (state.current_txn_start_offset >= 0) producer.transaction_start = state.current_txn_start_offset;
  return producer;
}

}  // namespace

MonoTime TransactionsAdmin::deadline() const {
  return core_->now() + core_->settings().default_api_timeout;
}

Task<void> TransactionsAdmin::pause(MonoTime until) {
  const Result<void> fresh = co_await core_->wait_refresh(until);
  static_cast<void>(fresh);
  Backoff backoff = core_->backoff();
  co_await core_->links_changed().wait(std::min(until, core_->now() + backoff.next()));
}

Task<Result<std::int32_t>> TransactionsAdmin::find_coordinator(std::string id, std::string_view name, MonoTime until) {
  protocol::FindCoordinatorRequest request;
  request.key_type = transaction_key;
  request.coordinator_keys = {id};
  for (int attempt = 1;; ++attempt) {
    const auto reply = co_await admin_call<protocol::FindCoordinatorResponse>(
        *core_, Target::any(), request, std::string(name), until, &never<protocol::FindCoordinatorResponse>);
    if (!reply) co_return reply.error();
    const auto& answer = reply->body;
    const bool many = !answer.coordinators.empty();
    const ErrorCode code = error_code_of(many ? answer.coordinators.front().error_code : answer.error_code);
    if (code == ErrorCode::none) co_return many ? answer.coordinators.front().node_id : answer.node_id;
    if (!of_the_moment(code)) co_return Error(code);
    if (core_->now() >= until) co_return timed_out(*core_, fmt::format("{}(api=FIND_COORDINATOR)", name), attempt);
    co_await pause(until);
  }
}

Task<Result<std::int32_t>> TransactionsAdmin::find_leader(PartitionName partition, std::string_view name,
                                                          MonoTime until) {
  core_->watch_topic(partition.topic, false);
  for (int attempt = 1;; ++attempt) {
    const PartitionInfo* info = core_->cluster().partition(partition.topic, partition.partition);
    if (info != nullptr && info->leader >= 0) co_return info->leader;
    if (core_->now() >= until) co_return timed_out(*core_, fmt::format("{}(api=METADATA)", name), attempt);
    co_await pause(until);
  }
}

Task<Result<std::vector<TransactionListing>>> TransactionsAdmin::list(TransactionFilter filter) {
  using protocol::ListTransactionsResponse;
  protocol::ListTransactionsRequest request;
  request.producer_id_filters = std::move(filter.producer_ids);
  request.duration_filter = filter.longer_than_ms;
  if (!filter.pattern.value_or("").empty()) request.transactional_id_pattern = filter.pattern;
  const MonoTime until = deadline();
  std::vector<std::int32_t> brokers;
  while (brokers.empty()) {
    for (const auto& [id, broker] : core_->cluster().brokers()) brokers.push_back(id);
    if (!brokers.empty()) break;
    if (core_->now() >= until) co_return timed_out(*core_, "listTransactions(api=METADATA)", 1);
    co_await pause(until);
  }
  constexpr auto again = +[](const ListTransactionsResponse& response) {
    return error_code_of(response.error_code) == ErrorCode::coordinator_load_in_progress;
  };
  std::vector<TransactionListing> listings;
  for (const std::int32_t broker : brokers) {
    const auto reply = co_await admin_call<ListTransactionsResponse>(*core_, Target::node(broker), request,
                                                                     "listTransactions", until, again);
    if (!reply) co_return reply.error();
    const ErrorCode code = error_code_of(reply->body.error_code);
    if (code != ErrorCode::none) {
      handler_log(*core_, "ListTransactionsHandler")
          .error("The `ListTransactions` request sent to broker {} failed because of an unexpected error {}", broker,
                 error_name(code));
      co_return Error(
          code, fmt::format("ListTransactions request sent to broker {} failed with an unexpected exception", broker));
    }
    for (const auto& state : reply->body.transaction_states) {
      listings.push_back({state.transactional_id, broker, state.producer_id, state.transaction_state});
    }
  }
  co_return std::move(listings);
}

Task<Result<TransactionDescription>> TransactionsAdmin::describe(std::string id) {
  protocol::DescribeTransactionsRequest request;
  request.transactional_ids = {id};
  const MonoTime until = deadline();
  for (int attempt = 1;; ++attempt) {
    const Result<std::int32_t> coordinator = co_await find_coordinator(id, "describeTransactions", until);
    if (!coordinator) co_return coordinator.error();
    const auto reply = co_await admin_call<protocol::DescribeTransactionsResponse>(
        *core_, Target::node(*coordinator), request, "describeTransactions", until,
        &never<protocol::DescribeTransactionsResponse>);
    if (!reply) co_return reply.error();
    const auto& state = reply->body.transaction_states.at(0);
    const ErrorCode code = error_code_of(state.error_code);
    if (code == ErrorCode::none) {
      TransactionDescription description{*coordinator,
                                         state.transaction_state,
                                         state.producer_id,
                                         state.producer_epoch,
                                         state.transaction_timeout_ms,
                                         {},
                                         {}};
      if (state.transaction_start_time_ms >= 0) description.started_at_ms = state.transaction_start_time_ms;
      for (const auto& topic : state.topics) {
        for (const std::int32_t partition : topic.partitions)
          description.partitions.push_back({topic.topic, partition});
      }
      co_return std::move(description);
    }
    if (!of_the_moment(code)) {
      const std::string begin = fmt::format("DescribeTransactions request for transactionalId `{}` failed ", id);
      if (code == ErrorCode::transactional_id_not_found)
        co_return Error(code, begin + "because the ID could not be found");
      if (code == ErrorCode::transactional_id_authorization_failed) {
        co_return Error(code, begin + "due to authorization failure");
      }
      co_return Error(code, begin + "due to unexpected error");
    }
    if (core_->now() >= until) co_return timed_out(*core_, "describeTransactions(api=DESCRIBE_TRANSACTIONS)", attempt);
    co_await pause(until);
  }
}

Task<Result<std::vector<ProducerDescription>>> TransactionsAdmin::describe_producers(
    PartitionName partition, std::optional<std::int32_t> broker) {
  protocol::DescribeProducersRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  topic.partition_indexes = {partition.partition};
  const MonoTime until = deadline();
  const std::string name = fmt::format("{}-{}", partition.topic, partition.partition);
  for (int attempt = 1;; ++attempt) {
    Result<std::int32_t> node = broker.value_or(-1);
    if (!broker) node = co_await find_leader(partition, "describeProducers", until);
    if (!node) co_return node.error();
    const auto reply = co_await admin_call<protocol::DescribeProducersResponse>(
        *core_, Target::node(*node), request, "describeProducers(api=DESCRIBE_PRODUCERS)", until,
        &never<protocol::DescribeProducersResponse>);
    if (!reply) co_return reply.error();
    const auto& answer = reply->body.topics.at(0).partitions.at(0);
    const ErrorCode code = error_code_of(answer.error_code);
    if (code == ErrorCode::none) {
      std::vector<ProducerDescription> producers;
      for (const auto& state : answer.active_producers) producers.push_back(described(state));
      co_return std::move(producers);
    }
    if (code == ErrorCode::not_leader_or_follower && broker) {
      co_return Error(
          code, fmt::format("Failed to describe active producers for partition {} on brokerId {}", name, *broker));
    }
    if (code == ErrorCode::invalid_topic_exception) {
      co_return Error(code, fmt::format("Failed to fetch metadata for partition {} due to invalid topic error: {}",
                                        name, answer.error_message.value_or(std::string(error_message(code)))));
    }
    if (code == ErrorCode::topic_authorization_failed) {
      co_return Error(code, fmt::format("Failed to describe active producers for partition {} due to authorization "
                                        "failure on topic `{}`",
                                        name, partition.topic));
    }
    if (!leads_elsewhere(code)) {
      co_return Error(
          code, fmt::format("Failed to describe active producers for partition {} due to unexpected error", name));
    }
    if (core_->now() >= until) co_return timed_out(*core_, "describeProducers(api=DESCRIBE_PRODUCERS)", attempt);
    co_await pause(until);
  }
}

Task<Result<void>> TransactionsAdmin::abort(AbortedTransaction transaction) {
  protocol::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = transaction.producer_id;
  marker.producer_epoch = transaction.producer_epoch;
  marker.coordinator_epoch = transaction.coordinator_epoch;
  auto& topic = marker.topics.emplace_back();
  topic.name = transaction.partition.topic;
  topic.partition_indexes = {transaction.partition.partition};
  const MonoTime until = deadline();
  for (int attempt = 1;; ++attempt) {
    const Result<std::int32_t> leader = co_await find_leader(transaction.partition, "abortTransaction", until);
    if (!leader) co_return leader.error();
    const auto reply = co_await admin_call<protocol::WriteTxnMarkersResponse>(
        *core_, Target::node(*leader), request, "abortTransaction", until, &never<protocol::WriteTxnMarkersResponse>);
    if (!reply) co_return reply.error();
    const ErrorCode code = error_code_of(reply->body.markers.at(0).topics.at(0).partitions.at(0).error_code);
    if (code == ErrorCode::none) co_return Result<void>();
    if (!leads_elsewhere(code)) {
      const Error error = error_of_abort(code, transaction);
      co_return error;
    }
    if (core_->now() >= until) co_return timed_out(*core_, "abortTransaction(api=WRITE_TXN_MARKERS)", attempt);
    co_await pause(until);
  }
}

Task<Result<void>> TransactionsAdmin::force_terminate(std::string id) {
  protocol::InitProducerIdRequest request;
  request.transactional_id = id;
  request.producer_id = -1;
  request.producer_epoch = -1;
  request.transaction_timeout_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(core_->settings().request_timeout).count());
  const MonoTime until = deadline();
  for (int attempt = 1;; ++attempt) {
    const Result<std::int32_t> coordinator = co_await find_coordinator(id, "fenceProducer", until);
    if (!coordinator) co_return coordinator.error();
    const auto reply = co_await admin_call<protocol::InitProducerIdResponse>(
        *core_, Target::node(*coordinator), request, "fenceProducer", until, &never<protocol::InitProducerIdResponse>);
    if (!reply) co_return reply.error();
    const ErrorCode code = error_code_of(reply->body.error_code);
    if (code == ErrorCode::none) co_return Result<void>();
    if (!of_the_moment(code)) {
      const std::string begin = fmt::format("InitProducerId request for transactionalId `{}` failed due to ", id);
      if (code == ErrorCode::cluster_authorization_failed)
        co_return Error(code, begin + "cluster authorization failure");
      if (code == ErrorCode::transactional_id_authorization_failed) {
        co_return Error(code, begin + "transactional ID authorization failure");
      }
      co_return Error(code, begin + "unexpected error");
    }
    if (core_->now() >= until) co_return timed_out(*core_, "fenceProducer(api=INIT_PRODUCER_ID)", attempt);
    co_await pause(until);
  }
}

}  // namespace klamm::client
