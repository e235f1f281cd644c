#include "client/consumer_member.h"

#include <gtest/gtest.h>

namespace klamm::client {
namespace {

using namespace std::chrono_literals;
using State = ConsumerMember::State;

const Uuid orders_id{1, 10}, bills_id{1, 20};

ConsumerMemberSettings settings_of(std::optional<std::string> instance = {}) {
  return {"billing", "me", std::move(instance), "r1", "range", 60s, 100ms, 1s};
}

class ConsumerMemberStory : public ::testing::Test {
 protected:
  void begin(ConsumerMemberSettings settings = settings_of()) {
    member.emplace(std::move(settings));
    member->subscribe({"orders"});
    member->polled(now);
    EXPECT_TRUE(decide().find_coordinator);
    member->coordinator_answered(ErrorCode::none, 1, now);
  }
  ConsumerMember::Decision decide() { return member->decide(now); }
  protocol::ConsumerGroupHeartbeatRequest expect_heartbeat() {
    const auto decision = decide();
    EXPECT_TRUE(decision.heartbeat);
    return decision.heartbeat.value_or(protocol::ConsumerGroupHeartbeatRequest{});
  }
  using Given = std::map<Uuid, std::vector<std::int32_t>>;
  void answer(std::int32_t epoch, std::optional<Given> given = {}) {
    protocol::ConsumerGroupHeartbeatResponse response;
    response.member_epoch = epoch;
    response.member_id = "me";
    response.heartbeat_interval_ms = 5000;
    if (given) {
      response.assignment.emplace();
      for (const auto& [id, partitions] : *given) {
        auto& each = response.assignment->topic_partitions.emplace_back();
        each.topic_id = id;
        each.partitions = partitions;
      }
    }
    member->heartbeat_answered(response, now);
  }
  void answer_error(ErrorCode code, std::string text = "why") {
    protocol::ConsumerGroupHeartbeatResponse response;
    response.error_code = wire_of(code);
    response.error_message = std::move(text);
    member->heartbeat_answered(response, now);
  }
  AssignmentChange apply() {
    const AssignmentChange change = member->change();
    member->applied(change);
    return change;
  }
  // A member that has partitions of orders, and has said so.
  void settle(std::vector<std::int32_t> partitions) {
    expect_heartbeat();
    answer(1, Given{{orders_id, std::move(partitions)}});
    member->named({{orders_id, "orders"}});
    apply();
    expect_heartbeat();
    answer(1);
    EXPECT_TRUE(member->settled());
  }
  void next_heartbeat() {
    now += 5s;
    member->polled(now);
    expect_heartbeat();
  }

