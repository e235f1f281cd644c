// What GroupsAdmin tells of groups and of their members.
#include <algorithm>
#include <set>
#include <utility>

#include "client/admin_call.h"
#include "client/core.h"
#include "client/group_coordinators.h"
#include "client/groups_admin.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/records/consumer_protocol_assignment.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr std::string_view consumer_protocol = "consumer";

Error error_with(ErrorCode code, const std::optional<std::string>& message) {
  return Error(code, message.value_or(""));
}

std::vector<PartitionName> partitions_of(const protocol::consumer_group_describe_response::Assignment& assignment) {
  std::vector<PartitionName> partitions;
  for (const auto& topic : assignment.topic_partitions) {
    for (const std::int32_t partition : topic.partitions) partitions.push_back({topic.topic_name, partition});
  }
  return partitions;
}

// What a consumer of a classic group was told to read, as it stands in SyncGroup.
Result<std::vector<PartitionName>> consumer_assignment(Bytes bytes) {
  std::vector<PartitionName> partitions;
  if (bytes.empty()) return partitions;
  const auto broken = [] {
    return Error::of_kind(kinds::schema, "Buffer underflow while parsing consumer protocol's assignment");
  };
  if (bytes.size() < 2) return broken();
  using protocol::ConsumerProtocolAssignment;
  const auto version = std::min(load_big<std::int16_t>(bytes.data()), ConsumerProtocolAssignment::max_version);
  if (version < ConsumerProtocolAssignment::min_version) return broken();
  protocol::Reader reader(bytes.subspan(2));
  ConsumerProtocolAssignment assignment;
  assignment.decode(reader, version);
  if (!reader.ok()) return broken();
  for (const auto& topic : assignment.assigned_partitions) {
    for (const std::int32_t partition : topic.partitions) partitions.push_back({topic.topic, partition});
  }
  return partitions;
}

ConsumerGroupDescription described(const protocol::ConsumerGroupDescribeResponse::DescribedGroup& group,
                                   Broker coordinator) {
  ConsumerGroupDescription description{.id = group.group_id,
                                       .simple = false,
                                       .type = GroupType::consumer,
                                       .state = group_state_of(group.group_state),
                                       .assignor = group.assignor_name,
                                       .coordinator = std::move(coordinator),
                                       .members = {},
                                       .epoch = group.group_epoch,
                                       .target_assignment_epoch = group.assignment_epoch};
  for (const auto& member : group.members) {
    description.members.push_back(
        {.id = member.member_id,
         .instance_id = member.instance_id,
         .rack = member.rack_id,
         .client_id = member.client_id,
         .host = member.client_host,
         .assignment = partitions_of(member.assignment),
         .target_assignment = partitions_of(member.target_assignment),
         .epoch = member.member_epoch,
         .upgraded = member.member_type == -1 ? std::optional<bool>() : std::optional(member.member_type == 1)});
  }
  return description;
}

using ClassicGroup = protocol::DescribeGroupsResponse::DescribedGroup;

bool of_consumers(const ClassicGroup& group) {
  return group.protocol_type == consumer_protocol || group.protocol_type.empty();
}

Result<std::vector<MemberDescription>> members_of(const ClassicGroup& group) {
  std::vector<MemberDescription> members;
  for (const auto& each : group.members) {
    MemberDescription member{.id = each.member_id,
                             .instance_id = each.group_instance_id,
                             .rack = {},
                             .client_id = each.client_id,
                             .host = each.client_host,
                             .assignment = {},
                             .target_assignment = {},
                             .epoch = {},
                             .upgraded = {}};
    if (of_consumers(group)) {
      auto assignment = consumer_assignment(each.member_assignment);
      if (!assignment) return assignment.error();
      member.assignment = *std::move(assignment);
    }
    members.push_back(std::move(member));
  }
  return members;
}

