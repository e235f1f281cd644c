#include "server/request_pool.h"

#include <gtest/gtest.h>

namespace klamm::server {
namespace {

constexpr std::uint64_t all = 64u << 20;

TEST(RequestPoolTest, TheEndOfABurstIsToldOnce) {
  int told = 0;
  RequestPool pool(all, [&] { ++told; });
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(pool.try_charge(1u << 20));
    for (int i = 0; i < 18; ++i) pool.release(1u << 20);
    EXPECT_EQ(told, round - 1) << "it goes on";
    pool.release(1u << 20);
    pool.release(1u << 20);
    EXPECT_EQ(told, round);
  }
}

TEST(RequestPoolTest, WhatIsUsedAllTheTimeIsNoBurst) {
  int told = 0;
  RequestPool pool(all, [&] { ++told; });
  for (int i = 0; i < 1000; ++i) {
    pool.charge(64u << 10);
    pool.charge(1u << 20);
    pool.release(1u << 20);
    pool.release(64u << 10);
  }
  EXPECT_EQ(told, 0);
  EXPECT_EQ(pool.used(), 0u);
}

}  // namespace
}  // namespace klamm::server
