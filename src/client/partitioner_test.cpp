#include "client/partitioner.h"

#include <gtest/gtest.h>

#include <map>

namespace klamm::client {
namespace {

class Sequence final : public runtime::Random {
 public:
  std::uint64_t next() override { return value_++; }

 private:
  std::uint64_t value_ = 0;
};

// Values that Kafka's own murmur2 gives.
TEST(Partitioner, HashesKeysAsJavaDoes) {
  const std::map<std::string, std::int32_t> known{
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  for (const auto& [key, hash] : known) EXPECT_EQ(murmur2(as_bytes(key)), hash) << key;
}

TEST(Partitioner, TakesTheSameKeyToTheSamePartition) {
  EXPECT_EQ(partition_of_key(as_bytes("foobar"), 10), (-790332482 & 0x7fffffff) % 10);
  EXPECT_EQ(partition_of_key(as_bytes("foobar"), 1), 0);
}

TEST(Partitioner, SticksUntilEnoughBytesWentToOnePartition) {
  Sequence random;
  StickyPartitioner sticky(100);
  const PartitionLoad loads[] = {{0, 0}, {1, 0}, {2, 0}};
  EXPECT_EQ(sticky.current(), -1);
  const std::int32_t first = sticky.choose(loads, 3, random);
  sticky.appended(60, true);
  EXPECT_EQ(sticky.current(), first);
  sticky.appended(60, true);
  EXPECT_EQ(sticky.current(), -1);
}

TEST(Partitioner, WaitsForTheBatchToFillButNotForEver) {
  Sequence random;
  StickyPartitioner sticky(100);
  const PartitionLoad loads[] = {{0, 0}, {1, 0}};
  const std::int32_t first = sticky.choose(loads, 2, random);
  sticky.appended(150, false);
  EXPECT_EQ(sticky.current(), first);
  sticky.appended(60, false);
  EXPECT_EQ(sticky.current(), -1);
}

TEST(Partitioner, GivesLessToPartitionsWithLongQueues) {
  Sequence random;
  const PartitionLoad loads[] = {{0, 0}, {1, 3}, {2, 1}};  // weights 4, 1, 3
  std::map<std::int32_t, int> taken;
  for (int i = 0; i < 80; ++i) ++taken[StickyPartitioner(1).choose(loads, 3, random)];
  EXPECT_EQ(taken[0], 40);
  EXPECT_EQ(taken[1], 10);
  EXPECT_EQ(taken[2], 30);
}

TEST(Partitioner, TakesAnyPartitionWhenNoneHasALeader) {
  Sequence random;
  StickyPartitioner sticky(1);
  EXPECT_EQ(sticky.choose({}, 3, random), 0);
  EXPECT_EQ(sticky.choose({}, 3, random), 1);
}

}  // namespace
}  // namespace klamm::client
