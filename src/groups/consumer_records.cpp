#include "groups/consumer_records.h"

#include <utility>
#include <vector>

#include "groups/java_order.h"

namespace klamm::groups {
namespace {

template <typename Entry>
Entry of_group(std::string group) {
  Entry entry;
  entry.key.group_id = std::move(group);
  return entry;
}
template <typename Entry>
Entry of_member(std::string group, std::string member) {
  Entry entry = of_group<Entry>(std::move(group));
  entry.key.member_id = std::move(member);
  return entry;
}

template <typename Map>
std::vector<const typename Map::value_type*> topics_in_order(const Map& map) {
  std::vector<const typename Map::value_type*> topics;
  topics.reserve(map.size());
  for (const auto& entry : map) topics.push_back(&entry);
  sort_as_java(topics, java_table_grown(topics.size()), [](const auto* entry) { return entry->first; });
  return topics;
}

std::vector<protocol::ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> stored(const OwnedPartitions& owned) {
  std::vector<protocol::ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> out;
  for (const auto* topic : topics_in_order(owned)) {
    auto& to = out.emplace_back();
    to.topic_id = topic->first;
    std::vector<OwnedPartition> partitions = topic->second;
    sort_as_java(partitions, java_table_grown(partitions.size()), [](const auto& each) { return each.partition; });
    auto& epochs = to.assignment_epochs.emplace();
    for (const auto& each : partitions) {
      to.partitions.push_back(each.partition);
      epochs.push_back(each.epoch);
    }
  }
  return out;
}

}  // namespace

Record consumer_group_epoch(std::string group, std::int32_t epoch, std::int64_t metadata_hash) {
  auto entry = of_group<ConsumerGroupMetadataRecord>(std::move(group));
  auto& value = entry.value.emplace();
  value.epoch = epoch;
  value.metadata_hash = metadata_hash;
  return {std::move(entry)};
}

Record consumer_group_tombstone(std::string group) {
  return {of_group<ConsumerGroupMetadataRecord>(std::move(group))};
}

Record partition_metadata_tombstone(std::string group) {
  return {of_group<ConsumerGroupPartitionMetadataRecord>(std::move(group))};
}

Record consumer_member(std::string group, const ConsumerMember& member) {
  auto entry = of_member<ConsumerGroupMemberMetadataRecord>(std::move(group), member.id);
  auto& value = entry.value.emplace();
  value.instance_id = member.instance_id;
  value.rack_id = member.rack_id;
  value.client_id = member.client_id;
  value.client_host = member.client_host;
  value.subscribed_topic_names = member.topics;
  value.subscribed_topic_regex = member.regex;
  value.rebalance_timeout_ms = member.rebalance_timeout_ms;
  value.server_assignor = member.assignor;
  value.classic_member_metadata = member.classic;
  return {std::move(entry)};
}

Record consumer_member_tombstone(std::string group, std::string member) {
  return {of_member<ConsumerGroupMemberMetadataRecord>(std::move(group), std::move(member))};
}

Record target_epoch(std::string group, std::int32_t epoch, Timestamp at) {
  auto entry = of_group<ConsumerGroupTargetAssignmentMetadataRecord>(std::move(group));
  auto& value = entry.value.emplace();
  value.assignment_epoch = epoch;
  value.assignment_timestamp = at.value;
  return {std::move(entry)};
}

Record target_epoch_tombstone(std::string group) {
  return {of_group<ConsumerGroupTargetAssignmentMetadataRecord>(std::move(group))};
}

Record target_of(std::string group, std::string member, const Assignment& target) {
  auto entry = of_member<ConsumerGroupTargetAssignmentMemberRecord>(std::move(group), std::move(member));
  auto& value = entry.value.emplace();
  for (const auto* topic : topics_in_order(target)) {
    auto& to = value.topic_partitions.emplace_back();
    to.topic_id = topic->first;
    to.partitions = topic->second;
    sort_as_java(to.partitions, java_table_grown(to.partitions.size()));
  }
  return {std::move(entry)};
}

Record target_tombstone(std::string group, std::string member) {
  return {of_member<ConsumerGroupTargetAssignmentMemberRecord>(std::move(group), std::move(member))};
}

Record current_of(std::string group, const ConsumerMember& member) {
  auto entry = of_member<ConsumerGroupCurrentMemberAssignmentRecord>(std::move(group), member.id);
  auto& value = entry.value.emplace();
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<std::int8_t>(member.state);
  value.assigned_partitions = stored(member.assigned);
  value.partitions_pending_revocation = stored(member.revoking);
  return {std::move(entry)};
}

Record current_tombstone(std::string group, std::string member) {
  return {of_member<ConsumerGroupCurrentMemberAssignmentRecord>(std::move(group), std::move(member))};
}

Record regular_expression(std::string group, std::string regex, const ResolvedRegex& resolved) {
  auto entry = of_group<ConsumerGroupRegularExpressionRecord>(std::move(group));
  entry.key.regular_expression = std::move(regex);
  auto& value = entry.value.emplace();
  value.topics.assign(resolved.topics.begin(), resolved.topics.end());
  value.version = resolved.version;
  value.timestamp = resolved.resolved_at.value;
  return {std::move(entry)};
}

Record regular_expression_tombstone(std::string group, std::string regex) {
  auto entry = of_group<ConsumerGroupRegularExpressionRecord>(std::move(group));
  entry.key.regular_expression = std::move(regex);
  return {std::move(entry)};
}

void consumer_tombstones(const std::string& id, const ConsumerGroup& group, Records& to) {
  for (const auto& [member, details] : group.members()) to.push_back(current_tombstone(id, member));
  for (const auto& [member, details] : group.members()) to.push_back(target_tombstone(id, member));
  to.push_back(target_epoch_tombstone(id));
  for (const auto& [member, details] : group.members()) to.push_back(consumer_member_tombstone(id, member));
  for (const auto& [regex, resolved] : group.resolved_regexes()) to.push_back(regular_expression_tombstone(id, regex));
  to.push_back(partition_metadata_tombstone(id));
  to.push_back(consumer_group_tombstone(id));
}

}  // namespace klamm::groups
