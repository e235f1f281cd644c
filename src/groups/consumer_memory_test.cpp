// What consumer groups hold is counted like the rest: refused before it is there, given back when it goes.
#include <gtest/gtest.h>

#include "groups/consumer_testing.h"

namespace klamm::groups {
namespace {

using testing::Client;

class ConsumerMemoryTest : public ::testing::Test, protected testing::ConsumerStory {
 protected:
  ConsumerMemoryTest() { cluster({{"foo", 10}, {"bar", 3}}); }

  Client a{"a", {"foo"}};
  Client b{.id = "b", .topics = {}, .instance = "i", .regex = "foo|bar"};
};

TEST_F(ConsumerMemoryTest, WhatWasThereIsGivenBackWhenItGoes) {
  const std::size_t before = memory->used();
  join(a);
  join(b);
  pass(std::chrono::seconds(1));  // the regular expression is resolved
  for (int i = 0; i < 4; ++i) {
    beat(a);
    beat(b);
  }
  EXPECT_GT(memory->used(), before + 2000);
  const std::size_t full = memory->used();
  const auto image = coordinator->state().image;
  restart();
  ask(Call(ImageChanged{image}));
  EXPECT_EQ(memory->used(), full);  // loading counts the same
  leave(a);
  leave(b);
  protocol::DeleteGroupsRequest remove;
  remove.groups_names = {"g"};
  EXPECT_EQ(this->request<protocol::DeleteGroupsResponse>(remove).results.at(0).error_code, 0);
  EXPECT_EQ(memory->used(), before);
}

TEST_F(ConsumerMemoryTest, WhenItIsFullNobodyNewComesAndWhoIsThereGoesOn) {
  join(a);
  const auto image = coordinator->state().image;
  leave_room_for(0);
  ask(Call(ImageChanged{image}));
  const std::size_t records = log.size();
  EXPECT_EQ(code(join(b)), ErrorCode::coordinator_not_available);
  EXPECT_EQ(log.size(), records);
  EXPECT_EQ(code(beat(a)), ErrorCode::none);
  EXPECT_EQ(code(subscribe(a, {"foo", "bar"})), ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(leave(a)), ErrorCode::none);
}

TEST_F(ConsumerMemoryTest, AMemberThatWouldTakeTooMuchIsRefused) {
  settings.member_bytes_max = 10'000;
  for (int i = 0; i < 100; ++i) a.topics.push_back(std::to_string(i));
  EXPECT_EQ(code(join(a)), ErrorCode::group_max_size_reached);
  EXPECT_TRUE(coordinator->state().groups.empty());
}

}  // namespace
}  // namespace klamm::groups
