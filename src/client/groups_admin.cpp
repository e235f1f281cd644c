#include "client/groups_admin.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <utility>

#include "client/admin_call.h"
#include "client/core.h"
#include "client/group_coordinators.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

// The last versions in which topics have names.
constexpr std::int16_t named_offset_commit = 9;
constexpr std::int16_t named_offset_fetch = 9;
constexpr std::int16_t many_groups_offset_fetch = 8;

constexpr std::pair<GroupType, std::string_view> types[] = {
    {GroupType::unknown, "Unknown"}, {GroupType::consumer, "Consumer"}, {GroupType::classic, "Classic"},
    {GroupType::share, "Share"},     {GroupType::streams, "Streams"},
};

constexpr std::pair<GroupState, std::string_view> states[] = {
    {GroupState::unknown, "Unknown"},
    {GroupState::preparing_rebalance, "PreparingRebalance"},
    {GroupState::completing_rebalance, "CompletingRebalance"},
    {GroupState::stable, "Stable"},
    {GroupState::dead, "Dead"},
    {GroupState::empty, "Empty"},
    {GroupState::assigning, "Assigning"},
    {GroupState::reconciling, "Reconciling"},
    {GroupState::not_ready, "NotReady"},
};

bool same_letters(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(left, right, {}, lower, lower);
}

template <typename Table, typename Value>
std::string_view name_in(const Table& table, Value value) {
  const auto found = std::ranges::find(table, value, [](const auto& row) { return row.first; });
  return found == std::end(table) ? "Unknown" : found->second;
}

template <typename Table>
auto value_in(const Table& table, std::string_view name) {
  const auto found = std::ranges::find_if(table, [&](const auto& row) { return same_letters(row.second, name); });
  return found == std::end(table) ? table[0].first : found->first;
}

// The topics of a request that lists partitions by topic, in the order in which they are given.
template <typename Topic, typename AddPartition>
std::vector<Topic> by_topic(const std::vector<PartitionName>& partitions, AddPartition add) {
  std::vector<Topic> topics;
  for (const PartitionName& partition : partitions) {
    auto at = std::ranges::find(topics, partition.topic, &Topic::name);
    if (at == topics.end()) {
      topics.emplace_back();
      at = topics.end() - 1;
      at->name = partition.topic;
    }
    add(*at, partition);
  }
  return topics;
}

// Codes that a call may well meet are told to its caller alone; the others are logged too.
void log_unexpected(const Logger& log, std::string_view call, const std::string& group, ErrorCode code,
                    std::initializer_list<ErrorCode> expected) {
  if (code == ErrorCode::none || std::ranges::find(expected, code) != expected.end()) return;
  log.error("`{}` request for group id {} failed due to unexpected error {}", call, group, error_name(code));
}

// Of what ask_coordinators left of one group, and of what `kept` has of it.
template <typename T>
Result<T> answer_about(const std::string& group, std::map<std::string, Error> failed, std::optional<Result<T>> kept) {
  if (const auto at = failed.find(group); at != failed.end()) return at->second;
  if (!kept) return Error(ErrorCode::unknown_server_error, "The coordinator's answer does not tell of the group.");
  return *std::move(kept);
}

// ---- list ----

Result<protocol::ListGroupsRequest> list_request(const GroupFilter& filter, std::int16_t version) {
  protocol::ListGroupsRequest request;
  for (const GroupState state : filter.states) request.states_filter.emplace_back(group_state_name(state));
  for (const GroupType type : filter.types) request.types_filter.emplace_back(group_type_name(type));
  if (!filter.states.empty() && version < 4) {
    return Error(ErrorCode::unsupported_version,
                 fmt::format("The broker only supports ListGroups v{}, but we need v4 or newer to request groups by "
                             "states.",
                             version));
  }
  if (!filter.types.empty() && version < 5) {
    // Brokers that do not know types have classic groups alone.
    const bool classic = std::ranges::find(filter.types, GroupType::classic) != filter.types.end();
    const bool others = std::ranges::any_of(
        filter.types, [](GroupType type) { return type != GroupType::classic && type != GroupType::consumer; });
    if (!classic || others) {
      return Error(ErrorCode::unsupported_version,
                   fmt::format("The broker only supports ListGroups v{}, but we need v5 or newer to request groups by "
                               "type. Requested group types: [{}].",
                               version, fmt::join(request.types_filter, ", ")));
    }
    request.types_filter.clear();
  }
  return request;
}

