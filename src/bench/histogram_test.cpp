#include "bench/histogram.h"

#include <gtest/gtest.h>

namespace klamm::bench {
namespace {

TEST(Histogram, IsExactForSmallValues) {
  Histogram values;
  for (int value = 1; value <= 100; ++value) values.add(value);
  EXPECT_EQ(values.percentile(50), 50);
  EXPECT_EQ(values.percentile(99), 99);
  EXPECT_EQ(values.percentile(100), 100);
  EXPECT_EQ(values.percentile(0), 1);
  EXPECT_DOUBLE_EQ(values.mean(), 50.5);
}

TEST(Histogram, IsWithinAPercentForAllOthers) {
  for (std::int64_t value : {129LL, 255LL, 256LL, 1'000LL, 123'456'789LL, 9'000'000'000'000'000'000LL}) {
    Histogram values;
    values.add(value);
    values.add(INT64_MAX);
    const double found = static_cast<double>(values.percentile(50));
    EXPECT_GE(found, static_cast<double>(value));
    EXPECT_LE(found, static_cast<double>(value) * 1.008);
  }
}

TEST(Histogram, MergesAndKnowsItsLargest) {
  Histogram one, two, none;
  EXPECT_EQ(none.percentile(99), 0);
  one.add(10);
  two.add(-5);
  two.add(1'000'003);
  one.merge(two);
  EXPECT_EQ(one.count(), 3U);
  EXPECT_EQ(one.max(), 1'000'003);
  EXPECT_EQ(one.percentile(100), 1'000'003) << "never above what was seen";
  EXPECT_EQ(one.percentile(1), 0);
}

}  // namespace
}  // namespace klamm::bench
