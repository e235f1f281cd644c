// Decisions about committed offsets.
// Versions: OffsetCommit 2 to 4 carry a retention time, 6 a leader epoch, 7 an instance id, 9 a member epoch, 10 topic
// ids; OffsetFetch 2 may ask for all, 7 for stable offsets, 8 for several groups, 9 carries a member epoch, 10 topic
// ids. Source of behaviour: org.apache.kafka.coordinator.group.OffsetMetadataManager.
#pragma once

#include "groups/state.h"

namespace klamm::groups {

void offset_commit_call(Turn& turn, coordination::Ticket ticket, const Asked<protocol::OffsetCommitRequest>& call);
void txn_offset_commit_call(Turn& turn, coordination::Ticket ticket,
                            const Asked<protocol::TxnOffsetCommitRequest>& call);
FetchedOffsets fetch_offsets(State& state, const FetchOffsets& call);
void offset_delete_call(Turn& turn, coordination::Ticket ticket, const Asked<protocol::OffsetDeleteRequest>& call);

// What is too old is forgotten, and groups that have nothing left with it (KIP-211). One pass over all groups, as many
// tombstones as there is something to forget.
void expire_offsets(Turn& turn);

}  // namespace klamm::groups
