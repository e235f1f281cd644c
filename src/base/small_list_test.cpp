#include "base/small_list.h"

#include <gtest/gtest.h>

#include "base/uuid.h"

namespace klamm {
namespace {

using Ids = SmallList<std::int32_t, 3>;

TEST(SmallList, HoldsWhatItWasGivenWhetherItFitsOrNot) {
  for (std::int32_t count = 0; count < 9; ++count) {
    std::vector<std::int32_t> values;
    for (std::int32_t i = 0; i < count; ++i) values.push_back(100 + i);
    const Ids list = values;
    EXPECT_EQ(list, values);
    EXPECT_EQ(list.size(), values.size());
    EXPECT_EQ(list.empty(), values.empty());
    EXPECT_EQ(std::vector<std::int32_t>(list), values);
    Ids copy = list;
    EXPECT_EQ(copy, list);
    const Ids moved = std::move(copy);
    EXPECT_EQ(moved, list);
    Ids other{7};
    other = moved;
    EXPECT_EQ(other, list);
    other = Ids{1, 2, 3, 4, 5};
    EXPECT_EQ(other, (Ids{1, 2, 3, 4, 5}));
    EXPECT_NE(other, list);
  }
}

TEST(SmallList, WhatAPartitionHasOfABrokerOrThreeCostsNoAllocation) {
  static_assert(sizeof(Ids) == 16);
  static_assert(sizeof(SmallList<Uuid, 1>) == 24);
  const Ids three{1, 2, 3};
  const auto* const begin = reinterpret_cast<const std::byte*>(three.begin());
  const auto* const list = reinterpret_cast<const std::byte*>(&three);
  EXPECT_TRUE(begin >= list && begin < list + sizeof three);
  EXPECT_EQ(three.front(), 1);
  EXPECT_EQ(three.back(), 3);
  EXPECT_EQ(three[1], 2);
}

}  // namespace
}  // namespace klamm
