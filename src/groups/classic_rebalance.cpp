#include "groups/classic_rebalance.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"

namespace klamm::groups {

using std::chrono::milliseconds;

void reply_join(Turn& turn, Pending to, protocol::JoinGroupResponse response) {
  if (to.api_version < 7 && !response.protocol_name) response.protocol_name = "";
  turn.reply(to.ticket, std::move(response));
}

protocol::JoinGroupResponse join_error(ErrorCode code, std::string member_id) {
  protocol::JoinGroupResponse response;
  response.error_code = wire_of(code);
  response.member_id = std::move(member_id);
  return response;
}

protocol::JoinGroupResponse joined(const ClassicGroup& group, const std::string& member_id) {
  protocol::JoinGroupResponse response;
  response.member_id = member_id;
  response.generation_id = group.generation;
  response.protocol_name = group.protocol;
  response.protocol_type = group.protocol_type;
  response.leader = group.leader.value_or("");
  return response;
}

void ClassicTurn::answer_join(ClassicMember& member, protocol::JoinGroupResponse response) {
  if (const auto pending = group.take_joining(member)) reply_join(turn, *pending, std::move(response));
}

void ClassicTurn::answer_sync(ClassicMember& member, ErrorCode code) {
  const auto pending = std::exchange(member.syncing, std::nullopt);
  if (!pending) return;
  protocol::SyncGroupResponse response;
  response.error_code = wire_of(code);
  turn.reply(pending->ticket, std::move(response));
}

void ClassicTurn::drop(const std::string& member_id, ErrorCode code) {
  end_session(member_id);
  if (ClassicMember* member = group.member(member_id)) {
    answer_join(*member, join_error(code));
    answer_sync(*member, code);
  }
  group.remove(member_id);
}

void ClassicTurn::fail_syncs(ErrorCode code) {
  for (const auto& [member_id, each] : group.members()) {
    ClassicMember& member = *group.member(member_id);
    member.assignment.clear();
    const bool waited = member.syncing.has_value();
    answer_sync(member, code);
    if (waited) keep_session(member);
  }
}

void ClassicTurn::prepare_rebalance(const std::string& reason) {
  if (group.state == ClassicState::completing_rebalance) fail_syncs(ErrorCode::rebalance_in_progress);
  group.pending_sync.clear();
  cancel(DeadlineKind::sync);

  const bool is_first = group.state == ClassicState::empty;
  if (is_first) {
    group.join_delay = settings().initial_rebalance_delay;
    group.join_remaining = std::max(group.rebalance_timeout() - group.join_delay, milliseconds(0));
    group.new_member_added = false;
    turn.set_deadline({DeadlineKind::join, id, {}}, group.join_delay);
  }
  group.move_to(ClassicState::preparing_rebalance, now());
  turn.state.log.info("Preparing to rebalance group {} in state {} with old generation {} (reason: {}).", id,
                      name_of(group.state), group.generation, reason);
  if (is_first) return;
  if (group.all_joined()) return complete_join();
  turn.set_deadline({DeadlineKind::join, id, {}}, group.rebalance_timeout());
}

void ClassicTurn::rebalance_or_complete(const std::string& reason) {
  if (group.can_rebalance()) return prepare_rebalance(reason);
  complete_join_if_all_came();
}

void ClassicTurn::complete_join_if_all_came() {
  if (group.state != ClassicState::preparing_rebalance) return;
  // The first rebalance lasts as long as its delay.
  if (group.previous_state == ClassicState::empty) return;
  if (group.all_joined()) complete_join();
}

void ClassicTurn::complete_join() {
  cancel(DeadlineKind::join);
  std::vector<std::string> absent;  // static members may stay away until their session ends
  for (const auto& [member_id, each] : group.members()) {
    if (!each.joining && !each.instance_id) absent.push_back(member_id);
  }
  for (const std::string& member_id : absent) drop(member_id, ErrorCode::unknown_member_id);
  if (!absent.empty()) {
    turn.state.log.info("Group {} removed members who haven't joined: {}", id, fmt::join(absent, ", "));
  }

  if (group.members().empty()) {
    // Stored with no protocol and no leader; applying it makes the group empty.
    protocol::GroupMetadataValue value;
    value.protocol_type = group.protocol_type.value_or("");
    value.generation = group.generation + 1;
    value.protocol.reset();
    value.leader.reset();
    value.current_state_timestamp = now().value;
    turn.append(group_metadata(id, std::move(value)));
    turn.state.log.info("Group {} with generation {} is now empty.", id, group.generation + 1);
    return;
  }
  if (!group.elect_joined_leader()) {
    turn.state.log.error("Group {} could not complete rebalance because no members rejoined.", id);
    turn.set_deadline({DeadlineKind::join, id, {}}, std::max(group.rebalance_timeout(), milliseconds(1)));
    return;
  }
  group.begin_generation(now());
  turn.state.log.info("Stabilized group {} generation {} with {} members.", id, group.generation,
                      group.members().size());
  for (const auto& [member_id, each] : group.members()) {
    ClassicMember& member = *group.member(member_id);
    if (member.joining) {
      auto response = joined(group, member_id);
      if (group.is_leader(member_id)) response.members = group.joined_members();
      answer_join(member, std::move(response));
    }
    keep_session(member);
    member.is_new = false;
    group.pending_sync.insert(member_id);
  }
  turn.set_deadline({DeadlineKind::sync, id, {}}, group.rebalance_timeout());
}

void ClassicTurn::note_synced(const std::string& member_id) {
  group.pending_sync.erase(member_id);
  if (group.pending_sync.empty()) cancel(DeadlineKind::sync);
}

void classic_join_is_due(Turn& turn, const std::string& group_id) {
  ClassicGroup* group = turn.state.classic(group_id);
  if (!group || group->state != ClassicState::preparing_rebalance) return;
  ClassicTurn classic{turn, group_id, *group};
  const bool is_first = group->previous_state == ClassicState::empty;
  if (!is_first || !group->new_member_added || group->join_remaining == milliseconds(0)) return classic.complete_join();
  // Somebody came during the delay: others may be on their way, as long as the rebalance timeout allows.
  group->new_member_added = false;
  const milliseconds delay = std::min(turn.state.settings.initial_rebalance_delay, group->join_remaining);
  group->join_remaining = std::max(group->join_remaining - group->join_delay, milliseconds(0));
  group->join_delay = delay;
  turn.set_deadline({DeadlineKind::join, group_id, {}}, delay);
}

void classic_sync_is_due(Turn& turn, const std::string& group_id) {
  ClassicGroup* group = turn.state.classic(group_id);
  if (!group || group->pending_sync.empty()) return;
  if (group->state != ClassicState::completing_rebalance && group->state != ClassicState::stable) return;
  ClassicTurn classic{turn, group_id, *group};
  const auto late = group->pending_sync;
  for (const std::string& member_id : late) classic.drop(member_id, ErrorCode::unknown_member_id);
  classic.prepare_rebalance(fmt::format("Removing [{}] on pending sync request expiration", fmt::join(late, ", ")));
}

void resume_classic(Turn& turn, const std::string& group_id, ClassicGroup& group) {
  ClassicTurn classic{turn, group_id, group};
  for (const auto& [member_id, member] : group.members()) classic.keep_session(member);
  const auto size = static_cast<std::int64_t>(group.members().size());
  if (size <= turn.state.settings.group_size_max) return;
  classic.prepare_rebalance(
      fmt::format("Freshly-loaded group {} (size {}) is over capacity {}. Rebalancing in order to give a chance for "
                  "consumers to commit offsets",
                  group_id, size, turn.state.settings.group_size_max));
}

}  // namespace klamm::groups
