// SyncGroup, Heartbeat, LeaveGroup, and sessions that end.
#include <algorithm>
#include <utility>

#include "groups/classic.h"
#include "groups/classic_rebalance.h"
#include "groups/consumer.h"

namespace klamm::groups {
namespace {

protocol::SyncGroupResponse sync_error(ErrorCode code) {
  protocol::SyncGroupResponse response;
  response.error_code = wire_of(code);
  return response;
}

protocol::SyncGroupResponse synced(const ClassicGroup& group, const ByteVector& assignment) {
  protocol::SyncGroupResponse response;
  response.protocol_type = group.protocol_type;
  response.protocol_name = group.protocol;
  response.assignment = assignment;
  return response;
}

ErrorCode check_sync(const ClassicGroup& group, const protocol::SyncGroupRequest& request) {
  if (auto known = group.check_member(request.member_id, request.group_instance_id); !known) return known.error().code;
  if (request.generation_id != group.generation) return ErrorCode::illegal_generation;
  const bool same_type =
      !request.protocol_type || !group.protocol_type || *request.protocol_type == *group.protocol_type;
  const bool same_name = !request.protocol_name || !group.protocol || *request.protocol_name == *group.protocol;
  return same_type && same_name ? ErrorCode::none : ErrorCode::inconsistent_group_protocol;
}

// The leader's sync: what it assigned is stored, and everybody who waits gets their part.
void assign(ClassicTurn& classic, const protocol::SyncGroupRequest& request) {
  ClassicGroup& group = classic.group;
  const auto give_up = [&](ErrorCode code) {
    classic.fail_syncs(code);
    classic.rebalance_or_complete(fmt::format("Error {} when storing group assignment during SyncGroup (member: {}).",
                                              error_name(code), request.member_id));
  };
  std::size_t bytes = 0;
  for (const auto& each : request.assignments) bytes += group.member(each.member_id) ? each.assignment.size() : 0;
  if (bytes > classic.settings().record_bytes_max) return give_up(ErrorCode::unknown_server_error);
  if (!classic.turn.has_room(bytes)) return give_up(ErrorCode::coordinator_not_available);
  ClassicGroup::Assignments assignments;
  for (const auto& each : request.assignments) {
    if (group.member(each.member_id)) assignments[each.member_id] = each.assignment;
  }
  Record record = group_metadata(classic.id, group.stored(&assignments, classic.now()));
  if (encoded_bytes(record) > classic.settings().record_bytes_max) return give_up(ErrorCode::unknown_server_error);
  classic.turn.append(std::move(record));
  for (const auto& [member_id, each] : group.members()) {
    ClassicMember& member = *group.member(member_id);
    const auto pending = std::exchange(member.syncing, std::nullopt);
    if (!pending) continue;
    classic.turn.reply(pending->ticket, synced(group, assignments[member_id]));
    classic.keep_session(member);
  }
}

protocol::LeaveGroupResponse::MemberResponse leave(ClassicTurn& classic, const std::string& member_id,
                                                   const std::optional<std::string>& instance_id) {
  protocol::LeaveGroupResponse::MemberResponse response;
  response.member_id = member_id;
  response.group_instance_id = instance_id;
  ClassicGroup& group = classic.group;
  std::string leaving = member_id;
  if (member_id.empty()) {
    // An administrator removes a static member by its instance id alone.
    const std::string* found = instance_id ? group.static_member(*instance_id) : nullptr;
    if (!found) {
      response.error_code = wire_of(ErrorCode::unknown_member_id);
      return response;
    }
    leaving = *found;
  } else if (!group.pending_members().contains(member_id)) {
    if (auto known = group.check_member(member_id, instance_id); !known) {
      response.error_code = wire_of(known.error().code);
      return response;
    }
  }
  classic.drop(leaving, ErrorCode::unknown_member_id);
  return response;
}

bool has_generation(const ClassicGroup& group) {
  return group.state == ClassicState::stable || group.state == ClassicState::completing_rebalance;
}

// After somebody was removed because of silence: then even the first rebalance need not last as long as its delay.
void complete_without_the_silent(ClassicTurn& classic) {
  if (classic.group.state == ClassicState::preparing_rebalance && classic.group.all_joined()) classic.complete_join();
}

}  // namespace

void sync_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::SyncGroupRequest>& call) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, sync_error(code)); };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  if (turn.state.consumer(request.group_id)) return turn.reply(ticket, sync_consumer_group(turn, request));
  ClassicGroup* group = turn.state.classic(request.group_id);
  if (!group || group->state == ClassicState::empty) return refuse(ErrorCode::unknown_member_id);
  if (const ErrorCode wrong = check_sync(*group, request); wrong != ErrorCode::none) return refuse(wrong);
  if (group->state == ClassicState::preparing_rebalance) return refuse(ErrorCode::rebalance_in_progress);

  ClassicTurn classic{turn, request.group_id, *group};
  ClassicMember& member = *group->member(request.member_id);
  classic.note_synced(member.id);
  if (group->state == ClassicState::stable) return turn.reply(ticket, synced(*group, member.assignment));
  classic.answer_sync(member, ErrorCode::rebalance_in_progress);  // an earlier one, whose place this takes
  member.syncing = Pending{ticket, call.api_version};
  if (group->is_leader(member.id)) assign(classic, request);
}

