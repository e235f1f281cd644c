// What the calls of the consumer protocol have in common: a group with its name in the course of one decision. The
// records stand apart until it is certain that the whole of them can be stored.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "groups/consumer_group.h"
#include "groups/consumer_records.h"
#include "groups/state.h"

namespace klamm::groups {

struct ConsumerTurn {
  Turn& turn;
  const std::string& id;
  Records records = {};

  const Settings& settings() const { return turn.state.settings; }
  const metadata::Image& image() const { return *turn.state.image; }
  Timestamp now() const { return turn.moment.wall; }

  // Of this group, as the cluster's configuration says it.
  std::chrono::milliseconds session_timeout() const;
  std::chrono::milliseconds heartbeat_interval() const;
  std::chrono::milliseconds assignment_interval() const;

  void append(Record record) { records.push_back(std::move(record)); }
  // Everything that the log has of the member, in the order in which it may be forgotten.
  void forget(const std::string& member_id);
  void cancel_deadlines(const std::string& member_id);
  void keep_session(const std::string& member_id, std::chrono::milliseconds timeout);
  // As long as its protocol has it.
  void keep_session(const ConsumerMember& member);
  void expect_revocation(const ConsumerMember& member);
  std::int64_t hash_of(const SubscriptionCounts& subscriptions) const;

  // All in one batch, as Kafka writes them. False when that would be more than can be stored.
  bool fits() const;
  void commit();
};

// The members leave, whether they want to or not. None is named twice; with nobody named nothing happens. When those
// who are left all speak the classic protocol, the group is a classic one afterwards, and `group` is gone.
void fence(ConsumerTurn& consumer, const ConsumerGroup& group, const std::vector<const ConsumerMember*>& members);

// The same when a deadline of it has passed; it may be gone by then.
void fence_because(Turn& turn, const std::string& group_id, const std::string& member_id, std::string_view reason);

// Errors: group_id_not_found.
Result<const ConsumerGroup*> find_consumer_group(const State& state, const std::string& id);

// Topics that the member wants and that exist.
std::set<Uuid> subscribed_topics(const ConsumerMember& member, const ConsumerGroup& group,
                                 const metadata::Image& image);

}  // namespace klamm::groups
