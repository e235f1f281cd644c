// Decisions of the consumer protocol (KIP-848).
// Versions: ConsumerGroupHeartbeat 1 has regular expressions, and members make their ids themselves;
// ConsumerGroupDescribe 1 says which protocol a member speaks.
// Source of behaviour: org.apache.kafka.coordinator.group.GroupMetadataManager (consumerGroup*), with the checks of
// GroupCoordinatorService.
#pragma once

#include "groups/state.h"

namespace klamm::groups {

void consumer_group_heartbeat(Turn& turn, coordination::Ticket ticket,
                              const Asked<protocol::ConsumerGroupHeartbeatRequest>& call);
protocol::ConsumerGroupDescribeResponse consumer_group_describe(
    const State& state, const Asked<protocol::ConsumerGroupDescribeRequest>& call);

// Of members that speak the classic protocol; the group is a consumer group with members.
void join_consumer_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::JoinGroupRequest>& call);
protocol::SyncGroupResponse sync_consumer_group(Turn& turn, const protocol::SyncGroupRequest& request);
ErrorCode heartbeat_to_consumer_group(Turn& turn, const protocol::HeartbeatRequest& request);

// LeaveGroup of such members, and of an administrator, who names members of a consumer group (the group is one).
protocol::LeaveGroupResponse remove_consumer_members(Turn& turn, const protocol::LeaveGroupRequest& request);

// Of deadlines.
void consumer_session_is_over(Turn& turn, const std::string& group_id, const std::string& member_id);
void consumer_rebalance_is_over(Turn& turn, const std::string& group_id, const std::string& member_id);
void consumer_join_is_over(Turn& turn, const std::string& group_id, const std::string& member_id);
void consumer_sync_is_over(Turn& turn, const std::string& group_id, const std::string& member_id);
void consumer_regexes_are_due(Turn& turn, const std::string& group_id);

// After loading: sessions of the members, and of those who have partitions to give up.
void resume_consumer(Turn& turn, const std::string& group_id, const ConsumerGroup& group);
// Groups whose topics are not what they were look at them with the next heartbeat. Before the image is exchanged.
void consumer_image_changes(State& state, const ImageChanged& change);

// Error of a request that can be seen without a group. Errors: invalid_request, unsupported_assignor.
Result<void> check_consumer_heartbeat(const Settings& settings, const protocol::ConsumerGroupHeartbeatRequest& request,
                                      std::int16_t version);

}  // namespace klamm::groups
