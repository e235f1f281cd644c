#include "client/classic_member.h"

#include <gtest/gtest.h>

#include "protocol/message.h"

namespace klamm::client {
namespace {

using namespace std::chrono_literals;
using State = ClassicMember::State;

ClassicSettings settings_of(std::vector<Assignor> assignors, std::optional<std::string> instance = {}) {
  return {"billing", std::move(instance), {}, std::move(assignors), 10s, 60s, 3s, 100ms, 1s};
}

TopicPartition at(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

// A member at a coordinator that the story plays.
class ClassicMemberStory : public ::testing::Test {
 protected:
  void begin(ClassicSettings settings = settings_of({Assignor::range, Assignor::cooperative_sticky})) {
    member.emplace(std::move(settings));
    member->subscribe({"orders"});
    member->polled(now);
    EXPECT_TRUE(decide().find_coordinator);
    member->coordinator_answered(ErrorCode::none, 1, now);
  }
  ClassicMember::Decision decide() { return member->decide(now); }

  protocol::JoinGroupRequest expect_join() {
    auto decision = decide();
    EXPECT_TRUE(decision.join);
    return decision.join ? *decision.join : protocol::JoinGroupRequest{};
  }
  void answer_join_error(ErrorCode code, std::string member_id = {}) {
    protocol::JoinGroupResponse response;
    response.error_code = wire_of(code);
    response.member_id = std::move(member_id);
    member->join_answered(response, now);
  }
  protocol::JoinGroupResponse joined(std::int32_t generation, std::string leader = "other") {
    protocol::JoinGroupResponse response;
    response.generation_id = generation;
    response.protocol_type = "consumer";
    response.protocol_name = std::string(assignor_name(member->settings().assignors.front()));
    response.leader = std::move(leader);
    response.member_id = "me";
    return response;
  }
  void answer_sync(PartitionSet partitions, ErrorCode code = ErrorCode::none) {
    protocol::SyncGroupResponse response;
    response.error_code = wire_of(code);
    if (code == ErrorCode::none) response.assignment = encode_assignment(partitions);
    member->sync_answered(response, now);
  }
  AssignmentChange apply() {
    const AssignmentChange change = member->change();
    member->applied(change);
    return change;
  }
  // In the group as a follower, with what the leader gave.
  void join(std::int32_t generation, PartitionSet partitions) {
    expect_join();
    member->join_answered(joined(generation), now);
    const auto decision = decide();
    ASSERT_TRUE(decision.sync);
    EXPECT_TRUE(decision.sync->assignments.empty());
    answer_sync(std::move(partitions));
  }
  void heartbeat(ErrorCode code) {
    now += 3s;
    member->polled(now);
    ASSERT_TRUE(decide().heartbeat);
    member->heartbeat_answered(code, now);
  }

  runtime::MonoTime now{1h};
  std::optional<ClassicMember> member;
};

TEST_F(ClassicMemberStory, JoinsOnlyWhenTheApplicationPolls) {
  member.emplace(settings_of({Assignor::range}));
  member->subscribe({"orders"});
  decide();
  member->coordinator_answered(ErrorCode::none, 1, now);
  EXPECT_FALSE(decide().join);
  member->polled(now);
  EXPECT_TRUE(decide().join);
}

TEST_F(ClassicMemberStory, IsGivenAnIdThenJoinsSyncsAndHeartbeats) {
  begin();
  const auto first = expect_join();
  EXPECT_EQ(first.member_id, "");
  EXPECT_EQ(first.session_timeout_ms, 10'000);
  EXPECT_EQ(first.rebalance_timeout_ms, 60'000);
  ASSERT_EQ(first.protocols.size(), 2U);
  EXPECT_EQ(first.protocols[0].name, "range");
  EXPECT_EQ(first.protocols[1].name, "cooperative-sticky");
  EXPECT_FALSE(decide().join) << "one request at a time";
  answer_join_error(ErrorCode::member_id_required, "me");
  const auto second = expect_join();
  EXPECT_EQ(second.member_id, "me");
  EXPECT_EQ(second.reason, "need to re-join with the given member-id: me");
  member->join_answered(joined(1), now);
  const auto sync = decide().sync;
  ASSERT_TRUE(sync);
  EXPECT_EQ(sync->generation_id, 1);
  EXPECT_EQ(sync->protocol_name, "range");
  answer_sync({at("orders", 0)});
  EXPECT_EQ(member->state(), State::stable);
  const AssignmentChange change = apply();
  EXPECT_TRUE(change.completes);
  EXPECT_EQ(to_string(change.added), "[orders-0]");
  EXPECT_TRUE(member->change().empty());
  EXPECT_FALSE(decide().heartbeat);
  EXPECT_EQ(decide().look_again, now + 3s);
  heartbeat(ErrorCode::none);
  EXPECT_EQ(member->identity(), (MemberIdentity{1, "me", {}}));
}

TEST_F(ClassicMemberStory, TheLeaderAssignsWhatAllWantOfWhatThereIs) {
  begin();
  expect_join();
  protocol::JoinGroupResponse response = joined(1, "me");
  for (const char* id : {"me", "you"}) {
    auto& each = response.members.emplace_back();
    each.member_id = id;
    each.metadata = encode_subscription({{"orders", "bills"}, {}, -1, {}}, Assignor::range);
  }
  member->join_answered(response, now);
  EXPECT_TRUE(decide().count_partitions);
  EXPECT_EQ(member->counted_topics(), (std::set<std::string>{"bills", "orders"}));
  member->counted({{"orders", 4}});
  const auto sync = decide().sync;
  ASSERT_TRUE(sync);
  ASSERT_EQ(sync->assignments.size(), 2U);
  EXPECT_EQ(to_string(*decode_assignment(Bytes(sync->assignments[0].assignment))), "[orders-0, orders-1]");
  EXPECT_EQ(to_string(*decode_assignment(Bytes(sync->assignments[1].assignment))), "[orders-2, orders-3]");
  answer_sync({at("orders", 0), at("orders", 1)});
  apply();
  // Nothing new, then a topic that grew.
  member->counted({{"orders", 4}});
  EXPECT_TRUE(member->change().empty());
  member->counted({{"orders", 5}});
  EXPECT_EQ(to_string(apply().revoked), "[orders-0, orders-1]");
  EXPECT_EQ(expect_join().reason, "cached metadata has changed");
}

TEST_F(ClassicMemberStory, ALeaderThatIsStaticMayBeToldNotToAssign) {
  begin(settings_of({Assignor::range}, "i1"));
  expect_join();
  protocol::JoinGroupResponse response = joined(3, "me");
  response.skip_assignment = true;
  response.members.emplace_back();
  response.members.back().member_id = "me";
  response.members.back().metadata = encode_subscription({{"orders"}, {}, -1, {}}, Assignor::range);
  member->join_answered(response, now);
  member->counted({{"orders", 4}});
  const auto sync = decide().sync;
  ASSERT_TRUE(sync);
  EXPECT_TRUE(sync->assignments.empty());
  EXPECT_EQ(sync->group_instance_id, "i1");
  answer_sync({at("orders", 0)});
  apply();
  member->counted({{"orders", 5}});
  EXPECT_FALSE(apply().revoked.empty()) << "it still watches the topics";
}

TEST_F(ClassicMemberStory, AnEagerMemberGivesUpEverythingBeforeItJoinsAgain) {
  begin();
  join(1, {at("orders", 0), at("orders", 1)});
  apply();
  heartbeat(ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(decide().join) << "first the application gives up what it has";
  EXPECT_EQ(to_string(apply().revoked), "[orders-0, orders-1]");
  const auto again = expect_join();
  EXPECT_EQ(again.member_id, "me");
  EXPECT_EQ(again.reason, "group is already rebalancing");
  member->join_answered(joined(2), now);
  decide();
  answer_sync({at("orders", 1)});
  EXPECT_EQ(to_string(apply().added), "[orders-1]");
}

TEST_F(ClassicMemberStory, WhileTheApplicationIsBusyHeartbeatsGoOn) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  heartbeat(ErrorCode::rebalance_in_progress);
  now += 3s;
  EXPECT_TRUE(decide().heartbeat);
}

TEST_F(ClassicMemberStory, ACooperativeMemberKeepsWhatItHasAndJoinsOnceMoreAfterGivingSomethingUp) {
  begin(settings_of({Assignor::cooperative_sticky}));
  join(1, {at("orders", 0), at("orders", 1)});
  apply();
  heartbeat(ErrorCode::rebalance_in_progress);
  const auto again = expect_join();
  const auto said = decode_subscription(Bytes(again.protocols[0].metadata), Assignor::cooperative_sticky);
  EXPECT_EQ(to_string(said->owned), "[orders-0, orders-1]");
  EXPECT_EQ(said->generation, 1);
  member->join_answered(joined(2), now);
  decide();
  answer_sync({at("orders", 0)});
  const AssignmentChange change = apply();
  EXPECT_EQ(to_string(change.revoked), "[orders-1]");
  EXPECT_TRUE(change.added.empty());
  EXPECT_EQ(expect_join().reason,
            "need to revoke partitions [orders-1] as indicated by the current assignment and re-join");
}

TEST_F(ClassicMemberStory, AStickyMemberTellsWhatItHadAlthoughItGaveItUp) {
  begin(settings_of({Assignor::sticky}));
  join(4, {at("orders", 2)});
  apply();
  heartbeat(ErrorCode::rebalance_in_progress);
  apply();
  const auto said = decode_subscription(Bytes(expect_join().protocols[0].metadata), Assignor::sticky);
  EXPECT_EQ(to_string(said->owned), "[orders-2]");
  EXPECT_EQ(said->generation, 4);
}

TEST_F(ClassicMemberStory, AMemberThatIsNotKnownAnyMoreHasLostItsPartitions) {
  for (const auto& [code, keeps_id] :
       {std::pair(ErrorCode::unknown_member_id, false), {ErrorCode::illegal_generation, true}}) {
    begin();
    join(1, {at("orders", 0)});
    apply();
    heartbeat(code);
    EXPECT_FALSE(member->in_group());
    EXPECT_FALSE(decide().join);
    const AssignmentChange change = apply();
    EXPECT_EQ(to_string(change.lost), "[orders-0]");
    EXPECT_TRUE(change.revoked.empty());
    EXPECT_EQ(expect_join().member_id, keeps_id ? "me" : "");
  }
}

TEST_F(ClassicMemberStory, ErrorsOfASyncAreTreatedAsThoseOfAHeartbeat) {
  for (const auto& [code, id] : {std::pair(ErrorCode::unknown_member_id, ""),
                                 {ErrorCode::illegal_generation, "me"},
                                 {ErrorCode::rebalance_in_progress, "me"}}) {
    begin();
    expect_join();
    member->join_answered(joined(1), now);
    decide();
    answer_sync({}, code);
    EXPECT_EQ(expect_join().member_id, id) << error_name(code);
  }
}

TEST_F(ClassicMemberStory, WhenTheCoordinatorMovesItIsLookedForAgain) {
  for (const ErrorCode code : {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available}) {
    begin();
    expect_join();
    answer_join_error(code);
    EXPECT_FALSE(member->coordinator());
    EXPECT_FALSE(decide().find_coordinator) << "after a pause";
    now = decide().look_again;
    EXPECT_TRUE(decide().find_coordinator);
    member->coordinator_answered(ErrorCode::coordinator_not_available, -1, now);
    now = decide().look_again;
    EXPECT_TRUE(decide().find_coordinator);
    member->coordinator_answered(ErrorCode::none, 2, now);
    EXPECT_TRUE(decide().join);
  }
}

TEST_F(ClassicMemberStory, AHeartbeatIsSentAgainAtOnceToTheNewCoordinator) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  heartbeat(ErrorCode::not_coordinator);
  now = decide().look_again;
  EXPECT_TRUE(decide().find_coordinator);
  member->coordinator_answered(ErrorCode::none, 2, now);
  EXPECT_TRUE(decide().heartbeat);
  EXPECT_TRUE(member->change().empty()) << "nothing was lost";
}

TEST_F(ClassicMemberStory, WithoutAnswersForTheSessionTheCoordinatorIsTakenForLost) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  now += 3s;
  ASSERT_TRUE(decide().heartbeat);
  now += 7s;
  decide();
  EXPECT_FALSE(member->coordinator());
}

TEST_F(ClassicMemberStory, ALoadingCoordinatorIsAskedAgainAfterAPause) {
  begin();
  expect_join();
  answer_join_error(ErrorCode::coordinator_load_in_progress);
  const auto waiting = decide();
  EXPECT_FALSE(waiting.join);
  EXPECT_FALSE(waiting.find_coordinator);
  EXPECT_EQ(waiting.look_again, now + 100ms);
  now += 100ms;
  expect_join();
  answer_join_error(ErrorCode::coordinator_load_in_progress);
  EXPECT_EQ(decide().look_again, now + 200ms);
}

TEST_F(ClassicMemberStory, ErrorsThatDoNotPassAreToldOnce) {
  for (const ErrorCode code :
       {ErrorCode::fenced_instance_id, ErrorCode::inconsistent_group_protocol, ErrorCode::invalid_session_timeout,
        ErrorCode::invalid_group_id, ErrorCode::group_authorization_failed, ErrorCode::group_max_size_reached,
        ErrorCode::unsupported_version, ErrorCode::unknown_server_error}) {
    begin();
    expect_join();
    answer_join_error(code);
    EXPECT_FALSE(decide().join);
    const auto failure = member->take_failure();
    ASSERT_TRUE(failure) << error_name(code);
    EXPECT_EQ(failure->code(), code);
    EXPECT_FALSE(member->take_failure());
  }
}

TEST_F(ClassicMemberStory, KafkasWordsForWhatIsNotAllowed) {
  begin();
  expect_join();
  answer_join_error(ErrorCode::group_authorization_failed);
  EXPECT_EQ(member->take_failure()->message(), "Not authorized to access group: billing");
  begin();
  expect_join();
  answer_join_error(ErrorCode::group_max_size_reached);
  EXPECT_EQ(member->take_failure()->message(),
            "Consumer group billing already has the configured maximum number of members.");
  begin();
  member->coordinator_lost(now);
  now = decide().look_again;
  decide();
  member->coordinator_answered(ErrorCode::group_authorization_failed, -1, now);
  EXPECT_EQ(member->take_failure()->message(), "Not authorized to access group: billing");
}

TEST_F(ClassicMemberStory, AStaticMemberThatWasReplacedIsFenced) {
  begin(settings_of({Assignor::range}, "i1"));
  EXPECT_EQ(expect_join().group_instance_id, "i1");
  member->join_answered(joined(1), now);
  decide();
  answer_sync({at("orders", 0)});
  apply();
  heartbeat(ErrorCode::fenced_instance_id);
  EXPECT_EQ(member->take_failure()->code(), ErrorCode::fenced_instance_id);
  EXPECT_EQ(to_string(member->change().lost), "[orders-0]");
}

TEST_F(ClassicMemberStory, OneThatDoesNotPollLeavesAndComesBackWhenItDoes) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  now += 60s;
  const auto decision = decide();
  ASSERT_TRUE(decision.leave);
  EXPECT_EQ(decision.leave->members[0].member_id, "me");
  EXPECT_EQ(decision.leave->members[0].reason, "consumer poll timeout has expired.");
  EXPECT_EQ(to_string(apply().lost), "[orders-0]");
  EXPECT_FALSE(decide().join);
  EXPECT_TRUE(member->lapsed());
  member->polled(now);
  EXPECT_EQ(expect_join().member_id, "");
}

TEST_F(ClassicMemberStory, LeavingIsSaidUnlessTheMemberIsStatic) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  member->leave("the consumer is being closed");
  EXPECT_TRUE(decide().leave);
  EXPECT_FALSE(decide().leave);
  begin(settings_of({Assignor::range}, "i1"));
  join(1, {at("orders", 0)});
  apply();
  member->leave("the consumer is being closed");
  EXPECT_FALSE(decide().leave);
}

TEST_F(ClassicMemberStory, OtherTopicsMeanAnotherRebalance) {
  begin(settings_of({Assignor::cooperative_sticky}));
  join(1, {at("orders", 0)});
  apply();
  member->subscribe({"bills"});
  EXPECT_EQ(to_string(apply().revoked), "[orders-0]");
  EXPECT_EQ(expect_join().reason, "the subscription has changed");
  // Changed while the join waits: once more, and what was given for the old topics is not taken.
  member->subscribe({"letters"});
  member->join_answered(joined(2), now);
  decide();
  answer_sync({at("bills", 0)});
  EXPECT_TRUE(apply().added.empty());
  const auto last = expect_join();
  EXPECT_EQ(decode_subscription(Bytes(last.protocols[0].metadata), Assignor::cooperative_sticky)->topics,
            std::set<std::string>{"letters"});
}

TEST_F(ClassicMemberStory, ACommitCanShowThatTheGenerationIsOver) {
  begin();
  join(1, {at("orders", 0)});
  apply();
  member->commit_failed(ErrorCode::unknown_member_id, {0, "me", {}});
  EXPECT_TRUE(member->in_group()) << "it was another generation's";
  member->commit_failed(ErrorCode::illegal_generation, member->identity());
  EXPECT_EQ(to_string(apply().lost), "[orders-0]");
}

TEST_F(ClassicMemberStory, ALostAnswerIsAnotherAttempt) {
  begin();
  expect_join();
  member->request_failed(Error(ErrorCode::network_exception), now);
  now = decide().look_again;
  EXPECT_TRUE(decide().find_coordinator);
  member->coordinator_answered(ErrorCode::none, 1, now);
  now = std::max(now, decide().look_again == runtime::never ? now : decide().look_again);
  EXPECT_EQ(member->state(), State::joining);
}

TEST_F(ClassicMemberStory, AChangeThatWasOvertakenByAResetIsTakenBack) {
  begin();
  join(1, {at("orders", 0)});
  const AssignmentChange late = member->change();
  heartbeat(ErrorCode::unknown_member_id);
  member->applied(late);
  EXPECT_EQ(to_string(apply().lost), "[orders-0]");
  expect_join();
}

TEST_F(ClassicMemberStory, AnAssignmentThatCannotBeReadIsAnError) {
  begin();
  expect_join();
  member->join_answered(joined(1), now);
  decide();
  protocol::SyncGroupResponse response;
  response.assignment = {std::byte{0}, std::byte{0}, std::byte{0x7f}};
  member->sync_answered(response, now);
  EXPECT_TRUE(member->take_failure());
}

}  // namespace
}  // namespace klamm::client
