// A group of the classic protocol: a barrier of joins, a generation, a barrier of syncs. What is stored (generation,
// protocol, leader, assignments) changes when a GroupMetadata record is applied; who is about to join or to sync lives
// in memory only, and is asked again after a start.
// Source of behaviour: org.apache.kafka.coordinator.group.classic.ClassicGroup.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "coordination/decision.h"
#include "groups/consumer_assignment.h"
#include "groups/memory.h"
#include "protocol/messages/join_group.h"
#include "protocol/records/group_metadata_value.h"

namespace klamm::groups {

enum class ClassicState : std::uint8_t { empty, preparing_rebalance, completing_rebalance, stable };

// "PreparingRebalance"
std::string_view name_of(ClassicState state);

// The type of protocol that consumers speak.
inline constexpr std::string_view consumer_protocol_type = "consumer";

// Somebody whose answer comes later; the version says what shape it has.
struct Pending {
  coordination::Ticket ticket;
  std::int16_t api_version = 0;
};

struct ClassicProtocol {
  std::string name;
  ByteVector metadata;

  bool operator==(const ClassicProtocol&) const = default;
};
using ClassicProtocols = std::vector<ClassicProtocol>;
// In memory, with the request that waits beside them, and the names of topics that a consumer's metadata can hold.
std::size_t bytes_of(const ClassicProtocols& protocols, bool of_consumers);

struct ClassicMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = 0;
  std::int32_t session_timeout_ms = 0;
  ClassicProtocols protocols;  // in the order of its preference; no name twice
  ByteVector assignment;
  std::optional<Pending> joining;
  std::optional<Pending> syncing;
  // It was in a consumer group, and has so much until it joins; its assignment is what it was to have there.
  std::optional<Assignment> still_has;
  bool is_new = false;    // has not yet been through a rebalance: may expire even while it waits
  std::size_t bytes = 0;  // as the group counted it

  const ClassicProtocol* protocol(std::string_view name) const;
  // Waiting for others is as good as a heartbeat.
  bool has_satisfied_heartbeat() const { return !is_new && (joining || syncing); }
};

class ClassicGroup {
 public:
  using Members = std::map<std::string, ClassicMember, std::less<>>;
  using Ids = std::set<std::string, std::less<>>;

  // What the group takes is counted in `held`, which outlives it; `id` is its name.
  ClassicGroup(Held& held, std::string_view id) : held_(held), id_bytes_(id.size()), own_bytes_(bytes_of(id)) {
    held_.add(own_bytes_);
  }
  ~ClassicGroup();
  ClassicGroup(const ClassicGroup&) = delete;
  ClassicGroup& operator=(const ClassicGroup&) = delete;

  // A group of that name without members; one id given out; a member without its protocols and its assignment.
  static std::size_t bytes_of(std::string_view id);
  static std::size_t bytes_of_pending(std::size_t group_id_bytes, std::size_t member_id_bytes);
  static std::size_t bytes_of_names(std::size_t group_id_bytes, const ClassicMember& member);

  ClassicState state = ClassicState::empty;
  ClassicState previous_state = ClassicState::empty;
  std::int32_t generation = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  Timestamp state_since = no_timestamp;  // -1: unknown, from an old record
  // Of a stable or empty group of consumers whose subscriptions could be read.
  std::optional<std::set<std::string, std::less<>>> subscribed_topics;

  // It was made out of a consumer group, and the record that says so is about to be written: until then the records of
  // that group come, and then its own, which says less than is known.
  bool awaits_its_record = false;

  // While it is about to form a generation.
  Ids pending_sync;
  bool new_member_added = false;            // during the delay of the first rebalance
  std::chrono::milliseconds join_delay{0};  // of the running delay, and what may be added to it
  std::chrono::milliseconds join_remaining{0};

  const Members& members() const { return members_; }
  // Ids given out that did not come back yet.
  const Ids& pending_members() const { return pending_members_; }
  void add_pending(const std::string& id);
  void remove_pending(std::string_view id);
  ClassicMember* member(std::string_view id);
  const ClassicMember* member(std::string_view id) const;
  const std::string* static_member(std::string_view instance_id) const;
  bool is_leader(std::string_view id) const { return leader && *leader == id; }
  bool uses_consumer_protocol() const { return protocol_type && *protocol_type == consumer_protocol_type; }
  // Only holds offsets: nobody ever joined it.
  bool is_simple() const { return !protocol_type && state == ClassicState::empty && pending_members_.empty(); }
  bool can_rebalance() const { return state != ClassicState::preparing_rebalance; }

  // The instance id is not yet in the group.
  ClassicMember& add(ClassicMember member, std::string_view member_protocol_type);
  void remove(std::string_view id);
  void set_protocols(ClassicMember& member, ClassicProtocols protocols);
  // The new member, under a fresh id, with everything that the old one had but its waiting calls.
  ClassicMember& replace_static(const std::string& old_id, const std::string& new_id);
  void wait_for_join(ClassicMember& member, Pending pending);
  std::optional<Pending> take_joining(ClassicMember& member);

  std::size_t awaiting_join() const { return awaiting_join_; }
  bool all_joined() const { return members_.size() == awaiting_join_ && pending_members_.empty(); }
  bool supports(std::string_view member_protocol_type, const ClassicProtocols& protocols) const;
  // What most prefer among those that all have. The group has members.
  std::string select_protocol() const;
  // False when nobody has joined who could lead.
  bool elect_joined_leader();
  std::chrono::milliseconds rebalance_timeout() const;
  // Errors: unknown_member_id, fenced_instance_id.
  Result<void> check_member(std::string_view id, const std::optional<std::string>& instance_id) const;
  bool is_subscribed_to(std::string_view topic) const;

  void move_to(ClassicState to, Timestamp at);
  // The next generation, with the members there are; there are some.
  void begin_generation(Timestamp at);
  std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember> joined_members() const;

  // Out of a group of another type: its members have what they are assigned.
  void become_stable(std::int32_t of_generation, Timestamp at);
  void set_assignment(ClassicMember& member, ByteVector assignment);

  // What is to be stored: `assignments` by member id, or those that the members have.
  using Assignments = std::map<std::string, ByteVector, std::less<>>;
  protocol::GroupMetadataValue stored(const Assignments* assignments, Timestamp at) const;
  // Takes over what was stored.
  void apply(const protocol::GroupMetadataValue& value);

 private:
  void count_protocols(const ClassicMember& member, int by);
  void note_subscriptions();
  void count(ClassicMember& member);

  Held& held_;
  const std::size_t id_bytes_;
  const std::size_t own_bytes_;
  Members members_;
  Ids pending_members_;
  std::map<std::string, std::string, std::less<>> static_members_;   // instance id to member id
  std::map<std::string, std::size_t, std::less<>> protocol_counts_;  // how many members have it
  std::size_t awaiting_join_ = 0;
};

}  // namespace klamm::groups
