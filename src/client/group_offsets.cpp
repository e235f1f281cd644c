#include "client/group_offsets.h"

#include <algorithm>

#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"

namespace klamm::client {

using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;
using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr std::int16_t last_with_names = 9;    // of both: later versions name topics by id
constexpr std::int16_t first_with_groups = 8;  // of OffsetFetch
constexpr std::int16_t first_with_stable = 7;
constexpr std::int16_t first_with_epochs = 9;
constexpr const char* commit_failed = "org.apache.kafka.clients.consumer.CommitFailedException";
constexpr const char* not_in_group =
    "Offset commit cannot be completed since the consumer is not part of an active group for auto partition "
    "assignment; "
    "it is likely that the consumer was kicked out of the group.";

bool is_elsewhere(ErrorCode code) {
  return code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
}

template <typename Topics>
auto& topic_of(Topics& topics, const std::string& name) {
  if (topics.empty() || topics.back().name != name) topics.emplace_back().name = name;
  return topics.back();
}

template <typename Topics>
void name_partitions(Topics& topics, const PartitionSet& partitions) {
  for (const TopicPartition& each : partitions)
    topic_of(topics, each.topic).partition_indexes.push_back(each.partition.value);
}

}  // namespace

Error GroupOffsets::in_time(const char* what) const {
  return Error::of_kind(
      kinds::timeout,
      fmt::format("Timeout of {}ms expired before {}",
                  std::chrono::round<std::chrono::milliseconds>(core_.settings().default_api_timeout).count(), what));
}

// --- commit ----------------------------------------------------------------------------------------------------------

Task<Result<void>> GroupOffsets::commit(GroupPositions offsets, MonoTime deadline, bool again) {
  if (offsets.empty()) co_return Result<void>();
  Backoff pause = core_.backoff();
  for (;;) {
    const Result<MemberIdentity> as = member_.identity();
    if (!as) co_return as.error();
    const Outcome outcome = co_await commit_once(offsets, *as, deadline);
    if (outcome.next == Next::done) {
      if (outcome.error) co_return *outcome.error;
      co_return Result<void>();
    }
    if (outcome.next == Next::again_elsewhere) coordinator_.lost();
    if (outcome.next == Next::again_under_new_name) {
      const Result<MemberIdentity> now = member_.identity();
      if (!now || *now == *as) co_return *outcome.error;
    }
    if (!again) co_return *outcome.error;
    if (core_.now() >= deadline) co_return in_time("successfully committing offsets");
    co_await core_.links_changed().wait(std::min(deadline, core_.now() + pause.next()));
  }
}

Task<GroupOffsets::Outcome> GroupOffsets::commit_once(GroupPositions offsets, MemberIdentity as, MonoTime deadline) {
  const Result<Link*> link = co_await coordinator_.link(deadline);
  if (!link) co_return Outcome{Next::done, link.error()};
  OffsetCommitRequest request;
  request.group_id = coordinator_.group_id();
  request.generation_id_or_member_epoch = as.generation;
  request.member_id = as.member_id;
  request.group_instance_id = as.instance_id;
  for (const auto& [partition, committed] : offsets) {
    auto& each = topic_of(request.topics, partition.topic).partitions.emplace_back();
    each.partition_index = partition.partition.value;
    each.committed_offset = committed.offset;
    each.committed_leader_epoch = committed.leader_epoch;
    each.committed_metadata = committed.metadata;
  }
  const auto reply = co_await core_.exchange<OffsetCommitResponse>(**link, request, deadline, last_with_names);
  if (!reply) {
    if (!reply.error().retriable()) co_return Outcome{Next::done, reply.error()};
    co_return Outcome{Next::again_elsewhere, reply.error()};
  }
  for (const auto& topic : reply->body.topics) {
    for (const auto& each : topic.partitions) {
      const ErrorCode code = error_code_of(each.error_code);
      if (code == ErrorCode::none) continue;
      co_return judge_commit(code, {topic.name, PartitionIndex(each.partition_index)}, as);
    }
  }
  co_return Outcome{};
}

GroupOffsets::Outcome GroupOffsets::judge_commit(ErrorCode code, const TopicPartition& partition,
                                                 const MemberIdentity& as) {
  const bool consumer = member_.protocol == GroupProtocol::consumer;
  const auto final = [](Error error) { return Outcome{Next::done, std::move(error)}; };
  member_.refused(code, as);
  switch (code) {
    case ErrorCode::group_authorization_failed:
      return final(CoordinatorSearch::not_authorized(coordinator_.group_id()));
    case ErrorCode::topic_authorization_failed:
      return final(Error(code, fmt::format("Not authorized to access topics: [{}]", partition.topic)));
    case ErrorCode::offset_metadata_too_large:
    case ErrorCode::invalid_commit_offset_size:
    case ErrorCode::fenced_instance_id:
      return final(Error(code));
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::unknown_topic_or_partition:
      return {Next::again, Error(code)};
    case ErrorCode::request_timed_out:
      return {Next::again_elsewhere, Error(code)};
    case ErrorCode::rebalance_in_progress:
      return final(Error(code,
                         "Offset commit cannot be completed since the consumer group is executing a rebalance at the "
                         "moment. You can try completing the rebalance by calling poll() and then retry commit again"));
    case ErrorCode::unknown_member_id:
      return final(Error::of_kind(
          commit_failed, consumer ? fmt::format("OffsetCommit failed with unknown member ID. {}", error_message(code))
                                  : not_in_group));
    case ErrorCode::illegal_generation:
      return final(Error::of_kind(commit_failed, not_in_group));
    case ErrorCode::stale_member_epoch:
      return {Next::again_under_new_name,
              Error::of_kind(commit_failed,
                             fmt::format("OffsetCommit failed with stale member epoch. {}", error_message(code)))};
    default:
      if (is_elsewhere(code)) return {Next::again_elsewhere, Error(code)};
      return final(Error::of_kind(kinds::kafka, fmt::format("Unexpected error in commit: {}", error_message(code))));
  }
}

