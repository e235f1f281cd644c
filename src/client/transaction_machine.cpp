#include "client/transaction_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace klamm::client {

using runtime::MonoTime;

namespace {

constexpr const char* aborted = "org.apache.kafka.common.errors.TransactionAbortedException";
constexpr const char* authentication = "org.apache.kafka.common.errors.AuthenticationException";
constexpr std::string_view version_feature = "transaction.version";
constexpr std::int16_t first_that_bumps = 3;  // of InitProducerId: takes the epoch that is to be followed

std::string_view name_of(TransactionMachine::State state) {
  constexpr std::array<std::string_view, 8> names = {
      "UNINITIALIZED",          "INITIALIZING",         "READY",           "IN_TRANSACTION",
      "COMMITTING_TRANSACTION", "ABORTING_TRANSACTION", "ABORTABLE_ERROR", "FATAL_ERROR"};
  return names[static_cast<std::size_t>(state)];
}

bool leads_to(TransactionMachine::State from, TransactionMachine::State to) {
  using State = TransactionMachine::State;
  switch (to) {
    case State::uninitialized:
      return from == State::ready || from == State::abortable_error;
    case State::initializing:
      return from == State::uninitialized || from == State::committing || from == State::aborting;
    case State::ready:
      return from == State::initializing || from == State::committing || from == State::aborting;
    case State::in_transaction:
      return from == State::ready;
    case State::committing:
      return from == State::in_transaction;
    case State::aborting:
      return from == State::in_transaction || from == State::abortable_error;
    case State::abortable_error:
      return from == State::in_transaction || from == State::committing || from == State::abortable_error ||
             from == State::initializing;
    case State::fatal_error:
      return true;
  }
  return false;
}

Error illegal(std::string text) {
  return Error::of_kind(kinds::illegal_state, std::move(text));
}

}  // namespace

// --- the application -------------------------------------------------------------------------------------------------

Result<void> TransactionMachine::move_to(State target) {
  if (!leads_to(state_, target)) {
    return illegal(fmt::format("TransactionalId {}: Invalid transition attempted from state {} to state {}",
                               settings_.id, name_of(state_), name_of(target)));
  }
  state_ = target;
  last_error_.reset();
  return {};
}

std::optional<Error> TransactionMachine::failure() const {
  if (state_ != State::abortable_error && state_ != State::fatal_error) return std::nullopt;
  const ProducerIdentity& producer = sequences_.producer();
  const std::string who =
      fmt::format("Producer with transactionalId '{}' and ProducerIdAndEpoch(producerId={}, epoch={})", settings_.id,
                  producer.id, producer.epoch);
  if (last_error_->code() == ErrorCode::producer_fenced) {
    return Error(ErrorCode::producer_fenced,
                 who + " has been fenced by another producer with the same transactionalId");
  }
  if (last_error_->code() == ErrorCode::invalid_producer_epoch) {
    return Error(ErrorCode::invalid_producer_epoch, who + " attempted to produce with an old epoch");
  }
  return Error::of_kind(kinds::kafka, "Cannot execute transactional method because we are in an error state")
      .caused_by(*last_error_);
}

TransactionOutcomeRef TransactionMachine::unheard() const {
  return transition_ && !transition_->outcome->heard ? transition_->outcome : nullptr;
}

std::optional<Error> TransactionMachine::unheard_before(std::string_view operation) const {
  if (!unheard()) return std::nullopt;
  return illegal(
      fmt::format("Cannot attempt operation `{}` because the previous call to `{}` timed out and must be "
                  "retried",
                  operation, transition_->operation));
}

// What is under way already; null: it may begin.
Result<TransactionOutcomeRef> TransactionMachine::once(State target, std::string_view operation) {
  const TransactionOutcomeRef open = unheard();
  if (open && transition_->target != target) return *unheard_before(operation);
  return open;
}

