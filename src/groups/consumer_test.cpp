#include "groups/consumer.h"

#include <gtest/gtest.h>

#include "groups/consumer_records.h"
#include "groups/consumer_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Client;
using testing::of;

class ConsumerTest : public ::testing::Test, protected testing::ConsumerStory {
 protected:
  std::vector<std::string> decided_types() const {
    std::vector<std::string> out;
    for (const Record& record : decided) {
      out.push_back(
          std::visit([](const auto& each) { return fmt::format("{}{}", each.value ? "" : "-", each.key.record_type); },
                     record.message));
    }
    return out;
  }
  using Types = std::vector<std::string>;

  Client a{"a", {"foo"}};
  Client b{"b", {"foo"}};
};

TEST_F(ConsumerTest, TheFirstMemberGetsAllPartitionsAtOnce) {
  cluster({{"foo", 3}});
  const auto response = join(a);
  EXPECT_EQ(code(response), ErrorCode::none);
  EXPECT_EQ(response.member_id, "a");
  EXPECT_EQ(response.member_epoch, 2);
  EXPECT_EQ(response.heartbeat_interval_ms, 5000);
  EXPECT_EQ(a.wanted, of("foo", {0, 1, 2}));
  // Member, epoch, target of the member, target, what it has.
  EXPECT_EQ(decided_types(), (Types{"5", "3", "7", "6", "8"}));
  EXPECT_EQ(group().state_name(), "Stable");
  EXPECT_FALSE(beat(a).assignment);  // nothing is new
  EXPECT_TRUE(decided.empty());
}

TEST_F(ConsumerTest, AMemberWithoutAnIdGetsOneFromOldVersions) {
  cluster({{"foo", 1}});
  testing::HeartbeatRequest request;
  request.rebalance_timeout_ms = 1000;
  request.subscribed_topic_names = {"foo"};
  request.topic_partitions.emplace();
  const auto response = beat(request, 0);
  EXPECT_EQ(code(response), ErrorCode::none);
  EXPECT_EQ(response.member_id->size(), 22u);
  EXPECT_NE(group().member(*response.member_id), nullptr);
}

TEST_F(ConsumerTest, ASecondMemberWaitsUntilTheFirstHasGivenUpItsShare) {
  cluster({{"foo", 4}});
  join(a);
  EXPECT_EQ(join(b).member_epoch, 3);
  EXPECT_TRUE(b.wanted.empty());  // all are still the first one's
  EXPECT_EQ(member(b).state, ReconciliationState::unreleased_partitions);
  EXPECT_EQ(group().state_name(), "Reconciling");

  // The first is told what to give up, and stays at its epoch until it has.
  EXPECT_EQ(beat(says_what_it_has(a)).member_epoch, 2);
  EXPECT_EQ(member(a).state, ReconciliationState::unrevoked_partitions);
  EXPECT_EQ(member(a).assigned, (OwnedPartitions{{testing::id_of("foo"), {{0, 2}, {1, 2}}}}));
  EXPECT_EQ(member(a).revoking, (OwnedPartitions{{testing::id_of("foo"), {{2, 2}, {3, 2}}}}));
  EXPECT_FALSE(beat(b).assignment);
  EXPECT_EQ(beat(says_what_it_has(a)).member_epoch, 2);  // not yet

  a.has = a.wanted = of("foo", {0, 1});
  EXPECT_EQ(beat(a).member_epoch, 3);
  EXPECT_EQ(member(a).state, ReconciliationState::stable);
  beat(b);
  EXPECT_EQ(b.wanted, of("foo", {2, 3}));
  EXPECT_EQ(member(b).assigned, (OwnedPartitions{{testing::id_of("foo"), {{2, 3}, {3, 3}}}}));
  EXPECT_EQ(group().state_name(), "Stable");
}

