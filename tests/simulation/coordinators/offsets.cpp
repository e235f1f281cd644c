#include "coordinators/offsets.h"

#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"

namespace klamm::simulation {

bool may_have_been_done(ErrorCode code) {
  switch (code) {
    case ErrorCode::request_timed_out:
    case ErrorCode::network_exception:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::not_coordinator:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::unknown_server_error:
    case ErrorCode::not_enough_replicas_after_append:
      return true;
    default:
      return false;
  }
}

Task<OffsetsRead> read_offsets(Caller& caller, GroupHistory& history, OffsetsWanted wanted) {
  protocol::OffsetFetchRequest request;
  request.require_stable = wanted.stable;
  auto& group = request.groups.emplace_back();
  group.group_id = wanted.group;
  if (wanted.member != nullptr && wanted.member->plan().consumer_protocol) {
    group.member_id = wanted.member->member_id();
    group.member_epoch = wanted.member->epoch();
  }
  auto& topics = group.topics.emplace();
  topics.push_back(
      {.name = wanted.topic, .topic_id = {}, .partition_indexes = wanted.partitions, .unknown_tagged_fields = {}});
  std::map<std::int32_t, std::uint64_t> floors;
  for (const std::int32_t each : wanted.partitions) floors[each] = history.floor(wanted.group, {wanted.topic, each});

  OffsetsRead read;
  auto asking = caller.ask<protocol::OffsetFetchResponse>(std::move(request), 9);
  const auto answer = co_await std::move(asking);
  if (!answer || answer->body.groups.empty()) {
    read.error = ErrorCode::network_exception;
    co_return read;
  }
  const auto& told = answer->body.groups.front();
  read.error = error_code_of(told.error_code);
  if (read.error != ErrorCode::none) co_return read;
  for (const auto& topic : told.topics) {
    for (const auto& partition : topic.partitions) {
      const ErrorCode code = error_code_of(partition.error_code);
      if (code != ErrorCode::none) {
        read.error = code;
        continue;
      }
      history.read(wanted.group, {topic.name, partition.partition_index}, floors[partition.partition_index],
                   partition.committed_offset, partition.metadata.value_or(""), wanted.counts);
      read.offsets[partition.partition_index] = partition.committed_offset;
    }
  }
  co_return read;
}

Task<ErrorCode> commit_offsets(Caller& caller, GroupHistory& history, const Membership& member,
                               std::map<std::int32_t, std::int64_t> offsets) {
  const MembershipPlan& plan = member.plan();
  protocol::OffsetCommitRequest request;
  request.group_id = plan.group;
  request.generation_id_or_member_epoch = member.epoch();
  request.member_id = member.member_id();
  request.group_instance_id = plan.instance;
  auto& topic = request.topics.emplace_back();
  topic.name = plan.topic;
  const std::string who = member.who();
  const std::uint64_t begun = history.now();
  std::map<std::int32_t, std::size_t> commits;
  std::map<std::int32_t, std::int32_t> epochs;
  for (const auto& [partition, offset] : offsets) {
    const std::size_t commit = history.commit_begun(plan.group, {plan.topic, partition}, offset, std::nullopt);
    commits[partition] = commit;
    const auto owned = member.owned().find(partition);
    epochs[partition] = owned == member.owned().end() ? member.epoch() : owned->second;
    auto& to = topic.partitions.emplace_back();
    to.partition_index = partition;
    to.committed_offset = offset;
    to.committed_metadata = GroupHistory::name_of(commit);
  }
  auto asking = caller.ask_perhaps_late<protocol::OffsetCommitResponse>(std::move(request), 9);
  const auto answer = co_await std::move(asking);
  if (!answer) co_return ErrorCode::network_exception;
  ErrorCode first = ErrorCode::none;
  for (const auto& answered : answer->body.topics) {
    for (const auto& partition : answered.partitions) {
      const ErrorCode code = error_code_of(partition.error_code);
      if (first == ErrorCode::none) first = code;
      const auto commit = commits.find(partition.partition_index);
      if (commit == commits.end()) continue;
      if (code == ErrorCode::none) {
        history.acknowledged(commit->second);
        history.went_on(plan.group, who, plan.topic, partition.partition_index, epochs[partition.partition_index],
                        begun, "a commit");
      } else if (!may_have_been_done(code)) {
        history.refused(commit->second);
      }
    }
  }
  co_return first;
}

}  // namespace klamm::simulation
