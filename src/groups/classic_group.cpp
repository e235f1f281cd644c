#include "groups/classic_group.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "groups/deadlines.h"
#include "protocol/reader.h"
#include "protocol/records/consumer_protocol_subscription.h"

namespace klamm::groups {

using std::chrono::milliseconds;

std::string_view name_of(ClassicState state) {
  switch (state) {
    case ClassicState::empty:
      return "Empty";
    case ClassicState::preparing_rebalance:
      return "PreparingRebalance";
    case ClassicState::completing_rebalance:
      return "CompletingRebalance";
    case ClassicState::stable:
      return "Stable";
  }
  return {};
}

namespace {

// How many names of topics the metadata may hold: what stands before them, but not more than there are bytes for.
std::size_t topics_max(Bytes metadata) {
  protocol::Reader reader(metadata);
  reader.read_int16();
  const std::int32_t count = reader.read_int32();
  if (!reader.ok() || count < 0) return 0;
  return std::min(static_cast<std::size_t>(count), metadata.size() / sizeof(std::int16_t));
}

// A name in the set that they are gathered in, and while they are read.
constexpr std::size_t topic_bytes = node_bytes + 2 * string_bytes({});

}  // namespace

std::size_t bytes_of(const ClassicProtocols& protocols, bool of_consumers) {
  std::size_t bytes = 0;
  std::size_t topics = 0;
  for (const ClassicProtocol& each : protocols) {
    // Its name also counts how many have it.
    bytes += sizeof(ClassicProtocol) + each.name.size() + each.metadata.size();
    bytes += node_bytes + string_bytes(each.name) + sizeof(std::size_t);
    if (of_consumers) topics = std::max(topics, topics_max(each.metadata));
  }
  return 2 * bytes + topics * topic_bytes;  // one protocol is chosen
}

std::size_t ClassicGroup::bytes_of(std::string_view id) {
  // Its name, and its two deadlines.
  return node_bytes + sizeof(ClassicGroup) + string_bytes(id) + 2 * Deadlines::bytes_of(id.size(), 0);
}

std::size_t ClassicGroup::bytes_of_pending(std::size_t group_id_bytes, std::size_t member_id_bytes) {
  return node_bytes + string_bytes({}) + member_id_bytes + Deadlines::bytes_of(group_id_bytes, member_id_bytes);
}

std::size_t ClassicGroup::bytes_of_names(std::size_t group_id_bytes, const ClassicMember& member) {
  std::size_t bytes = node_bytes + sizeof(ClassicMember) + 2 * member.id.size();
  bytes += node_bytes + string_bytes(member.id);  // among those who have not synced
  bytes += Deadlines::bytes_of(group_id_bytes, member.id.size());
  bytes += member.client_id.size() + member.client_host.size();
  if (const auto& instance = member.instance_id) {
    bytes += node_bytes + 2 * string_bytes(*instance) + string_bytes(member.id);
  }
  return bytes;
}

ClassicGroup::~ClassicGroup() {
  std::size_t bytes = 0;
  for (const auto& [id, member] : members_) bytes += member.bytes;
  for (const std::string& id : pending_members_) bytes += bytes_of_pending(id_bytes_, id.size());
  held_.remove(bytes + own_bytes_);
}

void ClassicGroup::count(ClassicMember& member) {
  held_.remove(member.bytes);
  member.bytes = bytes_of_names(id_bytes_, member) + groups::bytes_of(member.protocols, uses_consumer_protocol()) +
                 member.assignment.size();
  held_.add(member.bytes);
}

void ClassicGroup::add_pending(const std::string& id) {
  if (pending_members_.insert(id).second) held_.add(bytes_of_pending(id_bytes_, id.size()));
}

void ClassicGroup::remove_pending(std::string_view id) {
  const auto found = pending_members_.find(id);
  if (found == pending_members_.end()) return;
  pending_members_.erase(found);
  held_.remove(bytes_of_pending(id_bytes_, id.size()));
}

const ClassicProtocol* ClassicMember::protocol(std::string_view name) const {
  const auto found = std::ranges::find(protocols, name, &ClassicProtocol::name);
  return found == protocols.end() ? nullptr : &*found;
}

ClassicMember* ClassicGroup::member(std::string_view id) {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const ClassicMember* ClassicGroup::member(std::string_view id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const std::string* ClassicGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : &found->second;
}

void ClassicGroup::count_protocols(const ClassicMember& member, int by) {
  for (const ClassicProtocol& each : member.protocols) {
    std::size_t& count = protocol_counts_[each.name];
    count += static_cast<std::size_t>(by);
    if (count == 0) protocol_counts_.erase(each.name);
  }
}

ClassicMember& ClassicGroup::add(ClassicMember member, std::string_view member_protocol_type) {
  if (member.instance_id) {
    const bool fresh = static_members_.emplace(*member.instance_id, member.id).second;
    ENSURE(fresh, "an instance id is in the group twice");
  }
  if (members_.empty()) protocol_type = std::string(member_protocol_type);
  if (!leader) leader = member.id;
  remove_pending(member.id);
  count_protocols(member, 1);
  if (member.joining) ++awaiting_join_;
  std::string id = member.id;
  const auto [at, fresh] = members_.emplace(std::move(id), std::move(member));
  ENSURE(fresh, "a member id is in the group twice");
  count(at->second);
  return at->second;
}

void ClassicGroup::remove(std::string_view id) {
  if (const auto found = members_.find(id); found != members_.end()) {
    const ClassicMember& gone = found->second;
    count_protocols(gone, -1);
    if (gone.joining) --awaiting_join_;
    if (gone.instance_id) static_members_.erase(*gone.instance_id);
    const bool led = is_leader(id);
    held_.remove(gone.bytes);
    if (const auto sync = pending_sync.find(id); sync != pending_sync.end()) pending_sync.erase(sync);
    members_.erase(found);
    if (led) leader = members_.empty() ? std::nullopt : std::optional(members_.begin()->first);
    return;
  }
  remove_pending(id);
}

void ClassicGroup::set_protocols(ClassicMember& member, ClassicProtocols protocols) {
  count_protocols(member, -1);
  member.protocols = std::move(protocols);
  count_protocols(member, 1);
  count(member);
}

ClassicMember& ClassicGroup::replace_static(const std::string& old_id, const std::string& new_id) {
  auto node = members_.extract(old_id);
  ENSURE(!node.empty());
  ENSURE(!node.mapped().joining && !node.mapped().syncing, "somebody still waits for the old member");
  node.key() = new_id;
  node.mapped().id = new_id;
  node.mapped().is_new = false;
  static_members_[*node.mapped().instance_id] = new_id;
  if (is_leader(old_id)) leader = new_id;
  if (pending_sync.erase(old_id) > 0) pending_sync.insert(new_id);
  ClassicMember& member = members_.insert(std::move(node)).position->second;
  count(member);
  return member;
}

void ClassicGroup::wait_for_join(ClassicMember& member, Pending pending) {
  if (!member.joining) ++awaiting_join_;
  member.joining = pending;
}

std::optional<Pending> ClassicGroup::take_joining(ClassicMember& member) {
  if (member.joining) --awaiting_join_;
  return std::exchange(member.joining, std::nullopt);
}

bool ClassicGroup::supports(std::string_view member_protocol_type, const ClassicProtocols& protocols) const {
  if (state == ClassicState::empty) return !member_protocol_type.empty() && !protocols.empty();
  if (!protocol_type || *protocol_type != member_protocol_type) return false;
  return std::ranges::any_of(protocols, [&](const ClassicProtocol& each) {
    const auto found = protocol_counts_.find(each.name);
    return (found == protocol_counts_.end() ? 0 : found->second) == members_.size();
  });
}

std::string ClassicGroup::select_protocol() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const ClassicProtocol& each : member.protocols) {
      const auto count = protocol_counts_.find(each.name);
      if (count == protocol_counts_.end() || count->second != members_.size()) continue;
      ++votes[each.name];
      break;
    }
  }
  ENSURE(!votes.empty(), "no protocol that all members have");
  return std::string(std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first);
}

