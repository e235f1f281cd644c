// The requests of a producer with a transactional id: which goes next, and what the answers mean.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "client/transaction_machine.h"

namespace klamm::client {

using runtime::MonoTime;

namespace {

// The transaction before is still ending: that is over soon, and the first record waits for it.
constexpr runtime::Duration pause_at_beginning = std::chrono::milliseconds(20);
constexpr std::int16_t last_add_partitions_of_clients = 3;
constexpr std::int16_t last_end_with_same_epoch = 4;
constexpr std::int16_t last_offsets_to_be_added = 4;  // of TxnOffsetCommit: what is added by AddOffsetsToTxn before
constexpr std::int16_t last_offsets_with_names = 5;   // later versions name topics by id
constexpr const char* commit_failed = "org.apache.kafka.clients.consumer.CommitFailedException";

bool is_elsewhere(ErrorCode code) {
  return code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
}
bool is_fenced(ErrorCode code) {
  return code == ErrorCode::invalid_producer_epoch || code == ErrorCode::producer_fenced;
}
Error group_not_authorized(const std::string& group) {
  return Error(ErrorCode::group_authorization_failed, "Not authorized to access group: " + group);
}
Error kafka(std::string text) {
  return Error::of_kind(kinds::kafka, std::move(text));
}

template <typename Topics>
auto& topic_of(Topics& topics, const std::string& name) {
  if (topics.empty() || topics.back().name != name) topics.emplace_back().name = name;
  return topics.back();
}

}  // namespace

// --- which goes next -------------------------------------------------------------------------------------------------

TransactionMachine::Pending* TransactionMachine::head() {
  const auto first = std::ranges::min_element(pending_, {}, &Pending::kind);
  return first == pending_.end() ? nullptr : &*first;
}

void TransactionMachine::enqueue_find(CoordinatorOf of) {
  const auto asked = [&](const Pending& pending) {
    return pending.kind == Kind::find_coordinator && pending.find.of == of;
  };
  if (std::ranges::any_of(pending_, asked)) return;
  Pending find{.kind = Kind::find_coordinator};
  find.find = {of, of == CoordinatorOf::group ? group_ : settings_.id};
  enqueue(std::move(find));
}

std::optional<TransactionMachine::Request> TransactionMachine::next(MonoTime now, bool incomplete) {
  if (under_way_) return std::nullopt;
  if (!new_partitions_.empty()) {
    pending_partitions_.merge(new_partitions_);
    new_partitions_.clear();
    if (std::ranges::find(pending_, Kind::add_partitions, &Pending::kind) == pending_.end()) {
      enqueue({.kind = Kind::add_partitions});
    }
  }
  while (Pending* first = head()) {
    if (first->kind == Kind::end && incomplete) return std::nullopt;
    const bool dropped =
        state_ == State::fatal_error || (state_ == State::abortable_error && first->kind != Kind::find_coordinator);
    if (!dropped && first->not_before > now) return std::nullopt;
    Pending pending = std::move(*first);
    pending_.remove_if([&](const Pending& each) { return &each == first; });
    if (dropped) {
      finish(pending, last_error_);
    } else if (pending.kind == Kind::end && !started_) {
      finish(pending);  // no coordinator knows of the transaction
      end_transaction();
    } else if (pending.kind == Kind::find_coordinator) {
      under_way_ = std::move(pending);
      return Request{under_way_->find, under_way_->find.of, -1, 0};
    } else {
      const CoordinatorOf of =
          pending.kind == Kind::commit_offsets ? CoordinatorOf::group : CoordinatorOf::transactions;
      if (of == CoordinatorOf::group && group_ != pending.offsets.group_id) {
        group_ = pending.offsets.group_id;
        group_coordinator_.reset();
      }
      if (!(of == CoordinatorOf::group ? group_coordinator_ : coordinator_)) {
        enqueue(std::move(pending));
        enqueue_find(of);
        continue;
      }
      under_way_ = std::move(pending);
      return request_of(*under_way_);
    }
  }
  return std::nullopt;
}

MonoTime TransactionMachine::look_again(MonoTime now) const {
  const auto first = std::ranges::min_element(pending_, {}, &Pending::kind);
  return under_way_ || first == pending_.end() || first->not_before <= now ? runtime::never : first->not_before;
}

TransactionMachine::Request TransactionMachine::request_of(const Pending& pending) {
  const ProducerIdentity& producer = sequences_.producer();
  Request made{.node = coordinator_.value_or(-1)};
  switch (pending.kind) {
    case Kind::init:
    case Kind::bump: {
      protocol::InitProducerIdRequest request;
      request.transactional_id = settings_.id;
      request.transaction_timeout_ms = static_cast<std::int32_t>(settings_.timeout.count());
      if (pending.kind == Kind::bump) {
        request.producer_id = producer.id;
        request.producer_epoch = producer.epoch;
      }
      made.version_max = protocol::InitProducerIdRequest::max_version;
      made.body = std::move(request);
      break;
    }
    case Kind::add_partitions: {
      protocol::AddPartitionsToTxnRequest request;
      request.v3_and_below_transactional_id = settings_.id;
      request.v3_and_below_producer_id = producer.id;
      request.v3_and_below_producer_epoch = producer.epoch;
      for (const TopicPartition& each : pending_partitions_) {
        topic_of(request.v3_and_below_topics, each.topic).partitions.push_back(each.partition.value);
      }
      made.version_max = last_add_partitions_of_clients;
      made.body = std::move(request);
      break;
    }
    case Kind::add_offsets: {
      protocol::AddOffsetsToTxnRequest request;
      request.transactional_id = settings_.id;
      request.producer_id = producer.id;
      request.producer_epoch = producer.epoch;
      request.group_id = pending.offsets.group_id;
      made.version_max = protocol::AddOffsetsToTxnRequest::max_version;
      made.body = std::move(request);
      break;
    }
    case Kind::commit_offsets: {
      protocol::TxnOffsetCommitRequest request;
      request.transactional_id = settings_.id;
      request.group_id = pending.offsets.group_id;
      request.producer_id = producer.id;
      request.producer_epoch = producer.epoch;
      request.generation_id_or_member_epoch = pending.offsets.as.generation;
      request.member_id = pending.offsets.as.member_id;
      request.group_instance_id = pending.offsets.as.instance_id;
      for (const auto& [partition, position] : pending.offsets.offsets) {
        auto& each = topic_of(request.topics, partition.topic).partitions.emplace_back();
        each.partition_index = partition.partition.value;
        each.committed_offset = position.offset;
        each.committed_leader_epoch = position.leader_epoch;
        each.committed_metadata = position.metadata;
      }
      made.of = CoordinatorOf::group;
      made.node = group_coordinator_.value_or(-1);
      made.version_max = second_version_ ? last_offsets_with_names : last_offsets_to_be_added;
      made.body = std::move(request);
      break;
    }
    case Kind::end: {
      protocol::EndTxnRequest request;
      request.transactional_id = settings_.id;
      request.producer_id = producer.id;
      request.producer_epoch = producer.epoch;
      request.committed = pending.commit;
      made.version_max = pending.second_version ? protocol::EndTxnRequest::max_version : last_end_with_same_epoch;
      made.body = std::move(request);
      break;
    }
    case Kind::find_coordinator:
      break;
  }
  return made;
}

// --- what an answer means --------------------------------------------------------------------------------------------

TransactionMachine::Pending TransactionMachine::take_answered() {
  ENSURE(under_way_);
  Pending pending = *std::move(under_way_);
  under_way_.reset();
  return pending;
}

void TransactionMachine::again(Pending pending, MonoTime now, std::optional<runtime::Duration> pause) {
  pending.not_before = now + std::min(retry_backoff_, pause.value_or(retry_backoff_));
  enqueue(std::move(pending));
}

void TransactionMachine::again_elsewhere(Pending pending, CoordinatorOf of, MonoTime now) {
  (of == CoordinatorOf::group ? group_coordinator_ : coordinator_).reset();
  enqueue_find(of);
  again(std::move(pending), now);
}

void TransactionMachine::finish(const Pending& pending, std::optional<Error> error) {
  if (pending.outcome->done) return;
  pending.outcome->done = true;
  pending.outcome->error = std::move(error);
}

void TransactionMachine::fatal_error(const Pending& pending, const Error& error) {
  finish(pending, error);
  to_fatal(error);
}

void TransactionMachine::abortable_error(const Pending& pending, const Error& error) {
  finish(pending, error);
  to_abortable(error);
}

void TransactionMachine::abortable_error_if_possible(const Pending& pending, const Error& error) {
  if (!outlives_errors()) return fatal_error(pending, error);
  if (bump_from_here()) bump_wanted_ = true;
  abortable_error(pending, error);
}

void TransactionMachine::failed(const Error& error, MonoTime now) {
  Pending pending = take_answered();
  if (error.code() == ErrorCode::unsupported_version || !error.retriable()) return fatal_error(pending, error);
  if (pending.kind == Kind::find_coordinator) return again(std::move(pending), now);
  const bool of_group = pending.kind == Kind::commit_offsets;
  again_elsewhere(std::move(pending), of_group ? CoordinatorOf::group : CoordinatorOf::transactions, now);
}

void TransactionMachine::coordinator_answered(ErrorCode code, std::int32_t node, const std::string& message,
                                              MonoTime now) {
  Pending pending = take_answered();
  const bool of_group = pending.find.of == CoordinatorOf::group;
  if (code == ErrorCode::none) {
    (of_group ? group_coordinator_ : coordinator_) = node;
    return finish(pending);
  }
  if (is_retriable(code)) return again(std::move(pending), now);
  if (code == ErrorCode::transactional_id_authorization_failed) return fatal_error(pending, Error(code));
  if (code == ErrorCode::group_authorization_failed) {
    return abortable_error(pending, group_not_authorized(pending.find.key));
  }
  if (code == ErrorCode::transaction_abortable) return abortable_error(pending, Error(code));
  fatal_error(pending,
              kafka(fmt::format("Could not find a coordinator with type {} with key {} due to unexpected error: {}",
                                of_group ? "GROUP" : "TRANSACTION", pending.find.key,
                                message.empty() ? std::string(error_message(code)) : message)));
}

bool TransactionMachine::settled(Pending& pending, ErrorCode code, MonoTime now) {
  if (is_elsewhere(code)) {
    again_elsewhere(std::move(pending), CoordinatorOf::transactions, now);
  } else if (is_retriable(code)) {
    again(std::move(pending), now);
  } else if (is_fenced(code)) {
    // Old coordinators say INVALID_PRODUCER_EPOCH of a producer that somebody else has fenced.
    fatal_error(pending, Error(ErrorCode::producer_fenced));
  } else if (code == ErrorCode::transactional_id_authorization_failed || code == ErrorCode::invalid_txn_state ||
             code == ErrorCode::invalid_producer_id_mapping) {
    fatal_error(pending, Error(code));
  } else if (code == ErrorCode::unknown_producer_id) {
    abortable_error_if_possible(pending, Error(code));
  } else if (code == ErrorCode::transaction_abortable) {
    abortable_error(pending, Error(code));
  } else {
    return false;
  }
  return true;
}

void TransactionMachine::answered(const protocol::InitProducerIdResponse& response, MonoTime now) {
  Pending pending = take_answered();
  const ErrorCode code = error_code_of(response.error_code);
  if (code == ErrorCode::none) {
    sequences_.set_producer({response.producer_id, response.producer_epoch});
    if (pending.kind == Kind::bump) {
      sequences_.start_over();
    } else {
      take_features();
    }
    const Result<void> moved = move_to(State::ready);
    return finish(pending, moved ? std::nullopt : std::optional(moved.error()));
  }
  if (code == ErrorCode::transactional_id_authorization_failed || code == ErrorCode::cluster_authorization_failed) {
    finish(pending, Error(code));
    return authorization_failed(Error(code));
  }
  const bool common = is_retriable(code) || is_fenced(code) || code == ErrorCode::transaction_abortable;
  if (common && settled(pending, code, now)) return;
  fatal_error(pending, kafka(fmt::format("Unexpected error in InitProducerIdResponse; {}", error_message(code))));
}

void TransactionMachine::answered(const protocol::AddPartitionsToTxnResponse& response, MonoTime now) {
  Pending pending = take_answered();
  std::vector<TopicPartition> answered;
  std::string unauthorized;
  std::string errors;
  bool failed = false;
  for (const auto& topic : response.results_by_topic_v3_and_below) {
    for (const auto& each : topic.results_by_partition) {
      const TopicPartition partition{topic.name, PartitionIndex(each.partition_index)};
      const ErrorCode code = error_code_of(each.partition_error_code);
      answered.push_back(partition);
      errors += fmt::format("{}{}={}", errors.empty() ? "" : ", ", partition.to_string(), error_name(code));
      if (code == ErrorCode::none) continue;
      if (code == ErrorCode::concurrent_transactions) {
        const bool first = sequences_.in_transaction().empty();
        return again(std::move(pending), now, first ? std::optional(pause_at_beginning) : std::nullopt);
      }
      if (settled(pending, code, now)) return;
      failed = true;
      if (code == ErrorCode::topic_authorization_failed && unauthorized.find(topic.name) == std::string::npos) {
        unauthorized += (unauthorized.empty() ? "" : ", ") + topic.name;
      }
    }
  }
  // Whatever the result: batches of those that were added before may be sent again.
  for (const TopicPartition& partition : answered) pending_partitions_.erase(partition);
  if (!unauthorized.empty()) {
    return abortable_error(pending, Error(ErrorCode::topic_authorization_failed,
                                          fmt::format("Not authorized to access topics: [{}]", unauthorized)));
  }
  if (failed) {
    return abortable_error(pending,
                           kafka(fmt::format("Could not add partitions to transaction due to errors: {{{}}}", errors)));
  }
  for (const TopicPartition& partition : answered) sequences_.add_to_transaction(partition);
  started_ = true;
  finish(pending);
}

void TransactionMachine::answered(const protocol::AddOffsetsToTxnResponse& response, MonoTime now) {
  Pending pending = take_answered();
  const ErrorCode code = error_code_of(response.error_code);
  if (code == ErrorCode::none) {
    pending.kind = Kind::commit_offsets;  // with the same outcome
    pending.not_before = {};
    started_ = true;
    return enqueue(std::move(pending));
  }
  if (code == ErrorCode::group_authorization_failed) {
    return abortable_error(pending, group_not_authorized(pending.offsets.group_id));
  }
  if (settled(pending, code, now)) return;
  fatal_error(pending, kafka(fmt::format("Unexpected error in AddOffsetsToTxnResponse: {}", error_message(code))));
}

void TransactionMachine::answered(const protocol::TxnOffsetCommitResponse& response, MonoTime now) {
  Pending pending = take_answered();
  bool elsewhere = false;
  for (const auto& topic : response.topics) {
    for (const auto& each : topic.partitions) {
      const ErrorCode code = error_code_of(each.error_code);
      switch (code) {
        case ErrorCode::none:
          pending.offsets.offsets.erase({topic.name, PartitionIndex(each.partition_index)});
          continue;
        case ErrorCode::coordinator_not_available:
        case ErrorCode::not_coordinator:
        case ErrorCode::request_timed_out:
          elsewhere = true;
          continue;
        case ErrorCode::group_authorization_failed:
          return abortable_error(pending, group_not_authorized(pending.offsets.group_id));
        case ErrorCode::fenced_instance_id:
        case ErrorCode::transaction_abortable:
          return abortable_error(pending, Error(code));
        case ErrorCode::unknown_member_id:
        case ErrorCode::illegal_generation:
        case ErrorCode::group_id_not_found:
        case ErrorCode::stale_member_epoch:
          return abortable_error(
              pending,
              Error::of_kind(commit_failed, fmt::format("Transaction offset Commit failed due to consumer group "
                                                        "metadata mismatch: {}",
                                                        error_message(code))));
        case ErrorCode::invalid_producer_epoch:
        case ErrorCode::producer_fenced:
          return fatal_error(pending, Error(ErrorCode::producer_fenced));
        case ErrorCode::transactional_id_authorization_failed:
        case ErrorCode::unsupported_for_message_format:
          return fatal_error(pending, Error(code));
        default:
          if (is_retriable(code)) continue;
          return fatal_error(
              pending, kafka(fmt::format("Unexpected error in TxnOffsetCommitResponse: {}", error_message(code))));
      }
    }
  }
  if (pending.offsets.offsets.empty()) return finish(pending);
  if (elsewhere) return again_elsewhere(std::move(pending), CoordinatorOf::group, now);
  again(std::move(pending), now);
}

void TransactionMachine::answered(const protocol::EndTxnResponse& response, MonoTime now) {
  Pending pending = take_answered();
  const ErrorCode code = error_code_of(response.error_code);
  if (code == ErrorCode::none) {
    if (response.producer_id != -1) {
      sequences_.set_producer({response.producer_id, response.producer_epoch});
      sequences_.start_over();
    }
    end_transaction();
    return finish(pending);
  }
  // An abort that asks for an abort would go round in circles.
  if (code == ErrorCode::transaction_abortable && !pending.commit) {
    return fatal_error(pending, kafka("Failed to abort transaction").caused_by(Error(code)));
  }
  if (settled(pending, code, now)) return;
  fatal_error(pending, kafka(fmt::format("Unhandled error in EndTxnResponse: {}", error_message(code))));
}

}  // namespace klamm::client