Result<ConsumerGroupDescription> described_as_consumer_group(const ClassicGroup& group, Broker coordinator) {
  if (!of_consumers(group)) {
    return Error::of_kind(kinds::illegal_argument,
                          fmt::format("GroupId {} is not a consumer group ({}).", group.group_id, group.protocol_type));
  }
  auto members = members_of(group);
  if (!members) return members.error();
  return ConsumerGroupDescription{.id = group.group_id,
                                  .simple = group.protocol_type.empty(),
                                  .type = GroupType::classic,
                                  .state = group_state_of(group.group_state),
                                  .assignor = group.protocol_data,
                                  .coordinator = std::move(coordinator),
                                  .members = *std::move(members),
                                  .epoch = {},
                                  .target_assignment_epoch = {}};
}

Result<ClassicGroupDescription> described_as_classic_group(const ClassicGroup& group, Broker coordinator) {
  auto members = members_of(group);
  if (!members) return members.error();
  return ClassicGroupDescription{.id = group.group_id,
                                 .protocol_type = group.protocol_type,
                                 .protocol = group.protocol_data,
                                 .state = group_state_of(group.group_state),
                                 .coordinator = std::move(coordinator),
                                 .members = *std::move(members)};
}

Broker broker_named(const Core& core, std::int32_t id) {
  const auto at = core.cluster().brokers().find(id);
  return at == core.cluster().brokers().end() ? Broker{.id = id, .host = "", .port = -1, .rack = {}} : at->second;
}

Task<Result<Reply<protocol::DescribeGroupsResponse>>> ask_for_classic(Core& core, std::int32_t broker,
                                                                      std::vector<std::string> groups,
                                                                      MonoTime deadline) {
  auto reply = co_await ask_broker<protocol::DescribeGroupsResponse>(
      core, broker, protocol::DescribeGroupsRequest::max_version, deadline, [&](std::int16_t) {
        protocol::DescribeGroupsRequest request;
        request.groups = groups;
        return request;
      });
  co_return std::move(reply);
}

// Describes groups by the API of the consumer protocol, and those that it does not know by that of classic groups.
class ConsumerGroupsDescriber {
 public:
  ConsumerGroupsDescriber(Core& core, MonoTime deadline)
      : core_(core), deadline_(deadline), log_(handler_log(core, "DescribeConsumerGroupsHandler")) {}

  Task<Result<Verdicts>> ask(std::int32_t broker, std::vector<std::string> groups) {
    verdicts_.clear();
    std::vector<std::string> asked;
    for (const std::string& group : groups) {
      if (!classic_.contains(group)) asked.push_back(group);
    }
    if (!asked.empty()) {
      const Result<void> done = co_await ask_by_consumer_protocol(broker, std::move(asked));
      if (!done) co_return done.error();
    }
    std::vector<std::string> left;
    for (const std::string& group : groups) {
      if (classic_.contains(group)) left.push_back(group);
    }
    if (!left.empty()) {
      const auto reply = co_await ask_for_classic(core_, broker, std::move(left), deadline_);
      if (!reply) co_return reply.error();
      for (const auto& group : reply->body.groups) took_classic(group, broker);
    }
    co_return verdicts_;
  }

  std::map<std::string, Result<ConsumerGroupDescription>>& found() { return found_; }

 private:
  Task<Result<void>> ask_by_consumer_protocol(std::int32_t broker, std::vector<std::string> groups) {
    const auto reply = co_await ask_broker<protocol::ConsumerGroupDescribeResponse>(
        core_, broker, protocol::ConsumerGroupDescribeRequest::max_version, deadline_, [&](std::int16_t) {
          protocol::ConsumerGroupDescribeRequest request;
          request.group_ids = groups;
          return request;
        });
    if (!reply && reply.error().code() == ErrorCode::unsupported_version) {
      classic_.insert(groups.begin(), groups.end());
      co_return Result<void>();
    }
    if (!reply) co_return reply.error();
    for (const auto& group : reply->body.groups) took(group, broker);
    co_return Result<void>();
  }

