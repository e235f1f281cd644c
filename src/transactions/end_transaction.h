// EndTxn, versions 0 to 5, and what follows when the markers are written. Up to 4 a client goes on with the epoch it
// has; from 5 (transaction.version 2, KIP-890) every end gives it the next epoch, or a new producer id when the epochs
// are used up, so that what comes late from an earlier transaction is told apart, and an abort is taken even when
// nothing was written.
// Source of behaviour: TransactionCoordinator.endTransaction, endTransactionWithTV1.
#pragma once

#include "transactions/state.h"

namespace klamm::transactions {

void end_transaction(Turn& turn, coordination::Ticket ticket, const Asked<protocol::EndTxnRequest>& call);

// Completes the transactions of which this was the last that was missing. Of a transaction that went on in the
// meantime, or of partitions that nobody waits for, nothing happens.
void markers_written(Turn& turn, const MarkersWritten& call);

// After loading: what was prepared is completed.
void resume_prepared(Turn& turn);

}  // namespace klamm::transactions
