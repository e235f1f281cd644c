#include "replication/partition_table.h"

#include <algorithm>

namespace klamm::replication {

PartitionTable::PartitionTable(runtime::Scheduling& scheduling) {
  for (auto& shard : shards_) shard = std::make_unique<Shard>(scheduling);
}

PartitionRef PartitionTable::find(std::string_view topic, PartitionIndex index) const {
  const NameKey key{topic, index};
  Shard& shard = shard_of(NameHash{}(key));
  const runtime::ShortLock::Guard guard(shard.lock);
  const auto found = shard.by_name.find(key);
  return found == shard.by_name.end() ? nullptr : found->second;
}

PartitionRef PartitionTable::find(Uuid topic_id, PartitionIndex index) const {
  const IdKey key{topic_id, index};
  Shard& shard = shard_of(IdHash{}(key));
  const runtime::ShortLock::Guard guard(shard.lock);
  const auto found = shard.by_id.find(key);
  return found == shard.by_id.end() ? nullptr : found->second;
}

void PartitionTable::insert(PartitionRef partition) {
  const NameKey name{partition->name().topic, partition->name().partition};
  const IdKey id{partition->topic_id(), partition->name().partition};
  {
    Shard& shard = shard_of(NameHash{}(name));
    const runtime::ShortLock::Guard guard(shard.lock);
    shard.by_name.erase(name);  // the stored key points into the partition it came with
    shard.by_name.emplace(name, partition);
  }
  Shard& shard = shard_of(IdHash{}(id));
  const runtime::ShortLock::Guard guard(shard.lock);
  shard.by_id[id] = std::move(partition);
}

void PartitionTable::erase(const PartitionRef& partition) {
  const NameKey name{partition->name().topic, partition->name().partition};
  const IdKey id{partition->topic_id(), partition->name().partition};
  {
    Shard& shard = shard_of(NameHash{}(name));
    const runtime::ShortLock::Guard guard(shard.lock);
    const auto found = shard.by_name.find(name);
    if (found != shard.by_name.end() && found->second == partition) shard.by_name.erase(found);
  }
  Shard& shard = shard_of(IdHash{}(id));
  const runtime::ShortLock::Guard guard(shard.lock);
  shard.by_id.erase(id);
}

std::vector<PartitionRef> PartitionTable::all() const {
  std::vector<PartitionRef> partitions;
  for (const auto& shard : shards_) {
    const runtime::ShortLock::Guard guard(shard->lock);
    for (const auto& [key, partition] : shard->by_name) partitions.push_back(partition);
  }
  std::ranges::sort(partitions, {}, [](const PartitionRef& p) -> const TopicPartition& { return p->name(); });
  return partitions;
}

std::size_t PartitionTable::size() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    const runtime::ShortLock::Guard guard(shard->lock);
    count += shard->by_name.size();
  }
  return count;
}

}  // namespace klamm::replication
