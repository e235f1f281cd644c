#include <algorithm>

#include "coordinators/membership.h"
#include "coordinators/memberships.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/sync_group.h"
#include "protocol/reader.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/records/consumer_protocol_subscription.h"
#include "protocol/writer.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

namespace {

constexpr std::int16_t subscription_version = 0;

template <typename Message>
ByteVector encoded(const Message& message) {
  ByteVector bytes;
  protocol::Writer writer(bytes);
  writer.write_int16(subscription_version);
  message.encode(writer, subscription_version);
  return bytes;
}

ByteVector assignment_of(const std::string& topic, std::vector<std::int32_t> partitions) {
  protocol::ConsumerProtocolAssignment assignment;
  if (!partitions.empty()) {
    auto& to = assignment.assigned_partitions.emplace_back();
    to.topic = topic;
    to.partitions = std::move(partitions);
  }
  return encoded(assignment);
}

std::int32_t milliseconds(runtime::Duration duration) {
  return static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

void ClassicMembership::out(bool forget_id) {
  joined_ = false;
  owned_.clear();
  if (!forget_id) return;
  member_id_.clear();
  epoch_ = -1;
}

void ClassicMembership::told(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_member_id:
    case ErrorCode::illegal_generation:
      return out(true);
    case ErrorCode::rebalance_in_progress:
      return out(false);
    case ErrorCode::fenced_instance_id:
      fenced_ = true;
      return out(true);
    default:
      return;
  }
}

Task<void> ClassicMembership::keep() {
  if (fenced_) co_return;
  if (!joined_) {
    auto joining = join();
    co_await std::move(joining);
    if (!joined_) {
      auto waiting = rest(caller_.home(), chance_.between(runtime::Duration(1ms), runtime::Duration(300ms)));
      co_await std::move(waiting);
    }
    co_return;
  }
  if (caller_.now() < due_) co_return;
  due_ = caller_.now() + plan_.interval;
  protocol::HeartbeatRequest request;
  request.group_id = plan_.group;
  request.generation_id = epoch_;
  request.member_id = member_id_;
  request.group_instance_id = plan_.instance;
  auto asking = caller_.ask_perhaps_late<protocol::HeartbeatResponse>(std::move(request), 4);
  const auto answer = co_await std::move(asking);
  if (!answer) co_return;
  const ErrorCode code = error_code_of(answer->body.error_code);
  // A good answer says nothing: a coordinator that loads gives it to everybody, as Kafka's does.
  if (code != ErrorCode::none) told(code);
}

Task<void> ClassicMembership::join() {
  protocol::JoinGroupRequest request;
  request.group_id = plan_.group;
  request.session_timeout_ms = milliseconds(plan_.session);
  request.rebalance_timeout_ms = milliseconds(plan_.rebalance);
  request.member_id = member_id_;
  request.group_instance_id = plan_.instance;
  request.protocol_type = "consumer";
  protocol::ConsumerProtocolSubscription subscription;
  subscription.topics = {plan_.topic};
  request.protocols.push_back({"range", encoded(subscription), {}});
  auto asking = caller_.ask<protocol::JoinGroupResponse>(std::move(request), 9, plan_.rebalance);
  const auto answer = co_await std::move(asking);
  if (!answer) co_return;
  const protocol::JoinGroupResponse& response = answer->body;
  const ErrorCode code = error_code_of(response.error_code);
  if (code == ErrorCode::member_id_required) member_id_ = response.member_id;
  if (code != ErrorCode::none) co_return told(code);
  member_id_ = response.member_id;
  epoch_ = response.generation_id;
  if (chance_.one_in(30)) co_return;  // as if it had died before the sync
  auto syncing = sync(response);
  co_await std::move(syncing);
}

// Round robin over the members, in any order of them.
void ClassicMembership::assign(const protocol::JoinGroupResponse& joined, protocol::SyncGroupRequest& request) {
  const std::size_t members = joined.members.size();
  if (joined.leader != joined.member_id || joined.skip_assignment || members == 0) return;
  const std::size_t first = chance_.below(members);
  std::vector<std::vector<std::int32_t>> parts(members);
  for (std::int32_t i = 0; i < plan_.partitions; ++i) {
    parts[(first + static_cast<std::size_t>(i)) % members].push_back(i);
  }
  for (std::size_t i = 0; i < members; ++i) {
    request.assignments.push_back({joined.members[i].member_id, assignment_of(plan_.topic, std::move(parts[i])), {}});
  }
}

Task<void> ClassicMembership::sync(protocol::JoinGroupResponse joined) {
  protocol::SyncGroupRequest request;
  request.group_id = plan_.group;
  request.generation_id = epoch_;
  request.member_id = member_id_;
  request.group_instance_id = plan_.instance;
  request.protocol_type = joined.protocol_type;
  request.protocol_name = joined.protocol_name;
  assign(joined, request);
  auto asking = caller_.ask<protocol::SyncGroupResponse>(std::move(request), 5, plan_.rebalance);
  const auto answer = co_await std::move(asking);
  if (!answer) co_return;
  const ErrorCode code = error_code_of(answer->body.error_code);
  if (code != ErrorCode::none) co_return told(code);
  joined_ = true;
  due_ = caller_.now() + plan_.interval;
  if (answer->body.assignment.empty()) co_return;
  protocol::Reader reader(answer->body.assignment);
  reader.read_int16();
  protocol::ConsumerProtocolAssignment assignment;
  assignment.decode(reader, subscription_version);
  for (const auto& topic : assignment.assigned_partitions) {
    for (const std::int32_t partition : topic.partitions) give(partition, epoch_);
  }
}

Task<void> ClassicMembership::leave() {
  if (member_id_.empty()) co_return;
  protocol::LeaveGroupRequest request;
  request.group_id = plan_.group;
  request.members.push_back({member_id_, plan_.instance, std::nullopt, {}});
  out(true);
  auto asking = caller_.ask_perhaps_late<protocol::LeaveGroupResponse>(std::move(request), 5);
  [[maybe_unused]] const auto answer = co_await std::move(asking);
}

}  // namespace klamm::simulation
