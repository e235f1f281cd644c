#include "groups/call.h"

#include <optional>

namespace klamm::groups {
namespace {

std::optional<std::string> message_of(const Error& error) {
  if (error.message.empty()) return std::nullopt;
  return error.message;
}

// OffsetCommit and TxnOffsetCommit.
template <typename Response, typename Request>
Response every_partition(const Request& request, const Error& error) {
  Response response;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    to.topic_id = topic.topic_id;
    for (const auto& partition : topic.partitions) {
      auto& result = to.partitions.emplace_back();
      result.partition_index = partition.partition_index;
      result.error_code = wire_of(error.code);
    }
  }
  return response;
}

template <typename Response>
Response whole(const Error& error) {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace

Done failed(const Loaded&, const Error&) {
  return {};
}
Done failed(const ImageChanged&, const Error&) {
  return {};
}
Done failed(const TopicsDeleted&, const Error&) {
  return {};
}

EndedTransaction failed(const EndTransaction&, const Error& error) {
  return {error.code};
}

FetchedOffsets failed(const FetchOffsets& call, const Error& error) {
  FetchedOffsets group;
  group.group_id = call.group.group_id;
  group.error_code = wire_of(error.code);
  return group;
}

protocol::JoinGroupResponse failed(const Asked<protocol::JoinGroupRequest>& call, const Error& error) {
  auto response = whole<protocol::JoinGroupResponse>(error);
  response.member_id = call.request.member_id;
  return response;
}

protocol::SyncGroupResponse failed(const Asked<protocol::SyncGroupRequest>&, const Error& error) {
  return whole<protocol::SyncGroupResponse>(error);
}

protocol::HeartbeatResponse failed(const Asked<protocol::HeartbeatRequest>&, const Error& error) {
  // While the group is loaded nobody can be late.
  if (error.code == ErrorCode::coordinator_load_in_progress) return {};
  return whole<protocol::HeartbeatResponse>(error);
}

protocol::LeaveGroupResponse failed(const Asked<protocol::LeaveGroupRequest>&, const Error& error) {
  return whole<protocol::LeaveGroupResponse>(error);
}

protocol::OffsetCommitResponse failed(const Asked<protocol::OffsetCommitRequest>& call, const Error& error) {
  return every_partition<protocol::OffsetCommitResponse>(call.request, error);
}

protocol::TxnOffsetCommitResponse failed(const Asked<protocol::TxnOffsetCommitRequest>& call, const Error& error) {
  return every_partition<protocol::TxnOffsetCommitResponse>(call.request, error);
}

protocol::OffsetDeleteResponse failed(const Asked<protocol::OffsetDeleteRequest>&, const Error& error) {
  return whole<protocol::OffsetDeleteResponse>(error);
}

protocol::ListGroupsResponse failed(const Asked<protocol::ListGroupsRequest>&, const Error& error) {
  return whole<protocol::ListGroupsResponse>(error);
}

protocol::DescribeGroupsResponse failed(const Asked<protocol::DescribeGroupsRequest>& call, const Error& error) {
  protocol::DescribeGroupsResponse response;
  for (const std::string& id : call.request.groups) {
    auto& group = response.groups.emplace_back();
    group.group_id = id;
    group.error_code = wire_of(error.code);
  }
  return response;
}

protocol::DeleteGroupsResponse failed(const Asked<protocol::DeleteGroupsRequest>& call, const Error& error) {
  protocol::DeleteGroupsResponse response;
  for (const std::string& id : call.request.groups_names) {
    auto& group = response.results.emplace_back();
    group.group_id = id;
    group.error_code = wire_of(error.code);
  }
  return response;
}

protocol::ConsumerGroupHeartbeatResponse failed(const Asked<protocol::ConsumerGroupHeartbeatRequest>&,
                                                const Error& error) {
  auto response = whole<protocol::ConsumerGroupHeartbeatResponse>(error);
  response.error_message = message_of(error);
  return response;
}

protocol::ConsumerGroupDescribeResponse failed(const Asked<protocol::ConsumerGroupDescribeRequest>& call,
                                               const Error& error) {
  protocol::ConsumerGroupDescribeResponse response;
  for (const std::string& id : call.request.group_ids) {
    auto& group = response.groups.emplace_back();
    group.group_id = id;
    group.error_code = wire_of(error.code);
    group.error_message = message_of(error);
  }
  return response;
}

ErrorCode coordinator_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::request_timed_out:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
      return ErrorCode::not_coordinator;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::invalid_fetch_size:
      return ErrorCode::unknown_server_error;
    default:
      return code;
  }
}

}  // namespace klamm::groups
