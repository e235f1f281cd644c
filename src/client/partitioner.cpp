#include "client/partitioner.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::client {

std::int32_t murmur2(Bytes bytes) {
  constexpr std::uint32_t multiplier = 0x5bd1e995;
  constexpr int shift = 24;
  const auto byte_at = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };

  std::uint32_t hash = 0x9747b28cu ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = byte_at(at) | byte_at(at + 1) << 8 | byte_at(at + 2) << 16 | byte_at(at + 3) << 24;
    word *= multiplier;
    word ^= word >> shift;
    word *= multiplier;
    hash = (hash * multiplier) ^ word;
  }
  const std::size_t rest = bytes.size() - at;
  if (rest >= 3) hash ^= byte_at(at + 2) << 16;
  if (rest >= 2) hash ^= byte_at(at + 1) << 8;
  if (rest >= 1) hash = (hash ^ byte_at(at)) * multiplier;

  hash ^= hash >> 13;
  hash *= multiplier;
  hash ^= hash >> 15;
  return static_cast<std::int32_t>(hash);
}

std::int32_t partition_of_key(Bytes key, std::int32_t partitions) {
  ENSURE(partitions > 0);
  return (murmur2(key) & 0x7fffffff) % partitions;
}

namespace {

// Weighted by how much shorter a queue is than the longest: queues 0, 3, 1 give weights 4, 1, 3.
std::int32_t weighted(std::span<const PartitionLoad> available, runtime::Random& random) {
  const auto longest = std::ranges::max(available, {}, &PartitionLoad::waiting_batches).waiting_batches;
  std::uint64_t total = 0;
  for (const PartitionLoad& load : available) total += static_cast<std::uint64_t>(longest - load.waiting_batches) + 1;
  std::uint64_t drawn = random.next() % total;
  for (const PartitionLoad& load : available) {
    const auto weight = static_cast<std::uint64_t>(longest - load.waiting_batches) + 1;
    if (drawn < weight) return load.partition;
    drawn -= weight;
  }
  return available.back().partition;
}

}  // namespace

std::int32_t StickyPartitioner::choose(std::span<const PartitionLoad> available, std::int32_t partitions,
                                       runtime::Random& random) {
  ENSURE(partitions > 0);
  partition_ = available.empty() ? static_cast<std::int32_t>(random.next() % static_cast<std::uint64_t>(partitions))
                                 : weighted(available, random);
  produced_bytes_ = 0;
  return partition_;
}

void StickyPartitioner::appended(std::int32_t bytes, bool may_switch) {
  const std::int64_t produced = std::int64_t{produced_bytes_} + bytes;
  if ((produced >= sticky_bytes_ && may_switch) || produced >= std::int64_t{sticky_bytes_} * 2) {
    partition_ = -1;
    produced_bytes_ = 0;
  } else {
    produced_bytes_ = static_cast<std::int32_t>(produced);
  }
}

}  // namespace klamm::client
