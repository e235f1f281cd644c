// ListGroups, DescribeGroups, DeleteGroups: what administrators ask.
// Versions: ListGroups 4 filters by state, 5 by type; DescribeGroups 6 says that a group is not there; DeleteGroups 3
// carries a message.
#pragma once

#include "groups/state.h"

namespace klamm::groups {

// Those of this shard.
protocol::ListGroupsResponse list_groups(const State& state, const protocol::ListGroupsRequest& request);
protocol::DescribeGroupsResponse describe_groups(State& state, const Asked<protocol::DescribeGroupsRequest>& call);
void delete_groups(Turn& turn, coordination::Ticket ticket, const Asked<protocol::DeleteGroupsRequest>& call);

}  // namespace klamm::groups