Task<Result<std::vector<GroupListing>>> list_of_broker(Core& core, std::int32_t broker, GroupFilter filter,
                                                       MonoTime deadline) {
  using protocol::ListGroupsResponse;
  const Result<Link*> link = co_await core.link_to(Target::node(broker), deadline);
  const Result<void> ready = link ? co_await (*link)->wait_ready(deadline) : Result<void>(link.error());
  if (!ready) {
    co_return Error::of_kind(kinds::timeout, "Timed out waiting for a node assignment. Call: listGroups");
  }
  const auto version = (*link)->versions().latest_usable<protocol::ListGroupsRequest>();
  if (!version) co_return Error(version.error().code, version.error().message);
  const Result<protocol::ListGroupsRequest> request = list_request(filter, *version);
  if (!request) co_return request.error();
  constexpr auto again = +[](const ListGroupsResponse& response) {
    const ErrorCode code = error_code_of(response.error_code);
    return code == ErrorCode::coordinator_load_in_progress || code == ErrorCode::coordinator_not_available;
  };
  const auto reply =
      co_await admin_call<ListGroupsResponse>(core, Target::node(broker), *request, "listGroups", deadline, again);
  if (!reply) co_return reply.error();
  if (const ErrorCode code = error_code_of(reply->body.error_code); code != ErrorCode::none) co_return Error(code);
  std::vector<GroupListing> listings;
  for (const auto& group : reply->body.groups) {
    const auto& wanted = filter.protocol_types;
    if (!wanted.empty() && std::ranges::find(wanted, group.protocol_type) == wanted.end()) continue;
    GroupListing listing{group.group_id, {}, group.protocol_type, {}};
    if (!group.group_type.empty()) listing.type = group_type_of(group.group_type);
    if (!group.group_state.empty()) listing.state = group_state_of(group.group_state);
    listings.push_back(std::move(listing));
  }
  co_return std::move(listings);
}

// ---- offsets ----

protocol::OffsetFetchRequest offsets_request(const std::string& group,
                                             const std::optional<std::vector<PartitionName>>& partitions, bool stable,
                                             std::int16_t version) {
  using protocol::OffsetFetchRequest;
  const auto add = [](auto& topic, const PartitionName& partition) {
    topic.partition_indexes.push_back(partition.partition);
  };
  OffsetFetchRequest request;
  request.require_stable = stable;
  if (version >= many_groups_offset_fetch) {
    auto& asked = request.groups.emplace_back();
    asked.group_id = group;
    asked.topics.reset();
    if (partitions) asked.topics = by_topic<OffsetFetchRequest::OffsetFetchRequestTopics>(*partitions, add);
  } else {
    request.group_id = group;
    request.topics.reset();
    if (partitions) request.topics = by_topic<OffsetFetchRequest::OffsetFetchRequestTopic>(*partitions, add);
  }
  return request;
}

bool expected_of_commit(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_group_id:
    case ErrorCode::invalid_commit_offset_size:
    case ErrorCode::group_authorization_failed:
    case ErrorCode::group_id_not_found:
    case ErrorCode::unknown_member_id:
    case ErrorCode::stale_member_epoch:
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::offset_metadata_too_large:
    case ErrorCode::topic_authorization_failed:
      return true;
    default:
      return false;
  }
}

template <typename Topics>
std::vector<CommittedOffset> committed_in(const Topics& topics, const Logger& log) {
  std::vector<CommittedOffset> offsets;
  for (const auto& topic : topics) {
    for (const auto& each : topic.partitions) {
      if (const ErrorCode code = error_code_of(each.error_code); code != ErrorCode::none) {
        log.warn("Skipping return offset for {}-{} due to error {}.", topic.name, each.partition_index,
                 error_name(code));
        continue;
      }
      CommittedOffset offset{.partition = {topic.name, each.partition_index},
                             .offset = std::max<std::int64_t>(each.committed_offset, -1),
                             .leader_epoch = {},
                             .metadata = each.metadata.value_or("")};
      if (each.committed_leader_epoch >= 0) offset.leader_epoch = each.committed_leader_epoch;
      offsets.push_back(std::move(offset));
    }
  }
  return offsets;
}

}  // namespace

