#include "client/offset_lookup.h"

#include <algorithm>

#include "protocol/messages/list_offsets.h"

namespace klamm::client {

using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using runtime::MonoTime;
using runtime::Task;

namespace {

// The version from which on a timestamp has its meaning.
std::int16_t version_needed(std::int64_t timestamp) {
  switch (timestamp) {
    case special_timestamp::greatest:
      return 7;
    case special_timestamp::earliest_local:
      return 8;
    case special_timestamp::latest_tiered:
      return 9;
    case special_timestamp::earliest_pending:
      return 11;
    default:
      return ListOffsetsRequest::min_version;
  }
}

using Timestamps = std::map<TopicPartition, std::int64_t>;
using Found = std::map<TopicPartition, FoundOffset>;

// Asks one broker. What it cannot say, or says wrongly for a while, stays in `open`.
Task<void> ask_leader(Core& core, std::int32_t leader, Timestamps asked, Isolation isolation, MonoTime deadline,
                      Timestamps& open, Found& found) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = static_cast<std::int8_t>(isolation);
  request.timeout_ms = static_cast<std::int32_t>(std::clamp<std::int64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(deadline - core.now()).count(), 0, 0x7fffffff));
  std::int16_t needed = 0;
  for (const auto& [partition, timestamp] : asked) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.emplace_back();
      request.topics.back().name = partition.topic;
    }
    const PartitionInfo* info = core.cluster().partition(partition.topic, partition.partition.value);
    request.topics.back().partitions.push_back({.partition_index = partition.partition.value,
                                                .current_leader_epoch = info == nullptr ? -1 : info->leader_epoch,
                                                .timestamp = timestamp});
    needed = std::max(needed, version_needed(timestamp));
  }
  const auto settle = [&](const TopicPartition& partition, FoundOffset result) {
    open.erase(partition);
    found.insert_or_assign(partition, std::move(result));
  };
  Link* link = core.link(leader);
  if (link == nullptr) co_return;
  const Result<void> ready = co_await link->wait_ready(deadline);
  if (!ready) co_return;
  if (link->versions().range(static_cast<std::int16_t>(ListOffsetsRequest::api_key)).high < needed) {
    for (const auto& [partition, timestamp] : asked) {
      settle(partition, {.error = Error(ErrorCode::unsupported_version,
                                        fmt::format("The broker {} does not support offsets for the timestamp {}",
                                                    leader, timestamp))});
    }
    co_return;
  }
  const auto reply = co_await core.exchange<ListOffsetsResponse>(*link, request, deadline);
  if (!reply) {
    if (reply.error().retriable()) co_return;
    for (const auto& [partition, timestamp] : asked) settle(partition, {.error = reply.error()});
    co_return;
  }
  for (const auto& topic : reply->body.topics) {
    for (const auto& each : topic.partitions) {
      const TopicPartition partition{topic.name, PartitionIndex(each.partition_index)};
      if (!open.contains(partition)) continue;
      const ErrorCode code = error_code_of(each.error_code);
      if (code == ErrorCode::none) {
        settle(partition, {each.offset, each.timestamp, each.leader_epoch, {}});
      } else if (!is_retriable(code)) {
        settle(partition, {.error = Error(code)});
      }
    }
  }
}

}  // namespace

Task<Found> look_up_offsets(Core& core, Timestamps timestamps, Isolation isolation, MonoTime deadline) {
  Timestamps open = std::move(timestamps);
  Found found;
  for (const auto& [partition, timestamp] : open) core.watch_topic(partition.topic, false);
  Backoff pause = core.backoff();
  while (!open.empty()) {
    std::map<std::int32_t, Timestamps> by_leader;
    for (const auto& [partition, timestamp] : open) {
      const PartitionInfo* info = core.cluster().partition(partition.topic, partition.partition.value);
      if (info != nullptr && info->leader >= 0) by_leader[info->leader].insert({partition, timestamp});
    }
    for (auto& [leader, asked] : by_leader)
      co_await ask_leader(core, leader, std::move(asked), isolation, deadline, open, found);
    for (auto at = open.begin(); at != open.end();) {
      const TopicInfo* topic = core.cluster().topic(at->first.topic);
      if (topic != nullptr && topic->error != ErrorCode::none && !is_retriable(topic->error)) {
        found.insert_or_assign(at->first, FoundOffset{.error = Error(topic->error), .topic_failed = true});
        at = open.erase(at);
      } else {
        ++at;
      }
    }
    if (open.empty()) break;
    if (core.now() >= deadline) {
      for (const auto& [partition, timestamp] : open) {
        found.insert_or_assign(
            partition, FoundOffset{.error = Error::of_kind(kinds::timeout,
                                                           fmt::format("Failed to get offsets of partition {} in time",
                                                                       partition.to_string()))});
      }
      break;
    }
    const bool nothing_known = by_leader.empty() && core.cluster_version() == 0;
    const Result<void> fresh =
        co_await core.wait_refresh(nothing_known ? deadline : std::min(deadline, core.now() + pause.next() * 4));
    static_cast<void>(fresh);  // what counts is what the cache has now
  }
  co_return found;
}

}  // namespace klamm::client
