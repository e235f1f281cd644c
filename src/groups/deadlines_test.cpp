#include "groups/deadlines.h"

#include <gtest/gtest.h>

namespace klamm::groups {
namespace {

using std::chrono::seconds;

DeadlineKey session(std::string member) {
  return {DeadlineKind::session, "g", std::move(member)};
}

TEST(DeadlinesTest, WhatIsPutOffIsDueWhenItWasPutOffTo) {
  Deadlines deadlines;
  deadlines.set(session("a"), seconds(10));
  deadlines.set(session("a"), seconds(20));
  EXPECT_EQ(deadlines.next(), seconds(10));  // the timer need not be set anew
  EXPECT_EQ(deadlines.take_due(seconds(10)), std::nullopt);
  EXPECT_EQ(deadlines.next(), seconds(20));
  EXPECT_EQ(deadlines.take_due(seconds(20)), session("a"));
  EXPECT_EQ(deadlines.next(), std::nullopt);
}

TEST(DeadlinesTest, WhatComesEarlierIsDueEarlier) {
  Deadlines deadlines;
  deadlines.set(session("a"), seconds(300));
  deadlines.set(session("a"), seconds(10));
  EXPECT_EQ(deadlines.next(), seconds(10));
  EXPECT_EQ(deadlines.take_due(seconds(10)), session("a"));
  EXPECT_EQ(deadlines.take_due(seconds(300)), std::nullopt);
}

TEST(DeadlinesTest, WhatWasCancelledIsNotDueEvenWhenSetAgain) {
  Deadlines deadlines;
  deadlines.set(session("a"), seconds(10));
  deadlines.cancel(session("a"));
  EXPECT_EQ(deadlines.next(), std::nullopt);
  deadlines.set(session("a"), seconds(30));
  EXPECT_EQ(deadlines.take_due(seconds(29)), std::nullopt);
  EXPECT_EQ(deadlines.take_due(seconds(30)), session("a"));
}

TEST(DeadlinesTest, WhatWasCancelledTakesNoMemory) {
  Deadlines deadlines;
  for (int i = 0; i < 1000; ++i) {
    deadlines.set(session(std::to_string(i)), seconds(1800));
    deadlines.cancel(session(std::to_string(i)));
  }
  EXPECT_EQ(deadlines.size(), 0u);
}

TEST(DeadlinesTest, AGroupTakesItsDeadlinesWithIt) {
  Deadlines deadlines;
  deadlines.set(session("a"), seconds(1));
  deadlines.set({DeadlineKind::join, "g", ""}, seconds(1));
  deadlines.set({DeadlineKind::join, "h", ""}, seconds(1));
  deadlines.cancel_group("g");
  EXPECT_EQ(deadlines.size(), 1u);
  EXPECT_EQ(deadlines.take_due(seconds(1)), (DeadlineKey{DeadlineKind::join, "h", ""}));
}

}  // namespace
}  // namespace klamm::groups
