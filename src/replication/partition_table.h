// The partitions of this broker, by name and by topic id, found from every reactor. Filled by Replicas alone.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replication/partition.h"
#include "runtime/lock.h"

namespace klamm::replication {

class PartitionTable {
 public:
  explicit PartitionTable(runtime::Scheduling& scheduling);

  // Empty when this broker has no such partition. Allocates nothing.
  PartitionRef find(std::string_view topic, PartitionIndex index) const;
  PartitionRef find(Uuid topic_id, PartitionIndex index) const;

  void insert(PartitionRef partition);
  void erase(const PartitionRef& partition);
  // Sorted by topic and number.
  std::vector<PartitionRef> all() const;
  std::size_t size() const;

 private:
  struct NameKey {
    std::string_view topic;  // of a stored key: the partition's own name
    PartitionIndex index;
    bool operator==(const NameKey&) const = default;
  };
  struct IdKey {
    Uuid topic_id;
    PartitionIndex index;
    bool operator==(const IdKey&) const = default;
  };
  struct NameHash {
    std::size_t operator()(const NameKey& key) const noexcept {
      return std::hash<std::string_view>{}(key.topic) +
             static_cast<std::size_t>(key.index.value) * 0x9e3779b97f4a7c15ull;
    }
  };
  struct IdHash {
    std::size_t operator()(const IdKey& key) const noexcept {
      return std::hash<Uuid>{}(key.topic_id) + static_cast<std::size_t>(key.index.value) * 0x9e3779b97f4a7c15ull;
    }
  };
  // Two reactors seldom meet in one of them.
  static constexpr std::size_t shard_count = 16;
  struct Shard {
    explicit Shard(runtime::Scheduling& scheduling) : lock(scheduling) {}
    mutable runtime::ShortLock lock;
    std::unordered_map<NameKey, PartitionRef, NameHash> by_name;
    std::unordered_map<IdKey, PartitionRef, IdHash> by_id;
  };

  Shard& shard_of(std::size_t hash) const { return *shards_[(hash >> 7) % shard_count]; }

  std::array<std::unique_ptr<Shard>, shard_count> shards_;
};

}  // namespace klamm::replication
