// One step of a member towards its target: what it must give up, what it gets, what it waits for.
// Source: org.apache.kafka.coordinator.group.modern.consumer.CurrentAssignmentBuilder.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "base/error.h"
#include "groups/consumer_group.h"
#include "protocol/messages/consumer_group_heartbeat.h"

namespace klamm::groups {

// What a member says that it has; nothing when it did not say.
using ClaimedPartitions = std::optional<std::vector<protocol::ConsumerGroupHeartbeatRequest::TopicPartitions>>;

struct ReconciliationStep {
  const ConsumerGroup& group;  // who has what
  std::int32_t target_epoch = 0;
  const Assignment& target;
  const std::set<Uuid>& subscribed;  // topics that the member wants and that exist
  bool subscription_changed = false;
  const ClaimedPartitions& claimed;
};

// The member after the step; the same when there is none to take. Errors: fenced_member_epoch.
Result<ConsumerMember> reconcile(const ConsumerMember& member, const ReconciliationStep& step);

}  // namespace klamm::groups
