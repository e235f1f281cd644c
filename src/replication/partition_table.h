// The partitions of this broker, by name and by topic id, found from every reactor. Filled by Replicas alone.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <unordered_set>
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
    std::string_view topic;
    PartitionIndex index;
    bool operator==(const NameKey&) const = default;
  };
  struct IdKey {
    Uuid topic_id;
    PartitionIndex index;
    bool operator==(const IdKey&) const = default;
  };
  static NameKey name_of(const PartitionRef& partition) {
    return {partition->name().topic, partition->name().partition};
  }
  static IdKey id_of(const PartitionRef& partition) { return {partition->topic_id(), partition->name().partition}; }
  // What is stored carries its own key.
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(const PartitionRef& partition) const noexcept { return (*this)(name_of(partition)); }
    std::size_t operator()(const NameKey& key) const noexcept {
      return std::hash<std::string_view>{}(key.topic) +
             static_cast<std::size_t>(key.index.value) * 0x9e3779b97f4a7c15ull;
    }
  };
  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(const PartitionRef& partition) const noexcept { return (*this)(id_of(partition)); }
    std::size_t operator()(const IdKey& key) const noexcept {
      return std::hash<Uuid>{}(key.topic_id) + static_cast<std::size_t>(key.index.value) * 0x9e3779b97f4a7c15ull;
    }
  };
  struct SameName {
    using is_transparent = void;
    bool operator()(const PartitionRef& a, const PartitionRef& b) const { return name_of(a) == name_of(b); }
    bool operator()(const NameKey& a, const PartitionRef& b) const { return a == name_of(b); }
  };
  struct SameId {
    using is_transparent = void;
    bool operator()(const PartitionRef& a, const PartitionRef& b) const { return id_of(a) == id_of(b); }
    bool operator()(const IdKey& a, const PartitionRef& b) const { return a == id_of(b); }
  };
  // Two reactors seldom meet in one of them.
  static constexpr std::size_t shard_count = 16;
  struct Shard {
    explicit Shard(runtime::Scheduling& scheduling) : lock(scheduling) {}
    mutable runtime::ShortLock lock;
    std::unordered_set<PartitionRef, NameHash, SameName> by_name;
    std::unordered_set<PartitionRef, IdHash, SameId> by_id;
  };

  Shard& shard_of(std::size_t hash) const { return *shards_[(hash >> 7) % shard_count]; }

  std::array<std::unique_ptr<Shard>, shard_count> shards_;
};

}  // namespace klamm::replication