TEST_F(ConsumerTest, WhatAMemberMustGiveUpItIsToldOnceAndInFullWhenItAsks) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  const auto told = beat(says_what_it_has(a));
  ASSERT_TRUE(told.assignment);
  EXPECT_EQ(told.assignment->topic_partitions.at(0).partitions.size(), 1u);
  EXPECT_FALSE(beat(says_what_it_has(a)).assignment);
  auto full = says_what_it_has(a);
  full.rebalance_timeout_ms = 60'000;
  full.subscribed_topic_names = {"foo"};
  EXPECT_TRUE(beat(full).assignment);
}

TEST_F(ConsumerTest, OneThatDoesNotGiveUpInTimeIsPutOut) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  beat(says_what_it_has(a));
  for (int i = 0; i < 2; ++i) {
    pass(seconds(29));
    beat(says_what_it_has(a));
    beat(b);
  }
  EXPECT_NE(group().member("a"), nullptr);
  pass(seconds(3));
  EXPECT_EQ(group().member("a"), nullptr);
  EXPECT_EQ(code(beat(says_what_it_has(a))), ErrorCode::unknown_member_id);
  beat(b);
  EXPECT_EQ(b.wanted, of("foo", {0, 1}));
}

TEST_F(ConsumerTest, OneThatGaveUpInTimeIsLeftAlone) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  beat(says_what_it_has(a));
  a.wanted = of("foo", {0});
  beat(a);
  for (int i = 0; i < 4; ++i) {
    pass(seconds(30));
    beat(a);
    beat(b);
  }
  EXPECT_NE(group().member("a"), nullptr);
}

TEST_F(ConsumerTest, ASilentMemberIsPutOutAndAHeartbeatKeepsIt) {
  cluster({{"foo", 2}});
  join(a);
  pass(seconds(44));
  beat(a);
  pass(seconds(44));
  EXPECT_NE(group().member("a"), nullptr);
  pass(seconds(2));
  EXPECT_TRUE(group().is_empty());
  EXPECT_EQ(group().epoch, 3);
  EXPECT_EQ(group().target_epoch, 3);
  EXPECT_EQ(decided_types(), (Types{"-8", "-7", "-5", "3", "6"}));
}

TEST_F(ConsumerTest, WhatOneLeavesGoesToTheOthers) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  const auto left = leave(a);
  EXPECT_EQ(code(left), ErrorCode::none);
  EXPECT_EQ(left.member_epoch, -1);
  EXPECT_EQ(decided_types(), (Types{"-8", "-7", "-5", "3"}));
  beat(b);
  EXPECT_EQ(b.wanted, of("foo", {0, 1}));
  EXPECT_EQ(code(leave(a)), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerTest, AnAdministratorRemovesMembersByTheirIds) {
  cluster({{"foo", 3}});
  a.instance = "i";
  join(a);
  join(b);
  Client c{"c", {"foo"}};
  join(c);
  protocol::LeaveGroupRequest request;
  request.group_id = "g";
  request.members.push_back({.member_id = "", .group_instance_id = "i"});
  request.members.push_back({.member_id = "b"});
  request.members.push_back({.member_id = "b"});
  request.members.push_back({.member_id = "nobody"});
  request.members.push_back({.member_id = "b", .group_instance_id = "i"});
  const auto response = this->request<protocol::LeaveGroupResponse>(request);
  std::vector<ErrorCode> codes;
  for (const auto& each : response.members) codes.push_back(static_cast<ErrorCode>(each.error_code));
  EXPECT_EQ(codes, (std::vector{ErrorCode::none, ErrorCode::none, ErrorCode::none, ErrorCode::unknown_member_id,
                                ErrorCode::fenced_instance_id}));
  EXPECT_EQ(group().members().size(), 1u);
  EXPECT_EQ(group().epoch, 5);  // once for all of them
  beat(c);
  EXPECT_EQ(c.wanted, of("foo", {0, 1, 2}));
}

TEST_F(ConsumerTest, AnAssignorThatNobodyHasAnyMoreGivesWayToTheUsualOne) {
  cluster({{"foo", 2}});
  join(a);
  ConsumerMember odd = member(a);
  odd.assignor = "ours";
  log.emplace_back(encode(consumer_member("g", odd)), no_producer_id);
  restart();
  cluster({{"foo", 3}});
  beat(a);
  EXPECT_EQ(a.wanted, of("foo", {0, 1, 2}));
}

