// The coordinator in the model of a broker: one group of one member, which leads it.
#include "model_broker.h"

namespace klamm::client {

using protocol::ApiKey;

namespace {

constexpr const char* member_id = "member-1";

}  // namespace

std::int64_t ModelBroker::committed(const std::string& topic, std::int32_t partition) const {
  const auto found = group_.committed.find({topic, PartitionIndex(partition)});
  return found == group_.committed.end() ? -1 : found->second;
}

void ModelBroker::set_committed(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  group_.committed[{topic, PartitionIndex(partition)}] = offset;
}

ErrorCode ModelBroker::group_error(ApiKey key, const std::string& member, std::int32_t generation) {
  const ErrorCode told = error_for(key);
  if (told == ErrorCode::unknown_member_id) group_.member.clear();
  if (told != ErrorCode::none) return told;
  if (member != group_.member) return ErrorCode::unknown_member_id;
  return generation == group_.generation ? ErrorCode::none : ErrorCode::illegal_generation;
}

protocol::FindCoordinatorResponse ModelBroker::respond(const protocol::FindCoordinatorRequest& request,
                                                       std::int16_t version) {
  protocol::FindCoordinatorResponse response;
  const auto error = static_cast<std::int16_t>(error_for(ApiKey::find_coordinator));
  if (version < 4) {
    response.error_code = error;
    response.node_id = id_;
    response.host = host_.name();
    response.port = 9092;
    return response;
  }
  auto& one = response.coordinators.emplace_back();
  one.key = request.coordinator_keys.at(0);
  one.error_code = error;
  one.node_id = id_;
  one.host = host_.name();
  one.port = 9092;
  return response;
}

protocol::JoinGroupResponse ModelBroker::respond(const protocol::JoinGroupRequest& request, std::int16_t) {
  protocol::JoinGroupResponse response;
  ErrorCode error = error_for(ApiKey::join_group);
  if (error == ErrorCode::none && request.member_id.empty()) {
    error = ErrorCode::member_id_required;
    response.member_id = member_id;
  } else if (error == ErrorCode::none && request.member_id != member_id) {
    error = ErrorCode::unknown_member_id;
  }
  response.error_code = static_cast<std::int16_t>(error);
  if (error != ErrorCode::none) {
    response.protocol_name = "";
    return response;
  }
  group_.member = member_id;
  group_.left = false;
  response.generation_id = ++group_.generation;
  response.protocol_type = request.protocol_type;
  response.protocol_name = request.protocols.at(0).name;
  response.leader = response.member_id = member_id;
  auto& one = response.members.emplace_back();
  one.member_id = member_id;
  one.metadata = request.protocols.at(0).metadata;
  return response;
}

protocol::SyncGroupResponse ModelBroker::respond(const protocol::SyncGroupRequest& request, std::int16_t) {
  protocol::SyncGroupResponse response;
  const ErrorCode error = group_error(ApiKey::sync_group, request.member_id, request.generation_id);
  response.error_code = static_cast<std::int16_t>(error);
  if (error == ErrorCode::none && !request.assignments.empty())
    response.assignment = request.assignments.front().assignment;
  return response;
}

protocol::HeartbeatResponse ModelBroker::respond(const protocol::HeartbeatRequest& request, std::int16_t) {
  protocol::HeartbeatResponse response;
  response.error_code =
      static_cast<std::int16_t>(group_error(ApiKey::heartbeat, request.member_id, request.generation_id));
  return response;
}

protocol::LeaveGroupResponse ModelBroker::respond(const protocol::LeaveGroupRequest& /*request*/, std::int16_t) {
  group_.left = true;
  group_.member.clear();
  return {};
}

protocol::OffsetCommitResponse ModelBroker::respond(const protocol::OffsetCommitRequest& request, std::int16_t) {
  protocol::OffsetCommitResponse response;
  ErrorCode error = error_for(ApiKey::offset_commit);
  if (error == ErrorCode::none && request.generation_id_or_member_epoch >= 0) {
    error = group_error(ApiKey::offset_commit, request.member_id, request.generation_id_or_member_epoch);
  }
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& each : topic.partitions) {
      answered.partitions.emplace_back();
      answered.partitions.back().partition_index = each.partition_index;
      answered.partitions.back().error_code = static_cast<std::int16_t>(error);
      if (error == ErrorCode::none) set_committed(topic.name, each.partition_index, each.committed_offset);
    }
  }
  return response;
}

protocol::OffsetFetchResponse ModelBroker::respond(const protocol::OffsetFetchRequest& request, std::int16_t) {
  protocol::OffsetFetchResponse response;
  auto& group = response.groups.emplace_back();
  group.group_id = request.groups.at(0).group_id;
  group.error_code = static_cast<std::int16_t>(error_for(ApiKey::offset_fetch));
  if (group.error_code != 0) return response;
  for (const auto& topic : *request.groups.at(0).topics) {
    auto& answered = group.topics.emplace_back();
    answered.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes) {
      answered.partitions.emplace_back();
      answered.partitions.back().partition_index = partition;
      answered.partitions.back().committed_offset = committed(topic.name, partition);
    }
  }
  return response;
}

protocol::ConsumerGroupHeartbeatResponse ModelBroker::respond(const protocol::ConsumerGroupHeartbeatRequest& request,
                                                              std::int16_t) {
  protocol::ConsumerGroupHeartbeatResponse response;
  response.heartbeat_interval_ms = 1000;
  response.member_id = request.member_id;
  if (request.member_epoch < 0) {
    group_.left = true;
    group_.member.clear();
    response.member_epoch = request.member_epoch;
    return response;
  }
  const bool joins = request.member_epoch == 0;
  ErrorCode error = joins ? error_for(ApiKey::consumer_group_heartbeat)
                          : group_error(ApiKey::consumer_group_heartbeat, request.member_id, request.member_epoch);
  response.error_code = static_cast<std::int16_t>(error);
  if (error != ErrorCode::none) return response;
  if (request.subscribed_topic_names && *request.subscribed_topic_names != group_.topics) {
    group_.topics = *request.subscribed_topic_names;
    group_.reassign = true;
  }
  if (std::exchange(group_.reassign, false) || joins) {
    group_.member = request.member_id;
    group_.left = false;
    if (joins) ++group_.generation;
    response.assignment.emplace();
    for (const std::string& name : group_.topics) {
      const auto count = std::min(static_cast<std::int32_t>(topics_[name].size()), group_.of_each_topic);
      if (count == 0) continue;
      auto& topic = response.assignment->topic_partitions.emplace_back();
      topic.topic_id = id_of(name);
      for (std::int32_t partition = 0; partition < count; ++partition) topic.partitions.push_back(partition);
    }
  }
  response.member_epoch = group_.generation;
  return response;
}

}  // namespace klamm::client