// --- fetch -----------------------------------------------------------------------------------------------------------

Task<Result<GroupPositions>> GroupOffsets::fetch(PartitionSet partitions, MonoTime deadline) {
  if (partitions.empty()) co_return GroupPositions{};
  Backoff pause = core_.backoff();
  for (;;) {
    const Result<MemberIdentity> as = member_.identity();
    Outcome outcome = co_await fetch_once(partitions, as ? *as : MemberIdentity{}, deadline);
    if (outcome.next == Next::done) {
      if (outcome.error) co_return *outcome.error;
      co_return std::move(outcome.found);
    }
    if (outcome.next == Next::again_elsewhere) coordinator_.lost();
    if (core_.now() >= deadline) co_return in_time("the last committed offset for partitions could be determined");
    co_await core_.links_changed().wait(std::min(deadline, core_.now() + pause.next()));
  }
}

Task<GroupOffsets::Outcome> GroupOffsets::fetch_once(PartitionSet partitions, MemberIdentity as, MonoTime deadline) {
  const Result<Link*> link = co_await coordinator_.link(deadline);
  if (!link) co_return Outcome{Next::done, link.error()};
  const auto version = (*link)->versions().latest_usable(OffsetFetchRequest::api_key,
                                                         {OffsetFetchRequest::min_version, last_with_names});
  if (!version) co_return Outcome{Next::done, Error(version.error().code, version.error().message)};
  OffsetFetchRequest request;
  request.require_stable = *version >= first_with_stable;
  if (*version >= first_with_groups) {
    auto& group = request.groups.emplace_back();
    group.group_id = coordinator_.group_id();
    if (*version >= first_with_epochs && member_.protocol == GroupProtocol::consumer && as.generation > 0) {
      group.member_id = as.member_id;
      group.member_epoch = as.generation;
    }
    name_partitions(group.topics.emplace(), partitions);
  } else {
    request.group_id = coordinator_.group_id();
    name_partitions(request.topics.emplace(), partitions);
  }
  const auto reply = co_await core_.exchange<OffsetFetchResponse>(**link, request, deadline, *version);
  if (!reply) {
    if (!reply.error().retriable()) co_return Outcome{Next::done, reply.error()};
    co_return Outcome{Next::again_elsewhere, reply.error()};
  }
  Outcome outcome;
  const auto take = [&](const auto& topics) {
    for (const auto& topic : topics) {
      for (const auto& each : topic.partitions) {
        const TopicPartition partition{topic.name, PartitionIndex(each.partition_index)};
        const ErrorCode code = error_code_of(each.error_code);
        if (code != ErrorCode::none) {
          outcome = judge_fetch(code, partition);
          return;
        }
        if (each.committed_offset < 0) continue;
        outcome.found[partition] = {each.committed_offset, each.committed_leader_epoch, each.metadata.value_or("")};
      }
    }
  };
  const auto& groups = reply->body.groups;
  const ErrorCode code = error_code_of(groups.empty() ? reply->body.error_code : groups.front().error_code);
  if (code != ErrorCode::none) co_return judge_fetch(code, std::nullopt);
  if (groups.empty()) {
    take(reply->body.topics);
  } else {
    take(groups.front().topics);
  }
  co_return std::move(outcome);
}

GroupOffsets::Outcome GroupOffsets::judge_fetch(ErrorCode code, const std::optional<TopicPartition>& partition) const {
  switch (code) {
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::unstable_offset_commit:
    case ErrorCode::stale_member_epoch:
      return {Next::again, Error(code)};
    case ErrorCode::group_authorization_failed:
      return {Next::done, CoordinatorSearch::not_authorized(coordinator_.group_id())};
    case ErrorCode::unknown_member_id:
      return {Next::again, Error(code)};  // it joins anew
    case ErrorCode::topic_authorization_failed:
      return {Next::done, Error(code, fmt::format("Not authorized to access topics: [{}]",
                                                  partition ? partition->topic : std::string()))};
    case ErrorCode::unknown_topic_or_partition:
      return {Next::done,
              Error::of_kind(kinds::kafka, fmt::format("Topic or Partition {} does not exist",
                                                       partition ? partition->to_string() : std::string()))};
    default:
      break;
  }
  if (is_elsewhere(code)) return {Next::again_elsewhere, Error(code)};
  const std::string about = partition ? fmt::format(" for partition {}", partition->to_string()) : std::string();
  return {Next::done, Error::of_kind(kinds::kafka, fmt::format("Unexpected error in fetch offset response{}: {}", about,
                                                               error_message(code)))};
}

}  // namespace klamm::client
