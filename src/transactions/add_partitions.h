// AddPartitionsToTxn, versions 0 to 5, and AddOffsetsToTxn, versions 0 to 4. Up to 3 clients add partitions themselves;
// from 4 brokers ask for several transactions at a time, to add what a client of transaction.version 2 writes to, or
// only to verify that it is part of the transaction.
// Source of behaviour: KafkaApis.handleAddPartitionsToTxnRequest, TransactionCoordinator.
#pragma once

#include <vector>

#include "transactions/state.h"

namespace klamm::transactions {

void add_partitions(Turn& turn, coordination::Ticket ticket, const AddPartitions& call);
void add_offsets(Turn& turn, coordination::Ticket ticket, const AddOffsets& call);

// A request of any version as one call for each of its transactions, and their answers as the response to it. A
// transactional id that is named twice counts once, as it stands first.
std::vector<AddPartitions> split(const protocol::AddPartitionsToTxnRequest& request, std::int16_t api_version);
protocol::AddPartitionsToTxnResponse merge(std::vector<AddedPartitions> answers, std::int16_t api_version);

}  // namespace klamm::transactions
