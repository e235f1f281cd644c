// What the coordinator knows of one transactional id, and how it goes from one state to the next. Values only: a
// transition takes what is and gives what shall be logged.
// Source: org.apache.kafka.coordinator.transaction.TransactionMetadata, TransactionState.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace klamm::transactions {

// As the log has them. `dead` and `prepare_epoch_fence` are names that clients may filter by; nothing is ever logged in
// them: an id that expired is a tombstone, and a producer is fenced by the record that aborts its transaction.
enum class TransactionState : std::int8_t {
  empty = 0,
  ongoing = 1,
  prepare_commit = 2,
  prepare_abort = 3,
  complete_commit = 4,
  complete_abort = 5,
  dead = 6,
  prepare_epoch_fence = 7,
};

// "CompleteCommit", as DescribeTransactions shows it.
std::string_view name_of(TransactionState state);
std::optional<TransactionState> state_named(std::string_view name);
// How it ends is decided and logged; markers are being written.
constexpr bool is_prepared(TransactionState state) {
  return state == TransactionState::prepare_commit || state == TransactionState::prepare_abort;
}
// Between transactions: a new one may begin, and an id that is not used any more may expire.
constexpr bool is_settled(TransactionState state) {
  return state == TransactionState::empty || state == TransactionState::complete_commit ||
         state == TransactionState::complete_abort;
}
// Whether a transaction that was `from` may be logged as `to`.
bool may_follow(TransactionState from, TransactionState to);

// By topic, numbers ascending. No topic without partitions.
using Partitions = std::map<std::string, std::set<std::int32_t>, std::less<>>;

bool contains(const Partitions& all, std::string_view topic, std::int32_t partition);
bool contains_all(const Partitions& all, const Partitions& some);
void add_all(Partitions& to, const Partitions& more);
void remove(Partitions& from, std::string_view topic, std::int32_t partition);
std::size_t count(const Partitions& partitions);

// The levels of transaction.version: from 1 the log has fields of later releases, from 2 every transaction has an epoch
// of its own (KIP-890).
using TransactionVersion = std::int16_t;
constexpr bool supports_epoch_bump(TransactionVersion version) {
  return version >= 2;
}

// The last epoch is nobody's: a producer that has the one before it can still be fenced, and what it says later is told
// apart. Kafka never gives it out with intent, but takes it from a client that says it; here such a client is fenced.
inline constexpr std::int16_t epoch_max = std::numeric_limits<std::int16_t>::max();
// The timeout of a transaction that two-phase commit keeps open: none.
inline constexpr std::int32_t no_timeout_ms = std::numeric_limits<std::int32_t>::max();

struct Transaction {
  ProducerId producer_id = no_producer_id;
  ProducerId previous_producer_id = no_producer_id;  // before the last transition: the same, or the one it replaced
  ProducerId next_producer_id = no_producer_id;      // of the next transaction, while the last epoch is being ended
  ProducerEpoch producer_epoch = no_producer_epoch;
  // The one before it that its producer knows: a retry is recognised by it. The log does not keep it.
  ProducerEpoch last_producer_epoch = no_producer_epoch;
  std::int32_t timeout_ms = 0;
  TransactionState state = TransactionState::empty;
  Partitions partitions;  // what is in the transaction; once it is complete, none
  Timestamp started_at = no_timestamp;
  Timestamp updated_at = no_timestamp;
  TransactionVersion client_version = 0;  // what the client spoke at the last transition

  bool operator==(const Transaction&) const = default;
};

// The epoch may be fenced once more, but never be given to a producer again.
constexpr bool is_exhausted(ProducerEpoch epoch) {
  return epoch.value >= epoch_max - 1;
}

// Before InitProducerId has given it an epoch.
Transaction fresh_transaction(ProducerId id, std::int32_t timeout_ms, Timestamp now);

// InitProducerId between transactions. `expected`: the epoch that the producer says it has. The epoch is not exhausted.
// Errors: producer_fenced, when it has neither this epoch nor the last.
Result<Transaction> with_next_epoch(const Transaction& from, std::optional<ProducerEpoch> expected,
                                    std::int32_t timeout_ms, Timestamp now);
// The same when the epochs of its producer id are used up. `producer_known`: it said which epoch it has.
Transaction with_new_producer_id(const Transaction& from, ProducerId id, bool producer_known, std::int32_t timeout_ms,
                                 Timestamp now);

// Not while it is prepared.
Transaction with_partitions(const Transaction& from, const Partitions& added, TransactionVersion client, Timestamp now);

struct Ending {
  bool commit = false;
  TransactionVersion client_version = 0;
  ProducerId next_producer_id = no_producer_id;  // when the epoch is exhausted and is bumped all the same
  bool begins_now = false;                       // an abort when nothing was added to abort
};
// How it ends is decided. From version 2 with the next epoch, which the markers have and the producer goes on with.
Transaction prepared(const Transaction& from, const Ending& ending, Timestamp now);
// An ongoing transaction is aborted in its producer's place; the epoch of that producer is no good any more.
// `next_producer_id` as in Ending.
Transaction fenced(const Transaction& from, TransactionVersion version, ProducerId next_producer_id, Timestamp now);
// All markers are written.
Transaction completed(const Transaction& from, Timestamp now);

}  // namespace klamm::transactions