TEST_F(ConsumerTest, AStaticMemberComesBackToWhatItHadAndNothingMoves) {
  cluster({{"foo", 2}});
  a.instance = "i";
  join(a);
  join(b);
  beat(a);
  beat(a);
  beat(b);
  const Assignment had = a.wanted;
  const std::int32_t epoch = group().epoch;

  EXPECT_EQ(leave(a, -2).member_epoch, -2);
  EXPECT_EQ(decided_types(), (Types{"8"}));
  EXPECT_EQ(group().member("a")->epoch, -2);
  beat(b);
  EXPECT_EQ(b.wanted.size(), 1u);

  Client again{"a2", {"foo"}, "i"};
  EXPECT_EQ(code(join(again)), ErrorCode::none);
  EXPECT_EQ(again.wanted, had);
  EXPECT_EQ(group().epoch, epoch);
  EXPECT_EQ(again.epoch, epoch);
  EXPECT_EQ(group().member("a"), nullptr);
  EXPECT_EQ(group().static_member("i")->id, "a2");
}

TEST_F(ConsumerTest, AStaticMemberThatDoesNotComeBackLosesItsPlace) {
  cluster({{"foo", 2}});
  a.instance = "i";
  join(a);
  leave(a, -2);
  pass(seconds(46));
  EXPECT_TRUE(group().is_empty());
}

TEST_F(ConsumerTest, TheSessionOfAReplacedMemberEndsWithIt) {
  cluster({{"foo", 1}});
  a.instance = "i";
  join(a);
  pass(seconds(40));
  leave(a, -2);
  Client again{"a2", {"foo"}, "i"};
  join(again);
  pass(seconds(40));
  EXPECT_NE(group().member("a2"), nullptr);
}

TEST_F(ConsumerTest, AnInstanceIdThatIsInUseIsNotGivenTwice) {
  cluster({{"foo", 1}});
  a.instance = "i";
  join(a);
  Client other{"other", {"foo"}, "i"};
  const auto refused = join(other);
  EXPECT_EQ(code(refused), ErrorCode::unreleased_instance_id);
  EXPECT_EQ(refused.error_message,
            "Static member other with instance id i cannot join the group because the instance id is owned by a "
            "member.");
  other.epoch = 2;
  const auto fenced = beat(says_what_it_has(other));
  EXPECT_EQ(code(fenced), ErrorCode::fenced_instance_id);
  EXPECT_EQ(fenced.error_message, "Static member other with instance id i was fenced by member a.");
  EXPECT_EQ(code(leave(other)), ErrorCode::fenced_instance_id);
}

TEST_F(ConsumerTest, EpochsThatDoNotFitFenceTheMember) {
  cluster({{"foo", 2}});
  join(a);
  a.epoch = 7;
  auto response = beat(a);
  EXPECT_EQ(code(response), ErrorCode::fenced_member_epoch);
  EXPECT_EQ(response.error_message,
            "The consumer group member has a greater member epoch (7) than the one known by the group coordinator (2). "
            "The member must abandon all its partitions and rejoin.");
  a.epoch = 1;
  response = beat(a);
  EXPECT_EQ(code(response), ErrorCode::fenced_member_epoch);
  EXPECT_EQ(response.error_message,
            "The consumer group member has a smaller member epoch (1) than the one known by the group coordinator (2). "
            "The member must abandon all its partitions and rejoin.");
  EXPECT_EQ(code(join(a)), ErrorCode::none);  // the way back
  EXPECT_EQ(a.wanted, of("foo", {0, 1}));
}