std::string_view group_type_name(GroupType type) {
  return name_in(types, type);
}
GroupType group_type_of(std::string_view name) {
  return value_in(types, name);
}
std::string_view group_state_name(GroupState state) {
  return name_in(states, state);
}
GroupState group_state_of(std::string_view name) {
  return value_in(states, name);
}

GroupFilter GroupFilter::consumer_groups() {
  return {.types = {GroupType::classic, GroupType::consumer}, .protocol_types = {"", "consumer"}};
}

MonoTime GroupsAdmin::deadline() const {
  return core_->now() + timeout_.value_or(core_->settings().default_api_timeout);
}

Task<Result<std::vector<GroupListing>>> GroupsAdmin::list(GroupFilter filter) {
  using protocol::MetadataResponse;
  const MonoTime until = deadline();
  protocol::MetadataRequest request;  // of no topic
  constexpr auto again = +[](const MetadataResponse& response) { return response.brokers.empty(); };
  const auto brokers =
      co_await admin_call<MetadataResponse>(*core_, Target::any(), request, "findAllBrokers", until, again);
  if (!brokers) {
    co_return Error::of_kind(kinds::kafka, "Failed to find brokers to send ListGroups").caused_by(brokers.error());
  }
  std::vector<GroupListing> listings;
  std::set<std::string> known;
  for (const auto& each : brokers->body.brokers) {
    const auto found = co_await list_of_broker(*core_, each.node_id, filter, until);
    if (!found) {
      const Broker broker{each.node_id, each.host, each.port, each.rack};
      const std::string& why = found.error().message();
      std::string text =
          fmt::format("Error listing groups on {}{}{}", broker.to_string(), why.empty() ? "" : ": ", why);
      co_return Error(found.error().code(), std::move(text));
    }
    for (const GroupListing& listing : *found) {
      if (known.insert(listing.id).second) listings.push_back(listing);
    }
  }
  co_return std::move(listings);
}

Task<Result<std::vector<CommittedOffset>>> GroupsAdmin::list_offsets(
    std::string group, std::optional<std::vector<PartitionName>> partitions, bool stable) {
  using protocol::OffsetFetchResponse;
  const MonoTime until = deadline();
  const Logger log = handler_log(*core_, "ListConsumerGroupOffsetsHandler");
  std::optional<Result<std::vector<CommittedOffset>>> kept;
  const auto took = [&](ErrorCode code, const auto& topics) {
    if (code == ErrorCode::none) {
      kept.emplace(committed_in(topics, log));
      return Verdict::settled;
    }
    const Verdict verdict = coordinator_verdict(code);
    if (verdict != Verdict::settled) return verdict;
    log_unexpected(
        log, "OffsetFetch", group, code,
        {ErrorCode::group_authorization_failed, ErrorCode::unknown_member_id, ErrorCode::stale_member_epoch});
    kept.emplace(Error(code));
    return Verdict::settled;
  };
  const auto ask = [&](std::int32_t broker, std::vector<std::string>) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_broker<OffsetFetchResponse>(
        *core_, broker, named_offset_fetch, until,
        [&](std::int16_t version) { return offsets_request(group, partitions, stable, version); });
    if (!reply) co_return reply.error();
    Verdicts verdicts;
    for (const auto& each : reply->body.groups)
      verdicts[each.group_id] = took(error_code_of(each.error_code), each.topics);
    if (reply->version < many_groups_offset_fetch) {
      verdicts[group] = took(error_code_of(reply->body.error_code), reply->body.topics);
    }
    co_return std::move(verdicts);
  };
  std::vector<std::string> one{group};
  auto failed = co_await ask_coordinators(*core_, std::move(one), {"offsetFetch", "OFFSET_FETCH", ask}, until);
  co_return answer_about(group, std::move(failed), std::move(kept));
}

