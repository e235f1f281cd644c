#include "groups/offsets.h"

#include <algorithm>
#include <utility>

#include "groups/membership_check.h"

namespace klamm::groups {
namespace {

// Kafka counts UTF-16 units, as Java's String does.
std::size_t java_length(std::string_view utf8) {
  std::size_t units = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

bool is_metadata_too_large(const State& state, const std::optional<std::string>& metadata) {
  const auto most = static_cast<std::size_t>(std::max(state.settings.offset_metadata_bytes_max, 0));
  return metadata && metadata->size() > most && java_length(*metadata) > most;
}

// How much more this node holds after the request. What is not accepted is not counted.
template <typename Request>
std::size_t growth(const State& state, const Request& request, bool transactional) {
  std::size_t bytes = 0;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      if (is_metadata_too_large(state, partition.committed_metadata)) continue;
      const std::size_t metadata = partition.committed_metadata ? partition.committed_metadata->size() : 0;
      bytes += state.offsets.growth(request.group_id, topic.name, partition.partition_index, metadata, transactional);
    }
  }
  if (bytes > 0 && !state.groups.contains(request.group_id)) bytes += ClassicGroup::bytes_of(request.group_id);
  return bytes;
}

// One request, transactional or not: what is accepted becomes records, every partition gets its code.
template <typename Response, typename Request>
Response take_offsets(Turn& turn, const Request& request, Timestamp expires_at, Records& records) {
  Response response;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    to.topic_id = topic.topic_id;
    for (const auto& partition : topic.partitions) {
      auto& result = to.partitions.emplace_back();
      result.partition_index = partition.partition_index;
      if (is_metadata_too_large(turn.state, partition.committed_metadata)) {
        result.error_code = wire_of(ErrorCode::offset_metadata_too_large);
        continue;
      }
      protocol::OffsetCommitValue value;
      value.offset = partition.committed_offset;
      value.leader_epoch = std::max(partition.committed_leader_epoch, -1);
      value.metadata = partition.committed_metadata.value_or("");
      value.commit_timestamp = turn.moment.wall.value;
      value.expire_timestamp = expires_at.value;
      value.topic_id = topic.topic_id;
      // The form that can carry the time of expiry has no place for these.
      if (expires_at != no_timestamp) {
        value.leader_epoch = -1;
        value.topic_id = zero_uuid;
      }
      records.push_back(offset_commit(request.group_id, topic.name, partition.partition_index, std::move(value)));
    }
  }
  return response;
}

void take_all(Turn& turn, Records records) {
  if (turn.decision.records.empty()) turn.decision.records = std::move(records);
}

}  // namespace

void offset_commit_call(Turn& turn, coordination::Ticket ticket, const Asked<protocol::OffsetCommitRequest>& call) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, failed(call, Error{code})); };
  // The group may have no name: whoever commits by hand need not know of groups.
  const CommitBy by{request.member_id, request.group_instance_id, request.generation_id_or_member_epoch,
                    call.api_version, false};
  if (auto allowed = check_commit(turn, request.group_id, by); !allowed) return refuse(allowed.error().code);
  if (auto allowed = check_commit_partitions(turn.state, request, by); !allowed) return refuse(allowed.error().code);
  if (!turn.has_room(growth(turn.state, request, false))) return refuse(ErrorCode::coordinator_not_available);

  Timestamp expires_at = no_timestamp;
  if (request.retention_time_ms != -1) {
    std::int64_t sum = 0;
    // A hostile retention beyond the end of time is as good as none.
    if (!__builtin_add_overflow(turn.moment.wall.value, request.retention_time_ms, &sum)) expires_at = Timestamp(sum);
  }
  Records records;
  auto response = take_offsets<protocol::OffsetCommitResponse>(turn, request, expires_at, records);
  take_all(turn, std::move(records));
  turn.reply(ticket, std::move(response));
}

void txn_offset_commit_call(Turn& turn, coordination::Ticket ticket,
                            const Asked<protocol::TxnOffsetCommitRequest>& call) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, failed(call, Error{code})); };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  const CommitBy by{request.member_id, request.group_instance_id, request.generation_id_or_member_epoch,
                    call.api_version, true};
  if (auto allowed = check_commit(turn, request.group_id, by); !allowed) return refuse(allowed.error().code);
  if (auto allowed = check_commit_partitions(turn.state, request, by); !allowed) return refuse(allowed.error().code);
  if (!turn.has_room(growth(turn.state, request, true))) return refuse(ErrorCode::coordinator_not_available);

  Records records;
  auto response = take_offsets<protocol::TxnOffsetCommitResponse>(turn, request, no_timestamp, records);
  for (Record& record : records) {
    record.producer = ProducerId(request.producer_id);
    record.producer_epoch = ProducerEpoch(request.producer_epoch);
    record.ends_seen = call.ends_seen;
  }
  take_all(turn, std::move(records));
  turn.reply(ticket, std::move(response));
}