TEST_F(ConsumerTest, AMemberWhoseAnswerWasLostMayComeWithTheEpochBefore) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  beat(says_what_it_has(a));
  const Assignment has = of("foo", {0});
  auto request = says_what_it_has(a);
  request.topic_partitions = testing::claim(has);
  EXPECT_EQ(beat(request).member_epoch, 3);
  EXPECT_EQ(beat(request).member_epoch, 3);  // with epoch 2, and no more than it has
  request.topic_partitions = testing::claim(of("foo", {0, 1}));
  EXPECT_EQ(code(beat(request)), ErrorCode::fenced_member_epoch);
  request.topic_partitions.reset();
  EXPECT_EQ(code(beat(request)), ErrorCode::fenced_member_epoch);
}

TEST_F(ConsumerTest, NewPartitionsAndTopicsAreSeenWithTheNextHeartbeat) {
  cluster({{"foo", 1}});
  a.topics = {"foo", "later"};
  join(a);
  EXPECT_EQ(a.wanted, of("foo", {0}));
  cluster({{"foo", 2}, {"unrelated", 1}});
  EXPECT_EQ(beat(a).member_epoch, 3);
  EXPECT_EQ(a.wanted, of("foo", {0, 1}));
  cluster({{"foo", 2}, {"unrelated", 4}});
  EXPECT_EQ(beat(a).member_epoch, 3);
  cluster({{"foo", 2}, {"later", 1}});
  EXPECT_EQ(beat(a).member_epoch, 4);
  EXPECT_EQ(a.wanted.size(), 2u);
  cluster({{"later", 1}});
  beat(a);
  beat(a);
  EXPECT_EQ(a.wanted, of("later", {0}));
}

TEST_F(ConsumerTest, ANewSubscriptionRaisesTheEpoch) {
  cluster({{"foo", 2}, {"bar", 2}});
  join(a);
  join(b);
  subscribe(a, {"bar"});
  EXPECT_EQ(group().epoch, 4);
  beat(a);
  beat(a);
  beat(b);
  EXPECT_EQ(a.wanted, of("bar", {0, 1}));
  EXPECT_EQ(b.wanted, of("foo", {0, 1}));
}

TEST_F(ConsumerTest, TheAssignorThatMostAskForDecides) {
  cluster({{"foo", 3}, {"bar", 3}});
  a.topics = b.topics = {"bar", "foo"};
  a.assignor = b.assignor = "range";
  join(a);
  join(b);
  beat(a);
  beat(a);
  beat(b);
  for (const auto& topic : {"foo", "bar"}) {
    EXPECT_EQ(a.wanted.at(testing::id_of(topic)), (PartitionList{0, 1})) << topic;
    EXPECT_EQ(b.wanted.at(testing::id_of(topic)), (PartitionList{2})) << topic;
  }
}

TEST_F(ConsumerTest, AssignmentsAreNotMadeMoreOftenThanTheInterval) {
  settings.consumer_assignment_interval.usual = seconds(1);
  cluster({{"foo", 2}});
  join(a);
  join(b);
  EXPECT_EQ(group().epoch, 3);
  EXPECT_EQ(group().target_epoch, 2);
  EXPECT_EQ(group().state_name(), "Assigning");
  pass(milliseconds(999));
  beat(a);
  EXPECT_EQ(group().target_epoch, 2);
  pass(milliseconds(1));
  beat(a);
  EXPECT_EQ(group().target_epoch, 3);
}

TEST_F(ConsumerTest, AClockThatIsSetBackHoldsUpNoAssignment) {
  settings.consumer_assignment_interval.usual = seconds(1);
  cluster({{"foo", 2}});
  join(a);
  wall_ms -= milliseconds(std::chrono::minutes(30)).count();
  join(b);
  EXPECT_EQ(group().epoch, 3);
  EXPECT_EQ(group().target_epoch, 3);
}

TEST_F(ConsumerTest, AnotherCoordinatorKnowsTheSame) {
  cluster({{"foo", 4}});
  join(a);
  join(b);
  hear(a, beat(says_what_it_has(a)));
  const ConsumerMember before = member(a);
  restart();
  cluster({{"foo", 4}});
  EXPECT_EQ(member(a), before);
  EXPECT_EQ(group().state_name(), "Reconciling");
  beat(a);
  beat(b);
  EXPECT_EQ(a.wanted, of("foo", {0, 1}));
  EXPECT_EQ(b.wanted, of("foo", {2, 3}));
  EXPECT_EQ(group().epoch, 3);
  pass(seconds(46));  // sessions began anew, and end
  EXPECT_TRUE(group().is_empty());
}

