// DescribeTransactions, and ListTransactions, versions 0 to 2: from 1 filtered by duration, from 2 by a pattern of ids.
// Source of behaviour: TransactionCoordinator.handleDescribeTransactions,
// TransactionStateManager.listTransactionStates.
#pragma once

#include "transactions/state.h"

namespace klamm::transactions {

protocol::DescribeTransactionsResponse describe_transactions(const State& state,
                                                             const protocol::DescribeTransactionsRequest& request);
// What of its filters does not make sense; nobody is listed yet.
protocol::ListTransactionsResponse check_filters(const Settings& settings,
                                                 const protocol::ListTransactionsRequest& request);
protocol::ListTransactionsResponse list_transactions(const State& state, Timestamp now,
                                                     const protocol::ListTransactionsRequest& request);

}  // namespace klamm::transactions