  void took(const protocol::ConsumerGroupDescribeResponse::DescribedGroup& group, std::int32_t broker) {
    const ErrorCode code = error_code_of(group.error_code);
    if (code == ErrorCode::none) {
      settle(group.group_id, described(group, broker_named(core_, broker)));
      return;
    }
    if (code == ErrorCode::unsupported_version || code == ErrorCode::group_id_not_found) {
      classic_.insert(group.group_id);
      // It tells more than that of classic groups will.
      if (code == ErrorCode::group_id_not_found) not_found_.emplace(group.group_id, group.error_message);
      return;
    }
    failed(group.group_id, code, group.error_message, "ConsumerGroupDescribe");
  }

  void took_classic(const ClassicGroup& group, std::int32_t broker) {
    const ErrorCode code = error_code_of(group.error_code);
    if (code == ErrorCode::none) {
      settle(group.group_id, described_as_consumer_group(group, broker_named(core_, broker)));
      return;
    }
    const auto said_before = not_found_.find(group.group_id);
    const bool known = code == ErrorCode::group_id_not_found && said_before != not_found_.end();
    failed(group.group_id, code, known ? said_before->second : group.error_message, "DescribeGroups");
  }

  void failed(const std::string& group, ErrorCode code, const std::optional<std::string>& message,
              std::string_view api) {
    const Verdict verdict = coordinator_verdict(code);
    if (verdict != Verdict::settled) {
      verdicts_[group] = verdict;
      return;
    }
    if (code != ErrorCode::group_authorization_failed && code != ErrorCode::topic_authorization_failed &&
        code != ErrorCode::group_id_not_found) {
      log_.error("`{}` request for group id {} failed due to unexpected error {}.", api, group, error_name(code));
    }
    settle(group, error_with(code, message));
  }

  void settle(const std::string& group, Result<ConsumerGroupDescription> result) {
    verdicts_[group] = Verdict::settled;
    found_.insert_or_assign(group, std::move(result));
  }

  Core& core_;
  MonoTime deadline_;
  Logger log_;
  std::set<std::string> classic_;
  std::map<std::string, std::optional<std::string>> not_found_;
  std::map<std::string, Result<ConsumerGroupDescription>> found_;
  Verdicts verdicts_;
};

}  // namespace

Task<std::map<std::string, Result<ConsumerGroupDescription>>> GroupsAdmin::describe_consumer_groups(
    std::vector<std::string> ids) {
  const MonoTime until = deadline();
  ConsumerGroupsDescriber describer(*core_, until);
  const auto failed = co_await ask_coordinators(*core_, std::move(ids),
                                                {"describeConsumerGroups", "CONSUMER_GROUP_DESCRIBE",
                                                 [&describer](std::int32_t broker, std::vector<std::string> groups) {
                                                   return describer.ask(broker, std::move(groups));
                                                 }},
                                                until);
  for (const auto& [group, error] : failed) describer.found().insert_or_assign(group, error);
  co_return std::move(describer.found());
}

Task<std::map<std::string, Result<ClassicGroupDescription>>> GroupsAdmin::describe_classic_groups(
    std::vector<std::string> ids) {
  const MonoTime until = deadline();
  std::map<std::string, Result<ClassicGroupDescription>> found;
  const auto ask = [this, until, &found](std::int32_t broker,
                                         std::vector<std::string> groups) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_for_classic(*core_, broker, std::move(groups), until);
    if (!reply) co_return reply.error();
    Verdicts verdicts;
    for (const auto& group : reply->body.groups) {
      const ErrorCode code = error_code_of(group.error_code);
      const Verdict verdict = verdicts[group.group_id] = coordinator_verdict(code);
      if (verdict != Verdict::settled) continue;
      if (code == ErrorCode::none) {
        found.insert_or_assign(group.group_id, described_as_classic_group(group, broker_named(*core_, broker)));
      } else {
        found.insert_or_assign(group.group_id, Error(code));
      }
    }
    co_return std::move(verdicts);
  };
  const auto failed =
      co_await ask_coordinators(*core_, std::move(ids), {"describeClassicGroups", "DESCRIBE_GROUPS", ask}, until);
  for (const auto& [group, error] : failed) found.insert_or_assign(group, error);
  co_return std::move(found);
}

}  // namespace klamm::client