Task<Result<std::vector<PartitionOutcome>>> GroupsAdmin::alter_offsets(std::string group,
                                                                       std::vector<CommittedOffset> offsets) {
  using protocol::OffsetCommitRequest;
  const MonoTime until = deadline();
  const Logger log = handler_log(*core_, "AlterConsumerGroupOffsetsHandler");
  OffsetCommitRequest request;
  request.group_id = group;
  for (const CommittedOffset& offset : offsets) {
    auto at =
        std::ranges::find(request.topics, offset.partition.topic, &OffsetCommitRequest::OffsetCommitRequestTopic::name);
    if (at == request.topics.end()) {
      request.topics.emplace_back();
      at = request.topics.end() - 1;
      at->name = offset.partition.topic;
    }
    at->partitions.push_back({.partition_index = offset.partition.partition,
                              .committed_offset = offset.offset,
                              .committed_leader_epoch = offset.leader_epoch.value_or(-1),
                              .committed_metadata = offset.metadata});
  }
  std::optional<Result<std::vector<PartitionOutcome>>> kept;
  const auto ask = [&](std::int32_t broker, std::vector<std::string>) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_broker<protocol::OffsetCommitResponse>(*core_, broker, named_offset_commit, until,
                                                                           [&](std::int16_t) { return request; });
    if (!reply) co_return reply.error();
    std::vector<PartitionOutcome> outcomes;
    Verdict verdict = Verdict::settled;
    for (const auto& topic : reply->body.topics) {
      for (const auto& each : topic.partitions) {
        const ErrorCode code = error_code_of(each.error_code);
        const Verdict its = code == ErrorCode::rebalance_in_progress ? Verdict::again : coordinator_verdict(code);
        if (its != Verdict::settled) verdict = verdict == Verdict::moved ? verdict : its;
        if (its == Verdict::settled && code != ErrorCode::none && !expected_of_commit(code)) {
          log.error("OffsetCommit request for group id {} and partition {}-{} failed due to unexpected error {}.",
                    group, topic.name, each.partition_index, error_name(code));
        }
        PartitionOutcome outcome{{topic.name, each.partition_index}, {}};
        if (code != ErrorCode::none) outcome.error = Error(code);
        outcomes.push_back(std::move(outcome));
      }
    }
    if (verdict == Verdict::settled) kept.emplace(std::move(outcomes));
    co_return Verdicts{{group, verdict}};
  };
  std::vector<std::string> one{group};
  auto failed = co_await ask_coordinators(*core_, std::move(one), {"offsetCommit", "OFFSET_COMMIT", ask}, until);
  co_return answer_about(group, std::move(failed), std::move(kept));
}

Task<Result<std::vector<PartitionOutcome>>> GroupsAdmin::delete_offsets(std::string group,
                                                                        std::vector<PartitionName> partitions) {
  using protocol::OffsetDeleteRequest;
  const MonoTime until = deadline();
  const Logger log = handler_log(*core_, "DeleteConsumerGroupOffsetsHandler");
  OffsetDeleteRequest request;
  request.group_id = group;
  request.topics = by_topic<OffsetDeleteRequest::OffsetDeleteRequestTopic>(
      partitions, [](auto& topic, const PartitionName& partition) {
        topic.partitions.push_back({.partition_index = partition.partition});
      });
  std::optional<Result<std::vector<PartitionOutcome>>> kept;
  const auto ask = [&](std::int32_t broker, std::vector<std::string>) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_broker<protocol::OffsetDeleteResponse>(
        *core_, broker, OffsetDeleteRequest::max_version, until, [&](std::int16_t) { return request; });
    if (!reply) co_return reply.error();
    const ErrorCode code = error_code_of(reply->body.error_code);
    const Verdict verdict = coordinator_verdict(code);
    if (verdict == Verdict::settled && code != ErrorCode::none) {
      log_unexpected(log, "OffsetDelete", group, code,
                     {ErrorCode::group_authorization_failed, ErrorCode::group_id_not_found, ErrorCode::invalid_group_id,
                      ErrorCode::non_empty_group});
      kept.emplace(Error(code));
    }
    if (code == ErrorCode::none) {
      std::vector<PartitionOutcome> outcomes;
      for (const auto& topic : reply->body.topics) {
        for (const auto& each : topic.partitions) {
          PartitionOutcome outcome{{topic.name, each.partition_index}, {}};
          if (each.error_code != 0) outcome.error = Error(error_code_of(each.error_code));
          outcomes.push_back(std::move(outcome));
        }
      }
      kept.emplace(std::move(outcomes));
    }
    co_return Verdicts{{group, verdict}};
  };
  std::vector<std::string> one{group};
  auto failed = co_await ask_coordinators(*core_, std::move(one), {"offsetDelete", "OFFSET_DELETE", ask}, until);
  co_return answer_about(group, std::move(failed), std::move(kept));
}

