#include "base/arena.h"

#include <gtest/gtest.h>

namespace klamm {
namespace {

TEST(Arena, HandsOutAlignedAndEmptyMemory) {
  Arena arena;
  arena.copy("odd");
  const auto numbers = arena.array<std::int64_t>(3);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(numbers.data()) % alignof(std::int64_t), 0u);
  EXPECT_EQ(numbers[2], 0);
}

TEST(Arena, KeepsItsChunksAcrossReset) {
  Arena arena(1 << 20, 4096);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) arena.array<std::int64_t>(20);
    arena.array<char>(10000);
    if (round > 0) {
      EXPECT_EQ(arena.reserved_bytes(), 4096u * 4 + 10000u) << "warm: nothing new";
    }
    arena.reset();
  }
  arena.shrink(8192);
  EXPECT_LE(arena.reserved_bytes(), 8192u);
}

TEST(Arena, HasABound) {
  Arena arena(8192, 4096);
  EXPECT_TRUE(arena.try_array<char>(8193).empty());
  EXPECT_TRUE(arena.try_array<std::int64_t>(~std::size_t{0} / 4).empty()) << "a size that overflows";
  EXPECT_EQ(arena.try_array<char>(4096).size(), 4096u);
  EXPECT_THROW(arena.array<char>(5000), std::bad_alloc);
  EXPECT_EQ(arena.array<char>(4096).size(), 4096u);
  EXPECT_THROW(arena.copy("x"), std::bad_alloc);
}

}  // namespace
}  // namespace klamm
