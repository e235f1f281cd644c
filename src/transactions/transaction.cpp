#include "transactions/transaction.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ensure.h"

namespace klamm::transactions {
namespace {

constexpr std::array<std::string_view, 8> state_names{"Empty",        "Ongoing",          "PrepareCommit",
                                                      "PrepareAbort", "CompleteCommit",   "CompleteAbort",
                                                      "Dead",         "PrepareEpochFence"};

Transaction moved_to(const Transaction& from, TransactionState to) {
  ENSURE(may_follow(from.state, to));
  Transaction next = from;
  next.state = to;
  next.previous_producer_id = from.producer_id;
  return next;
}

Transaction emptied(const Transaction& from, std::int32_t timeout_ms, Timestamp now) {
  Transaction next = moved_to(from, TransactionState::empty);
  next.timeout_ms = timeout_ms;
  next.partitions.clear();
  next.started_at = no_timestamp;
  next.updated_at = now;
  return next;
}

ProducerEpoch after(ProducerEpoch epoch) {
  return ProducerEpoch(static_cast<std::int16_t>(epoch.value + 1));
}

}  // namespace

// --- states ----------------------------------------------------------------------------------------------------------

std::string_view name_of(TransactionState state) {
  return state_names.at(static_cast<std::size_t>(state));
}

std::optional<TransactionState> state_named(std::string_view name) {
  const auto found = std::ranges::find(state_names, name);
  if (found == state_names.end()) return std::nullopt;
  return static_cast<TransactionState>(found - state_names.begin());
}

bool may_follow(TransactionState from, TransactionState to) {
  switch (to) {
    case TransactionState::empty:
      return is_settled(from);
    case TransactionState::ongoing:
      return is_settled(from) || from == TransactionState::ongoing;
    case TransactionState::prepare_commit:
      return from == TransactionState::ongoing;
    case TransactionState::prepare_abort:
      return is_settled(from) || from == TransactionState::ongoing;
    case TransactionState::complete_commit:
      return from == TransactionState::prepare_commit;
    case TransactionState::complete_abort:
      return from == TransactionState::prepare_abort;
    case TransactionState::dead:
    case TransactionState::prepare_epoch_fence:
      return false;
  }
  return false;
}

// --- partitions ------------------------------------------------------------------------------------------------------

bool contains(const Partitions& all, std::string_view topic, std::int32_t partition) {
  const auto found = all.find(topic);
  return found != all.end() && found->second.contains(partition);
}

bool contains_all(const Partitions& all, const Partitions& some) {
  return std::ranges::all_of(some, [&](const auto& topic) {
    const auto found = all.find(topic.first);
    return found != all.end() && std::ranges::includes(found->second, topic.second);
  });
}

void add_all(Partitions& to, const Partitions& more) {
  for (const auto& [topic, partitions] : more) {
    if (!partitions.empty()) to[topic].insert(partitions.begin(), partitions.end());
  }
}

void remove(Partitions& from, std::string_view topic, std::int32_t partition) {
  const auto found = from.find(topic);
  if (found == from.end()) return;
  found->second.erase(partition);
  if (found->second.empty()) from.erase(found);
}

std::size_t count(const Partitions& partitions) {
  std::size_t sum = 0;
  for (const auto& [topic, numbers] : partitions) sum += numbers.size();
  return sum;
}

// --- transitions -----------------------------------------------------------------------------------------------------

Transaction fresh_transaction(ProducerId id, std::int32_t timeout_ms, Timestamp now) {
  Transaction fresh;
  fresh.producer_id = id;
  fresh.timeout_ms = timeout_ms;
  fresh.updated_at = now;
  return fresh;
}

Result<Transaction> with_next_epoch(const Transaction& from, std::optional<ProducerEpoch> expected,
                                    std::int32_t timeout_ms, Timestamp now) {
  ENSURE(!is_exhausted(from.producer_epoch));
  Transaction next = emptied(from, timeout_ms, now);
  if (!expected) {
    next.producer_epoch = after(from.producer_epoch);
    next.last_producer_epoch = no_producer_epoch;
  } else if (from.producer_epoch == no_producer_epoch || *expected == from.producer_epoch) {
    next.producer_epoch = after(from.producer_epoch);
    next.last_producer_epoch = from.producer_epoch;
  } else if (*expected != from.last_producer_epoch) {
    return fail(ErrorCode::producer_fenced);
  }
  // Else it asked before and did not hear the answer: it gets what it was given then. Another producer that took the id
  // over would have left no last epoch.
  return next;
}

Transaction with_new_producer_id(const Transaction& from, ProducerId id, bool producer_known, std::int32_t timeout_ms,
                                 Timestamp now) {
  Transaction next = emptied(from, timeout_ms, now);
  next.producer_id = id;
  next.producer_epoch = ProducerEpoch(0);
  next.last_producer_epoch = producer_known ? from.producer_epoch : no_producer_epoch;
  return next;
}

Transaction with_partitions(const Transaction& from, const Partitions& added, TransactionVersion client,
                            Timestamp now) {
  Transaction next = moved_to(from, TransactionState::ongoing);
  if (from.state != TransactionState::ongoing) next.started_at = now;
  add_all(next.partitions, added);
  next.updated_at = now;
  next.client_version = client;
  return next;
}

Transaction prepared(const Transaction& from, const Ending& ending, Timestamp now) {
  Transaction next = moved_to(from, ending.commit ? TransactionState::prepare_commit : TransactionState::prepare_abort);
  if (supports_epoch_bump(ending.client_version)) {
    // The last of all epochs is never given out; should a log hold it, an abort goes through and leads out of it.
    ENSURE(from.producer_epoch.value < epoch_max || !ending.commit);
    if (from.producer_epoch.value < epoch_max) next.producer_epoch = after(from.producer_epoch);
    next.last_producer_epoch = from.producer_epoch;
  }
  if (ending.begins_now) next.started_at = now;
  next.next_producer_id = ending.next_producer_id;
  next.updated_at = now;
  next.client_version = ending.client_version;
  return next;
}

Transaction fenced(const Transaction& from, TransactionVersion version, ProducerId next_producer_id, Timestamp now) {
  Ending ending{.commit = false, .client_version = version, .next_producer_id = next_producer_id};
  if (supports_epoch_bump(version)) return prepared(from, ending, now);
  ending.client_version = 0;
  ending.next_producer_id = no_producer_id;
  Transaction next = prepared(from, ending, now);
  if (from.producer_epoch.value < epoch_max) next.producer_epoch = after(from.producer_epoch);
  next.last_producer_epoch = no_producer_epoch;
  return next;
}

Transaction completed(const Transaction& from, Timestamp now) {
  Transaction next = moved_to(from, from.state == TransactionState::prepare_commit ? TransactionState::complete_commit
                                                                                   : TransactionState::complete_abort);
  if (supports_epoch_bump(from.client_version) && from.next_producer_id != no_producer_id) {
    // The producer was told of this id and epoch already. Its last epoch is the one before the markers', which no
    // producer ever sees.
    next.producer_id = from.next_producer_id;
    next.producer_epoch = ProducerEpoch(0);
  }
  next.next_producer_id = no_producer_id;
  next.partitions.clear();
  next.updated_at = now;
  return next;
}

}  // namespace klamm::transactions
