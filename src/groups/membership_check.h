// The questions that offsets and administration ask of a group of any type.
// Source of behaviour: org.apache.kafka.coordinator.group.Group and its kinds.
#pragma once

#include <optional>
#include <string_view>

#include "groups/state.h"

namespace klamm::groups {

// Who commits, with the generation or the member epoch they believe in.
struct CommitBy {
  const std::string& member_id;
  const std::optional<std::string>& instance_id;
  std::int32_t epoch;
  std::int16_t api_version;
  bool transactional;
};

// May they commit? A heartbeat in passing. A group that is not there holds offsets only when nobody claims to be a
// member of it. Errors: unknown_member_id, illegal_generation, fenced_instance_id, rebalance_in_progress,
// group_id_not_found, stale_member_epoch, unsupported_version.
Result<void> check_commit(Turn& turn, const std::string& group_id, const CommitBy& by);

// Somebody who commits at an earlier epoch of a consumer group may, for partitions that were already its own then.
// Request: OffsetCommit or TxnOffsetCommit. Errors: stale_member_epoch, illegal_generation.
Result<void> check_commit_partition(const State& state, const std::string& group_id, const CommitBy& by, Uuid topic,
                                    std::int32_t partition);
template <typename Request>
Result<void> check_commit_partitions(const State& state, const Request& request, const CommitBy& by) {
  if (!state.consumer(request.group_id)) return {};
  for (const auto& topic : request.topics) {
    const metadata::Topic* known = topic.topic_id.is_zero() ? state.image->topic(topic.name) : nullptr;
    const Uuid id = known ? known->id : topic.topic_id;
    for (const auto& partition : topic.partitions) {
      auto allowed = check_commit_partition(state, request.group_id, by, id, partition.partition_index);
      if (!allowed) return allowed;
    }
  }
  return {};
}

struct FetchBy {
  const std::optional<std::string>& member_id;
  std::int32_t epoch;
};
// Errors: unknown_member_id, stale_member_epoch.
Result<void> check_fetch(const Group& group, const FetchBy& by);

// Errors: non_empty_group, group_id_not_found.
Result<void> check_offset_delete(const Group& group);
Result<void> check_delete(const Group& group);

bool is_empty(const Group& group);
bool is_subscribed(const Group& group, std::string_view topic);

// From when on offsets grow old: since the group is as it is, or (no_timestamp) since each was committed. Nothing when
// they do not.
struct ExpiryBasis {
  Timestamp since = no_timestamp;
};
std::optional<ExpiryBasis> expiry_basis(const Group& group);

// What makes the log forget a group; its offsets are another matter.
void group_tombstones(const std::string& id, const Group& group, Records& to);

// "classic", "share"
std::string_view type_name(const Group& group);
std::string state_name(const Group& group);
std::string protocol_type(const Group& group);

}  // namespace klamm::groups
