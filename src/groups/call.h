// What a shard of groups can be asked, and what it answers: the protocol's own messages, at the version at which the
// client spoke, and a few calls of its own. A request that names several groups is asked in parts, one for each group
// or each shard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/uuid.h"
#include "groups/record.h"
#include "metadata/image.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"
#include "protocol/messages/txn_offset_commit.h"

namespace klamm::groups {

// Who asks. The host as Kafka stores it: "/127.0.0.1".
struct Caller {
  std::string client_id;
  std::string client_host;
};

template <typename Request>
struct Asked {
  Request request;
  std::int16_t api_version = Request::max_version;
  Caller caller = {};
  // Of TxnOffsetCommit: goes into its records.
  std::optional<std::uint32_t> ends_seen = {};
};

// The first call after loading: sessions begin anew, the clean-up is set going.
struct Loaded {};

// Offsets of one group. Without topics: all there are. Topics by name; ids only to tell a topic from an earlier one of
// the same name.
struct FetchOffsets {
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  bool require_stable = false;
};
using FetchedOffsets = protocol::OffsetFetchResponse::OffsetFetchResponseGroup;

// The offsets of these topics are forgotten.
struct TopicsDeleted {
  struct Topic {
    std::string name;
    Uuid id;
  };
  std::vector<Topic> topics;
};

// A producer's transaction ends here.
struct EndTransaction {
  ProducerId producer;
  ProducerEpoch producer_epoch;
  TransactionEnd end;
};
struct EndedTransaction {
  ErrorCode code = ErrorCode::none;
};

// A new image of the cluster: what assignments are made of.
struct ImageChanged {
  metadata::ImageRef image;
  // What is new in it, for all shards alike; none: they look for themselves.
  struct Topics {
    std::vector<std::string> changed;  // deleted ones among them
    bool some_are_new = false;
  };
  std::shared_ptr<const Topics> topics = {};
};
struct Done {};

using Call = std::variant<
    Loaded, ImageChanged, TopicsDeleted, EndTransaction, FetchOffsets, Asked<protocol::JoinGroupRequest>,
    Asked<protocol::SyncGroupRequest>, Asked<protocol::HeartbeatRequest>, Asked<protocol::LeaveGroupRequest>,
    Asked<protocol::OffsetCommitRequest>, Asked<protocol::TxnOffsetCommitRequest>, Asked<protocol::OffsetDeleteRequest>,
    Asked<protocol::ListGroupsRequest>, Asked<protocol::DescribeGroupsRequest>, Asked<protocol::DeleteGroupsRequest>,
    Asked<protocol::ConsumerGroupHeartbeatRequest>, Asked<protocol::ConsumerGroupDescribeRequest>>;

using Answer =
    std::variant<Done, EndedTransaction, FetchedOffsets, protocol::JoinGroupResponse, protocol::SyncGroupResponse,
                 protocol::HeartbeatResponse, protocol::LeaveGroupResponse, protocol::OffsetCommitResponse,
                 protocol::TxnOffsetCommitResponse, protocol::OffsetDeleteResponse, protocol::ListGroupsResponse,
                 protocol::DescribeGroupsResponse, protocol::DeleteGroupsResponse,
                 protocol::ConsumerGroupHeartbeatResponse, protocol::ConsumerGroupDescribeResponse>;

// The answer when the whole call failed. Where the protocol has no place for the error of the whole, each part has it.
Done failed(const Loaded&, const Error& error);
Done failed(const ImageChanged&, const Error& error);
Done failed(const TopicsDeleted&, const Error& error);
EndedTransaction failed(const EndTransaction&, const Error& error);
FetchedOffsets failed(const FetchOffsets& call, const Error& error);
protocol::JoinGroupResponse failed(const Asked<protocol::JoinGroupRequest>& call, const Error& error);
protocol::SyncGroupResponse failed(const Asked<protocol::SyncGroupRequest>& call, const Error& error);
protocol::HeartbeatResponse failed(const Asked<protocol::HeartbeatRequest>& call, const Error& error);
protocol::LeaveGroupResponse failed(const Asked<protocol::LeaveGroupRequest>& call, const Error& error);
protocol::OffsetCommitResponse failed(const Asked<protocol::OffsetCommitRequest>& call, const Error& error);
protocol::TxnOffsetCommitResponse failed(const Asked<protocol::TxnOffsetCommitRequest>& call, const Error& error);
protocol::OffsetDeleteResponse failed(const Asked<protocol::OffsetDeleteRequest>& call, const Error& error);
protocol::ListGroupsResponse failed(const Asked<protocol::ListGroupsRequest>& call, const Error& error);
protocol::DescribeGroupsResponse failed(const Asked<protocol::DescribeGroupsRequest>& call, const Error& error);
protocol::DeleteGroupsResponse failed(const Asked<protocol::DeleteGroupsRequest>& call, const Error& error);
protocol::ConsumerGroupHeartbeatResponse failed(const Asked<protocol::ConsumerGroupHeartbeatRequest>& call,
                                                const Error& error);
protocol::ConsumerGroupDescribeResponse failed(const Asked<protocol::ConsumerGroupDescribeRequest>& call,
                                               const Error& error);

// What a client of the coordinator is told of a failed log. Source: CoordinatorOperationExceptionHelper.
ErrorCode coordinator_error(ErrorCode code);

}  // namespace klamm::groups
