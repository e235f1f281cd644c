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

constexpr std::size_t bytes_of_offset(std::size_t metadata_bytes) {
  return node_bytes + sizeof(PartitionOffsets::value_type) + allocation_bytes + metadata_bytes;
}

// What a group takes besides its topics, or a topic besides its partitions.
constexpr std::size_t bytes_of_map(std::string_view name) {
  return node_bytes + string_bytes(name) + sizeof(TopicOffsets);
}

// A producer among those that have a partition open.
constexpr std::size_t bytes_of_open(std::string_view group, std::string_view topic) {
  return bytes_of_map(group) + bytes_of_map(topic) + 2 * node_bytes + sizeof(std::set<ProducerId>);
}

}  // namespace

void OffsetStore::add(std::size_t bytes) {
  bytes_ += bytes;
  held_.add(bytes);
}

void OffsetStore::subtract(std::size_t bytes) {
  bytes_ -= bytes;
  held_.remove(bytes);
}

void OffsetStore::put(GroupOffsets& in, const std::string& group, const std::string& topic, std::int32_t partition,
                      CommittedOffset value) {
  const auto [topics, new_group] = in.try_emplace(group);
  if (new_group) add(bytes_of_map(group));
  const auto [partitions, new_topic] = topics->second.try_emplace(topic);
  if (new_topic) add(bytes_of_map(topic));
  const auto [offset, fresh] = partitions->second.try_emplace(partition);
  if (!fresh && offset->second.record_offset > value.record_offset) return;
  if (!fresh) subtract(bytes_of_offset(offset->second.metadata.size()));
  add(bytes_of_offset(value.metadata.size()));
  offset->second = std::move(value);
}

void OffsetStore::remove(GroupOffsets& in, std::string_view group, std::string_view topic, std::int32_t partition) {
  const auto topics = in.find(group);
  if (topics == in.end()) return;
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end()) return;
  const auto offset = partitions->second.find(partition);
  if (offset == partitions->second.end()) return;
  subtract(bytes_of_offset(offset->second.metadata.size()));
  partitions->second.erase(offset);
  if (!partitions->second.empty()) return;
  subtract(bytes_of_map(topic));
  topics->second.erase(partitions);
  if (!topics->second.empty()) return;
  subtract(bytes_of_map(group));
  in.erase(topics);
}

void OffsetStore::apply(Offset at, ProducerId producer, const OffsetCommitRecord& record) {
  const auto& key = record.key;
  if (record.value && producer == no_producer_id) {
    return put(offsets_, key.group, key.topic, key.partition, from(at, *record.value));
  }
  if (record.value) {
    put(pending_[producer], key.group, key.topic, key.partition, from(at, *record.value));
    return open(key.group, key.topic, key.partition, producer);
  }
  remove(offsets_, key.group, key.topic, key.partition);
  if (!has_open_transaction(key.group, key.topic, key.partition)) return;
  const std::set<ProducerId> producers = open_[key.group][key.topic][key.partition];
  for (const ProducerId each : producers) {
    remove(pending_[each], key.group, key.topic, key.partition);
    close(key.group, key.topic, key.partition, each);
  }
}

void OffsetStore::open(const std::string& group, const std::string& topic, std::int32_t partition,
                       ProducerId producer) {
  if (open_[group][topic][partition].insert(producer).second) add(bytes_of_open(group, topic));
}

void OffsetStore::close(std::string_view group, std::string_view topic, std::int32_t partition, ProducerId producer) {
  const auto topics = open_.find(group);
  if (topics == open_.end()) return;
  const auto partitions = topics->second.find(topic);
  if (partitions == topics->second.end()) return;
  const auto producers = partitions->second.find(partition);
  if (producers == partitions->second.end()) return;
  if (producers->second.erase(producer) > 0) subtract(bytes_of_open(group, topic));
  if (producers->second.empty()) partitions->second.erase(producers);
  if (partitions->second.empty()) topics->second.erase(partitions);
  if (topics->second.empty()) open_.erase(topics);
}

void OffsetStore::end_transaction(ProducerId producer, bool commit) {
  auto node = pending_.extract(producer);
  if (node.empty()) return;
  for (auto& [group, topics] : node.mapped()) {
    subtract(bytes_of_map(group));
    for (auto& [topic, partitions] : topics) {
      subtract(bytes_of_map(topic));
      for (auto& [partition, value] : partitions) {
        subtract(bytes_of_offset(value.metadata.size()));
        close(group, topic, partition, producer);
        // A commit outside the transaction that came after it stays.
        if (commit) put(offsets_, group, topic, partition, std::move(value));
      }
    }
  }
}

std::size_t OffsetStore::growth(std::string_view group, std::string_view topic, std::int32_t partition,
                                std::size_t metadata_bytes, bool transactional) const {
  const std::size_t whole = bytes_of_map(group) + bytes_of_map(topic) + bytes_of_offset(metadata_bytes);
  // At first it is kept apart, and has its own place afterwards.
  if (transactional) return 2 * whole + bytes_of_open(group, topic);
  const TopicOffsets* topics = of_group(group);
  if (!topics) return whole;
  const auto partitions = topics->find(topic);
  if (partitions == topics->end()) return bytes_of_map(topic) + bytes_of_offset(metadata_bytes);
  const auto found = partitions->second.find(partition);
  if (found == partitions->second.end()) return bytes_of_offset(metadata_bytes);
  const std::size_t had = found->second.metadata.size();
  return metadata_bytes > had ? metadata_bytes - had : 0;
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