  runtime::MonoTime now{1h};
  std::optional<ConsumerMember> member;
};

TEST_F(ConsumerMemberStory, TheFirstHeartbeatSaysEverythingAndLaterOnesOnlyWhatChanged) {
  begin();
  const auto first = expect_heartbeat();
  EXPECT_EQ(first.member_epoch, 0);
  EXPECT_EQ(first.member_id, "me");
  EXPECT_EQ(first.rack_id, "r1");
  EXPECT_EQ(first.server_assignor, "range");
  EXPECT_EQ(first.rebalance_timeout_ms, 60'000);
  EXPECT_EQ(*first.subscribed_topic_names, std::vector<std::string>{"orders"});
  ASSERT_TRUE(first.topic_partitions);
  EXPECT_TRUE(first.topic_partitions->empty());
  EXPECT_FALSE(first.subscribed_topic_regex);
  EXPECT_FALSE(decide().heartbeat) << "one at a time";
  answer(1, Given{});
  apply();
  expect_heartbeat();  // the empty assignment is taken
  answer(1);
  EXPECT_EQ(decide().look_again, now + 5s);
  now += 5s;
  const auto later = expect_heartbeat();
  EXPECT_EQ(later.member_epoch, 1);
  EXPECT_FALSE(later.subscribed_topic_names);
  EXPECT_FALSE(later.topic_partitions);
  EXPECT_FALSE(later.rack_id);
  EXPECT_FALSE(later.server_assignor);
  EXPECT_EQ(later.rebalance_timeout_ms, -1);
}

TEST_F(ConsumerMemberStory, TakesWhatIsAssignedWhenTheTopicHasANameAndSaysSo) {
  begin();
  expect_heartbeat();
  answer(1, Given{{orders_id, {0, 1}}});
  EXPECT_TRUE(decide().name_topics);
  EXPECT_EQ(member->unnamed_topics(), std::vector<Uuid>{orders_id});
  EXPECT_TRUE(member->change().added.empty());
  member->named({{orders_id, "orders"}, {bills_id, "bills"}});
  EXPECT_FALSE(decide().name_topics);
  EXPECT_EQ(to_string(apply().added), "[orders-0, orders-1]");
  const auto told = expect_heartbeat();
  ASSERT_TRUE(told.topic_partitions);
  ASSERT_EQ(told.topic_partitions->size(), 1U);
  EXPECT_EQ(told.topic_partitions->front().topic_id, orders_id);
  EXPECT_EQ(told.topic_partitions->front().partitions, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(member->identity(), (MemberIdentity{1, "me", {}}));
}

TEST_F(ConsumerMemberStory, SaysThatSomethingWasGivenUpOnlyWhenItWas) {
  begin();
  settle({0, 1});
  next_heartbeat();
  answer(1, Given{{orders_id, {0}}});
  EXPECT_EQ(to_string(member->change().revoked), "[orders-1]");
  EXPECT_FALSE(decide().heartbeat);
  now += 5s;
  const auto meanwhile = expect_heartbeat();
  EXPECT_FALSE(meanwhile.topic_partitions) << "it still has both";
  answer(1);
  apply();
  const auto told = expect_heartbeat();
  ASSERT_TRUE(told.topic_partitions);
  EXPECT_EQ(told.topic_partitions->front().partitions, std::vector<std::int32_t>{0});
  answer(2);
  EXPECT_EQ(member->identity().generation, 2);
}

TEST_F(ConsumerMemberStory, WhatIsAssignedWhileTheLastIsFollowedIsFollowedNext) {
  begin();
  settle({0, 1});
  next_heartbeat();
  answer(1, Given{{orders_id, {0}}});
  const AssignmentChange first = member->change();
  now += 5s;
  expect_heartbeat();
  answer(1, Given{{orders_id, {0, 2}}});
  member->applied(first);
  EXPECT_FALSE(member->settled());
  EXPECT_FALSE(decide().heartbeat) << "nothing is said before the newer one is followed";
  const AssignmentChange second = apply();
  EXPECT_EQ(to_string(second.added), "[orders-2]");
  EXPECT_TRUE(second.revoked.empty());
  EXPECT_EQ(expect_heartbeat().topic_partitions->front().partitions, (std::vector<std::int32_t>{0, 2}));
}

TEST_F(ConsumerMemberStory, AFencedMemberLosesItsPartitionsAndJoinsAnew) {
  for (const ErrorCode code : {ErrorCode::fenced_member_epoch, ErrorCode::unknown_member_id}) {
    begin();
    settle({0});
    next_heartbeat();
    answer_error(code);
    EXPECT_EQ(member->state(), State::fenced);
    EXPECT_FALSE(decide().heartbeat) << "first it lets go";
    const AssignmentChange change = apply();
    EXPECT_EQ(to_string(change.lost), "[orders-0]");
    EXPECT_TRUE(change.revoked.empty());
    const auto again = expect_heartbeat();
    EXPECT_EQ(again.member_epoch, 0);
    EXPECT_EQ(again.member_id, "me");
    EXPECT_TRUE(again.subscribed_topic_names);
    EXPECT_TRUE(again.topic_partitions->empty());
  }
}

TEST_F(ConsumerMemberStory, AfterAFailureEverythingIsSaidAgain) {
  begin();
  settle({0});
  next_heartbeat();
  member->request_failed(Error(ErrorCode::network_exception), now);
  EXPECT_FALSE(member->coordinator());
  now += 100ms;
  EXPECT_TRUE(decide().find_coordinator);
  member->coordinator_answered(ErrorCode::none, 2, now);
  const auto again = expect_heartbeat();
  EXPECT_EQ(again.member_epoch, 1);
  EXPECT_TRUE(again.subscribed_topic_names);
  EXPECT_EQ(again.topic_partitions->front().partitions, std::vector<std::int32_t>{0});
  EXPECT_EQ(again.server_assignor, "range");
}

TEST_F(ConsumerMemberStory, ACoordinatorThatMovedIsFoundAndOneThatLoadsIsWaitedFor) {
  for (const ErrorCode code : {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available}) {
    begin();
    settle({0});
    next_heartbeat();
    answer_error(code);
    EXPECT_FALSE(member->coordinator());
    now = decide().look_again;
    EXPECT_TRUE(decide().find_coordinator);
    member->coordinator_answered(ErrorCode::none, 2, now);
    EXPECT_TRUE(decide().heartbeat);
    EXPECT_TRUE(member->change().empty());
  }
  begin();
  settle({0});
  next_heartbeat();
  answer_error(ErrorCode::coordinator_load_in_progress);
  EXPECT_FALSE(decide().heartbeat);
  EXPECT_EQ(decide().look_again, now + 100ms);
}

TEST_F(ConsumerMemberStory, ErrorsThatDoNotPassEndTheMembership) {
  for (const ErrorCode code :
       {ErrorCode::invalid_request, ErrorCode::group_max_size_reached, ErrorCode::unsupported_assignor,
        ErrorCode::unreleased_instance_id, ErrorCode::fenced_instance_id, ErrorCode::group_id_not_found,
        ErrorCode::unknown_server_error}) {
    begin();
    settle({0});
    next_heartbeat();
    answer_error(code, "the broker's words");
    const auto failure = member->take_failure();
    ASSERT_TRUE(failure) << error_name(code);
    EXPECT_EQ(failure->code(), code);
    EXPECT_EQ(failure->message(), "the broker's words");
    EXPECT_EQ(member->state(), State::failed);
    EXPECT_EQ(to_string(apply().lost), "[orders-0]");
    EXPECT_FALSE(decide().heartbeat);
  }
}

TEST_F(ConsumerMemberStory, KafkasWords) {
  begin();
  expect_heartbeat();
  answer_error(ErrorCode::group_authorization_failed);
  EXPECT_EQ(member->take_failure()->message(), "Not authorized to access group: billing");
  begin();
  expect_heartbeat();
  answer_error(ErrorCode::unsupported_version);
  EXPECT_TRUE(member->take_failure()->message().starts_with(
      "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic"));
  begin();
  expect_heartbeat();
  answer_error(ErrorCode::invalid_regular_expression, "bad [");
  EXPECT_EQ(member->take_failure()->message(),
            "Invalid RE2J SubscriptionPattern provided in the call to subscribe. bad [");
}

TEST_F(ConsumerMemberStory, ATopicThatMayNotBeReadIsToldAndTheMemberStays) {
  begin();
  settle({0});
  next_heartbeat();
  answer_error(ErrorCode::topic_authorization_failed);
  EXPECT_EQ(member->take_failure()->code(), ErrorCode::topic_authorization_failed);
  EXPECT_TRUE(member->in_group());
  EXPECT_TRUE(member->change().empty());
  now += 5s;
  EXPECT_TRUE(decide().heartbeat);
}

TEST_F(ConsumerMemberStory, LeavingIsAnEpochOfItsOwn) {
  begin();
  settle({0});
  member->leave();
  auto goodbye = decide();
  ASSERT_TRUE(goodbye.heartbeat);
  EXPECT_EQ(goodbye.heartbeat->member_epoch, -1);
  EXPECT_FALSE(goodbye.waits_for_answer);
  EXPECT_FALSE(decide().heartbeat);
  begin(settings_of("i1"));
  settle({0});
  member->leave();
  goodbye = decide();
  ASSERT_TRUE(goodbye.heartbeat);
  EXPECT_EQ(goodbye.heartbeat->member_epoch, -2);
  EXPECT_EQ(goodbye.heartbeat->instance_id, "i1");
}

TEST_F(ConsumerMemberStory, OneThatDoesNotPollLeavesAndComesBackWhenItDoes) {
  begin();
  settle({0});
  now += 60s;
  const auto goodbye = decide();
  ASSERT_TRUE(goodbye.heartbeat);
  EXPECT_EQ(goodbye.heartbeat->member_epoch, -1);
  EXPECT_EQ(to_string(apply().lost), "[orders-0]");
  EXPECT_FALSE(decide().heartbeat);
  member->polled(now);
  EXPECT_EQ(expect_heartbeat().member_epoch, 0);
}

TEST_F(ConsumerMemberStory, OtherTopicsAreToldAtOnce) {
  begin();
  settle({0});
  member->subscribe({"bills"});
  const auto told = expect_heartbeat();
  EXPECT_EQ(*told.subscribed_topic_names, std::vector<std::string>{"bills"});
  EXPECT_FALSE(told.topic_partitions);
}

TEST_F(ConsumerMemberStory, ARegularExpressionIsTheCoordinatorsBusinessAndIsTakenBackByAnEmptyOne) {
  member.emplace(settings_of());
  member->subscribe_regex("ord.*");
  member->polled(now);
  decide();
  member->coordinator_answered(ErrorCode::none, 1, now);
  const auto first = expect_heartbeat();
  EXPECT_EQ(first.subscribed_topic_regex, "ord.*");
  EXPECT_TRUE(first.subscribed_topic_names->empty());
  answer(1);
  now += 5s;
  EXPECT_FALSE(expect_heartbeat().subscribed_topic_regex);
  answer(1);
  member->subscribe({"orders"});
  EXPECT_EQ(expect_heartbeat().subscribed_topic_regex, "");
  member->request_failed(Error(ErrorCode::network_exception), now);
  now += 1s;
  decide();
  member->coordinator_answered(ErrorCode::none, 1, now);
  EXPECT_EQ(expect_heartbeat().subscribed_topic_regex, "") << "nobody knows whether it arrived";
  answer(2);
  now += 5s;
  EXPECT_FALSE(expect_heartbeat().subscribed_topic_regex);
}

TEST_F(ConsumerMemberStory, AnAnswerThatComesAfterLeavingChangesNothing) {
  begin();
  expect_heartbeat();
  member->leave();
  answer(1, Given{{orders_id, {0}}});
  EXPECT_EQ(member->state(), State::unsubscribed);
  EXPECT_TRUE(member->change().empty());
}

TEST_F(ConsumerMemberStory, WhatWasTakenWhileTheEpochEndedIsLost) {
  begin();
  expect_heartbeat();
  answer(1, Given{{orders_id, {0}}});
  member->named({{orders_id, "orders"}});
  const AssignmentChange late = member->change();
  now += 5s;
  expect_heartbeat();
  answer_error(ErrorCode::fenced_member_epoch);
  member->applied(late);
  EXPECT_EQ(to_string(apply().lost), "[orders-0]");
  EXPECT_EQ(expect_heartbeat().member_epoch, 0);
}

}  // namespace
}  // namespace klamm::client
