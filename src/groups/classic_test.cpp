#include "groups/classic.h"

#include <gtest/gtest.h>

#include "groups/classic_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::bytes;
using testing::code;
using testing::Who;

class ClassicTest : public ::testing::Test, protected testing::ClassicStory {};

TEST_F(ClassicTest, AMemberIsGivenAnIdAndJoinsWithItAndGetsAnAssignment) {
  const std::string id = handshake();
  EXPECT_TRUE(id.starts_with("client-"));
  EXPECT_EQ(id.size(), std::string("client-").size() + 36);
  ASSERT_EQ(decided.size(), 1u);  // the group is known to the log from its first call on
  EXPECT_EQ(std::get<GroupMetadataRecord>(decided[0].message).value->generation, 0);

  const auto join = this->join({.member_id = id});
  EXPECT_FALSE(is_answered(join));
  pass(seconds(3));
  const auto joined = this->joined(join);
  EXPECT_EQ(joined.error_code, 0);
  EXPECT_EQ(joined.generation_id, 1);
  EXPECT_EQ(joined.leader, id);
  EXPECT_EQ(joined.protocol_name, "range");
  EXPECT_EQ(joined.protocol_type, "consumer");
  ASSERT_EQ(joined.members.size(), 1u);
  EXPECT_EQ(joined.members[0].metadata, bytes("m"));
  EXPECT_EQ(state_of("g"), "CompletingRebalance");

  const auto synced = this->synced(sync(id, 1, {{id, "all"}}));
  EXPECT_EQ(synced.error_code, 0);
  EXPECT_EQ(synced.assignment, bytes("all"));
  EXPECT_EQ(state_of("g"), "Stable");
  EXPECT_EQ(beat(id, 1), ErrorCode::none);
}

