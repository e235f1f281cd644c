// A record of __consumer_offsets: a key, whose first number is its type, and a value, whose first number is its
// version; no value is a tombstone. Only what groups of consumers need is read; other types are kept apart as `Other`.
// Source: org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde, GroupCoordinatorRecordHelpers.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "protocol/records/consumer_group_current_member_assignment_key.h"
#include "protocol/records/consumer_group_current_member_assignment_value.h"
#include "protocol/records/consumer_group_member_metadata_key.h"
#include "protocol/records/consumer_group_member_metadata_value.h"
#include "protocol/records/consumer_group_metadata_key.h"
#include "protocol/records/consumer_group_metadata_value.h"
#include "protocol/records/consumer_group_partition_metadata_key.h"
#include "protocol/records/consumer_group_partition_metadata_value.h"
#include "protocol/records/consumer_group_regular_expression_key.h"
#include "protocol/records/consumer_group_regular_expression_value.h"
#include "protocol/records/consumer_group_target_assignment_member_key.h"
#include "protocol/records/consumer_group_target_assignment_member_value.h"
#include "protocol/records/consumer_group_target_assignment_metadata_key.h"
#include "protocol/records/consumer_group_target_assignment_metadata_value.h"
#include "protocol/records/group_metadata_key.h"
#include "protocol/records/group_metadata_value.h"
#include "protocol/records/offset_commit_key.h"
#include "protocol/records/offset_commit_value.h"
#include "protocol/records/share_group_metadata_key.h"
#include "protocol/records/share_group_metadata_value.h"
#include "protocol/records/streams_group_metadata_key.h"
#include "protocol/records/streams_group_metadata_value.h"

namespace klamm::groups {

template <typename K, typename V>
struct Entry {
  using Key = K;
  using Value = V;

  Key key;
  std::optional<Value> value;
  std::int16_t version = 0;  // at which the value is written

  bool operator==(const Entry&) const = default;
};

using OffsetCommitRecord = Entry<protocol::OffsetCommitKey, protocol::OffsetCommitValue>;
using GroupMetadataRecord = Entry<protocol::GroupMetadataKey, protocol::GroupMetadataValue>;
using ConsumerGroupMetadataRecord = Entry<protocol::ConsumerGroupMetadataKey, protocol::ConsumerGroupMetadataValue>;
using ConsumerGroupPartitionMetadataRecord =
    Entry<protocol::ConsumerGroupPartitionMetadataKey, protocol::ConsumerGroupPartitionMetadataValue>;
using ConsumerGroupMemberMetadataRecord =
    Entry<protocol::ConsumerGroupMemberMetadataKey, protocol::ConsumerGroupMemberMetadataValue>;
using ConsumerGroupTargetAssignmentMetadataRecord =
    Entry<protocol::ConsumerGroupTargetAssignmentMetadataKey, protocol::ConsumerGroupTargetAssignmentMetadataValue>;
using ConsumerGroupTargetAssignmentMemberRecord =
    Entry<protocol::ConsumerGroupTargetAssignmentMemberKey, protocol::ConsumerGroupTargetAssignmentMemberValue>;
using ConsumerGroupCurrentMemberAssignmentRecord =
    Entry<protocol::ConsumerGroupCurrentMemberAssignmentKey, protocol::ConsumerGroupCurrentMemberAssignmentValue>;
using ConsumerGroupRegularExpressionRecord =
    Entry<protocol::ConsumerGroupRegularExpressionKey, protocol::ConsumerGroupRegularExpressionValue>;
using ShareGroupMetadataRecord = Entry<protocol::ShareGroupMetadataKey, protocol::ShareGroupMetadataValue>;
using StreamsGroupMetadataRecord = Entry<protocol::StreamsGroupMetadataKey, protocol::StreamsGroupMetadataValue>;

using Message = std::variant<OffsetCommitRecord, GroupMetadataRecord, ConsumerGroupMetadataRecord,
                             ConsumerGroupPartitionMetadataRecord, ConsumerGroupMemberMetadataRecord,
                             ConsumerGroupTargetAssignmentMetadataRecord, ConsumerGroupTargetAssignmentMemberRecord,
                             ConsumerGroupCurrentMemberAssignmentRecord, ConsumerGroupRegularExpressionRecord,
                             ShareGroupMetadataRecord, StreamsGroupMetadataRecord>;

// How a producer's transaction ends in this partition: a record of the log itself.
struct TransactionEnd {
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
  std::int16_t transaction_version = 0;

  bool operator==(const TransactionEnd&) const = default;
};

struct Record {
  Message message;
  // Of the transaction it belongs to, when offsets are committed inside one.
  ProducerId producer = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  // How many of the producer's transactions had ended here when it was verified; of those that are to be looked at.
  std::optional<std::uint32_t> ends_seen = {};
  std::optional<TransactionEnd> end = {};  // instead of a message

  bool operator==(const Record&) const = default;
};
using Records = std::vector<Record>;

struct Encoded {
  ByteVector key;
  std::optional<ByteVector> value;  // none: a tombstone

  bool operator==(const Encoded&) const = default;
};

// Of a message.
Encoded encode(const Record& record);
// Bytes of key and value together.
std::size_t encoded_bytes(const Record& record);

// Nothing for a key of a type that this room has no use for (share and streams details, types of the future): such a
// record is passed over. Errors: corrupt_message for a cut key or value or an unknown version of the value.
Result<std::optional<Record>> decode(Bytes key, std::optional<Bytes> value);

// At the versions that Kafka 4.3.1 writes.
Record offset_commit(std::string group, std::string topic, std::int32_t partition, protocol::OffsetCommitValue value);
Record offset_tombstone(std::string group, std::string topic, std::int32_t partition);
Record group_metadata(std::string group, protocol::GroupMetadataValue value);
Record group_tombstone(std::string group);

}  // namespace klamm::groups
