// Which partition a record without one goes to, as Kafka's built-in partitioner decides (KIP-480, KIP-794): the key's
// murmur2 hash, or, without a key, one partition until it was given about batch.size bytes, then another, chosen with
// less weight for partitions that have a longer queue.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "runtime/clock.h"

namespace klamm::client {

// The hash of org.apache.kafka.common.utils.Utils.murmur2: 32-bit MurmurHash2 with seed 0x9747b28c.
std::int32_t murmur2(Bytes bytes);

// The partition of a key, of `partitions` > 0.
std::int32_t partition_of_key(Bytes key, std::int32_t partitions);

// Queue lengths of the partitions that have a leader; the more batches wait, the less often a partition is chosen.
struct PartitionLoad {
  std::int32_t partition;
  std::int32_t waiting_batches;
};

// Sticks to a partition of one topic. Belongs to one producer.
class StickyPartitioner {
 public:
  // `sticky_bytes` >= 1: batch.size.
  explicit StickyPartitioner(std::int32_t sticky_bytes) : sticky_bytes_(sticky_bytes) {}

  // The current partition; -1 when one must be chosen.
  std::int32_t current() const { return partition_; }
  // Takes one of `available`, the partitions with a leader; when there are none, any of the `partitions`.
  std::int32_t choose(std::span<const PartitionLoad> available, std::int32_t partitions, runtime::Random& random);
  // Bytes were appended to the current partition. current() is -1 once enough went there; as long as the last batch
  // is not full (`may_switch` false) up to twice as much goes to one partition.
  void appended(std::int32_t bytes, bool may_switch);

 private:
  std::int32_t sticky_bytes_;
  std::int32_t partition_ = -1;
  std::int32_t produced_bytes_ = 0;
};

}  // namespace klamm::client