TEST_F(ClassicTest, TheRecordOfAGenerationHoldsWhatKafkaWrites) {
  const auto members = stable(1);
  protocol::DescribeGroupsRequest request;
  request.groups = {"g"};
  const auto described = this->request<protocol::DescribeGroupsResponse>(request).groups.at(0);
  EXPECT_EQ(described.protocol_data, "range");
  ASSERT_EQ(described.members.size(), 1u);
  EXPECT_EQ(described.members[0].client_host, "/127.0.0.1");

  const auto record = decode(log.back().first.key, *log.back().first.value);
  const auto& entry = std::get<GroupMetadataRecord>((*record)->message);
  EXPECT_EQ(entry.version, 3);
  EXPECT_EQ(entry.value->generation, 1);
  EXPECT_EQ(entry.value->leader, members[0]);
  EXPECT_EQ(entry.value->members.at(0).rebalance_timeout, 60'000);
  EXPECT_EQ(entry.value->members.at(0).session_timeout, 10'000);
  EXPECT_EQ(entry.value->members.at(0).client_id, "client");
}

TEST_F(ClassicTest, OldClientsJoinWithoutAHandshakeAndWithoutARebalanceTimeout) {
  const auto join = this->join({.version = 0});
  pass(seconds(3));
  const auto joined = this->joined(join);
  EXPECT_EQ(joined.error_code, 0);
  EXPECT_EQ(classic("g").member(joined.member_id)->rebalance_timeout_ms, 10'000);
}

TEST_F(ClassicTest, TheFirstRebalanceWaitsLongerWhenOthersComeButNotForEver) {
  std::vector<Ticket> joins{join({.version = 3, .rebalance_ms = 7000})};
  pass(seconds(2));
  joins.push_back(join({.version = 3, .rebalance_ms = 7000}));
  pass(seconds(2));
  EXPECT_FALSE(is_answered(joins[0]));  // at 3 s somebody had come: 3 s more
  joins.push_back(join({.version = 3, .rebalance_ms = 7000}));
  pass(milliseconds(2999));
  EXPECT_FALSE(is_answered(joins[0]));  // and the last one second
  pass(seconds(1));
  for (const Ticket each : joins) EXPECT_EQ(joined(each).generation_id, 1);
}

TEST_F(ClassicTest, WithoutADelayTheFirstMemberIsAnsweredAtOnce) {
  settings.initial_rebalance_delay = milliseconds(0);
  const auto join = this->join({.version = 3});
  pass(milliseconds(0));
  EXPECT_EQ(joined(join).generation_id, 1);
}

TEST_F(ClassicTest, JoinsThatCannotBe) {
  struct Case {
    std::string what;
    Who who;
    ErrorCode code;
  };
  const Case cases[] = {
      {"session too short", {.session_ms = 5999}, ErrorCode::invalid_session_timeout},
      {"session too long", {.session_ms = 1'800'001}, ErrorCode::invalid_session_timeout},
      {"a negative session", {.session_ms = -1}, ErrorCode::invalid_session_timeout},
      {"an id nobody gave out", {.member_id = "x"}, ErrorCode::unknown_member_id},
      {"no protocol", {.protocols = {}}, ErrorCode::inconsistent_group_protocol},
      {"no protocol type", {.protocol_type = ""}, ErrorCode::inconsistent_group_protocol},
      {"too much metadata", {.metadata = std::string(1'000'001, 'x')}, ErrorCode::group_max_size_reached},
  };
  for (const Case& c : cases) {
    const auto response = joined(join(c.who));
    EXPECT_EQ(code(response.error_code), c.code) << c.what;
    EXPECT_EQ(response.generation_id, -1) << c.what;
  }
  EXPECT_TRUE(log.empty());  // and nothing is left of them
  EXPECT_TRUE(coordinator->state().groups.empty());

  protocol::JoinGroupRequest nameless;
  nameless.session_timeout_ms = 10'000;
  EXPECT_EQ(code(request<protocol::JoinGroupResponse>(nameless).error_code), ErrorCode::invalid_group_id);
}

TEST_F(ClassicTest, OldVersionsHaveNoNull) {
  const auto members = stable(1);
  EXPECT_EQ(joined(join({.member_id = "x", .version = 6})).protocol_name, "");
  EXPECT_EQ(joined(join({.member_id = "x", .version = 7})).protocol_name, std::nullopt);
}

TEST_F(ClassicTest, AnotherTypeOrNoCommonProtocolIsInconsistent) {
  stable(1);
  EXPECT_EQ(code(joined(join({.protocol_type = "connect"})).error_code), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code(joined(join({.protocols = {"sticky"}})).error_code), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code(joined(join({.protocols = {"sticky", "range"}})).error_code), ErrorCode::member_id_required);
}

TEST_F(ClassicTest, TheProtocolIsWhatMostPreferAmongThoseThatAllHave) {
  const Ticket a = join({.protocols = {"a", "b", "c"}, .version = 3});
  join({.protocols = {"b", "a"}, .version = 3});
  join({.protocols = {"b", "a", "a"}, .version = 3});
  pass(seconds(9));
  EXPECT_EQ(joined(a).protocol_name, "b");
}

TEST_F(ClassicTest, ANewMemberMakesTheOthersJoinAgain) {
  const auto members = stable(2);
  const std::string third = handshake();
  EXPECT_EQ(state_of("g"), "Stable");  // an id is no member
  const Ticket new_one = join({.member_id = third});
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  for (const auto& id : members) EXPECT_EQ(beat(id, 1), ErrorCode::rebalance_in_progress);
  const Ticket first = join({.member_id = members[0]});
  EXPECT_FALSE(is_answered(new_one));
  const Ticket second = join({.member_id = members[1]});
  for (const Ticket each : {new_one, first, second}) EXPECT_EQ(joined(each).generation_id, 2);
  EXPECT_EQ(beat(members[0], 1), ErrorCode::illegal_generation);
  EXPECT_EQ(beat(members[0], 2), ErrorCode::none);
}

TEST_F(ClassicTest, WhoDoesNotJoinAgainInTimeIsOut) {
  const auto members = stable(2);
  EXPECT_EQ(beat(members[1], 1), ErrorCode::none);
  const Ticket lead = join({.member_id = members[0]});
  pass(seconds(9));  // the session of the other ends before the rebalance timeout
  EXPECT_FALSE(is_answered(lead));
  pass(seconds(2));
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(beat(members[1], 1), ErrorCode::unknown_member_id);
}

TEST_F(ClassicTest, AHeartbeatKeepsAMemberButTheRebalanceTimeoutEndsIt) {
  const auto members = stable(2);
  const Ticket lead = join({.member_id = members[0]});
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(beat(members[1], 1), ErrorCode::rebalance_in_progress);
    pass(seconds(9));
  }
  EXPECT_FALSE(is_answered(lead));
  EXPECT_EQ(beat(members[1], 1), ErrorCode::rebalance_in_progress);
  pass(seconds(6));
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(beat(members[1], 1), ErrorCode::unknown_member_id);
}

TEST_F(ClassicTest, WhenTheLeaderIsGoneAnotherLeads) {
  const auto members = stable(2);
  leave(members[0]);
  const Ticket other = join({.member_id = members[1]});
  EXPECT_EQ(joined(other).leader, members[1]);
}

TEST_F(ClassicTest, ASilentMemberIsRemovedAndTheLastOneLeavesAnEmptyGroup) {
  const auto members = stable(1);
  pass(seconds(11));
  EXPECT_EQ(state_of("g"), "Empty");
  EXPECT_EQ(classic("g").generation, 2);
  restart();
  EXPECT_EQ(state_of("g"), "Empty");
  EXPECT_EQ(classic("g").generation, 2);
  EXPECT_EQ(classic("g").protocol_type, "consumer");
}

TEST_F(ClassicTest, AFollowerThatMissedItsAnswerGetsItAgain) {
  const auto members = stable(2);
  const auto again = joined(join({.member_id = members[1]}));
  EXPECT_EQ(again.generation_id, 1);
  EXPECT_TRUE(again.members.empty());
  EXPECT_EQ(synced(sync(members[1], 1)).assignment, bytes("of " + members[1]));
  EXPECT_EQ(state_of("g"), "Stable");
}

TEST_F(ClassicTest, NewMetadataOfAFollowerMakesARebalance) {
  const auto members = stable(2);
  const Ticket changed = join({.member_id = members[1], .metadata = "other"});
  EXPECT_FALSE(is_answered(changed));
  const Ticket lead = join({.member_id = members[0]});
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(joined(changed).generation_id, 2);
}

TEST_F(ClassicTest, SyncsOfAGenerationThatIsOverAreTold) {
  const Ticket a = join({.version = 3});
  const Ticket b = join({.version = 3});
  pass(seconds(9));
  const auto one = joined(a);
  const auto two = joined(b);
  const std::string follower = one.leader == one.member_id ? two.member_id : one.member_id;
  const Ticket waits = sync(follower, 1);
  EXPECT_FALSE(is_answered(waits));
  const Ticket third = join({.version = 3});
  EXPECT_EQ(code(synced(waits).error_code), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(code(synced(sync(follower, 1)).error_code), ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(is_answered(third));
}

TEST_F(ClassicTest, WhoDoesNotSyncInTimeIsRemoved) {
  const Ticket a = join({.version = 3, .session_ms = 1'000'000, .rebalance_ms = 10'000});
  const Ticket b = join({.version = 3, .session_ms = 1'000'000, .rebalance_ms = 10'000});
  pass(seconds(9));
  const auto one = joined(a);
  const auto two = joined(b);
  EXPECT_EQ(synced(sync(one.leader, 1, {{one.leader, "x"}})).error_code, 0);
  pass(seconds(11));
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  const std::string late = one.leader == one.member_id ? two.member_id : one.member_id;
  EXPECT_EQ(beat(late, 1), ErrorCode::unknown_member_id);
}

TEST_F(ClassicTest, ASecondJoinTakesThePlaceOfTheFirst) {
  const auto members = stable(2);
  const Ticket first = join({.member_id = members[0]});
  const Ticket second = join({.member_id = members[0]});
  EXPECT_EQ(code(joined(first).error_code), ErrorCode::rebalance_in_progress);
  join({.member_id = members[1]});
  EXPECT_EQ(joined(second).generation_id, 2);
}

TEST_F(ClassicTest, SyncErrors) {
  const auto members = stable(1);
  EXPECT_EQ(code(synced(sync("x", 1)).error_code), ErrorCode::unknown_member_id);
  EXPECT_EQ(code(synced(sync(members[0], 2)).error_code), ErrorCode::illegal_generation);
  EXPECT_EQ(code(synced(sync(members[0], 1, {}, "nobody")).error_code), ErrorCode::unknown_member_id);
  protocol::SyncGroupRequest request;
  request.group_id = "g";
  request.member_id = members[0];
  request.generation_id = 1;
  request.protocol_name = "sticky";
  EXPECT_EQ(code(this->request<protocol::SyncGroupResponse>(request).error_code),
            ErrorCode::inconsistent_group_protocol);
  request.protocol_name.reset();
  request.group_id = "other";
  EXPECT_EQ(code(this->request<protocol::SyncGroupResponse>(request).error_code), ErrorCode::unknown_member_id);
}

TEST_F(ClassicTest, AnAssignmentThatCannotBeStoredIsRefusedAndTheGroupTriesAgain) {
  const Ticket a = join({.version = 3});
  pass(seconds(3));
  const std::string id = joined(a).member_id;
  EXPECT_EQ(code(synced(sync(id, 1, {{id, std::string(1'000'001, 'x')}})).error_code), ErrorCode::unknown_server_error);
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  EXPECT_EQ(joined(join({.member_id = id})).generation_id, 2);
}

TEST_F(ClassicTest, LeavingByEveryVersion) {
  const auto members = stable(3);
  protocol::LeaveGroupRequest old;
  old.group_id = "g";
  old.member_id = members[0];
  EXPECT_EQ(request<protocol::LeaveGroupResponse>(old, 2).error_code, 0);
  const auto again = request<protocol::LeaveGroupResponse>(old, 2);
  EXPECT_EQ(code(again.error_code), ErrorCode::unknown_member_id);
  EXPECT_TRUE(again.members.empty());
  EXPECT_EQ(code(leave("x").members.at(0).error_code), ErrorCode::unknown_member_id);
  EXPECT_EQ(leave(members[1]).members.at(0).error_code, 0);
  EXPECT_EQ(leave(members[2]).members.at(0).error_code, 0);
  EXPECT_EQ(state_of("g"), "Empty");
  // A group that is not there has no members either; only old versions have no other place to say so.
  old.group_id = "none";
  EXPECT_EQ(code(request<protocol::LeaveGroupResponse>(old, 2).error_code), ErrorCode::unknown_member_id);
  old.members = {{.member_id = "x"}, {.member_id = "y", .group_instance_id = "i"}};
  const auto nobody = request<protocol::LeaveGroupResponse>(old, 5);
  EXPECT_EQ(nobody.error_code, 0);
  ASSERT_EQ(nobody.members.size(), 2u);
  EXPECT_EQ(nobody.members.at(1).group_instance_id, "i");
  EXPECT_EQ(code(nobody.members.at(1).error_code), ErrorCode::unknown_member_id);
}

TEST_F(ClassicTest, AnIdThatWasGivenOutIsHeldForASessionAndCanBeGivenBack) {
  const std::string id = handshake();
  EXPECT_TRUE(classic("g").pending_members().contains(id));
  pass(seconds(11));
  EXPECT_TRUE(classic("g").pending_members().empty());
  EXPECT_EQ(code(joined(join({.member_id = id})).error_code), ErrorCode::unknown_member_id);
  const std::string other = handshake();
  EXPECT_EQ(leave(other).members.at(0).error_code, 0);
  EXPECT_TRUE(classic("g").pending_members().empty());
}

TEST_F(ClassicTest, ARebalanceWaitsForIdsThatWereGivenOut) {
  const auto members = stable(1);
  const std::string id = handshake();
  const Ticket lead = join({.member_id = members[0]});
  EXPECT_FALSE(is_answered(lead));
  const Ticket other = join({.member_id = id});
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(joined(other).generation_id, 2);
}

TEST_F(ClassicTest, AFullGroupTakesNobody) {
  settings.group_size_max = 2;
  const auto members = stable(2);
  EXPECT_EQ(code(joined(join({})).error_code), ErrorCode::group_max_size_reached);
  EXPECT_EQ(joined(join({.member_id = members[1]})).error_code, 0);
}

TEST_F(ClassicTest, IdsGivenOutHaveABound) {
  settings.pending_members_max = 2;
  handshake();
  handshake();
  EXPECT_EQ(code(joined(join({})).error_code), ErrorCode::group_max_size_reached);
}

TEST_F(ClassicTest, AfterARestartMembersGoOnAndTheirSessionsBeginAnew) {
  const auto members = stable(2);
  pass(seconds(9));
  restart();
  EXPECT_EQ(state_of("g"), "Stable");
  pass(seconds(9));
  EXPECT_EQ(beat(members[0], 1), ErrorCode::none);
  EXPECT_EQ(synced(sync(members[1], 1)).assignment, bytes("of " + members[1]));
  pass(seconds(2));
  EXPECT_EQ(state_of("g"), "PreparingRebalance");  // the other one is silent
}

TEST_F(ClassicTest, AGroupOverItsSizeIsRebalancedAfterLoading) {
  stable(2);
  settings.group_size_max = 1;
  restart();
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
}

TEST_F(ClassicTest, ATypeOfOthersIsServedLikeAnyOther) {
  const Ticket join = this->join({.protocols = {"sessioned"}, .protocol_type = "connect", .version = 3});
  pass(seconds(3));
  const auto joined = this->joined(join);
  EXPECT_EQ(synced(sync(joined.member_id, 1, {{joined.member_id, "tasks"}})).assignment, bytes("tasks"));
  EXPECT_EQ(classic("g").protocol_type, "connect");
}

}  // namespace
}  // namespace klamm::groups