Result<TransactionOutcomeRef> TransactionMachine::initialize() {
  if (auto failed = failure()) return *std::move(failed);
  Result<TransactionOutcomeRef> open = once(State::initializing, "initTransactions");
  if (!open || *open) return open;
  const Result<void> moved = move_to(State::initializing);
  if (!moved) return moved.error();
  Pending pending{.kind = Kind::init};
  transition_ = Transition{pending.outcome, State::initializing, "initTransactions"};
  enqueue(pending);
  return pending.outcome;
}

Result<void> TransactionMachine::begin() {
  if (auto open = unheard_before("beginTransaction")) return *std::move(open);
  if (auto failed = failure()) return *std::move(failed);
  return move_to(State::in_transaction);
}

Result<TransactionOutcomeRef> TransactionMachine::send_offsets(OffsetsForGroup offsets) {
  if (auto open = unheard_before("sendOffsetsToTransaction")) return *std::move(open);
  if (auto failed = failure()) return *std::move(failed);
  if (state_ != State::in_transaction) {
    return illegal(
        fmt::format("Cannot send offsets if a transaction is not in progress (currentState= {})", name_of(state_)));
  }
  Pending pending{.kind = second_version_ ? Kind::commit_offsets : Kind::add_offsets};
  pending.offsets = std::move(offsets);
  started_ = started_ || second_version_;
  enqueue(pending);
  return pending.outcome;
}

Result<TransactionOutcomeRef> TransactionMachine::begin_commit() {
  return complete(true);
}

Result<TransactionOutcomeRef> TransactionMachine::begin_abort() {
  return complete(false);
}

Result<TransactionOutcomeRef> TransactionMachine::complete(bool commit) {
  const State target = commit ? State::committing : State::aborting;
  const std::string operation = commit ? "commitTransaction" : "abortTransaction";
  Result<TransactionOutcomeRef> open = once(target, operation);
  if (!open || *open) return open;
  if (commit || state_ != State::abortable_error) {
    if (auto failed = failure()) return *std::move(failed);
  }
  const Result<void> moved = move_to(target);
  if (!moved) return moved.error();
  if (!commit) new_partitions_.clear();
  Pending end{.kind = Kind::end};
  end.commit = commit;
  end.second_version = second_version_;
  TransactionOutcomeRef outcome = end.outcome;
  enqueue(std::move(end));
  // The cluster went over to version 2 meanwhile: the epoch is bumped once more, so that what was sent under the old
  // rules cannot be taken for something of the next transaction.
  if (take_features() && second_version_) bump_wanted_ = true;
  if (bump_wanted_) {
    Pending bump{.kind = Kind::bump};
    outcome = bump.outcome;
    enqueue(std::move(bump));
  }
  transition_ = Transition{outcome, target, operation};
  return outcome;
}

std::optional<Error> TransactionMachine::refusal(const TopicPartition& partition) const {
  if (auto failed = failure()) return failed;
  if (auto open = unheard_before("send")) return open;
  if (!sequences_.producer().valid()) {
    return illegal(fmt::format("Cannot add partition {} to transaction before completing a call to initTransactions",
                               partition.to_string()));
  }
  if (state_ == State::in_transaction) return std::nullopt;
  return illegal(
      fmt::format("Cannot add partition {} to transaction while in state  {}", partition.to_string(), name_of(state_)));
}

void TransactionMachine::add_partition(const TopicPartition& partition) {
  if (second_version_) {
    sequences_.add_to_transaction(partition);
    started_ = true;
  } else if (!sequences_.may_send(partition) && !pending_partitions_.contains(partition)) {
    new_partitions_.insert(partition);
  }
}

// --- batches ---------------------------------------------------------------------------------------------------------

