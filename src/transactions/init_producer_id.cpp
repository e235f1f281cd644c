#include "transactions/init_producer_id.h"

#include <utility>

#include "transactions/timeouts.h"

namespace klamm::transactions {
namespace {

using Initialize = Asked<protocol::InitProducerIdRequest>;

// What the producer says it has.
struct Claim {
  ProducerId id;
  ProducerEpoch epoch;
};

// The longest id that a key of the log can hold.
constexpr std::size_t id_bytes_max = 32767;

}  // namespace

ErrorCode check_request(const Settings& settings, const protocol::InitProducerIdRequest& request) {
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) return ErrorCode::invalid_request;
  if (request.transactional_id.value_or("").empty()) return ErrorCode::invalid_request;
  if (request.transactional_id->size() > id_bytes_max) return ErrorCode::unknown_server_error;
  if (request.enable_2pc && !settings.two_phase_commit_enabled) {
    return ErrorCode::transactional_id_authorization_failed;
  }
  if (request.keep_prepared_txn) return ErrorCode::unsupported_version;
  const bool timeout_ok =
      request.transaction_timeout_ms > 0 && request.transaction_timeout_ms <= settings.timeout_max.count();
  if (!request.enable_2pc && !timeout_ok) return ErrorCode::invalid_transaction_timeout;
  return ErrorCode::none;
}

namespace {

// Whether the claim may be that of the id's own producer; its epoch is looked at later.
bool may_be_its_own(const Claim& claim, const Transaction& known) {
  // A retry after its epochs were used up and it was given another producer id, of which it did not hear.
  const bool retries = claim.id == known.previous_producer_id && is_exhausted(claim.epoch);
  return known.producer_epoch == no_producer_epoch || claim.id == known.producer_id || retries;
}

class Initialization {
 public:
  Initialization(Turn& turn, coordination::Ticket ticket, const Initialize& call)
      : turn_(turn), ticket_(ticket), call_(call), id_(*call.request.transactional_id) {
    timeout_ms_ = call.request.enable_2pc ? no_timeout_ms : call.request.transaction_timeout_ms;
    if (call.request.producer_id != -1) {
      claim_ = {ProducerId(call.request.producer_id), ProducerEpoch(call.request.producer_epoch)};
    }
  }

  void decide() {
    const Transaction* known = turn_.state.find(id_);
    if (known == nullptr) return begin();
    if (is_prepared(known->state)) return refuse(ErrorCode::concurrent_transactions);
    if (claim_ && !may_be_its_own(*claim_, *known)) return refuse(ErrorCode::producer_fenced);
    if (known->state == TransactionState::ongoing) return abort(*known);
    take_over(*known);
  }

 private:
  void begin() {
    const Transaction fresh = fresh_transaction(call_.fresh_id, timeout_ms_, turn_.moment.wall);
    if (!turn_.has_room(bytes_of(id_, fresh))) return refuse(ErrorCode::coordinator_not_available);
    if (call_.fresh_id == no_producer_id) return turn_.reply(ticket_, ProducerIdWanted{});
    give_next_epoch(fresh);
  }

  void take_over(const Transaction& known) {
    if (!is_exhausted(known.producer_epoch)) return give_next_epoch(known);
    // There is no next epoch for somebody who does not have the last.
    if (claim_ && claim_->epoch != known.producer_epoch) return refuse(ErrorCode::unknown_server_error);
    if (call_.fresh_id == no_producer_id) return turn_.reply(ticket_, ProducerIdWanted{});
    give(with_new_producer_id(known, call_.fresh_id, claim_.has_value(), timeout_ms_, turn_.moment.wall));
  }

  // The epoch of the abort is given to nobody: the producer asks again, and gets the one after it.
  void abort(const Transaction& ongoing) {
    auto aborted = fence_producer(turn_.state, ongoing, call_.fresh_id, turn_.moment.wall);
    if (!aborted) return turn_.reply(ticket_, ProducerIdWanted{});
    turn_.append_prepared(id_, std::move(*aborted));
    refuse(ErrorCode::concurrent_transactions);
  }

  void give_next_epoch(const Transaction& from) {
    std::optional<ProducerEpoch> expected;
    if (claim_) expected = claim_->epoch;
    auto next = with_next_epoch(from, expected, timeout_ms_, turn_.moment.wall);
    if (!next) return refuse(next.error().code);
    give(std::move(*next));
  }

  void give(Transaction next) {
    protocol::InitProducerIdResponse response;
    response.producer_id = next.producer_id.value;
    response.producer_epoch = next.producer_epoch.value;
    turn_.append(id_, std::move(next));
    turn_.reply(ticket_, std::move(response));
  }

  void refuse(ErrorCode code) { turn_.reply(ticket_, failed(call_, Error{code})); }

  Turn& turn_;
  coordination::Ticket ticket_;
  const Initialize& call_;
  const std::string& id_;
  std::int32_t timeout_ms_;
  std::optional<Claim> claim_;
};

}  // namespace

void init_producer_id(Turn& turn, coordination::Ticket ticket, const Initialize& call) {
  const ErrorCode wrong = check_request(turn.state.settings, call.request);
  if (wrong != ErrorCode::none) return turn.reply(ticket, failed(call, Error{wrong}));
  Initialization(turn, ticket, call).decide();
}

}  // namespace klamm::transactions
