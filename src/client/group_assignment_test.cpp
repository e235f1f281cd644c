#include "client/group_assignment.h"

#include <gtest/gtest.h>

#include <random>

namespace klamm::client {
namespace {

TopicPartition at(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}
AssignedMember member(std::string id, std::set<std::string> topics, PartitionSet owned = {},
                      std::int32_t generation = -1) {
  return {std::move(id), {}, {std::move(topics), std::move(owned), generation, {}}};
}

TEST(GroupAssignment, RangeGivesTheFirstMembersOneMore) {
  const auto given = assign(Assignor::range, {member("b", {"t", "u"}), member("a", {"t", "u"})}, {{"t", 3}, {"u", 3}});
  EXPECT_EQ(to_string(given.at("a")), "[t-0, t-1, u-0, u-1]");
  EXPECT_EQ(to_string(given.at("b")), "[t-2, u-2]");
}

TEST(GroupAssignment, RangePutsStaticMembersFirstInTheOrderOfTheirInstances) {
  AssignedMember first = member("z", {"t"}), second = member("y", {"t"});
  first.instance_id = "1";
  second.instance_id = "2";
  const auto given = assign(Assignor::range, {member("a", {"t"}), second, first}, {{"t", 4}});
  EXPECT_EQ(to_string(given.at("z")), "[t-0, t-1]");
  EXPECT_EQ(to_string(given.at("y")), "[t-2]");
  EXPECT_EQ(to_string(given.at("a")), "[t-3]");
}

TEST(GroupAssignment, RoundRobinGoesOverAllTopicsAndPassesOverWhoDoesNotWant) {
  const auto given =
      assign(Assignor::round_robin, {member("a", {"t", "u"}), member("b", {"t", "u"}), member("c", {"u"})},
             {{"t", 3}, {"u", 2}});
  EXPECT_EQ(to_string(given.at("a")), "[t-0, t-2]");
  EXPECT_EQ(to_string(given.at("b")), "[t-1, u-0]");
  EXPECT_EQ(to_string(given.at("c")), "[u-1]");
}

TEST(GroupAssignment, TopicsThatAreNotThereAndThatNobodyWantsAreLeftOut) {
  for (const Assignor each : {Assignor::range, Assignor::round_robin, Assignor::sticky, Assignor::cooperative_sticky}) {
    const auto given = assign(each, {member("a", {"gone"})}, {{"other", 3}});
    EXPECT_EQ(to_string(given.at("a")), "[]") << assignor_name(each);
  }
}

TEST(GroupAssignment, StickyMovesOnlyWhatTheNewMemberGets) {
  const PartitionSet a{at("t", 0), at("t", 1), at("t", 2)}, b{at("t", 3), at("t", 4), at("t", 5)};
  const auto given =
      assign(Assignor::sticky, {member("a", {"t"}, a, 4), member("b", {"t"}, b, 4), member("c", {"t"})}, {{"t", 6}});
  EXPECT_EQ(to_string(given.at("a")), "[t-0, t-1]");
  EXPECT_EQ(to_string(given.at("b")), "[t-3, t-4]");
  EXPECT_EQ(to_string(given.at("c")), "[t-2, t-5]");
}

TEST(GroupAssignment, StickyBelievesTheNewerGenerationAndNeitherOfTwoOfTheSame) {
  const auto newer =
      assign(Assignor::sticky, {member("a", {"t"}, {at("t", 0)}, 4), member("b", {"t"}, {at("t", 0)}, 5)}, {{"t", 2}});
  EXPECT_EQ(to_string(newer.at("b")), "[t-0]");
  const auto both =
      assign(Assignor::sticky, {member("a", {"t"}, {at("t", 1)}, 4), member("b", {"t"}, {at("t", 1)}, 4)}, {{"t", 2}});
  EXPECT_EQ(to_string(both.at("a")), "[t-0]");
}

TEST(GroupAssignment, CooperativeHoldsBackWhatAnotherStillHas) {
  const PartitionSet all{at("t", 0), at("t", 1), at("t", 2), at("t", 3)};
  const auto first = assign(Assignor::cooperative_sticky, {member("a", {"t"}, all, 1), member("b", {"t"})}, {{"t", 4}});
  EXPECT_EQ(to_string(first.at("a")), "[t-0, t-1]");
  EXPECT_EQ(to_string(first.at("b")), "[]");
  const auto second = assign(Assignor::cooperative_sticky,
                             {member("a", {"t"}, first.at("a"), 2), member("b", {"t"}, {}, 2)}, {{"t", 4}});
  EXPECT_EQ(to_string(second.at("b")), "[t-2, t-3]");
}

// Random groups whose members come, go and change their minds: every partition has one owner who wants it, as even as
// single moves can make it, and nothing moves when nothing changed.
TEST(GroupAssignment, StickyIsCompleteBalancedAndStable) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    PartitionCounts counts;
    for (int t = 0; t < 3; ++t)
      counts[std::string(1, static_cast<char>('t' + t))] = static_cast<std::int32_t>(random() % 9);
    std::vector<AssignedMember> members;
    for (std::size_t m = 0; m < 1 + random() % 5; ++m) {
      AssignedMember each = member(std::to_string(m), {});
      for (const auto& [topic, count] : counts) {
        if (random() % 3 != 0) each.subscription.topics.insert(topic);
        for (std::int32_t p = 0; p < count; ++p) {
          if (random() % 4 == 0) each.subscription.owned.insert(at(topic, p));
        }
      }
      each.subscription.generation = static_cast<std::int32_t>(random() % 3);
      members.push_back(std::move(each));
    }
    const GroupAssignment given = assign(Assignor::sticky, members, counts);
    std::map<TopicPartition, int> owners;
    for (AssignedMember& each : members) {
      for (const TopicPartition& partition : given.at(each.id)) {
        ++owners[partition];
        EXPECT_TRUE(each.subscription.topics.contains(partition.topic));
        for (const AssignedMember& other : members) {
          if (!other.subscription.topics.contains(partition.topic)) continue;
          EXPECT_LE(given.at(each.id).size(), given.at(other.id).size() + 1);
        }
      }
    }
    for (const auto& [topic, count] : counts) {
      const bool wanted =
          std::ranges::any_of(members, [&](const auto& each) { return each.subscription.topics.contains(topic); });
      for (std::int32_t p = 0; p < count; ++p) EXPECT_EQ(owners[at(topic, p)], wanted ? 1 : 0);
    }
    for (AssignedMember& each : members) {
      each.subscription.owned = given.at(each.id);
      each.subscription.generation = 9;
    }
    EXPECT_EQ(assign(Assignor::sticky, members, counts), given) << "round " << round;
    EXPECT_EQ(assign(Assignor::cooperative_sticky, members, counts), given) << "round " << round;
  }
}