void TransactionMachine::batch_failed(const Error& error) {
  switch (error.code()) {
    case ErrorCode::cluster_authorization_failed:
    case ErrorCode::transactional_id_authorization_failed:
    case ErrorCode::producer_fenced:
    case ErrorCode::unsupported_version:
    case ErrorCode::invalid_producer_id_mapping:
      return to_fatal(error);
    default:
      break;
  }
  if (bump_from_here() && !completing()) bump_wanted_ = true;
  if (error.retriable() || error.code() == ErrorCode::invalid_txn_state) {
    return to_abortable(
        Error(ErrorCode::transaction_abortable, "Transaction Request was aborted after exhausting retries.")
            .caused_by(error));
  }
  to_abortable(error);
}

void TransactionMachine::lost_track() {
  const std::string text =
      "The client hasn't received acknowledgment for some previously sent messages and can no longer retry them. ";
  if (!outlives_errors()) return to_fatal(Error::of_kind(kinds::kafka, text + "It isn't safe to continue."));
  if (bump_from_here()) bump_wanted_ = true;
  to_abortable(Error::of_kind(kinds::kafka, text + "It is safe to abort the transaction and continue."));
}

std::optional<Error> TransactionMachine::drops_unsent() const {
  if (state_ == State::abortable_error) return last_error_;
  if (state_ == State::aborting) return Error::of_kind(aborted, "Failing batch since transaction was aborted");
  return std::nullopt;
}

// --- states ----------------------------------------------------------------------------------------------------------

void TransactionMachine::to_abortable(const Error& error) {
  // What is being aborted already stays so; and outside of a transaction there is nothing to abort.
  if (state_ == State::aborting || !leads_to(state_, State::abortable_error)) return;
  state_ = State::abortable_error;
  last_error_ = error;
}

void TransactionMachine::to_fatal(const Error& error) {
  if (state_ == State::fatal_error) return;
  state_ = State::fatal_error;
  last_error_ = error;
  if (transition_ && !transition_->outcome->done) {
    transition_->outcome->done = true;
    transition_->outcome->error = error;
  }
}

// Nobody may use the id now, but that can change: the producer may be initialized again.
void TransactionMachine::authorization_failed(const Error& error) {
  for (const Pending& pending : pending_) {
    finish(pending, Error::of_kind(authentication, error.to_string()).caused_by(error));
  }
  pending_.clear();
  if (transition_ && !transition_->outcome->done) {
    transition_->outcome->done = true;
    transition_->outcome->error = error;
  }
  state_ = State::uninitialized;
  last_error_.reset();
}

void TransactionMachine::end_transaction() {
  if (!completing()) return;
  state_ = bump_wanted_ ? State::initializing : State::ready;
  last_error_.reset();
  bump_wanted_ = false;
  started_ = false;
  new_partitions_.clear();
  pending_partitions_.clear();
  sequences_.end_transaction();
}

void TransactionMachine::close() {
  const Error closed = Error::of_kind(kinds::kafka, "The producer closed forcefully");
  for (const Pending& pending : pending_) finish(pending, closed);
  pending_.clear();
  if (under_way_) finish(*under_way_, closed);
  to_fatal(closed);
}

// --- versions --------------------------------------------------------------------------------------------------------

void TransactionMachine::saw_versions(const rpc::PeerVersions& versions, CoordinatorOf of) {
  if (versions.finalized_features_epoch() > seen_epoch_) {
    seen_epoch_ = versions.finalized_features_epoch();
    const auto level = versions.finalized_features().find(std::string(version_feature));
    seen_second_version_ = level != versions.finalized_features().end() && level->second.max >= 2;
  }
  if (of == CoordinatorOf::transactions) {
    constexpr auto key = static_cast<std::int16_t>(protocol::InitProducerIdRequest::api_key);
    coordinator_bumps_ = versions.range(key).high >= first_that_bumps;
  }
}

// True when the version changed. Only between transactions.
bool TransactionMachine::take_features() {
  if (features_epoch_ >= seen_epoch_) return false;
  features_epoch_ = seen_epoch_;
  return std::exchange(second_version_, seen_second_version_) != second_version_;
}

}  // namespace klamm::client