TEST_F(ConsumerTest, AnotherCoordinatorAlsoWaitsNoLongerForPartitionsThanTheFirst) {
  cluster({{"foo", 2}});
  join(a);
  join(b);
  beat(says_what_it_has(a));
  restart();
  cluster({{"foo", 2}});
  for (int i = 0; i < 3; ++i) {
    pass(seconds(25));
    beat(says_what_it_has(a));
    beat(b);
  }
  EXPECT_EQ(group().member("a"), nullptr);
}

TEST_F(ConsumerTest, AMemberInAStateOfTheFutureBeginsAnew) {
  cluster({{"foo", 1}});
  join(a);
  ConsumerMember odd = member(a);
  odd.state = static_cast<ReconciliationState>(9);
  log.emplace_back(encode(current_of("g", odd)), no_producer_id);
  restart();
  cluster({{"foo", 1}});
  EXPECT_EQ(code(beat(a)), ErrorCode::fenced_member_epoch);
  EXPECT_EQ(code(join(a)), ErrorCode::none);
  EXPECT_EQ(a.wanted, of("foo", {0}));
}

TEST_F(ConsumerTest, ARegularExpressionIsResolvedAndStandsForNewTopicsToo) {
  cluster({{"foo", 1}, {"fob", 1}, {"afoo", 1}});
  a.regex = "fo.";
  join(a);
  EXPECT_TRUE(a.wanted.empty());  // not resolved yet
  pass({});
  EXPECT_EQ(group().resolved_regexes().at("fo.").topics, (std::set<std::string, std::less<>>{"fob", "foo"}));
  beat(a);
  EXPECT_EQ(a.wanted.size(), 2u);

  cluster({{"foo", 1}, {"fob", 1}, {"fox", 1}});
  beat(a);
  pass({});
  beat(a);
  EXPECT_EQ(a.wanted.size(), 2u);  // looked at ten seconds ago at most
  pass(seconds(11));
  beat(a);
  pass({});
  beat(a);
  EXPECT_EQ(a.wanted.size(), 3u);

  leave(a);
  EXPECT_TRUE(group().resolved_regexes().empty());
  EXPECT_TRUE(group().subscriptions().empty());
}

TEST_F(ConsumerTest, ARegularExpressionThatIsNoneIsRefused) {
  a.regex = "fo[";
  const auto response = join(a);
  EXPECT_EQ(code(response), ErrorCode::invalid_regular_expression);
  EXPECT_EQ(response.error_message, "SubscribedTopicRegex `fo[` is not a valid regular expression: missing closing ].");
  EXPECT_TRUE(coordinator->state().groups.empty());
}

TEST_F(ConsumerTest, OneThatTurnsToNamesTakesItsRegularExpressionAlong) {
  cluster({{"foo", 1}, {"bar", 1}});
  a.regex = ".*";
  join(a);
  pass({});
  beat(a);
  EXPECT_EQ(a.wanted.size(), 2u);
  auto request = says_what_it_has(a);
  request.subscribed_topic_regex = "";
  request.subscribed_topic_names = {"bar"};
  hear(a, beat(request));
  beat(a);
  EXPECT_EQ(a.wanted, of("bar", {0}));
  EXPECT_TRUE(group().resolved_regexes().empty());
}

TEST_F(ConsumerTest, AnEmptyClassicGroupBecomesAConsumerGroupAndKeepsItsOffsets) {
  protocol::OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics.push_back({.name = "foo", .partitions = {{.partition_index = 0, .committed_offset = 5}}});
  this->request<protocol::OffsetCommitResponse>(commit, 9);
  cluster({{"foo", 1}});
  EXPECT_EQ(code(join(a)), ErrorCode::none);
  EXPECT_EQ(decided_types().front(), "-2");
  EXPECT_NE(coordinator->state().offsets.find("g", "foo", 0), nullptr);
  pass(seconds(46));  // its session was not lost with the group that was
  EXPECT_TRUE(group().is_empty());
  restart();
  EXPECT_NE(coordinator->state().consumer("g"), nullptr);
}