bool ClassicGroup::elect_joined_leader() {
  if (!leader) return false;
  if (const ClassicMember* current = member(*leader); current && current->joining) return true;
  for (const auto& [id, each] : members_) {
    if (!each.joining) continue;
    leader = id;
    return true;
  }
  return false;
}

milliseconds ClassicGroup::rebalance_timeout() const {
  std::int32_t longest = 0;
  for (const auto& [id, each] : members_) longest = std::max(longest, each.rebalance_timeout_ms);
  return milliseconds(longest);
}

Result<void> ClassicGroup::check_member(std::string_view id, const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const std::string* current = static_member(*instance_id);
    if (!current) return fail(ErrorCode::unknown_member_id);
    if (*current != id) return fail(ErrorCode::fenced_instance_id);
  }
  if (!member(id)) return fail(ErrorCode::unknown_member_id);
  return {};
}

bool ClassicGroup::is_subscribed_to(std::string_view topic) const {
  // What cannot be read might be subscribed to.
  return subscribed_topics ? subscribed_topics->contains(topic) : uses_consumer_protocol();
}

void ClassicGroup::move_to(ClassicState to, Timestamp at) {
  previous_state = std::exchange(state, to);
  state_since = at;
}

void ClassicGroup::begin_generation(Timestamp at) {
  ++generation;
  protocol = select_protocol();
  note_subscriptions();
  pending_sync.clear();
  for (auto& [id, each] : members_) each.still_has.reset();
  move_to(ClassicState::completing_rebalance, at);
}

