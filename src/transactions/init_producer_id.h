// InitProducerId with a transactional id, versions 0 to 5: a producer takes the id over, and whoever had it before is
// fenced. From 3 it may say which producer id and epoch it has: it goes on with the next epoch after an error
// (KIP-360). Source of behaviour: TransactionCoordinator.handleInitProducerId.
#pragma once

#include "transactions/state.h"

namespace klamm::transactions {

// What is wrong with it, whatever the coordinator knows.
ErrorCode check_request(const Settings& settings, const protocol::InitProducerIdRequest& request);

void init_producer_id(Turn& turn, coordination::Ticket ticket, const Asked<protocol::InitProducerIdRequest>& call);

}  // namespace klamm::transactions
