#include <algorithm>

#include "groups/consumer.h"
#include "groups/consumer_migration.h"
#include "groups/consumer_turn.h"

namespace klamm::groups {
namespace {

using Response = protocol::ConsumerGroupDescribeResponse;

// Topics that are gone are left out.
template <typename To>
void describe(const Assignment& assignment, const metadata::Image& image, To& to) {
  for (const auto& [id, partitions] : assignment) {
    const metadata::Topic* topic = image.topic(id);
    if (!topic) continue;
    auto& out = to.topic_partitions.emplace_back();
    out.topic_id = id;
    out.topic_name = topic->name;
    out.partitions = partitions;
  }
}

void describe(const ConsumerMember& member, const Assignment* target, const metadata::Image& image,
              Response::Member& out) {
  out.member_id = member.id;
  out.instance_id = member.instance_id;
  out.rack_id = member.rack_id;
  out.member_epoch = member.epoch;
  out.client_id = member.client_id;
  out.client_host = member.client_host;
  out.subscribed_topic_names = member.topics;
  out.subscribed_topic_regex = member.regex;
  out.member_type = member.classic ? 0 : 1;
  describe(has(member), image, out.assignment);
  if (target) describe(*target, image, out.target_assignment);
}

}  // namespace

Response consumer_group_describe(const State& state, const Asked<protocol::ConsumerGroupDescribeRequest>& call) {
  Response response;
  for (const std::string& id : call.request.group_ids) {
    auto& out = response.groups.emplace_back();
    out.group_id = id;
    if (id.empty()) {
      out.error_code = wire_of(ErrorCode::invalid_group_id);
      continue;
    }
    const auto found = find_consumer_group(state, id);
    if (!found) {
      out.error_code = wire_of(found.error().code);
      out.error_message = found.error().message;
      continue;
    }
    const ConsumerGroup& group = **found;
    const auto preferred = group.preferred_assignor_with(nullptr, nullptr);
    out.group_state = group.state_name();
    out.group_epoch = group.epoch;
    out.assignment_epoch = group.target_epoch;
    out.assignor_name = preferred.value_or(state.settings.assignors.front());
    for (const auto& [member_id, member] : group.members()) {
      describe(member, group.target(member_id), *state.image, out.members.emplace_back());
    }
  }
  return response;
}

}  // namespace klamm::groups