void ClassicGroup::become_stable(std::int32_t of_generation, Timestamp at) {
  generation = of_generation;
  protocol = select_protocol();
  note_subscriptions();
  move_to(ClassicState::stable, at);
}

void ClassicGroup::set_assignment(ClassicMember& member, ByteVector assignment) {
  member.assignment = std::move(assignment);
  count(member);
}

void ClassicGroup::note_subscriptions() {
  subscribed_topics.reset();
  if (!uses_consumer_protocol()) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, each] : members_) {
    const ClassicProtocol* chosen = protocol ? each.protocol(*protocol) : nullptr;
    if (!chosen) return;
    // The fields of version 0 stand first in all versions.
    protocol::Reader reader(chosen->metadata);
    reader.read_int16();
    protocol::ConsumerProtocolSubscription subscription;
    subscription.decode(reader, 0);
    if (!reader.ok()) return;
    topics.insert(subscription.topics.begin(), subscription.topics.end());
  }
  subscribed_topics = std::move(topics);
}

std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember> ClassicGroup::joined_members() const {
  std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember> out;
  for (const auto& [id, each] : members_) {
    auto& member = out.emplace_back();
    member.member_id = id;
    member.group_instance_id = each.instance_id;
    if (const ClassicProtocol* chosen = each.protocol(*protocol)) member.metadata = chosen->metadata;
  }
  return out;
}

protocol::GroupMetadataValue ClassicGroup::stored(const Assignments* assignments, Timestamp at) const {
  protocol::GroupMetadataValue value;
  value.protocol_type = protocol_type.value_or("");
  value.generation = generation;
  value.protocol = protocol;
  value.leader = leader;
  value.current_state_timestamp = at.value;
  for (const auto& [id, each] : members_) {
    auto& member = value.members.emplace_back();
    member.member_id = id;
    member.group_instance_id = each.instance_id;
    member.client_id = each.client_id;
    member.client_host = each.client_host;
    member.rebalance_timeout = each.rebalance_timeout_ms;
    member.session_timeout = each.session_timeout_ms;
    member.subscription = each.protocol(*protocol)->metadata;
    if (!assignments) {
      member.assignment = each.assignment;
    } else if (const auto found = assignments->find(id); found != assignments->end()) {
      member.assignment = found->second;
    }
  }
  return value;
}

void ClassicGroup::apply(const protocol::GroupMetadataValue& value) {
  const bool is_birth = value.generation == 0 && value.members.empty() && value.protocol_type.empty();
  if (is_birth && generation == 0) {
    // It says that there is a group; who is about to join it lives in memory.
    if (state == ClassicState::empty) state_since = Timestamp(value.current_state_timestamp);
    return;
  }
  std::set<std::string_view> stays;
  for (const auto& member : value.members) stays.insert(member.member_id);
  std::vector<std::string> gone;
  for (const auto& [id, each] : members_) {
    if (!stays.contains(id)) gone.push_back(id);
  }
  for (const std::string& id : gone) remove(id);

  for (const auto& from : value.members) {
    ClassicMember* known = member(from.member_id);
    if (known && known->instance_id != from.group_instance_id) {
      remove(from.member_id);
      known = nullptr;
    }
    if (!known && from.group_instance_id) {
      // One that has the same instance id and another member id cannot be beside it: a broken or foreign record.
      if (const std::string* other = static_member(*from.group_instance_id)) remove(std::string(*other));
    }
    if (!known) {
      ClassicMember fresh;
      fresh.id = from.member_id;
      fresh.instance_id = from.group_instance_id;
      known = &add(std::move(fresh), value.protocol_type);
    }
    known->client_id = from.client_id;
    known->client_host = from.client_host;
    known->session_timeout_ms = from.session_timeout;
    known->rebalance_timeout_ms = from.rebalance_timeout == -1 ? from.session_timeout : from.rebalance_timeout;
    known->assignment = from.assignment;
    const std::string name = value.protocol.value_or("");
    const ClassicProtocol* chosen = known->protocol(name);
    // Of those it has only the chosen one is stored; the others are known as long as it stays connected.
    if (!chosen || chosen->metadata != from.subscription) set_protocols(*known, {{name, from.subscription}});
  }
  generation = value.generation;
  protocol_type = value.protocol_type.empty() ? std::nullopt : std::optional(value.protocol_type);
  protocol = value.protocol;
  if (!protocol && !value.members.empty()) protocol = "";  // members have one always
  leader = value.leader;
  previous_state = state;
  state = value.members.empty() ? ClassicState::empty : ClassicState::stable;
  state_since = Timestamp(value.current_state_timestamp);
  note_subscriptions();
  for (auto& [id, each] : members_) count(each);
}

}  // namespace klamm::groups
