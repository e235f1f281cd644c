#include "groups/offset_store.h"

#include <utility>

namespace klamm::groups {
namespace {

CommittedOffset from(Offset at, const protocol::OffsetCommitValue& value) {
  CommittedOffset out;
  out.record_offset = at;
  out.offset = value.offset;
  out.leader_epoch = value.leader_epoch;
  out.metadata = value.metadata;
  out.committed_at = Timestamp(value.commit_timestamp);
  out.expires_at = Timestamp(value.expire_timestamp);
  out.topic_id = value.topic_id;
  return out;
}

}  // namespace

void OffsetStore::put(GroupOffsets& in, const protocol::OffsetCommitKey& key, CommittedOffset value) {
  in[key.group][key.topic][key.partition] = std::move(value);
}

void OffsetStore::remove(GroupOffsets& in, std::string_view group, std::string_view topic, std::int32_t partition) {
  const auto topics = in.find(group);
  if (topics == in.end()) return;
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end()) return;
  partitions->second.erase(partition);
  if (partitions->second.empty()) topics->second.erase(partitions);
  if (topics->second.empty()) in.erase(topics);
}

void OffsetStore::apply(Offset at, ProducerId producer, const OffsetCommitRecord& record) {
  const auto& key = record.key;
  if (record.value && producer == no_producer_id) return put(offsets_, key, from(at, *record.value));
  if (record.value) {
    put(pending_[producer], key, from(at, *record.value));
    open_[key.group][key.topic][key.partition].insert(producer);
    return;
  }
  remove(offsets_, key.group, key.topic, key.partition);
  if (!has_open_transaction(key.group, key.topic, key.partition)) return;
  const std::set<ProducerId> producers = open_[key.group][key.topic][key.partition];
  for (const ProducerId each : producers) {
    remove(pending_[each], key.group, key.topic, key.partition);
    close(key.group, key.topic, key.partition, each);
  }
}

void OffsetStore::close(std::string_view group, std::string_view topic, std::int32_t partition, ProducerId producer) {
  const auto topics = open_.find(group);
  if (topics == open_.end()) return;
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end()) return;
  const auto producers = partitions->second.find(partition);
  if (producers == partitions->second.end()) return;
  producers->second.erase(producer);
  if (producers->second.empty()) partitions->second.erase(producers);
  if (partitions->second.empty()) topics->second.erase(partitions);
  if (topics->second.empty()) open_.erase(topics);
}

void OffsetStore::end_transaction(ProducerId producer, bool commit) {
  auto node = pending_.extract(producer);
  if (node.empty()) return;
  for (auto& [group, topics] : node.mapped()) {
    for (auto& [topic, partitions] : topics) {
      for (auto& [partition, value] : partitions) {
        close(group, topic, partition, producer);
        if (!commit) continue;
        CommittedOffset& current = offsets_[group][topic][partition];
        // A commit outside the transaction that came after it stays.
        if (value.record_offset > current.record_offset) current = std::move(value);
      }
    }
  }
}

const TopicOffsets* OffsetStore::of_group(std::string_view group) const {
  const auto found = offsets_.find(group);
  return found == offsets_.end() ? nullptr : &found->second;
}

const CommittedOffset* OffsetStore::find(std::string_view group, std::string_view topic, std::int32_t partition) const {
  const TopicOffsets* topics = of_group(group);
  if (!topics) return nullptr;
  const auto partitions = topics->find(topic);
  if (partitions == topics->end()) return nullptr;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? nullptr : &found->second;
}

bool OffsetStore::has_open_transaction(std::string_view group, std::string_view topic, std::int32_t partition) const {
  const auto topics = open_.find(group);
  if (topics == open_.end()) return false;
  const auto partitions = topics->second.find(topic);
  return partitions != topics->second.end() && partitions->second.contains(partition);
}

void OffsetStore::tombstones_of(const std::string& group, Records& to) const {
  if (const TopicOffsets* topics = of_group(group)) {
    for (const auto& [topic, partitions] : *topics) {
      for (const auto& [partition, value] : partitions) to.push_back(offset_tombstone(group, topic, partition));
    }
  }
  const auto open = open_.find(group);
  if (open == open_.end()) return;
  for (const auto& [topic, partitions] : open->second) {
    for (const auto& [partition, producers] : partitions) {
      if (!find(group, topic, partition)) to.push_back(offset_tombstone(group, topic, partition));
    }
  }
}

void OffsetStore::tombstones_of_topic(std::string_view topic, Uuid id, Records& to) const {
  const auto add = [&](const GroupOffsets& from) {
    for (const auto& [group, topics] : from) {
      const auto partitions = topics.find(topic);
      if (partitions == topics.end()) continue;
      for (const auto& [partition, value] : partitions->second) {
        // One that was committed to a later topic of the same name stays.
        if (!value.topic_id.is_zero() && value.topic_id != id) continue;
        to.push_back(offset_tombstone(group, std::string(topic), partition));
      }
    }
  };
  add(offsets_);
  for (const auto& [producer, from] : pending_) add(from);
}

}  // namespace klamm::groups
