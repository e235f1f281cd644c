#include "transactions/add_partitions.h"

#include <set>
#include <string_view>
#include <utility>

namespace klamm::transactions {
namespace {

using RequestTopics = std::vector<protocol::AddPartitionsToTxnRequest::AddPartitionsToTxnTopic>;

constexpr std::string_view offsets_topic = "__consumer_offsets";
constexpr std::size_t topic_bytes_max = 249;
// What later states of a transaction take more in the log than it does while it is ongoing.
constexpr std::size_t later_bytes_max = 64;

Partitions partitions_of(const RequestTopics& topics) {
  Partitions out;
  for (const auto& topic : topics) {
    if (!topic.partitions.empty()) out[topic.name].insert(topic.partitions.begin(), topic.partitions.end());
  }
  return out;
}

struct Producer {
  ProducerId id;
  ProducerEpoch epoch;
};

struct Addition {
  const std::string& transactional_id;
  Producer producer;
  const Partitions& partitions;
  TransactionVersion client_version;
};

bool is_too_large(const State& state, const std::string& id, const Transaction& next) {
  if (count(next.partitions) > state.settings.partitions_max) return true;
  const std::size_t bytes = encoded_bytes({id, next, value_version(state.version)});
  return bytes + later_bytes_max > state.settings.record_bytes_max;
}

// `none` as well when there was nothing to do.
ErrorCode add(Turn& turn, const Addition& addition) {
  if (addition.transactional_id.empty()) return ErrorCode::invalid_request;
  const Transaction* known = turn.state.find(addition.transactional_id);
  if (known == nullptr) return ErrorCode::invalid_producer_id_mapping;
  // Before anything else: the producer may go on with an id that the transaction only gets when it is complete.
  if (is_prepared(known->state)) return ErrorCode::concurrent_transactions;
  if (known->producer_id != addition.producer.id) return ErrorCode::invalid_producer_id_mapping;
  if (known->producer_epoch != addition.producer.epoch || addition.producer.epoch.value == epoch_max) {
    return ErrorCode::producer_fenced;
  }
  if (known->state == TransactionState::ongoing && contains_all(known->partitions, addition.partitions)) {
    return ErrorCode::none;
  }
  // The log of transaction.version 0 cannot say that a client is of a later one.
  if (addition.client_version > 0 && turn.state.version == 0) return ErrorCode::unsupported_version;
  // As if the log had found the record too large; before it is copied together.
  if (count(known->partitions) + count(addition.partitions) > 2 * turn.state.settings.partitions_max) {
    return ErrorCode::unknown_server_error;
  }
  if (!turn.has_room(bytes_of(addition.partitions))) return ErrorCode::coordinator_not_available;
  Transaction next = with_partitions(*known, addition.partitions, addition.client_version, turn.moment.wall);
  if (is_too_large(turn.state, addition.transactional_id, next)) return ErrorCode::unknown_server_error;
  turn.append(addition.transactional_id, std::move(next));
  return ErrorCode::none;
}

// Whether the producer may write: the error of the whole, or the transaction.
Result<const Transaction*> verified(const State& state, const AddPartitions& call) {
  const auto& asked = call.transaction;
  if (asked.transactional_id.empty()) return fail(ErrorCode::invalid_request);
  const Transaction* known = state.find(asked.transactional_id);
  if (known == nullptr || known->producer_id.value != asked.producer_id) {
    return fail(ErrorCode::invalid_producer_id_mapping);
  }
  if (known->producer_epoch.value != asked.producer_epoch) return fail(ErrorCode::producer_fenced);
  if (is_prepared(known->state)) return fail(ErrorCode::concurrent_transactions);
  return known;
}

AddedPartitions verify(const State& state, const AddPartitions& call) {
  const auto known = verified(state, call);
  if (!known) return failed(call, known.error());
  AddedPartitions answer = failed(call, Error{ErrorCode::none});
  for (auto& topic : answer.topic_results) {
    for (auto& partition : topic.results_by_partition) {
      if (contains((*known)->partitions, topic.name, partition.partition_index)) continue;
      partition.partition_error_code = wire_of(ErrorCode::transaction_abortable);
    }
  }
  return answer;
}

}  // namespace

void add_partitions(Turn& turn, coordination::Ticket ticket, const AddPartitions& call) {
  const auto& asked = call.transaction;
  if (asked.verify_only) return turn.reply(ticket, verify(turn.state, call));
  for (const auto& topic : asked.topics) {
    if (topic.name.size() > topic_bytes_max) {
      return turn.reply(ticket, failed(call, Error{ErrorCode::unknown_topic_or_partition}));
    }
  }
  const ErrorCode code = add(turn, {.transactional_id = asked.transactional_id,
                                    .producer = {ProducerId(asked.producer_id), ProducerEpoch(asked.producer_epoch)},
                                    .partitions = partitions_of(asked.topics),
                                    .client_version = static_cast<TransactionVersion>(call.api_version > 3 ? 2 : 0)});
  turn.reply(ticket, failed(call, Error{code}));
}

void add_offsets(Turn& turn, coordination::Ticket ticket, const AddOffsets& call) {
  const Partitions partitions{{std::string(offsets_topic), {call.offsets_partition.value}}};
  // Clients of transaction.version 2 do not ask this.
  const ErrorCode code =
      add(turn, {.transactional_id = call.request.transactional_id,
                 .producer = {ProducerId(call.request.producer_id), ProducerEpoch(call.request.producer_epoch)},
                 .partitions = partitions,
                 .client_version = 0});
  turn.reply(ticket, failed(call, Error{code}));
}

std::vector<AddPartitions> split(const protocol::AddPartitionsToTxnRequest& request, std::int16_t api_version) {
  std::vector<AddPartitions> calls;
  if (api_version < 4) {
    auto& only = calls.emplace_back();
    only.api_version = api_version;
    only.transaction.transactional_id = request.v3_and_below_transactional_id;
    only.transaction.producer_id = request.v3_and_below_producer_id;
    only.transaction.producer_epoch = request.v3_and_below_producer_epoch;
    only.transaction.topics = request.v3_and_below_topics;
    return calls;
  }
  std::set<std::string_view> seen;
  for (const auto& transaction : request.transactions) {
    if (seen.insert(transaction.transactional_id).second) calls.push_back({transaction, api_version});
  }
  return calls;
}

protocol::AddPartitionsToTxnResponse merge(std::vector<AddedPartitions> answers, std::int16_t api_version) {
  protocol::AddPartitionsToTxnResponse response;
  if (api_version >= 4) {
    response.results_by_transaction = std::move(answers);
  } else if (!answers.empty()) {
    response.results_by_topic_v3_and_below = std::move(answers.front().topic_results);
  }
  return response;
}

}  // namespace klamm::transactions