TEST(GroupAssignment, SubscriptionsAndAssignmentsComeBackAsTheyWent) {
  const Subscription said{{"t", "u"}, {at("t", 1), at("t", 2), at("u", 0)}, 7, "r1"};
  for (const Assignor each : {Assignor::sticky, Assignor::cooperative_sticky}) {
    const auto heard = decode_subscription(Bytes(encode_subscription(said, each)), each);
    ASSERT_TRUE(heard) << assignor_name(each);
    EXPECT_EQ(heard->topics, said.topics);
    EXPECT_EQ(heard->owned, said.owned);
    EXPECT_EQ(heard->generation, 7);
    EXPECT_EQ(heard->rack, "r1");
  }
  EXPECT_EQ(decode_assignment(Bytes(encode_assignment(said.owned))), said.owned);
  EXPECT_EQ(decode_assignment({}), PartitionSet{});
}

TEST(GroupAssignment, WhatIsCutOffIsNotRead) {
  const Subscription said{{"t"}, {at("t", 1)}, 7, {}};
  const ByteVector whole = encode_subscription(said, Assignor::cooperative_sticky);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_subscription(Bytes(whole).first(size), Assignor::cooperative_sticky)) << size;
  const ByteVector assigned = encode_assignment(said.owned);
  for (std::size_t size = 1; size < assigned.size(); ++size)
    EXPECT_FALSE(decode_assignment(Bytes(assigned).first(size))) << size;
}

TEST(GroupAssignment, AssignorsAreKnownByClassAndByName) {
  EXPECT_EQ(assignor_of_class("org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
            Assignor::cooperative_sticky);
  EXPECT_EQ(assignor_of_class("roundrobin"), Assignor::round_robin);
  EXPECT_FALSE(assignor_of_class("org.example.Mine"));
  EXPECT_TRUE(is_cooperative({Assignor::cooperative_sticky}));
  EXPECT_FALSE(is_cooperative({Assignor::range, Assignor::cooperative_sticky})) << "Kafka's default is eager";
}

}  // namespace
}  // namespace klamm::client
