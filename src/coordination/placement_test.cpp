#include "coordination/placement.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace klamm::coordination {
namespace {

TEST(PlacementTest, TheHashIsJavas) {
  struct Case {
    std::string text;
    std::int32_t hash;
  };
  const Case cases[] = {
      {"", 0},
      {"a", 97},
      {"hello", 99162322},
      {"console-consumer-12345", java_string_hash("console-consumer-12345")},
      {"polygenelubricants", std::numeric_limits<std::int32_t>::min()},
      {"\xC3\xA4", 0xE4},                          // one unit
      {"\xF0\x9F\x98\x80", 0xD83D * 31 + 0xDE00},  // a pair of surrogates
  };
  for (const Case& c : cases) EXPECT_EQ(java_string_hash(c.text), c.hash) << c.text;
}

TEST(PlacementTest, TheLeastHashGoesToTheFirstPartition) {
  EXPECT_EQ(partition_for("polygenelubricants", 50), PartitionIndex(0));
  EXPECT_EQ(partition_for("hello", 50), PartitionIndex(22));
  EXPECT_EQ(partition_for("", 50), PartitionIndex(0));
}

TEST(PlacementTest, BytesThatAreNoTextCountAsReplacements) {
  EXPECT_EQ(java_string_hash("\xFF"), 0xFFFD);
  EXPECT_EQ(java_string_hash("\xED\xA0\x80"), java_string_hash("\xFF\xFF\xFF"));  // a lone surrogate
  EXPECT_EQ(java_string_hash("\xC3"), 0xFFFD);                                    // cut off
}

}  // namespace
}  // namespace klamm::coordination
