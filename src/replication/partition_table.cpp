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
  return found == shard.by_name.end() ? nullptr : *found;
}

PartitionRef PartitionTable::find(Uuid topic_id, PartitionIndex index) const {
  const IdKey key{topic_id, index};
  Shard& shard = shard_of(IdHash{}(key));
  const runtime::ShortLock::Guard guard(shard.lock);
  const auto found = shard.by_id.find(key);
  return found == shard.by_id.end() ? nullptr : *found;
}

void PartitionTable::insert(PartitionRef partition) {
  const NameKey name = name_of(partition);
  const IdKey id = id_of(partition);
  {
    Shard& shard = shard_of(NameHash{}(name));
    const runtime::ShortLock::Guard guard(shard.lock);
    if (const auto old = shard.by_name.find(name); old != shard.by_name.end()) shard.by_name.erase(old);
    shard.by_name.insert(partition);
  }
  Shard& shard = shard_of(IdHash{}(id));
  const runtime::ShortLock::Guard guard(shard.lock);
  if (const auto old = shard.by_id.find(id); old != shard.by_id.end()) shard.by_id.erase(old);
  shard.by_id.insert(std::move(partition));
}

void PartitionTable::erase(const PartitionRef& partition) {
  const NameKey name = name_of(partition);
  const IdKey id = id_of(partition);
  {
    Shard& shard = shard_of(NameHash{}(name));
    const runtime::ShortLock::Guard guard(shard.lock);
    const auto found = shard.by_name.find(name);
    if (found != shard.by_name.end() && *found == partition) shard.by_name.erase(found);
  }
  Shard& shard = shard_of(IdHash{}(id));
  const runtime::ShortLock::Guard guard(shard.lock);
  if (const auto found = shard.by_id.find(id); found != shard.by_id.end()) shard.by_id.erase(found);
}

std::vector<PartitionRef> PartitionTable::all() const {
  std::vector<PartitionRef> partitions;
  for (const auto& shard : shards_) {
    const runtime::ShortLock::Guard guard(shard->lock);
    for (const auto& partition : shard->by_name) partitions.push_back(partition);
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
