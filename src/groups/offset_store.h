// The offsets of all groups of a shard, those of open transactions apart.
// Source of behaviour: org.apache.kafka.coordinator.group.OffsetMetadataManager.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/types.h"
#include "base/uuid.h"
#include "groups/memory.h"
#include "groups/record.h"

namespace klamm::groups {

struct CommittedOffset {
  Offset record_offset = no_offset;  // of the record it came with: a transaction that ends late does not overwrite
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  Timestamp committed_at;
  Timestamp expires_at = no_timestamp;  // chosen by the client (versions 2 to 4), or none
  Uuid topic_id;

  bool operator==(const CommittedOffset&) const = default;
};

using PartitionOffsets = std::map<std::int32_t, CommittedOffset>;
using TopicOffsets = std::map<std::string, PartitionOffsets, std::less<>>;

class OffsetStore {
 public:
  // What it takes is counted in `held`, which outlives it.
  explicit OffsetStore(Held& held) : held_(held) {}
  OffsetStore(const OffsetStore&) = delete;
  OffsetStore& operator=(const OffsetStore&) = delete;
  ~OffsetStore() { held_.remove(bytes_); }

  void apply(Offset at, ProducerId producer, const OffsetCommitRecord& record);
  // The end of a producer's transaction in this partition.
  void end_transaction(ProducerId producer, bool commit);

  const CommittedOffset* find(std::string_view group, std::string_view topic, std::int32_t partition) const;
  // Null when there are none.
  const TopicOffsets* of_group(std::string_view group) const;
  bool has_open_transaction(std::string_view group) const { return open_.contains(group); }
  bool has_open_transaction(std::string_view group, std::string_view topic, std::int32_t partition) const;
  // How much more it takes with this offset too, or at most so much.
  std::size_t growth(std::string_view group, std::string_view topic, std::int32_t partition, std::size_t metadata_bytes,
                     bool transactional) const;
  // Tombstones for all of a group's offsets, open transactions included.
  void tombstones_of(const std::string& group, Records& to) const;
  // And for all offsets of a topic that was deleted, in any group.
  void tombstones_of_topic(std::string_view topic, Uuid id, Records& to) const;

 private:
  using GroupOffsets = std::map<std::string, TopicOffsets, std::less<>>;
  using OpenTopics = std::map<std::string, std::map<std::int32_t, std::set<ProducerId>>, std::less<>>;

  // Unless there is a later one.
  void put(GroupOffsets& in, const std::string& group, const std::string& topic, std::int32_t partition,
           CommittedOffset value);
  void remove(GroupOffsets& in, std::string_view group, std::string_view topic, std::int32_t partition);
  void open(const std::string& group, const std::string& topic, std::int32_t partition, ProducerId producer);
  void close(std::string_view group, std::string_view topic, std::int32_t partition, ProducerId producer);

  void add(std::size_t bytes);
  void subtract(std::size_t bytes);

  Held& held_;
  std::size_t bytes_ = 0;
  GroupOffsets offsets_;
  std::map<ProducerId, GroupOffsets> pending_;
  std::map<std::string, OpenTopics, std::less<>> open_;
};

}  // namespace klamm::groups
