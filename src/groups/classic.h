// Decisions of the classic protocol.
// Versions: JoinGroup 0 has no rebalance timeout (the session's counts), 4 hands out a member id first, 5 knows static
// members, 7 names the protocol type, 9 lets a returning static leader skip the assignment; SyncGroup 5 checks protocol
// type and name; LeaveGroup 3 names several members.
// Source of behaviour: org.apache.kafka.coordinator.group.GroupMetadataManager (classicGroup*).
#pragma once

#include "groups/state.h"

namespace klamm::groups {

void join_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::JoinGroupRequest>& call);
void sync_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::SyncGroupRequest>& call);
void heartbeat(Turn& turn, coordination::Ticket ticket, const Asked<protocol::HeartbeatRequest>& call);
void leave_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::LeaveGroupRequest>& call);

// Of deadlines.
void classic_join_is_due(Turn& turn, const std::string& group_id);
void classic_sync_is_due(Turn& turn, const std::string& group_id);
void classic_session_is_over(Turn& turn, const std::string& group_id, const std::string& member_id);

// After loading: sessions of the members; a group over its size is rebalanced.
void resume_classic(Turn& turn, const std::string& group_id, ClassicGroup& group);

}  // namespace klamm::groups