namespace {

using FetchedPartition = protocol::OffsetFetchResponse::OffsetFetchResponsePartitions;

FetchedPartition no_offset_of(std::int32_t partition, ErrorCode code = ErrorCode::none) {
  FetchedPartition out;
  out.partition_index = partition;
  out.committed_offset = -1;
  out.committed_leader_epoch = -1;
  out.metadata = "";
  out.error_code = wire_of(code);
  return out;
}

FetchedPartition offset_of(std::int32_t partition, const CommittedOffset& from) {
  FetchedPartition out;
  out.partition_index = partition;
  out.committed_offset = from.offset;
  out.committed_leader_epoch = from.leader_epoch;
  out.metadata = from.metadata;
  return out;
}

bool is_of_other_topic(const CommittedOffset& offset, Uuid expected) {
  return !offset.topic_id.is_zero() && !expected.is_zero() && offset.topic_id != expected;
}

void fetch_all(const State& state, const FetchOffsets& call, FetchedOffsets& out) {
  const TopicOffsets* topics = state.offsets.of_group(call.group.group_id);
  if (!topics) return;
  for (const auto& [topic, partitions] : *topics) {
    auto& to = out.topics.emplace_back();
    to.name = topic;
    for (const auto& [partition, offset] : partitions) {
      const bool unstable =
          call.require_stable && state.offsets.has_open_transaction(call.group.group_id, topic, partition);
      to.partitions.push_back(unstable ? no_offset_of(partition, ErrorCode::unstable_offset_commit)
                                       : offset_of(partition, offset));
    }
  }
}

void fetch_named(const State& state, const FetchOffsets& call, bool is_known, FetchedOffsets& out) {
  for (const auto& topic : *call.group.topics) {
    auto& to = out.topics.emplace_back();
    to.name = topic.name;
    to.topic_id = topic.topic_id;
    for (const std::int32_t partition : topic.partition_indexes) {
      if (call.require_stable && state.offsets.has_open_transaction(call.group.group_id, topic.name, partition)) {
        to.partitions.push_back(no_offset_of(partition, ErrorCode::unstable_offset_commit));
        continue;
      }
      const CommittedOffset* offset =
          is_known ? state.offsets.find(call.group.group_id, topic.name, partition) : nullptr;
      const bool is_there = offset && !is_of_other_topic(*offset, topic.topic_id);
      to.partitions.push_back(is_there ? offset_of(partition, *offset) : no_offset_of(partition));
    }
  }
}

}  // namespace

FetchedOffsets fetch_offsets(State& state, const FetchOffsets& call) {
  FetchedOffsets out;
  out.group_id = call.group.group_id;
  const Group* group = state.find(call.group.group_id);
  if (group) {
    const FetchBy by{call.group.member_id, call.group.member_epoch};
    if (auto allowed = check_fetch(*group, by); !allowed) return failed(call, allowed.error());
  }
  if (call.group.topics) {
    fetch_named(state, call, group != nullptr, out);
  } else if (group) {
    fetch_all(state, call, out);
  }
  return out;
}

void offset_delete_call(Turn& turn, coordination::Ticket ticket, const Asked<protocol::OffsetDeleteRequest>& call) {
  const auto& request = call.request;
  const auto refuse = [&](ErrorCode code) { turn.reply(ticket, failed(call, Error{code})); };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  const Group* group = turn.state.find(request.group_id);
  if (!group) return refuse(ErrorCode::group_id_not_found);
  if (auto allowed = check_offset_delete(*group); !allowed) return refuse(allowed.error().code);

  protocol::OffsetDeleteResponse response;
  const OffsetStore& offsets = turn.state.offsets;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    const bool subscribed = is_subscribed(*group, topic.name);
    for (const auto& partition : topic.partitions) {
      const std::int32_t index = partition.partition_index;
      auto& result = to.partitions.emplace_back();
      result.partition_index = index;
      if (subscribed) {
        result.error_code = wire_of(ErrorCode::group_subscribed_to_topic);
      } else if (offsets.find(request.group_id, topic.name, index) ||
                 offsets.has_open_transaction(request.group_id, topic.name, index)) {
        turn.append(offset_tombstone(request.group_id, topic.name, index));
      }
    }
  }
  turn.reply(ticket, std::move(response));
}

namespace {

// Appends a tombstone for each offset that is past its time. True when none is left then.
bool expire_offsets_of(Turn& turn, const std::string& id, const Group& group) {
  const OffsetStore& offsets = turn.state.offsets;
  const TopicOffsets* topics = offsets.of_group(id);
  if (!topics) return !offsets.has_open_transaction(id);
  const auto basis = expiry_basis(group);
  if (!basis) return false;
  bool all = true;
  const Timestamp now = turn.moment.wall;
  for (const auto& [topic, partitions] : *topics) {
    if (is_subscribed(group, topic)) {
      all = false;
      continue;
    }
    for (const auto& [partition, offset] : partitions) {
      const Timestamp since = basis->since == no_timestamp ? offset.committed_at : basis->since;
      const bool expired = offset.expires_at != no_timestamp
                               ? now >= offset.expires_at
                               : now - since >= turn.state.settings.offsets_retention.count();
      if (expired && !offsets.has_open_transaction(id, topic, partition)) {
        turn.append(offset_tombstone(id, topic, partition));
      } else {
        all = false;
      }
    }
  }
  return all && !offsets.has_open_transaction(id);
}

}  // namespace

void expire_offsets(Turn& turn) {
  turn.set_deadline({DeadlineKind::expire_offsets, {}, {}}, turn.state.settings.offsets_retention_check_interval);
  turn.decision.atomic = false;
  for (const auto& [id, group] : turn.state.groups) {
    if (expire_offsets_of(turn, id, group) && is_empty(group)) group_tombstones(id, group, turn.decision.records);
  }
}

}  // namespace klamm::groups
