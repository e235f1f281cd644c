// What the calls of the classic protocol have in common: the way from one generation to the next.
#pragma once

#include "groups/state.h"

namespace klamm::groups {

// A classic group with its name, in the course of one decision.
struct ClassicTurn {
  Turn& turn;
  const std::string& id;
  ClassicGroup& group;

  Settings const& settings() const { return turn.state.settings; }
  Timestamp now() const { return turn.moment.wall; }

  void keep_session(const ClassicMember& member) { keep_session(member.id, member.session_timeout_ms); }
  void keep_session(const std::string& member_id, std::int64_t timeout_ms) {
    turn.set_deadline({DeadlineKind::session, id, member_id}, std::chrono::milliseconds(timeout_ms));
  }
  void end_session(const std::string& member_id) {
    turn.state.deadlines.cancel({DeadlineKind::session, id, member_id});
  }
  void cancel(DeadlineKind kind) { turn.state.deadlines.cancel({kind, id, {}}); }

  // Answers whoever waits for this member, in the shape of its version.
  void answer_join(ClassicMember& member, protocol::JoinGroupResponse response);
  void answer_sync(ClassicMember& member, ErrorCode code);
  // Takes the member out; calls that wait for it are answered with the code.
  void drop(const std::string& member_id, ErrorCode code);

  // The group will have a new generation, for this reason.
  void prepare_rebalance(const std::string& reason);
  // Unless it is already on the way to one: then that may be complete now.
  void rebalance_or_complete(const std::string& reason);
  void complete_join_if_all_came();
  // Those who came make the generation.
  void complete_join();
  // All wait for an assignment: they get the code instead.
  void fail_syncs(ErrorCode code);
  void note_synced(const std::string& member_id);
};

// Null becomes empty where the version has no null; the ticket is answered.
void reply_join(Turn& turn, Pending to, protocol::JoinGroupResponse response);
protocol::JoinGroupResponse join_error(ErrorCode code, std::string member_id = {});
protocol::JoinGroupResponse joined(const ClassicGroup& group, const std::string& member_id);

}  // namespace klamm::groups
