#include "groups/consumer_reconciliation.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace klamm::groups {
namespace {

// A member that does not say what it has may have all of it.
bool has_any_of(const ClaimedPartitions& claimed, const OwnedPartitions& of) {
  if (!claimed) return true;
  for (const auto& topic : *claimed) {
    for (const std::int32_t partition : topic.partitions) {
      if (find(of, topic.topic_id, partition)) return true;
    }
  }
  return false;
}

ConsumerMember moved_to(const ConsumerMember& from, std::int32_t epoch, ReconciliationState state) {
  ConsumerMember member = from;
  member.previous_epoch = from.epoch;
  member.epoch = epoch;
  member.state = state;
  return member;
}

void merge(OwnedPartitions& into, Uuid topic, const std::vector<OwnedPartition>& more) {
  auto& all = into[topic];
  for (const OwnedPartition& each : more) {
    const auto at = std::ranges::lower_bound(all, each.partition, {}, &OwnedPartition::partition);
    if (at != all.end() && at->partition == each.partition) {
      *at = each;
    } else {
      all.insert(at, each);
    }
  }
}

// The same epoch and target, but the member no longer wants some of its topics.
ConsumerMember drop_unsubscribed(const ConsumerMember& member, const ReconciliationStep& step) {
  OwnedPartitions kept;
  OwnedPartitions revoking = member.revoking;
  for (const auto& [topic, partitions] : member.assigned) {
    if (step.subscribed.contains(topic)) {
      kept.emplace(topic, partitions);
    } else {
      merge(revoking, topic, partitions);
    }
  }
  if (kept == member.assigned) return member;
  if (has_any_of(step.claimed, revoking)) {
    ConsumerMember next = moved_to(member, member.epoch, ReconciliationState::unrevoked_partitions);
    next.assigned = std::move(kept);
    next.revoking = std::move(revoking);
    return next;
  }
  ConsumerMember next = moved_to(member, member.epoch, member.state);
  next.assigned = std::move(kept);
  return next;
}

class Difference {
 public:
  Difference(const ConsumerMember& member, const ReconciliationStep& step) : member_(member), step_(step) {
    static const PartitionList none;
    for (const auto& [topic, partitions] : member.assigned) compare(topic, target_of(topic, none), &partitions);
    for (const auto& [topic, partitions] : step.target) {
      if (!member.assigned.contains(topic)) compare(topic, target_of(topic, none), nullptr);
    }
  }

  OwnedPartitions kept;
  OwnedPartitions to_revoke;
  Assignment to_assign;
  bool some_unreleased = false;

 private:
  const PartitionList& target_of(Uuid topic, const PartitionList& none) const {
    const auto found = step_.target.find(topic);
    return found == step_.target.end() || !step_.subscribed.contains(topic) ? none : found->second;
  }

  void compare(Uuid topic, const PartitionList& target, const std::vector<OwnedPartition>* assigned) {
    if (assigned) {
      for (const OwnedPartition& each : *assigned) {
        (contains(target, each.partition) ? kept : to_revoke)[topic].push_back(each);
      }
    }
    for (const std::int32_t partition : target) {
      if (find(member_.assigned, topic, partition)) continue;
      // What it is itself giving up is nobody else's.
      const bool taken = step_.group.owner_epoch(topic, partition).has_value() &&
                         !find(member_.revoking, topic, partition) && !planted(Plant::two_owners);
      if (taken) {
        some_unreleased = true;
      } else {
        to_assign[topic].push_back(partition);
      }
    }
  }

  const ConsumerMember& member_;
  const ReconciliationStep& step_;
};

ConsumerMember step_to_target(const ConsumerMember& member, std::int32_t epoch, const ReconciliationStep& step) {
  Difference difference(member, step);
  if (!difference.to_revoke.empty() && has_any_of(step.claimed, difference.to_revoke)) {
    ConsumerMember next = moved_to(member, epoch, ReconciliationState::unrevoked_partitions);
    next.assigned = std::move(difference.kept);
    next.revoking = std::move(difference.to_revoke);
    return next;
  }
  ConsumerMember next =
      moved_to(member, step.target_epoch,
               difference.some_unreleased ? ReconciliationState::unreleased_partitions : ReconciliationState::stable);
  next.assigned = std::move(difference.kept);
  next.revoking.clear();
  for (const auto& [topic, partitions] : difference.to_assign) {
    std::vector<OwnedPartition> fresh;
    for (const std::int32_t partition : partitions) fresh.push_back({partition, step.target_epoch});
    merge(next.assigned, topic, fresh);
  }
  return next;
}

}  // namespace

Result<ConsumerMember> reconcile(const ConsumerMember& member, const ReconciliationStep& step) {
  switch (member.state) {
    case ReconciliationState::stable:
      if (member.epoch != step.target_epoch) return step_to_target(member, member.epoch, step);
      return step.subscription_changed ? drop_unsubscribed(member, step) : member;
    case ReconciliationState::unrevoked_partitions:
      if (!has_any_of(step.claimed, member.revoking)) return step_to_target(member, member.epoch, step);
      return step.subscription_changed ? drop_unsubscribed(member, step) : member;
    case ReconciliationState::unreleased_partitions:
      return step_to_target(member, member.epoch, step);
    case ReconciliationState::unknown:
      break;
  }
  if (!step.claimed || !step.claimed->empty()) {
    return fail(ErrorCode::fenced_member_epoch,
                "The consumer group member is in a unknown state. "
                "The member must abandon all its partitions and rejoin.");
  }
  return step_to_target(member, step.target_epoch, step);
}

}  // namespace klamm::groups
