// One member of a consumer group in the course of one call, whichever protocol it speaks: what it says now, the epoch
// of the group, the target assignment, the member's next step towards it. In the order in which Kafka does it, because
// the order of the records follows from it. Nothing changes before carry_out().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "groups/consumer_group.h"
#include "groups/consumer_reconciliation.h"
#include "groups/consumer_turn.h"

namespace klamm::groups {

// The target as it is after the call, as far as the one member is concerned.
struct Target {
  std::int32_t epoch = 0;
  Assignment of_member;
};

class MemberTurn {
 public:
  // The group as it is, or as it will be when the call is done: `group` outlives this.
  MemberTurn(Turn& turn, const std::string& group_id, const ConsumerGroup& group)
      : turn_(turn), consumer_{turn, group_id}, group_(group) {}

  ConsumerTurn& consumer() { return consumer_; }
  const ConsumerTurn& consumer() const { return consumer_; }
  const ConsumerGroup& group() const { return group_; }

  // Somebody else comes in the place of a static member: it, under its new id, at the beginning.
  ConsumerMember take_place(const ConsumerMember& of, const std::string& new_id);

  // What it says now, and the epoch of the group. A member that speaks the classic protocol counts no assignor, and any
  // change of its regular expression counts. Errors: invalid_regular_expression.
  Result<void> change(const ConsumerMember& before, const ConsumerMember& after);
  bool subscription_changed() const { return subscription_changed_; }
  std::int32_t epoch() const { return epoch_; }

  // The target that follows the epoch, unless it is too early for another one.
  Target assign(const ConsumerMember& before, const ConsumerMember& after);
  // As it was before the call.
  Target last_target(const ConsumerMember& member) const;
  // Errors: fenced_member_epoch.
  Result<ConsumerMember> step(const ConsumerMember& after, const Target& target, const ClaimedPartitions& claimed);

  // Whether what it brings and gets can be stored and held. Errors: unknown_server_error, group_max_size_reached,
  // coordinator_not_available.
  Result<void> check_size(const ConsumerMember& after, const Assignment& target) const;

  // Nothing can go wrong any more.
  void carry_out(const ConsumerMember& member);

 private:
  // What a member's new regular expression means for the group.
  enum class RegexChange : std::uint8_t { none, unresolved, resolved };

  Result<RegexChange> change_regex(const ConsumerMember& before, const ConsumerMember& after);
  bool must_resolve_regexes(const ConsumerMember& before, const ConsumerMember& after, bool is_new_regex) const;
  bool assignor_changes(const ConsumerMember& before, const ConsumerMember& after) const;
  void raise_epoch(const ConsumerMember& before, const ConsumerMember& after, bool must_rise);

  Turn& turn_;
  ConsumerTurn consumer_;
  const ConsumerGroup& group_;
  std::int32_t epoch_ = 0;  // of the group, after the call
  bool is_homogeneous_ = true;
  bool looked_at_metadata_ = false;
  bool resolves_regexes_ = false;
  bool subscription_changed_ = false;
  bool took_a_step_ = false;
  std::optional<std::string> replaced_id_;  // of the static member whose place is taken
};

// May one more come? One that is in it already, or takes the place of a static member, makes the group no larger.
// Errors: group_max_size_reached.
Result<void> check_group_size(const ConsumerGroup& group, std::int32_t most, const std::string& member_id,
                              const std::optional<std::string>& instance_id);

Error unknown_member(const std::string& member, const std::string& group);
Error unknown_instance(const std::string& instance);
Error fenced_instance(const std::string& member, const std::string& instance, const std::string& by);

}  // namespace klamm::groups
