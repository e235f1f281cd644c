// The records of consumer groups, at the versions and in the order of bytes that Kafka 4.3.1 writes them.
// Source: org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers (newConsumerGroup*).
#pragma once

#include <cstdint>
#include <string>

#include "groups/consumer_group.h"
#include "groups/record.h"

namespace klamm::groups {

// The epoch of a group.
Record consumer_group_epoch(std::string group, std::int32_t epoch, std::int64_t metadata_hash);
Record consumer_group_tombstone(std::string group);
// Of what was written before 4.0 and is no more.
Record partition_metadata_tombstone(std::string group);

Record consumer_member(std::string group, const ConsumerMember& member);
Record consumer_member_tombstone(std::string group, std::string member);

// `at` 0: not known.
Record target_epoch(std::string group, std::int32_t epoch, Timestamp at);
Record target_epoch_tombstone(std::string group);
Record target_of(std::string group, std::string member, const Assignment& target);
Record target_tombstone(std::string group, std::string member);

// The epoch, the state and the partitions of a member.
Record current_of(std::string group, const ConsumerMember& member);
Record current_tombstone(std::string group, std::string member);

Record regular_expression(std::string group, std::string regex, const ResolvedRegex& resolved);
Record regular_expression_tombstone(std::string group, std::string regex);

// All that makes the log forget a group.
void consumer_tombstones(const std::string& id, const ConsumerGroup& group, Records& to);

}  // namespace klamm::groups