TEST_F(ConsumerTest, AnEmptyConsumerGroupBecomesAClassicGroup) {
  cluster({{"foo", 1}});
  join(a);
  protocol::JoinGroupRequest classic;
  classic.group_id = "g";
  classic.session_timeout_ms = classic.rebalance_timeout_ms = 10'000;
  classic.protocol_type = "consumer";
  classic.protocols.emplace_back().name = "range";
  settings.migration_policy = MigrationPolicy::disabled;
  const auto refused = this->request<protocol::JoinGroupResponse>(classic);
  EXPECT_EQ(refused.error_code, wire_of(ErrorCode::inconsistent_group_protocol));

  leave(a);
  classic.member_id = "somebody";
  const auto unknown = this->request<protocol::JoinGroupResponse>(classic);
  EXPECT_EQ(unknown.error_code, wire_of(ErrorCode::unknown_member_id));
  EXPECT_NE(coordinator->state().consumer("g"), nullptr);

  classic.member_id.clear();
  const auto joined = this->request<protocol::JoinGroupResponse>(classic);
  EXPECT_EQ(joined.error_code, wire_of(ErrorCode::member_id_required));
  EXPECT_EQ(decided_types(), (Types{"-6", "-4", "-3", "2"}));
  EXPECT_EQ(state_of("g"), "Empty");
  restart();
  EXPECT_EQ(state_of("g"), "Empty");
  EXPECT_EQ(coordinator->state().consumer("g"), nullptr);
}

TEST_F(ConsumerTest, WhatCouldNotBeStoredChangesNothing) {
  cluster({{"foo", 1}});
  join(a);
  settings.record_bytes_max = 400;
  const auto response = subscribe(a, {std::string(300, 'x'), std::string(300, 'y')});
  EXPECT_EQ(code(response), ErrorCode::unknown_server_error);
  EXPECT_TRUE(decided.empty());
  EXPECT_EQ(member(a).topics, (std::vector<std::string>{"foo"}));
  EXPECT_EQ(group().epoch, 2);
}

TEST_F(ConsumerTest, DescribeShowsWhatMembersHaveAndAreToHave) {
  cluster({{"foo", 2}});
  a.instance = "i";
  join(a);
  join(b);
  beat(says_what_it_has(a));
  protocol::ConsumerGroupDescribeRequest request;
  request.group_ids = {"g", "none", ""};
  const auto groups = this->request<protocol::ConsumerGroupDescribeResponse>(request).groups;
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].group_state, "Reconciling");
  EXPECT_EQ(groups[0].group_epoch, 3);
  EXPECT_EQ(groups[0].assignment_epoch, 3);
  EXPECT_EQ(groups[0].assignor_name, "uniform");
  ASSERT_EQ(groups[0].members.size(), 2u);
  const auto& first = groups[0].members[0];
  EXPECT_EQ(first.instance_id, "i");
  EXPECT_EQ(first.member_epoch, 2);
  EXPECT_EQ(first.member_type, 1);
  EXPECT_EQ(first.client_host, "/127.0.0.1");
  EXPECT_EQ(first.assignment.topic_partitions.at(0).partitions, (PartitionList{0, 1}));
  EXPECT_EQ(first.assignment.topic_partitions.at(0).topic_name, "foo");
  EXPECT_EQ(first.target_assignment.topic_partitions.at(0).partitions, (PartitionList{0}));
  EXPECT_EQ(groups[1].error_code, wire_of(ErrorCode::group_id_not_found));
  EXPECT_EQ(groups[1].error_message, "Group none not found.");
  EXPECT_EQ(groups[2].error_code, wire_of(ErrorCode::invalid_group_id));
}

}  // namespace
}  // namespace klamm::groups
