#include "groups/group_admin.h"

#include <algorithm>
#include <set>
#include <utility>

#include "groups/membership_check.h"

namespace klamm::groups {
namespace {

// Lower case, without blanks around it.
std::string plain(std::string_view text) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::set<std::string> plain_all(const std::vector<std::string>& texts) {
  std::set<std::string> out;
  for (const std::string& text : texts) out.insert(plain(text));
  return out;
}

}  // namespace

protocol::ListGroupsResponse list_groups(const State& state, const protocol::ListGroupsRequest& request) {
  const std::set<std::string> states = plain_all(request.states_filter);
  const std::set<std::string> types = plain_all(request.types_filter);
  protocol::ListGroupsResponse response;
  for (const auto& [id, group] : state.groups) {
    if (!states.empty() && !states.contains(plain(state_name(group)))) continue;
    if (!types.empty() && !types.contains(plain(type_name(group)))) continue;
    auto& listed = response.groups.emplace_back();
    listed.group_id = id;
    listed.protocol_type = protocol_type(group);
    listed.group_state = state_name(group);
    listed.group_type = type_name(group);
  }
  return response;
}

protocol::DescribeGroupsResponse describe_groups(State& state, const Asked<protocol::DescribeGroupsRequest>& call) {
  protocol::DescribeGroupsResponse response;
  for (const std::string& id : call.request.groups) {
    auto& described = response.groups.emplace_back();
    described.group_id = id;
    const Group* any = state.find(id);
    const ClassicGroup* group = state.classic(id);
    if (!group) {
      described.group_state = "Dead";
      if (call.api_version < 6) continue;
      described.error_code = wire_of(ErrorCode::group_id_not_found);
      described.error_message =
          any ? fmt::format("Group {} is not a classic group.", id) : fmt::format("Group {} not found.", id);
      continue;
    }
    const bool is_stable = group->state == ClassicState::stable;
    described.group_state = name_of(group->state);
    described.protocol_type = group->protocol_type.value_or("");
    if (is_stable) described.protocol_data = group->protocol.value_or("");
    for (const auto& [member_id, member] : group->members()) {
      auto& out = described.members.emplace_back();
      out.member_id = member_id;
      out.group_instance_id = member.instance_id;
      out.client_id = member.client_id;
      out.client_host = member.client_host;
      out.member_assignment = member.assignment;
      const ClassicProtocol* chosen = is_stable ? member.protocol(described.protocol_data) : nullptr;
      if (chosen) out.member_metadata = chosen->metadata;
    }
  }
  return response;
}

void delete_groups(Turn& turn, coordination::Ticket ticket, const Asked<protocol::DeleteGroupsRequest>& call) {
  protocol::DeleteGroupsResponse response;
  std::set<std::string_view> seen;
  turn.decision.atomic = false;  // many offsets do not fit one batch, and a part of it does no harm
  for (const std::string& id : call.request.groups_names) {
    if (!seen.insert(id).second) continue;  // named twice: answered once
    auto& result = response.results.emplace_back();
    result.group_id = id;
    const Group* group = turn.state.find(id);
    if (!group) {
      result.error_code = wire_of(ErrorCode::group_id_not_found);
    } else if (auto allowed = check_delete(*group); !allowed) {
      result.error_code = wire_of(allowed.error().code);
    } else {
      turn.state.offsets.tombstones_of(id, turn.decision.records);
      group_tombstones(id, *group, turn.decision.records);
    }
  }
  turn.reply(ticket, std::move(response));
}

}  // namespace klamm::groups
