// A group of the consumer protocol (KIP-848): members heartbeat, the coordinator assigns. The epoch of the group rises
// when what its members want or what there is changes; the target assignment follows it; each member is then led to its
// part of the target, partition by partition, and never has one that another still has.
//
// All that is stored changes when a record is applied. Source of behaviour:
// org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroup, ConsumerGroupMember.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "groups/consumer_assignment.h"
#include "groups/memory.h"
#include "groups/record.h"

namespace klamm::groups {

// How far a member is on its way to its target.
enum class ReconciliationState : std::int8_t {
  stable = 0,
  unrevoked_partitions = 1,   // it must give up some before it goes on
  unreleased_partitions = 2,  // it waits for some that others have not given up
  unknown = 127,              // written by a later version: it must begin anew
};

// Epochs of members that say something else.
inline constexpr std::int32_t joining_epoch = 0;
inline constexpr std::int32_t leaving_epoch = -1;
inline constexpr std::int32_t static_leaving_epoch = -2;

struct ConsumerMember {
  std::string id;
  std::int32_t epoch = 0;
  std::int32_t previous_epoch = -1;
  ReconciliationState state = ReconciliationState::stable;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::int32_t rebalance_timeout_ms = -1;
  std::string client_id;
  std::string client_host;
  std::vector<std::string> topics;  // ascending, none twice
  std::optional<std::string> regex = "";
  std::optional<std::string> assignor;
  OwnedPartitions assigned;
  OwnedPartitions revoking;  // still its own, until it says that it has given them up
  // Of a member that speaks the classic protocol in a consumer group.
  std::optional<protocol::ConsumerGroupMemberMetadataValue::ClassicMemberMetadata> classic;

  bool is_reconciled_to(std::int32_t target_epoch) const {
    return state == ReconciliationState::stable && epoch == target_epoch;
  }
  bool has_regex() const { return regex && !regex->empty(); }
  bool operator==(const ConsumerMember&) const = default;
};

struct ResolvedRegex {
  std::set<std::string, std::less<>> topics;
  std::int64_t version = 0;  // of the metadata that it was resolved with
  Timestamp resolved_at;
};

// How a topic is subscribed to: by how many members by name, and by how many regular expressions.
struct SubscriptionCount {
  std::size_t by_name = 0;
  std::size_t by_regex = 0;
};
using SubscriptionCounts = std::map<std::string, SubscriptionCount, std::less<>>;

class ConsumerGroup {
 public:
  using Members = std::map<std::string, ConsumerMember, std::less<>>;
  using Regexes = std::map<std::string, ResolvedRegex, std::less<>>;

  // A record that cannot follow those before it.
  class Contradiction : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
  };

  // Of a heartbeat that may make one: nothing of it is counted.
  ConsumerGroup() = default;
  // What the group takes is counted in `held`, which outlives it; `id` is its name.
  ConsumerGroup(Held& held, std::string_view id);
  ~ConsumerGroup();
  ConsumerGroup(const ConsumerGroup&) = delete;
  ConsumerGroup& operator=(const ConsumerGroup&) = delete;

  // A group of that name without members; a member without its partitions; those partitions; a part of the target.
  static std::size_t bytes_of(std::string_view id);
  static std::size_t bytes_of_names(std::size_t group_id_bytes, const ConsumerMember& member);
  static std::size_t bytes_of_owned(const ConsumerMember& member);
  static std::size_t bytes_of(std::string_view member_id, const Assignment& target);
  static std::size_t bytes_of(std::string_view regex, const ResolvedRegex& resolved);

  std::int32_t epoch = 1;
  std::int64_t metadata_hash = 0;
  std::int32_t target_epoch = 1;
  Timestamp target_at{0};  // 0: not known
  bool has_partition_metadata_record = false;
  // The topics may have changed since the hash was computed. Of memory only.
  bool must_look_at_metadata = true;

  const Members& members() const { return members_; }
  const ConsumerMember* member(std::string_view id) const;
  // Null when nobody has this instance id.
  const ConsumerMember* static_member(std::string_view instance_id) const;
  // Null for none.
  const Assignment* target(std::string_view member_id) const;
  const std::map<std::string, Assignment, std::less<>>& targets() const { return targets_; }
  const SubscriptionCounts& subscriptions() const { return subscriptions_; }
  const Regexes& resolved_regexes() const { return resolved_; }
  // By regular expression, how many members have it.
  const std::map<std::string, std::size_t, std::less<>>& regexes() const { return regexes_; }
  bool is_subscribed_to(std::string_view topic) const { return subscriptions_.contains(topic); }
  // Of the member that has the partition; nothing when nobody has it.
  std::optional<std::int32_t> owner_epoch(Uuid topic, std::int32_t partition) const;
  // "Empty", "Assigning", "Reconciling", "Stable"
  std::string_view state_name() const;
  bool is_empty() const { return members_.empty(); }
  std::size_t classic_members() const { return classic_members_; }

  // As they would be with one member in the place of another; either may be null.
  SubscriptionCounts subscriptions_with(const ConsumerMember* before, const ConsumerMember* after) const;
  // As they would be without these members and regular expressions.
  SubscriptionCounts subscriptions_without(const std::vector<const ConsumerMember*>& members,
                                           const std::set<std::string>& gone) const;
  // Regular expressions that nobody else has.
  std::set<std::string> regexes_only_of(const std::vector<const ConsumerMember*>& members) const;
  // Whether all would have the same topics.
  bool is_homogeneous_with(const ConsumerMember* before, const ConsumerMember* after, const SubscriptionCounts& counts,
                           std::size_t members) const;
  // What most members ask for; nothing when nobody asks.
  std::optional<std::string> preferred_assignor_with(const ConsumerMember* before, const ConsumerMember* after) const;

  // Each takes over what was stored; they throw Contradiction.
  void apply(const ConsumerGroupMemberMetadataRecord& record);
  void apply(const ConsumerGroupTargetAssignmentMetadataRecord& record);
  void apply(const ConsumerGroupTargetAssignmentMemberRecord& record);
  void apply(const ConsumerGroupCurrentMemberAssignmentRecord& record);
  void apply(const ConsumerGroupRegularExpressionRecord& record);
  // Not for a tombstone: that ends the group, if check_end() lets it.
  void apply(const ConsumerGroupMetadataRecord& record);
  void check_end() const;

 private:
  void put(ConsumerMember member);
  void remove(std::string_view id);
  void count(const ConsumerMember& member, int by);
  void note_owner(const ConsumerMember& member);
  void forget_owner(const ConsumerMember& member);
  std::size_t bytes_of(const ConsumerMember& member) const;
  void add_bytes(std::size_t bytes);
  void remove_bytes(std::size_t bytes);

  Held* held_ = nullptr;
  std::size_t id_bytes_ = 0;
  std::size_t bytes_ = 0;
  Members members_;
  std::map<std::string, Assignment, std::less<>> targets_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id to member id
  SubscriptionCounts subscriptions_;
  std::map<std::string, std::size_t, std::less<>> regexes_;
  Regexes resolved_;
  std::map<std::string, std::size_t, std::less<>> assignors_;
  std::map<Uuid, std::map<std::int32_t, std::int32_t>> owner_epochs_;
  std::size_t classic_members_ = 0;
};

}  // namespace klamm::groups
