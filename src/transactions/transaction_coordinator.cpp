#include "transactions/transaction_coordinator.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "transactions/add_partitions.h"
#include "transactions/end_transaction.h"
#include "transactions/init_producer_id.h"
#include "transactions/listing.h"
#include "transactions/timeouts.h"

namespace klamm::transactions {
namespace {

using coordination::Moment;
using coordination::Ticket;

constexpr std::string_view abort_timer = "abort";
constexpr std::string_view expiration_timer = "expiration";
constexpr std::string_view retry_timer = "retry";

void set_timer(Turn& turn, bool& is_set, std::string_view name, std::chrono::nanoseconds after) {
  if (std::exchange(is_set, true)) return;
  turn.decision.timers.push_back({std::string(name), after});
}

// When it times out; nothing when it does not.
std::optional<Timestamp> deadline_of(const Transaction& transaction) {
  if (transaction.state != TransactionState::ongoing || transaction.timeout_ms == no_timeout_ms) return std::nullopt;
  return transaction.started_at + transaction.timeout_ms;
}

}  // namespace

TransactionCoordinator::TransactionCoordinator(const Settings& settings, coordination::Memory& memory, Logger log)
    : state_(settings, memory, std::move(log)) {}

TransactionCoordinator::Decision TransactionCoordinator::decide(Ticket ticket, const Moment& moment, const Call& call) {
  Turn turn{state_, moment};
  act(turn, ticket, call);
  return finish(std::move(turn));
}

void TransactionCoordinator::act(Turn& turn, Ticket ticket, const Call& call) {
  std::visit(Overloaded{
                 [&](const Loaded& loaded) {
                   state_.version = loaded.version;
                   resume_prepared(turn);
                   turn.reply(ticket, Done{});
                 },
                 [&](const VersionChanged& changed) {
                   state_.version = changed.version;
                   turn.reply(ticket, Done{});
                 },
                 [&](const Asked<protocol::InitProducerIdRequest>& asked) { init_producer_id(turn, ticket, asked); },
                 [&](const AddPartitions& asked) { add_partitions(turn, ticket, asked); },
                 [&](const AddOffsets& asked) { add_offsets(turn, ticket, asked); },
                 [&](const Asked<protocol::EndTxnRequest>& asked) { end_transaction(turn, ticket, asked); },
                 [&](const Asked<protocol::DescribeTransactionsRequest>& asked) {
                   turn.reply(ticket, describe_transactions(state_, asked.request));
                 },
                 [&](const Asked<protocol::ListTransactionsRequest>& asked) {
                   turn.reply(ticket, list_transactions(state_, turn.moment.wall, asked.request));
                 },
                 [&](const NextWork&) { wait_for_work(turn, ticket); },
                 [&](const MarkersWritten& reports) {
                   markers_written(turn, reports);
                   turn.reply(ticket, Done{});
                 },
                 [&](const ProducerIdGiven& given) {
                   take_producer_id(turn, given.id);
                   turn.reply(ticket, Done{});
                 },
             },
             call);
}

TransactionCoordinator::Answer TransactionCoordinator::refuse(const Call& call, const Error& error) {
  const Error told{coordinator_error(error.code), error.message};
  return std::visit([&](const auto& asked) -> Answer { return failed(asked, told); }, call);
}

std::optional<TransactionCoordinator::Answer> TransactionCoordinator::check(const Settings& settings,
                                                                            const Call& call) {
  const auto without_id = [](const auto& asked, const std::string& id) -> std::optional<Answer> {
    if (!id.empty()) return std::nullopt;
    return failed(asked, Error{ErrorCode::invalid_request});
  };
  return std::visit(
      Overloaded{
          [&](const Asked<protocol::InitProducerIdRequest>& asked) -> std::optional<Answer> {
            const ErrorCode wrong = check_request(settings, asked.request);
            if (wrong == ErrorCode::none) return std::nullopt;
            return failed(asked, Error{wrong});
          },
          [&](const AddPartitions& asked) { return without_id(asked, asked.transaction.transactional_id); },
          [&](const AddOffsets& asked) { return without_id(asked, asked.request.transactional_id); },
          [&](const Asked<protocol::EndTxnRequest>& asked) {
            return without_id(asked, asked.request.transactional_id);
          },
          [](const auto&) -> std::optional<Answer> { return std::nullopt; },
      },
      call);
}

void TransactionCoordinator::wait_for_work(Turn& turn, Ticket ticket) {
  if (state_.worker) turn.reply(*state_.worker, Work{});
  state_.worker = ticket;
}

void TransactionCoordinator::take_producer_id(Turn& turn, ProducerId id) {
  state_.id_asked = false;
  state_.id_wanted = false;  // who still waits for one says so at the next look
  if (id == no_producer_id) return;
  state_.spare_id = id;
  abort_timed_out(turn);
}

TransactionCoordinator::Decision TransactionCoordinator::timer_fired(const Moment& moment, std::string_view name) {
  Turn turn{state_, moment};
  const auto at_once = std::chrono::nanoseconds(0);
  if (name == abort_timer) {
    aborts_ = false;
    if (abort_timed_out(turn)) set_timer(turn, aborts_, abort_timer, at_once);
  } else if (name == expiration_timer) {
    expires_ = false;
    if (expire_ids(turn)) set_timer(turn, expires_, expiration_timer, at_once);
  } else {
    ENSURE(name == retry_timer);
    retries_ = false;
    state_.markers.wake();
  }
  return finish(std::move(turn));
}

TransactionCoordinator::Decision TransactionCoordinator::finish(Turn turn) {
  const bool wants_id = state_.id_wanted && !state_.id_asked;
  if (state_.worker && (wants_id || state_.markers.has_waiting())) {
    Work work{{}, wants_id};
    for (auto& [id, partitions] : state_.markers.take(state_.settings.work_partitions_max)) {
      // As this decision leaves it, or as it was.
      const auto decided = std::ranges::find(turn.decision.records, id, &Record::transactional_id);
      const Transaction& its =
          decided != turn.decision.records.end() ? *decided->transaction : state_.transactions.at(id);
      work.markers.push_back({id, its.producer_id, its.producer_epoch, its.state == TransactionState::prepare_commit,
                              its.client_version, std::move(partitions)});
    }
    state_.id_asked = state_.id_asked || wants_id;
    turn.reply(*std::exchange(state_.worker, std::nullopt), std::move(work));
  }
  bool grows = false;
  bool begins = false;
  for (const Record& record : turn.decision.records) {
    grows = grows || record.transaction.has_value();
    begins = begins || (record.transaction && deadline_of(*record.transaction));
  }
  if (begins || !state_.timeouts.empty()) set_timer(turn, aborts_, abort_timer, state_.settings.abort_interval);
  if (grows || !state_.transactions.empty()) {
    set_timer(turn, expires_, expiration_timer, state_.settings.expiration_interval);
  }
  if (state_.markers.has_resting()) set_timer(turn, retries_, retry_timer, state_.settings.marker_retry_delay);
  return std::move(turn.decision);
}

void TransactionCoordinator::apply(Offset, LeaderEpoch, Timestamp, std::span<const Record> records) {
  for (const Record& record : records) apply(record);
}

void TransactionCoordinator::apply(const Record& record) {
  const auto found = state_.transactions.find(record.transactional_id);
  if (found != state_.transactions.end()) {
    state_.held.remove(bytes_of(found->first, found->second));
    if (const auto deadline = deadline_of(found->second)) state_.timeouts.erase({*deadline, found->first});
    if (!record.transaction) {
      state_.transactions.erase(found);
      return;
    }
  }
  if (!record.transaction) return;
  state_.held.add(bytes_of(record.transactional_id, *record.transaction));
  if (const auto deadline = deadline_of(*record.transaction)) {
    state_.timeouts.emplace(*deadline, record.transactional_id);
  }
  state_.transactions.insert_or_assign(record.transactional_id, *record.transaction);
}

}  // namespace klamm::transactions
