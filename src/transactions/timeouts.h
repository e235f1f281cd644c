// Transactions that stay open too long are aborted, and transactional ids that nobody uses are forgotten.
// Source of behaviour: TransactionCoordinator.abortTimedOutTransactions, TransactionStateManager.
#pragma once

#include <optional>

#include "transactions/state.h"

namespace klamm::transactions {

// An ongoing transaction, aborted in its producer's place at the cluster's transaction.version. Nothing when that takes
// a new producer id (the epochs are used up, and the transaction has epochs of its own) and `fresh` is none.
std::optional<Transaction> fence_producer(const State& state, const Transaction& ongoing, ProducerId fresh,
                                          Timestamp now);

// One step. True when there is more to do at once. Times are those of the log, so those of the wall clock; one that was
// set back delays nothing by more than the timeout (Kafka waits until the clock has caught up).
bool abort_timed_out(Turn& turn);
bool expire_ids(Turn& turn);

}  // namespace klamm::transactions
