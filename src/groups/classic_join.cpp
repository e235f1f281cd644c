#include <algorithm>
#include <set>
#include <utility>

#include "groups/classic.h"
#include "groups/classic_rebalance.h"
#include "groups/consumer.h"
#include "groups/membership_check.h"

namespace klamm::groups {
namespace {

using std::chrono::milliseconds;

// What one JoinGroup says, with the differences of versions gone.
struct Join {
  const Asked<protocol::JoinGroupRequest>& call;
  Pending to;
  ClassicProtocols protocols;
  std::int32_t rebalance_timeout_ms;

  const protocol::JoinGroupRequest& request() const { return call.request; }
  std::string reason() const { return call.request.reason.value_or("not provided"); }
};

// "-" and the uuid behind a name.
constexpr std::size_t uuid_bytes = 37;

// A dynamic member of a version that first gets an id.
bool is_handshake(const Join& join) {
  return join.to.api_version >= 4 && !join.request().group_instance_id;
}

ClassicProtocols protocols_of(const protocol::JoinGroupRequest& request) {
  ClassicProtocols out;
  std::set<std::string_view> seen;
  for (const auto& each : request.protocols) {
    if (seen.insert(each.name).second) out.push_back({each.name, each.metadata});
  }
  return out;
}

// What is sent, the length of each name and of each metadata included.
std::size_t sent_bytes(const protocol::JoinGroupRequest& request) {
  std::size_t bytes = 0;
  for (const auto& each : request.protocols) {
    bytes += sizeof(std::int16_t) + each.name.size() + sizeof(std::int32_t) + each.metadata.size();
  }
  return bytes;
}

// The member that asks, or whose place it takes.
const ClassicMember* known_member(const ClassicGroup& group, const protocol::JoinGroupRequest& request) {
  if (!request.member_id.empty()) return group.member(request.member_id);
  const std::string* same = request.group_instance_id ? group.static_member(*request.group_instance_id) : nullptr;
  return same ? group.member(*same) : nullptr;
}

// How much more the group takes with it, or at most so much.
std::size_t growth(const Join& join, const ClassicGroup* group) {
  const auto& request = join.request();
  const std::size_t brought = bytes_of(join.protocols, request.protocol_type == consumer_protocol_type);
  if (const ClassicMember* member = group ? known_member(*group, request) : nullptr) {
    const std::size_t had = bytes_of(member->protocols, group->uses_consumer_protocol());
    return brought > had ? brought - had : 0;
  }
  const std::size_t of_group = group ? 0 : ClassicGroup::bytes_of(request.group_id);
  ClassicMember member;
  member.instance_id = request.group_instance_id;
  member.client_id = join.call.caller.client_id;
  member.client_host = join.call.caller.client_host;
  member.id = request.member_id;
  if (member.id.empty()) member.id = member.instance_id.value_or(member.client_id) + std::string(uuid_bytes, ' ');
  if (request.member_id.empty() && is_handshake(join)) {
    return of_group + ClassicGroup::bytes_of_pending(request.group_id.size(), member.id.size());
  }
  return of_group + ClassicGroup::bytes_of_names(request.group_id.size(), member) + brought;
}

// clientId-uuid, or instanceId-uuid.
std::string fresh_member_id(const Turn& turn, const Join& join) {
  coordination::FreshIds ids(turn.moment.seed);
  const Uuid id = ids.uuid();
  return fmt::format("{}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                     join.request().group_instance_id.value_or(join.call.caller.client_id), id.high >> 32,
                     (id.high >> 16) & 0xFFFF, id.high & 0xFFFF, id.low >> 48, id.low & 0xFFFFFFFFFFFFull);
}

// How many may be in a group is asked of those who are not in it yet.
bool has_room(const ClassicTurn& classic, const std::string& member_id) {
  const ClassicGroup& group = classic.group;
  const ClassicMember* member = group.member(member_id);
  const auto most = static_cast<std::size_t>(std::max(classic.settings().group_size_max, 0));
  switch (group.state) {
    case ClassicState::empty:
      return true;
    case ClassicState::preparing_rebalance:
      return (member && member->joining) || group.awaiting_join() < most;
    case ClassicState::completing_rebalance:
    case ClassicState::stable:
      return member || group.members().size() < most;
  }
  return false;
}

void update(ClassicTurn& classic, ClassicMember& member, Join& join) {
  classic.group.set_protocols(member, std::move(join.protocols));
  member.rebalance_timeout_ms = join.rebalance_timeout_ms;
  member.session_timeout_ms = join.request().session_timeout_ms;
  // A second join of the same member takes the place of the first.
  classic.answer_join(member, join_error(ErrorCode::rebalance_in_progress, member.id));
  classic.group.wait_for_join(member, join.to);
}

void add_member(ClassicTurn& classic, Join& join, std::string member_id) {
  ClassicMember member;
  member.id = std::move(member_id);
  member.instance_id = join.request().group_instance_id;
  member.client_id = join.call.caller.client_id;
  member.client_host = join.call.caller.client_host;
  member.rebalance_timeout_ms = join.rebalance_timeout_ms;
  member.session_timeout_ms = join.request().session_timeout_ms;
  member.protocols = std::move(join.protocols);
  member.joining = join.to;
  member.is_new = true;
  ClassicGroup& group = classic.group;
  if (group.state == ClassicState::preparing_rebalance && group.previous_state == ClassicState::empty) {
    group.new_member_added = true;
  }
  const ClassicMember& added = group.add(std::move(member), join.request().protocol_type);
  // It is answered when the rebalance ends, which may take longer than its session.
  classic.keep_session(added.id, classic.settings().new_member_join_timeout.count());
  classic.rebalance_or_complete(fmt::format("Adding new member {} with group instance id {}; client reason: {}",
                                            added.id, added.instance_id.value_or("null"), join.reason()));
}

// A stable group goes on with a static member that came back, when nothing changes for the others.
void answer_returned(ClassicTurn& classic, ClassicMember& member, const std::optional<std::string>& leader_before) {
  ClassicGroup& group = classic.group;
  Record record = group_metadata(classic.id, group.stored(nullptr, group.state_since));
  if (encoded_bytes(record) > classic.settings().record_bytes_max) {
    return classic.prepare_rebalance(fmt::format("static member {} brings more than can be stored", member.id));
  }
  const Pending to = *group.take_joining(member);
  auto response = joined(group, member.id);
  if (to.api_version < 9) {
    // Without a way to skip the assignment, it must not take itself for the leader.
    response.leader = leader_before.value_or("");
  } else if (group.is_leader(member.id)) {
    response.members = group.joined_members();
    response.skip_assignment = true;
  }
  classic.turn.append(std::move(record));
  reply_join(classic.turn, to, std::move(response));
}

void replace_static(ClassicTurn& classic, Join& join, const std::string& old_id, const std::string& new_id) {
  ClassicGroup& group = classic.group;
  const std::optional<std::string> leader_before = group.leader;
  classic.end_session(old_id);
  {
    ClassicMember& old = *group.member(old_id);
    auto fenced = join_error(ErrorCode::fenced_instance_id, old_id);
    fenced.protocol_name.reset();
    classic.answer_join(old, std::move(fenced));
    classic.answer_sync(old, ErrorCode::fenced_instance_id);
  }
  ClassicMember& member = group.replace_static(old_id, new_id);
  update(classic, member, join);
  classic.keep_session(member);

  const std::string name = fmt::format("static member {} with instance id {}", new_id, *member.instance_id);
  switch (group.state) {
    case ClassicState::stable:
      if (group.select_protocol() == group.protocol) return answer_returned(classic, member, leader_before);
      return classic.rebalance_or_complete(
          fmt::format("Group's selectedProtocol will change because {} joined with change of protocol; client "
                      "reason: {}",
                      name, join.reason()));
    case ClassicState::completing_rebalance:
      return classic.prepare_rebalance(fmt::format("Updating metadata for {}; client reason: {}", name, join.reason()));
    case ClassicState::preparing_rebalance:
    case ClassicState::empty:
      return classic.complete_join_if_all_came();
  }
}

void join_without_id(ClassicTurn& classic, Join& join) {
  Turn& turn = classic.turn;
  ClassicGroup& group = classic.group;
  if (!group.supports(join.request().protocol_type, join.protocols)) {
    return reply_join(turn, join.to, join_error(ErrorCode::inconsistent_group_protocol));
  }
  std::string member_id = fresh_member_id(turn, join);
  if (join.request().group_instance_id) {
    if (const std::string* old = group.static_member(*join.request().group_instance_id)) {
      return replace_static(classic, join, std::string(*old), member_id);
    }
    return add_member(classic, join, std::move(member_id));
  }
  if (!is_handshake(join)) return add_member(classic, join, std::move(member_id));
  if (group.pending_members().size() >= classic.settings().pending_members_max) {
    return reply_join(turn, join.to, join_error(ErrorCode::group_max_size_reached));
  }
  group.add_pending(member_id);
  classic.keep_session(member_id, join.request().session_timeout_ms);
  reply_join(turn, join.to, join_error(ErrorCode::member_id_required, member_id));
}

void rejoin(ClassicTurn& classic, Join& join, ClassicMember& member) {
  ClassicGroup& group = classic.group;
  const std::string state(name_of(group.state));
  const bool changed = member.protocols != join.protocols;
  const auto again = [&](std::string what) {
    update(classic, member, join);
    classic.rebalance_or_complete(fmt::format("{}; client reason: {}", what, join.reason()));
  };
  switch (group.state) {
    case ClassicState::preparing_rebalance:
      return again(fmt::format("Member {} is joining group during {}", member.id, state));
    case ClassicState::completing_rebalance:
      if (changed) return again(fmt::format("Updating metadata for member {} during {}", member.id, state));
      break;  // it did not get the answer: the generation is the same
    case ClassicState::stable:
      if (group.is_leader(member.id)) {
        return again(fmt::format("Leader {} re-joining group during {}", member.id, state));
      }
      if (changed) return again(fmt::format("Updating metadata for member {} during {}", member.id, state));
      break;
    case ClassicState::empty:
      return reply_join(classic.turn, join.to, join_error(ErrorCode::unknown_member_id, member.id));
  }
  auto response = joined(group, member.id);
  if (group.state == ClassicState::completing_rebalance && group.is_leader(member.id)) {
    response.members = group.joined_members();
  }
  reply_join(classic.turn, join.to, std::move(response));
}

void join_with_id(ClassicTurn& classic, Join& join) {
  Turn& turn = classic.turn;
  ClassicGroup& group = classic.group;
  const std::string& member_id = join.request().member_id;
  if (!group.supports(join.request().protocol_type, join.protocols)) {
    return reply_join(turn, join.to, join_error(ErrorCode::inconsistent_group_protocol, member_id));
  }
  if (group.pending_members().contains(member_id)) {
    // Ids are given out to dynamic members only; one that claims to be static now made it up.
    if (join.request().group_instance_id) {
      return reply_join(turn, join.to, join_error(ErrorCode::unknown_member_id, member_id));
    }
    return add_member(classic, join, member_id);
  }
  if (auto known = group.check_member(member_id, join.request().group_instance_id); !known) {
    auto response = join_error(known.error().code, member_id);
    response.protocol_name.reset();
    return reply_join(turn, join.to, std::move(response));
  }
  rejoin(classic, join, *group.member(member_id));
}

std::optional<ErrorCode> wrong_request(const Settings& settings, const protocol::JoinGroupRequest& request) {
  if (request.group_id.empty()) return ErrorCode::invalid_group_id;
  const milliseconds session(request.session_timeout_ms);
  if (session < settings.session_timeout_min || session > settings.session_timeout_max) {
    return ErrorCode::invalid_session_timeout;
  }
  // What one group can store is bounded; what a member brings that could never be stored is not kept.
  if (sent_bytes(request) > settings.member_metadata_bytes_max) return ErrorCode::group_max_size_reached;
  return std::nullopt;
}

}  // namespace

void join_group(Turn& turn, coordination::Ticket ticket, const Asked<protocol::JoinGroupRequest>& call) {
  const auto& request = call.request;
  const Pending to{ticket, call.api_version};
  if (const auto wrong = wrong_request(turn.state.settings, request)) {
    return reply_join(turn, to, join_error(*wrong, request.member_id));
  }
  Join join{call, to, protocols_of(request),
            call.api_version >= 1 ? request.rebalance_timeout_ms : request.session_timeout_ms};

  Group* found = turn.state.find(request.group_id);
  // An empty group of the other protocol gives way.
  if (found && std::holds_alternative<std::unique_ptr<ConsumerGroup>>(*found) && !is_empty(*found)) {
    return join_consumer_group(turn, ticket, call);
  }
  const bool replaces_consumer = found && std::holds_alternative<std::unique_ptr<ConsumerGroup>>(*found);
  const bool is_new = !found || replaces_consumer;
  if (is_new && !request.member_id.empty()) {
    return reply_join(turn, to, join_error(ErrorCode::unknown_member_id, request.member_id));
  }
  if (is_new && (request.protocol_type.empty() || join.protocols.empty())) {
    return reply_join(turn, to, join_error(ErrorCode::inconsistent_group_protocol));
  }
  const std::size_t more = growth(join, turn.state.classic(request.group_id));
  if (more > turn.state.settings.member_bytes_max) {
    return reply_join(turn, to, join_error(ErrorCode::group_max_size_reached, request.member_id));
  }
  if (!turn.has_room(more)) {
    return reply_join(turn, to, join_error(ErrorCode::coordinator_not_available, request.member_id));
  }
  if (replaces_consumer) {
    group_tombstones(request.group_id, *found, turn.decision.records);
    turn.state.remove(request.group_id);
  }
  const std::size_t tombstones = turn.decision.records.size();
  if (is_new) turn.state.put<ClassicGroup>(request.group_id);
  ClassicGroup* group = turn.state.classic(request.group_id);
  if (!group) return reply_join(turn, to, join_error(ErrorCode::inconsistent_group_protocol));

  ClassicTurn classic{turn, request.group_id, *group};
  if (!has_room(classic, request.member_id)) {
    if (!request.member_id.empty()) classic.drop(request.member_id, ErrorCode::group_max_size_reached);
    return reply_join(turn, to, join_error(ErrorCode::group_max_size_reached));
  }
  if (request.member_id.empty()) {
    join_without_id(classic, join);
  } else {
    join_with_id(classic, join);
  }
  if (!is_new || turn.decision.records.size() > tombstones) return;
  // A new group is known to the log from its first call on.
  protocol::GroupMetadataValue birth;
  birth.protocol.reset();
  birth.leader.reset();
  birth.current_state_timestamp = group->state_since.value;
  turn.append(group_metadata(request.group_id, std::move(birth)));
}

}  // namespace klamm::groups
