#include "transactions/end_transaction.h"

#include <utility>

#include "base/plant.h"

namespace klamm::transactions {
namespace {

using End = Asked<protocol::EndTxnRequest>;

constexpr TransactionVersion first_with_epoch_bump = 2;

ErrorCode invalid_state(const State& state, const End& call, const Transaction& known) {
  state.log.warn("TransactionalId: {}'s state is {}, but received transaction marker result to send: {}",
                 call.request.transactional_id, name_of(known.state), call.request.committed ? "COMMIT" : "ABORT");
  return ErrorCode::invalid_txn_state;
}

// --- up to version 4 -------------------------------------------------------------------------------------------------

// `none` without a record: it was ended so before.
ErrorCode end_without_bump(Turn& turn, const End& call, const Transaction& known) {
  const auto& request = call.request;
  if (known.producer_id.value != request.producer_id) return ErrorCode::invalid_producer_id_mapping;
  const bool skipped = planted(Plant::skipped_fence);
  if (known.producer_epoch.value != request.producer_epoch && !skipped) return ErrorCode::producer_fenced;
  switch (known.state) {
    case TransactionState::ongoing:
      turn.append_prepared(request.transactional_id, prepared(known, {.commit = request.committed}, turn.moment.wall));
      return ErrorCode::none;
    case TransactionState::prepare_commit:
    case TransactionState::prepare_abort:
      return ErrorCode::concurrent_transactions;
    case TransactionState::complete_commit:
      return request.committed ? ErrorCode::none : invalid_state(turn.state, call, known);
    case TransactionState::complete_abort:
      return request.committed ? invalid_state(turn.state, call, known) : ErrorCode::none;
    default:
      return invalid_state(turn.state, call, known);
  }
}

// --- from version 5 --------------------------------------------------------------------------------------------------

// Whether it was asked before, answered with the next epoch, and did not hear of it.
struct Retry {
  bool after_bump;      // with the next epoch of the same producer id
  bool after_overflow;  // with the first epoch of another producer id
  bool any() const { return after_bump || after_overflow; }
};

Retry retry_of(const protocol::EndTxnRequest& request, const Transaction& known) {
  return {.after_bump = known.producer_epoch.value == request.producer_epoch + 1,
          .after_overflow = known.previous_producer_id.value == request.producer_id &&
                            request.producer_epoch == epoch_max - 1 && known.producer_epoch.value == 0};
}

enum class Step : std::uint8_t { refuse, was_done, end, abort_nothing };

// What is to be done between transactions. The table stands above TransactionCoordinator.endTransaction.
Step settled_step(const Transaction& known, bool commit, bool retry) {
  if (retry) {
    const auto then = commit ? TransactionState::complete_commit : TransactionState::complete_abort;
    return known.state == then ? Step::was_done : Step::refuse;
  }
  return commit ? Step::refuse : Step::abort_nothing;
}

void end_with_bump(Turn& turn, coordination::Ticket ticket, const End& call, const Transaction& known) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, failed(call, Error{code})); };
  const auto answer = [&](const Transaction& at) {
    protocol::EndTxnResponse response;
    response.producer_id = at.producer_id.value;
    response.producer_epoch = at.producer_epoch.value;
    turn.reply(ticket, std::move(response));
  };

  // Before anything else: the producer may go on with an id that the transaction only gets when it is complete.
  if (is_prepared(known.state)) return refuse(ErrorCode::concurrent_transactions);
  const Retry retry = retry_of(request, known);
  if (known.producer_id.value != request.producer_id && !retry.after_overflow) {
    return refuse(ErrorCode::invalid_producer_id_mapping);
  }
  const bool may_be_retry =
      known.state == TransactionState::complete_commit || known.state == TransactionState::complete_abort;
  if (known.producer_epoch.value != request.producer_epoch && !(may_be_retry && retry.any()) &&
      !planted(Plant::skipped_fence)) {
    return refuse(ErrorCode::producer_fenced);
  }
  const Step step = is_settled(known.state) ? settled_step(known, request.committed, retry.any()) : Step::end;
  if (step == Step::refuse) return refuse(invalid_state(turn.state, call, known));
  if (step == Step::was_done) {
    if (known.producer_epoch.value == epoch_max) return refuse(ErrorCode::producer_fenced);  // fenced before version 2
    return answer(known);
  }

  if (turn.state.version == 0) return refuse(ErrorCode::unsupported_version);  // its log has no place for this
  const bool exhausted = is_exhausted(known.producer_epoch);
  if (exhausted && call.fresh_id == no_producer_id) return turn.reply(ticket, ProducerIdWanted{});
  if (request.committed && known.producer_epoch.value == epoch_max) return refuse(ErrorCode::unknown_server_error);
  Transaction next = prepared(known,
                              {.commit = request.committed,
                               .client_version = first_with_epoch_bump,
                               .next_producer_id = exhausted ? call.fresh_id : no_producer_id,
                               .begins_now = step == Step::abort_nothing},
                              turn.moment.wall);
  answer(completed(next, turn.moment.wall));
  turn.append_prepared(request.transactional_id, std::move(next));
}

// --- markers ---------------------------------------------------------------------------------------------------------

void take_report(Turn& turn, const MarkerReport& report) {
  const Transaction* known = turn.state.find(report.transactional_id);
  if (known == nullptr || !is_prepared(known->state)) return;
  if (known->producer_id != report.producer_id || known->producer_epoch != report.producer_epoch) return;
  MarkerQueue& markers = turn.state.markers;
  for (const auto& each : report.partitions) {
    switch (each.outcome) {
      case MarkerOutcome::written:
        markers.written(report.transactional_id, each.topic, each.partition);
        break;
      case MarkerOutcome::again:
        markers.again(report.transactional_id, each.topic, each.partition);
        break;
      case MarkerOutcome::fenced:
        // This one will see soon that it does not lead any more; and if it does, it loads and tries again.
        turn.state.log.info(
            "Sending {}'s transaction marker for partition {}-{} has permanently failed: a later "
            "coordinator is known there",
            report.transactional_id, each.topic, each.partition);
        break;
    }
  }
  const Partitions* left = markers.left(report.transactional_id);
  if (left != nullptr && left->empty()) turn.append_completed(report.transactional_id, *known);
}

}  // namespace

void end_transaction(Turn& turn, coordination::Ticket ticket, const End& call) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, failed(call, Error{code})); };
  if (request.transactional_id.empty()) return refuse(ErrorCode::invalid_request);
  const Transaction* known = turn.state.find(request.transactional_id);
  if (known == nullptr) return refuse(ErrorCode::invalid_producer_id_mapping);
  if (call.api_version > 4) return end_with_bump(turn, ticket, call, *known);
  refuse(end_without_bump(turn, call, *known));
}

void markers_written(Turn& turn, const MarkersWritten& call) {
  turn.decision.atomic = false;  // each completion stands for itself
  for (const MarkerReport& report : call.reports) take_report(turn, report);
}

void resume_prepared(Turn& turn) {
  turn.decision.atomic = false;
  for (const auto& [id, transaction] : turn.state.transactions) {
    if (!is_prepared(transaction.state)) continue;
    if (transaction.partitions.empty()) {
      turn.append_completed(id, transaction);
    } else {
      turn.state.markers.add(id, transaction.partitions);
    }
  }
}

}  // namespace klamm::transactions