void heartbeat(Turn& turn, coordination::Ticket ticket, const Asked<protocol::HeartbeatRequest>& call) {
  const auto& request = call.request;
  const auto answer = [&](ErrorCode code) {
    protocol::HeartbeatResponse response;
    response.error_code = wire_of(code);
    turn.reply(ticket, std::move(response));
  };
  if (request.group_id.empty()) return answer(ErrorCode::invalid_group_id);
  if (turn.state.consumer(request.group_id)) return answer(heartbeat_to_consumer_group(turn, request));
  ClassicGroup* group = turn.state.classic(request.group_id);
  if (!group) return answer(ErrorCode::unknown_member_id);
  if (auto known = group->check_member(request.member_id, request.group_instance_id); !known) {
    return answer(known.error().code);
  }
  if (request.generation_id != group->generation) return answer(ErrorCode::illegal_generation);
  if (group->state == ClassicState::empty) return answer(ErrorCode::unknown_member_id);
  ClassicTurn{turn, request.group_id, *group}.keep_session(*group->member(request.member_id));
  const bool rebalances = group->state == ClassicState::preparing_rebalance;
  answer(rebalances ? ErrorCode::rebalance_in_progress : ErrorCode::none);
}

void leave_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::LeaveGroupRequest>& call) {
  const auto& request = call.request;
  protocol::LeaveGroupResponse response;
  const auto refuse = [&](ErrorCode code) {
    response.error_code = wire_of(code);
    turn.reply(ticket, std::move(response));
  };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  if (turn.state.consumer(request.group_id)) {
    if (call.api_version >= 3) return turn.reply(ticket, remove_consumer_members(turn, request));
    protocol::LeaveGroupRequest of_one = request;
    of_one.members = {{.member_id = request.member_id}};
    return refuse(static_cast<ErrorCode>(remove_consumer_members(turn, of_one).members.at(0).error_code));
  }
  ClassicGroup* group = turn.state.classic(request.group_id);
  if (!group && call.api_version < 3) return refuse(ErrorCode::unknown_member_id);
  if (!group) {
    // Of a group that is not there nobody is a member.
    for (const auto& each : request.members) {
      response.members.push_back({.member_id = each.member_id,
                                  .group_instance_id = each.group_instance_id,
                                  .error_code = wire_of(ErrorCode::unknown_member_id)});
    }
    return turn.reply(ticket, std::move(response));
  }

  ClassicTurn classic{turn, request.group_id, *group};
  if (call.api_version < 3) {
    response.members.push_back(leave(classic, request.member_id, std::nullopt));
  } else {
    for (const auto& each : request.members) {
      response.members.push_back(leave(classic, each.member_id, each.group_instance_id));
    }
  }
  std::vector<std::string_view> left;
  for (const auto& each : response.members) {
    if (each.error_code == 0) left.push_back(each.member_id);
  }
  if (!left.empty() && group->state != ClassicState::empty) {
    classic.rebalance_or_complete(
        fmt::format("explicit `LeaveGroup` request for ({}) members.", fmt::join(left, ", ")));
  }
  if (call.api_version < 3) {
    response.error_code = response.members.front().error_code;
    response.members.clear();
  }
  turn.reply(ticket, std::move(response));
}

void classic_session_is_over(Turn& turn, const std::string& group_id, const std::string& member_id) {
  ClassicGroup* group = turn.state.classic(group_id);
  if (!group) return;
  ClassicTurn classic{turn, group_id, *group};
  if (group->pending_members().contains(member_id)) {
    group->remove_pending(member_id);
    return complete_without_the_silent(classic);
  }
  const ClassicMember* member = group->member(member_id);
  if (!member || member->has_satisfied_heartbeat()) return;
  turn.state.log.info("Member {} in group {} has failed, removing it from the group.", member_id, group_id);
  classic.drop(member_id, ErrorCode::unknown_member_id);
  if (!has_generation(*group)) return complete_without_the_silent(classic);
  classic.prepare_rebalance(fmt::format("removing member {} on heartbeat expiration.", member_id));
}

}  // namespace klamm::groups