Task<std::map<std::string, Result<void>>> GroupsAdmin::delete_groups(std::vector<std::string> ids) {
  using protocol::DeleteGroupsResponse;
  const MonoTime until = deadline();
  const Logger log = handler_log(*core_, "DeleteConsumerGroupsHandler");
  std::map<std::string, Result<void>> results;
  const auto ask = [this, until, &log, &results](std::int32_t broker,
                                                 std::vector<std::string> groups) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_broker<DeleteGroupsResponse>(
        *core_, broker, protocol::DeleteGroupsRequest::max_version, until, [&](std::int16_t) {
          protocol::DeleteGroupsRequest request;
          request.groups_names = groups;
          return request;
        });
    if (!reply) co_return reply.error();
    Verdicts verdicts;
    for (const auto& each : reply->body.results) {
      const ErrorCode code = error_code_of(each.error_code);
      verdicts[each.group_id] = coordinator_verdict(code);
      if (verdicts[each.group_id] != Verdict::settled) continue;
      log_unexpected(log, "DeleteConsumerGroups", each.group_id, code,
                     {ErrorCode::group_authorization_failed, ErrorCode::invalid_group_id, ErrorCode::non_empty_group,
                      ErrorCode::group_id_not_found});
      results[each.group_id] = code == ErrorCode::none ? Result<void>() : Result<void>(Error(code));
    }
    co_return std::move(verdicts);
  };
  const auto failed =
      co_await ask_coordinators(*core_, std::move(ids), {"deleteConsumerGroups", "DELETE_GROUPS", ask}, until);
  for (const auto& [group, error] : failed) results[group] = error;
  co_return std::move(results);
}

Task<Result<std::vector<MemberOutcome>>> GroupsAdmin::remove_members(std::string group,
                                                                     std::optional<std::vector<MemberToRemove>> members,
                                                                     std::string reason) {
  using protocol::LeaveGroupRequest;
  const MonoTime until = deadline();
  constexpr std::size_t reason_max = 255;
  if (reason.empty()) reason = "member was removed by an admin";
  if (reason.size() > reason_max) reason.resize(reason_max);
  const Logger log = handler_log(*core_, "RemoveMembersFromConsumerGroupHandler");
  if (!members) {
    std::vector<std::string> one{group};
    const auto described = co_await describe_consumer_groups(std::move(one));
    const auto& description = described.at(group);
    if (!description) {
      co_return Error::of_kind(kinds::kafka, "Encounter exception when trying to get members from group: " + group)
          .caused_by(description.error());
    }
    members.emplace();
    for (const MemberDescription& member : description->members) {
      members->push_back(member.instance_id ? MemberToRemove{.id = {}, .instance_id = member.instance_id}
                                            : MemberToRemove{.id = member.id, .instance_id = {}});
    }
  }
  LeaveGroupRequest request;
  request.group_id = group;
  for (const MemberToRemove& member : *members) {
    request.members.push_back({.member_id = member.id, .group_instance_id = member.instance_id, .reason = reason});
  }
  std::optional<Result<std::vector<MemberOutcome>>> kept;
  const auto ask = [&](std::int32_t broker, std::vector<std::string>) -> Task<Result<Verdicts>> {
    const auto reply = co_await ask_broker<protocol::LeaveGroupResponse>(*core_, broker, LeaveGroupRequest::max_version,
                                                                         until, [&](std::int16_t) { return request; });
    if (!reply) co_return reply.error();
    const ErrorCode code = error_code_of(reply->body.error_code);
    const Verdict verdict = coordinator_verdict(code);
    if (verdict == Verdict::settled && code != ErrorCode::none) {
      log_unexpected(log, "LeaveGroup", group, code, {ErrorCode::group_authorization_failed});
      kept.emplace(Error(code));
    }
    if (code == ErrorCode::none) {
      std::vector<MemberOutcome> outcomes;
      for (const auto& each : reply->body.members) {
        MemberOutcome outcome{{each.member_id, each.group_instance_id}, {}};
        if (each.error_code != 0) outcome.error = Error(error_code_of(each.error_code));
        outcomes.push_back(std::move(outcome));
      }
      kept.emplace(std::move(outcomes));
    }
    co_return Verdicts{{group, verdict}};
  };
  std::vector<std::string> one{group};
  auto failed = co_await ask_coordinators(*core_, std::move(one), {"leaveGroup", "LEAVE_GROUP", ask}, until);
  co_return answer_about(group, std::move(failed), std::move(kept));
}

}  // namespace klamm::client
