#include "transactions/timeouts.h"

#include <utility>

namespace klamm::transactions {

std::optional<Transaction> fence_producer(const State& state, const Transaction& ongoing, ProducerId fresh,
                                          Timestamp now) {
  const bool takes_id = supports_epoch_bump(state.version) && is_exhausted(ongoing.producer_epoch);
  if (takes_id && fresh == no_producer_id) return std::nullopt;
  return fenced(ongoing, state.version, takes_id ? fresh : no_producer_id, now);
}

namespace {

// A difference of the clocks that is no matter.
constexpr std::chrono::milliseconds set_back_min(1000);

// When the wall clock was set back, or may have been before this shard was loaded, what would begin in the future
// begins now: its time would be over only when the clock has caught up. True when there are more.
bool begin_anew_after_set_back(Turn& turn) {
  State& state = turn.state;
  const State::Clocks clocks{turn.moment.wall, turn.moment.now};
  const auto before = std::exchange(state.last_look, clocks);
  if (before) {
    const auto steady = std::chrono::duration_cast<std::chrono::milliseconds>(clocks.steady - before->steady);
    if (std::chrono::milliseconds(clocks.wall - before->wall) + set_back_min > steady) return false;
  }
  std::size_t changed = 0;
  for (const auto& [deadline, id] : state.timeouts) {
    const Transaction& ongoing = state.transactions.at(id);
    if (ongoing.started_at <= clocks.wall) continue;
    if (changed++ == state.settings.aborts_max) {
      state.last_look.reset();
      return true;
    }
    Transaction next = ongoing;
    next.started_at = clocks.wall;
    turn.append(id, std::move(next));
  }
  return false;
}

}  // namespace

bool abort_timed_out(Turn& turn) {
  State& state = turn.state;
  const Timestamp now = turn.moment.wall;
  turn.decision.atomic = false;
  if (begin_anew_after_set_back(turn)) return true;
  std::size_t aborted = 0;
  for (const auto& [deadline, id] : state.timeouts) {
    if (deadline >= now) return false;
    if (aborted == state.settings.aborts_max) return true;
    const Transaction& ongoing = state.transactions.at(id);
    auto next = fence_producer(state, ongoing, state.spare_id, now);
    if (!next) {
      state.id_wanted = true;
      continue;
    }
    if (next->next_producer_id != no_producer_id) state.spare_id = no_producer_id;
    ++aborted;
    state.log.info("Rolling back the transaction of transactionalId {} due to timeout", id);
    turn.append_prepared(id, std::move(*next));
  }
  return false;
}

bool expire_ids(Turn& turn) {
  State& state = turn.state;
  const Timestamp before = turn.moment.wall - state.settings.id_expiration.count();
  turn.decision.atomic = false;
  auto at = state.transactions.upper_bound(state.expiration_cursor);
  for (std::size_t looked = 0; looked < state.settings.expiration_scan_max; ++looked, ++at) {
    if (at == state.transactions.end()) {
      state.expiration_cursor.clear();
      return false;
    }
    const auto& [id, transaction] = *at;
    state.expiration_cursor = id;
    if (!is_settled(transaction.state) || transaction.updated_at > before) continue;
    turn.decision.records.push_back({id, std::nullopt, value_version(state.version)});
  }
  return true;
}

}  // namespace klamm::transactions
