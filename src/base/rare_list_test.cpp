#include "base/rare_list.h"

#include <gmock/gmock.h>

namespace klamm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RareList, HoldsNothingButANullPointerWhileItIsEmpty) {
  static_assert(sizeof(RareList<int>) == sizeof(void*));
  const RareList<int> none(std::vector<int>{});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0u);
  EXPECT_THAT(none, IsEmpty());
  EXPECT_EQ(none, RareList<int>());
  EXPECT_EQ(none, std::vector<int>());
  EXPECT_THAT(std::vector<int>(none), IsEmpty());
}

TEST(RareList, IsACopyOfTheVectorItIsMadeOf) {
  const RareList<int> list(std::vector{3, 1});
  EXPECT_FALSE(list.empty());
  EXPECT_THAT(list, ElementsAre(3, 1));
  EXPECT_EQ(list.front(), 3);
  EXPECT_EQ(list, (std::vector{3, 1}));
  EXPECT_FALSE(list == (std::vector{1, 3}));
  EXPECT_THAT(std::vector<int>(list), ElementsAre(3, 1));
}

TEST(RareList, CopiesAreTheirOwn) {
  RareList<int> first(std::vector{1});
  RareList<int> second = first;
  first = std::vector{2, 3};
  EXPECT_THAT(second, ElementsAre(1));
  second = std::move(first);
  EXPECT_THAT(second, ElementsAre(2, 3));
  second = RareList<int>();
  EXPECT_THAT(second, IsEmpty());
  EXPECT_FALSE(second == RareList<int>(std::vector{1}));
}

}  // namespace
}  // namespace klamm
