// When sessions, joins and rebalances run out. One timer of the shard serves them all, and it is only set anew when
// something becomes due earlier: a heartbeat, which moves a deadline away, costs no timer.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "groups/memory.h"

namespace klamm::groups {

enum class DeadlineKind : std::uint8_t {
  expire_offsets,       // of the whole shard, again and again
  join,                 // a rebalance of a classic group goes on without those who did not come
  sync,                 // those who did not sync are removed
  session,              // a member of a classic group, or a member id that was given out
  consumer_session,     // a member of a consumer group
  consumer_rebalance,   // a member that has not given up its partitions
  consumer_join,        // a member of a consumer group that speaks the classic protocol has not joined again,
  consumer_sync,        // or not synced
  consumer_regex,       // regular expressions of a consumer group are resolved
};

struct DeadlineKey {
  DeadlineKind kind;
  std::string group;
  std::string member;

  bool operator==(const DeadlineKey&) const = default;
  // A group's stand side by side.
  auto operator<=>(const DeadlineKey& other) const {
    return std::tie(group, kind, member) <=> std::tie(other.group, other.kind, other.member);
  }
};

class Deadlines {
 public:
  using Time = std::chrono::nanoseconds;

  void set(const DeadlineKey& key, Time when);
  void cancel(const DeadlineKey& key);
  // All of a group's.
  void cancel_group(const std::string& group);
  bool contains(const DeadlineKey& key) const { return entries_.contains(key); }
  std::optional<Time> when(const DeadlineKey& key) const;

  // One that has passed, which is then no longer set.
  std::optional<DeadlineKey> take_due(Time now);
  // When somebody must look again. Sometimes earlier than anything is due.
  std::optional<Time> next() const;

  std::size_t size() const { return queue_.size(); }
  // What one key takes, in both places.
  static std::size_t bytes_of(std::size_t group_bytes, std::size_t member_bytes) {
    return 2 * (node_bytes + sizeof(DeadlineKey) + sizeof(Entry) + group_bytes + member_bytes);
  }

 private:
  struct Entry {
    Time when;
    Time queued;  // where it stands in the queue: not later than `when`
  };

  std::map<DeadlineKey, Entry> entries_;
  // One for each entry: a client that makes deadlines and cancels them leaves nothing behind.
  std::set<std::pair<Time, DeadlineKey>> queue_;
};

}  // namespace klamm::groups
