// What transactions may hold: everything is counted, what would be too much is refused before it is there, and who is
// in already comes to an end.
#include <gtest/gtest.h>

#include "base/heap_test.h"
#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::Producer;

class TransactionMemoryTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  // A broker that has room for so many bytes.
  void given_room(std::size_t bytes) {
    coordinator.reset();
    memory = std::make_unique<coordination::Memory>(bytes);
    restart();
  }
};

TEST_F(TransactionMemoryTest, WhatWasThereIsGivenBackWhenItGoes) {
  EXPECT_EQ(memory->used(), 0u);
  const Producer one = producer("id");
  const std::size_t idle = memory->used();
  EXPECT_GT(idle, sizeof(Transaction));
  add("id", one, {{"t", {0, 1, 2}}});
  EXPECT_GT(memory->used(), idle);
  commit("id", one);
  write_markers();
  EXPECT_EQ(memory->used(), idle);
  pass(settings.id_expiration + settings.expiration_interval);
  EXPECT_EQ(memory->used(), 0u);
}

TEST_F(TransactionMemoryTest, WhoLoadsCountsTheSameAndWhoGoesGivesItBack) {
  add("a", producer("a"));
  producer("b");
  const std::size_t used = memory->used();
  restart();
  EXPECT_EQ(memory->used(), used);
  coordinator.reset();
  EXPECT_EQ(memory->used(), 0u);
}

TEST_F(TransactionMemoryTest, ThereAreNoMoreIdsThanThereIsRoomFor) {
  given_room(10'000);
  int ids = 0;
  while (init("id-" + std::to_string(ids)).code == ErrorCode::none) ++ids;
  EXPECT_GT(ids, 5);
  EXPECT_LT(ids, 100);
  EXPECT_LE(memory->used(), 10'000u);
  EXPECT_EQ(init("another").code, ErrorCode::coordinator_not_available);
  EXPECT_FALSE(knows("another"));
  EXPECT_EQ(init("id-0").code, ErrorCode::none);
  EXPECT_EQ(init(std::string(30'000, 'x')).code, ErrorCode::coordinator_not_available);
}

TEST_F(TransactionMemoryTest, ATransactionThatFindsNoRoomForMoreStillEnds) {
  given_room(10'000);
  const Producer one = producer("id");
  std::int32_t partitions = 0;
  ErrorCode last = ErrorCode::none;
  for (; last == ErrorCode::none; ++partitions) last = add("id", one, {{"t", {partitions}}});
  EXPECT_EQ(last, ErrorCode::coordinator_not_available);
  EXPECT_GT(partitions, 10);
  EXPECT_EQ(add("id", one, {{"t", {0}}}), ErrorCode::none);  // is in already
  const auto told = commit("id", one);
  EXPECT_EQ(told.code, ErrorCode::none);
  write_markers();
  EXPECT_EQ(add("id", told.producer), ErrorCode::none);
}

TEST_F(TransactionMemoryTest, WhatWasLoadedIsNeverRefused) {
  for (int i = 0; i < 20; ++i) producer("id-" + std::to_string(i));
  given_room(100);
  EXPECT_EQ(coordinator->state().transactions.size(), 20u);
  EXPECT_EQ(init("id-3").code, ErrorCode::none);
  EXPECT_EQ(init("new").code, ErrorCode::coordinator_not_available);
}

// What malloc says that it gave is not more than what was counted.
TEST_F(TransactionMemoryTest, TheCountIsNotLessThanWhatIsTaken) {
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back(std::string(static_cast<std::size_t>(i % 50), 'x') + std::to_string(i));
  for (const std::string& name : names) {
    add(name, producer(name), {{"a-topic-with-a-name-that-is-long", {0, 1, 2, 3}}, {"u", {7}}});
  }
  const std::size_t with = heap_bytes();
  const std::size_t counted = memory->used();
  log.clear();
  log.shrink_to_fit();
  decided = {};
  const std::size_t without_log = heap_bytes();
  coordinator.reset();
  EXPECT_GE(counted, without_log - heap_bytes());
  EXPECT_GT(with, without_log);
}

}  // namespace
}  // namespace klamm::transactions
