#include "groups/consumer_member.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "groups/assignor.h"
#include "groups/consumer_regex.h"
#include "groups/java_order.h"

namespace klamm::groups {
namespace {

constexpr std::chrono::seconds regex_refresh_least(10);

}  // namespace

Error unknown_member(const std::string& member, const std::string& group) {
  return {ErrorCode::unknown_member_id, fmt::format("Member {} is not a member of group {}.", member, group)};
}
Error unknown_instance(const std::string& instance) {
  return {ErrorCode::unknown_member_id, fmt::format("Instance id {} is unknown.", instance)};
}
Error fenced_instance(const std::string& member, const std::string& instance, const std::string& by) {
  return {ErrorCode::fenced_instance_id,
          fmt::format("Static member {} with instance id {} was fenced by member {}.", member, instance, by)};
}

Result<void> check_group_size(const ConsumerGroup& group, std::int32_t most, const std::string& member_id,
                              const std::optional<std::string>& instance_id) {
  const bool is_member =
      (!member_id.empty() && group.member(member_id)) || (instance_id && group.static_member(*instance_id));
  if (is_member || group.members().size() < static_cast<std::size_t>(std::max(most, 0))) return {};
  return fail(ErrorCode::group_max_size_reached,
              fmt::format("The consumer group has reached its maximum capacity of {} members.", most));
}

ConsumerMember MemberTurn::take_place(const ConsumerMember& of, const std::string& new_id) {
  ConsumerMember member = of;
  member.id = new_id;
  member.epoch = member.previous_epoch = 0;
  consumer_.forget(of.id);
  consumer_.append(consumer_member(consumer_.id, member));
  const Assignment* target = group_.target(of.id);
  consumer_.append(target_of(consumer_.id, new_id, target ? *target : Assignment{}));
  consumer_.append(current_of(consumer_.id, member));
  replaced_id_ = of.id;
  return member;
}

Result<void> MemberTurn::change(const ConsumerMember& before, const ConsumerMember& after) {
  if (after != before) consumer_.append(consumer_member(consumer_.id, after));
  const bool names_changed = after.topics != before.topics;
  const auto regex = change_regex(before, after);
  if (!regex) return std::unexpected(regex.error());
  subscription_changed_ = names_changed || *regex != RegexChange::none;
  // A regular expression that is not resolved yet raises the epoch when it is.
  const bool must_rise = after.classic
                             ? subscription_changed_
                             : names_changed || *regex == RegexChange::resolved || assignor_changes(before, after);
  raise_epoch(before, after, must_rise);
  return {};
}

// By the one vote that changes.
bool MemberTurn::assignor_changes(const ConsumerMember& before, const ConsumerMember& after) const {
  const std::string& usual = consumer_.settings().assignors.front();
  return group_.preferred_assignor_with(nullptr, nullptr).value_or(usual) !=
         group_.preferred_assignor_with(&before, &after).value_or(usual);
}

Result<MemberTurn::RegexChange> MemberTurn::change_regex(const ConsumerMember& before, const ConsumerMember& after) {
  RegexChange change = RegexChange::none;
  bool is_new_regex = false;
  const auto users = [&](const std::string& regex) {
    const auto found = group_.regexes().find(regex);
    return found == group_.regexes().end() ? 0 : found->second;
  };
  if (before.regex != after.regex) {
    change = RegexChange::unresolved;
    if (before.has_regex() && users(*before.regex) == 1) {
      consumer_.append(regular_expression_tombstone(consumer_.id, *before.regex));
    }
    if (!after.has_regex()) {
      if (before.has_regex()) change = RegexChange::resolved;
    } else if (users(*after.regex) == 0) {
      if (auto valid = check_regex(*after.regex); !valid) return std::unexpected(valid.error());
      is_new_regex = true;
    } else if (group_.resolved_regexes().contains(*after.regex)) {
      change = RegexChange::resolved;
    }
  }
  resolves_regexes_ = must_resolve_regexes(before, after, is_new_regex);
  return change;
}

bool MemberTurn::must_resolve_regexes(const ConsumerMember& before, const ConsumerMember& after,
                                      bool is_new_regex) const {
  if (!is_new_regex && group_.regexes().empty()) return false;
  if (turn_.state.deadlines.contains({DeadlineKind::consumer_regex, consumer_.id, {}})) return false;
  const auto& resolved = group_.resolved_regexes();
  std::int64_t since_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t version = 0;
  if (!resolved.empty()) {
    since_ms = consumer_.now() - resolved.begin()->second.resolved_at;
    if (since_ms < 0) since_ms = std::numeric_limits<std::int64_t>::max();  // the clock was set back
    version = resolved.begin()->second.version;
  }
  if (since_ms <= std::chrono::milliseconds(regex_refresh_least).count()) return false;
  auto regexes = group_.regexes();
  if (before.has_regex() && regexes.contains(*before.regex) && --regexes[*before.regex] == 0) {
    regexes.erase(*before.regex);
  }
  if (after.has_regex()) ++regexes[*after.regex];
  if (regexes.empty()) return false;
  return is_new_regex || regexes.size() != resolved.size() || version < turn_.state.image_with_new_topics ||
         since_ms > consumer_.settings().regex_refresh_interval.count();
}

void MemberTurn::raise_epoch(const ConsumerMember& before, const ConsumerMember& after, bool must_rise) {
  epoch_ = group_.epoch;
  if (!must_rise && !group_.must_look_at_metadata) {
    is_homogeneous_ = group_.is_homogeneous_with(nullptr, nullptr, group_.subscriptions(), group_.members().size());
    return;
  }
  const SubscriptionCounts counts = group_.subscriptions_with(&before, &after);
  const std::int64_t hash = consumer_.hash_of(counts);
  const bool is_there =
      group_.member(after.id) || (after.instance_id && group_.static_member(*after.instance_id) != nullptr);
  is_homogeneous_ = group_.is_homogeneous_with(&before, &after, counts, group_.members().size() + (is_there ? 0 : 1));
  if (must_rise || hash != group_.metadata_hash) {
    ++epoch_;
    consumer_.append(consumer_group_epoch(consumer_.id, epoch_, hash));
  }
  looked_at_metadata_ = true;
  if (group_.has_partition_metadata_record) consumer_.append(partition_metadata_tombstone(consumer_.id));
}

Target MemberTurn::last_target(const ConsumerMember& member) const {
  Target target{group_.target_epoch, {}};
  std::string_view id = member.id;
  if (member.instance_id) {
    const ConsumerMember* before = group_.static_member(*member.instance_id);
    if (!before) return target;
    id = before->id;
  }
  if (const Assignment* assignment = group_.target(id)) target.of_member = *assignment;
  return target;
}

Target MemberTurn::assign(const ConsumerMember& before, const ConsumerMember& after) {
  const auto interval = consumer_.assignment_interval().count();
  // Negative when the clock was set back: then nobody waits until it has caught up.
  const std::int64_t since_ms = consumer_.now() - group_.target_at;
  const bool too_early = group_.target_at.value != 0 && since_ms >= 0 && since_ms < interval;
  if (group_.target_epoch >= epoch_ || too_early) return last_target(after);

  // 1. The members as they are now.
  std::map<std::string_view, const ConsumerMember*> members;
  for (const auto& [id, member] : group_.members()) {
    if (id != replaced_id_) members[id] = &member;
  }
  members[after.id] = &after;

  // 2. What each wants and has.
  AssignorInput input;
  input.is_homogeneous = is_homogeneous_;
  for (const auto& [id, member] : members) {
    AssignorMember& each = input.members.emplace_back();
    each.id = id;
    if (member->instance_id) each.instance_id = *member->instance_id;
    const std::set<Uuid> topics = subscribed_topics(*member, group_, consumer_.image());
    each.topics.assign(topics.begin(), topics.end());
    each.current = group_.target(member == &after && replaced_id_ ? std::string_view(*replaced_id_) : id);
    for (const Uuid topic : topics) {
      input.partition_counts[topic] = static_cast<std::int32_t>(consumer_.image().topic(topic)->partition_count());
    }
  }

  // 3. Those whose target changes get a record, in the order in which Kafka has them.
  const std::string& usual = consumer_.settings().assignors.front();
  const std::string name = group_.preferred_assignor_with(&before, &after).value_or(usual);
  AssignorFunction assignor = find_assignor(name);
  // The log may name one that another coordinator had.
  if (!assignor) assignor = find_assignor(usual);
  ENSURE(assignor, usual);
  Assignments assigned = assignor(input);
  std::vector<std::size_t> order(input.members.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  sort_as_java(order, java_table_grown(order.size()), [&](std::size_t i) { return input.members[i].id; });
  Target target{epoch_, {}};
  for (const std::size_t i : order) {
    const AssignorMember& each = input.members[i];
    if (!each.current || *each.current != assigned[i]) {
      consumer_.append(target_of(consumer_.id, std::string(each.id), assigned[i]));
    }
    if (each.id == after.id) target.of_member = std::move(assigned[i]);
  }
  consumer_.append(target_epoch(consumer_.id, epoch_, consumer_.now()));
  return target;
}

Result<ConsumerMember> MemberTurn::step(const ConsumerMember& after, const Target& target,
                                        const ClaimedPartitions& claimed) {
  if (!subscription_changed_ && after.is_reconciled_to(target.epoch)) return after;
  const std::set<Uuid> topics = subscribed_topics(after, group_, consumer_.image());
  auto stepped = reconcile(after, {.group = group_,
                                   .target_epoch = target.epoch,
                                   .target = target.of_member,
                                   .subscribed = topics,
                                   .subscription_changed = subscription_changed_,
                                   .claimed = claimed});
  if (!stepped) return std::unexpected(stepped.error());
  took_a_step_ = *stepped != after;
  if (took_a_step_) consumer_.append(current_of(consumer_.id, *stepped));
  return stepped;
}

Result<void> MemberTurn::check_size(const ConsumerMember& after, const Assignment& target) const {
  if (!consumer_.fits()) return fail(ErrorCode::unknown_server_error);
  const std::size_t group_bytes = consumer_.id.size();
  const std::size_t names = ConsumerGroup::bytes_of_names(group_bytes, after);
  if (names > consumer_.settings().member_bytes_max) {
    return fail(ErrorCode::group_max_size_reached, "The member takes more memory than one member may.");
  }
  std::size_t then = names + ConsumerGroup::bytes_of_owned(after) + ConsumerGroup::bytes_of(after.id, target);
  std::size_t now = 0;
  if (group_.is_empty()) then += ConsumerGroup::bytes_of(consumer_.id);
  const std::string id = replaced_id_.value_or(after.id);
  if (const ConsumerMember* member = group_.member(id)) {
    now = ConsumerGroup::bytes_of_names(group_bytes, *member) + ConsumerGroup::bytes_of_owned(*member);
    if (const Assignment* last = group_.target(id)) now += ConsumerGroup::bytes_of(id, *last);
  }
  if (then <= now || turn_.has_room(then - now)) return {};
  return fail(ErrorCode::coordinator_not_available);
}

void MemberTurn::carry_out(const ConsumerMember& member) {
  if (replaced_id_ && *replaced_id_ != member.id) consumer_.cancel_deadlines(*replaced_id_);
  if (looked_at_metadata_) {
    if (ConsumerGroup* group = turn_.state.consumer(consumer_.id)) group->must_look_at_metadata = false;
  }
  // A member that speaks the classic protocol has deadlines of its own.
  if (took_a_step_ && !member.classic) consumer_.expect_revocation(member);
  // It takes a while when there are many topics, and the member need not wait for it.
  if (resolves_regexes_) turn_.set_deadline({DeadlineKind::consumer_regex, consumer_.id, {}}, {});
  consumer_.keep_session(member);
  consumer_.commit();
}

}  // namespace klamm::groups
