// What is refused, with Kafka's codes and words; and how offsets and administrators get on with consumer groups.
#include <gtest/gtest.h>

#include "groups/consumer.h"
#include "groups/consumer_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::Client;
using testing::HeartbeatRequest;
using testing::of;

HeartbeatRequest joining() {
  HeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "m";
  request.rebalance_timeout_ms = 1000;
  request.subscribed_topic_names.emplace();
  request.topic_partitions.emplace();
  return request;
}

struct Refusal {
  std::string_view name;
  void (*spoil)(HeartbeatRequest&);
  ErrorCode code;
  std::string_view message;
  int version = 1;
};

constexpr Refusal refusals[] = {
    {"no member id", [](auto& r) { r.member_id = ""; }, ErrorCode::invalid_request, "MemberId can't be empty."},
    {"no member id in between",
     [](auto& r) {
       r.member_id = " ";
       r.member_epoch = 1;
     },
     ErrorCode::invalid_request, "MemberId can't be empty.", 0},
    {"no member id when leaving",
     [](auto& r) {
       r.member_id = "";
       r.member_epoch = -1;
     },
     ErrorCode::invalid_request, "MemberId can't be empty.", 0},
    {"blank group", [](auto& r) { r.group_id = "  "; }, ErrorCode::invalid_request, "GroupId can't be empty."},
    {"empty instance", [](auto& r) { r.instance_id = ""; }, ErrorCode::invalid_request, "InstanceId can't be empty."},
    {"empty rack", [](auto& r) { r.rack_id = ""; }, ErrorCode::invalid_request, "RackId can't be empty."},
    {"no rebalance timeout", [](auto& r) { r.rebalance_timeout_ms = -1; }, ErrorCode::invalid_request,
     "RebalanceTimeoutMs must be provided in first request."},
    {"no partitions", [](auto& r) { r.topic_partitions.reset(); }, ErrorCode::invalid_request,
     "TopicPartitions must be empty when (re-)joining."},
    {"some partitions", [](auto& r) { r.topic_partitions->emplace_back(); }, ErrorCode::invalid_request,
     "TopicPartitions must be empty when (re-)joining."},
    {"no subscription", [](auto& r) { r.subscribed_topic_names.reset(); }, ErrorCode::invalid_request,
     "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."},
    {"static leave without an instance", [](auto& r) { r.member_epoch = -2; }, ErrorCode::invalid_request,
     "InstanceId can't be null."},
    {"an epoch that is none", [](auto& r) { r.member_epoch = -3; }, ErrorCode::invalid_request,
     "MemberEpoch is invalid."},
    {"an assignor that nobody has", [](auto& r) { r.server_assignor = "sticky"; }, ErrorCode::unsupported_assignor,
     "ServerAssignor sticky is not supported. Supported assignors: uniform, range."},
    {"a group that is not there", [](auto& r) { r.member_epoch = 1; }, ErrorCode::group_id_not_found,
     "Consumer group g not found."},
    {"leaving a group that is not there", [](auto& r) { r.member_epoch = -1; }, ErrorCode::group_id_not_found,
     "Group g not found."},
};

class ConsumerErrorsTest : public ::testing::Test, protected testing::ConsumerStory {
 protected:
  ConsumerErrorsTest() { cluster({{"foo", 2}}); }

  ErrorCode commit(std::string member_id, std::int32_t epoch, std::int32_t partition = 0, int version = 9) {
    protocol::OffsetCommitRequest request;
    request.group_id = "g";
    request.member_id = std::move(member_id);
    request.generation_id_or_member_epoch = epoch;
    auto& topic = request.topics.emplace_back();
    topic.name = "foo";
    topic.partitions.push_back({.partition_index = partition, .committed_offset = 5});
    const auto response = this->request<protocol::OffsetCommitResponse>(request, version);
    return static_cast<ErrorCode>(response.topics.at(0).partitions.at(0).error_code);
  }
  ErrorCode commit_in_transaction(std::string member_id, std::int32_t epoch) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = "g";
    request.member_id = std::move(member_id);
    request.generation_id_or_member_epoch = epoch;
    request.producer_id = 1;
    request.topics.push_back({.name = "foo", .partitions = {{.partition_index = 0, .committed_offset = 5}}});
    const auto response = this->request<protocol::TxnOffsetCommitResponse>(request, 5);
    return static_cast<ErrorCode>(response.topics.at(0).partitions.at(0).error_code);
  }
  ErrorCode fetch(std::optional<std::string> member_id, std::int32_t epoch) {
    FetchOffsets call;
    call.group.group_id = "g";
    call.group.member_id = std::move(member_id);
    call.group.member_epoch = epoch;
    return static_cast<ErrorCode>(take<FetchedOffsets>(ask(Call(call))).error_code);
  }
  ErrorCode delete_group() {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {"g"};
    return static_cast<ErrorCode>(this->request<protocol::DeleteGroupsResponse>(request).results.at(0).error_code);
  }
  ErrorCode delete_offset(std::int32_t partition) {
    protocol::OffsetDeleteRequest request;
    request.group_id = "g";
    request.topics.push_back({.name = "foo", .partitions = {{.partition_index = partition}}});
    const auto response = this->request<protocol::OffsetDeleteResponse>(request);
    EXPECT_EQ(response.error_code, 0);
    return static_cast<ErrorCode>(response.topics.at(0).partitions.at(0).error_code);
  }

  Client a{"a", {"foo"}};
  Client b{"b", {"foo"}};
};

TEST_F(ConsumerErrorsTest, RequestsThatAreWrongAreRefusedInKafkasWords) {
  for (const auto& [name, spoil, expected, message, version] : refusals) {
    SCOPED_TRACE(name);
    HeartbeatRequest request = joining();
    spoil(request);
    const auto response = this->request<protocol::ConsumerGroupHeartbeatResponse>(std::move(request), version);
    EXPECT_EQ(code(response), expected);
    EXPECT_EQ(response.error_message, message);
    EXPECT_TRUE(decided.empty());
    EXPECT_TRUE(coordinator->state().groups.empty());
  }
}

TEST_F(ConsumerErrorsTest, MembersThatAreNotThereAreNamed) {
  join(a);
  b.epoch = 2;
  auto response = beat(says_what_it_has(b));
  EXPECT_EQ(code(response), ErrorCode::unknown_member_id);
  EXPECT_EQ(response.error_message, "Member b is not a member of group g.");
  b.instance = "i";
  response = beat(says_what_it_has(b));
  EXPECT_EQ(code(response), ErrorCode::unknown_member_id);
  EXPECT_EQ(response.error_message, "Instance id i is unknown.");
  response = leave(b, -2);
  EXPECT_EQ(code(response), ErrorCode::unknown_member_id);
  EXPECT_EQ(response.error_message, "Instance id i is unknown.");
}

TEST_F(ConsumerErrorsTest, AFullGroupTakesNobodyNewButKeepsItsMembers) {
  settings.consumer_group_size_max = 1;
  join(a);
  const auto response = join(b);
  EXPECT_EQ(code(response), ErrorCode::group_max_size_reached);
  EXPECT_EQ(response.error_message, "The consumer group has reached its maximum capacity of 1 members.");
  EXPECT_EQ(code(join(a)), ErrorCode::none);
  EXPECT_EQ(code(beat(a)), ErrorCode::none);
}

TEST_F(ConsumerErrorsTest, AStaticMemberComesBackToAFullGroup) {
  settings.consumer_group_size_max = 1;
  a.instance = "i";
  join(a);
  leave(a, -2);
  Client again{"a2", {"foo"}, "i"};
  EXPECT_EQ(code(join(again)), ErrorCode::none);
}

TEST_F(ConsumerErrorsTest, AClassicGroupWithMembersIsNoConsumerGroup) {
  protocol::JoinGroupRequest request;
  request.group_id = "g";
  request.session_timeout_ms = request.rebalance_timeout_ms = 10'000;
  request.protocol_type = "connect";
  request.protocols.emplace_back().name = "p";
  ask(request, 3);
  pass(seconds(3));
  auto response = join(a);
  EXPECT_EQ(code(response), ErrorCode::group_id_not_found);
  EXPECT_EQ(response.error_message,
            "Cannot upgrade classic group g to consumer group because the group does not use the consumer embedded "
            "protocol.");
  settings.migration_policy = MigrationPolicy::downgrade;
  response = join(a);
  EXPECT_EQ(response.error_message,
            "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
  a.epoch = 2;
  response = beat(a);
  EXPECT_EQ(code(response), ErrorCode::group_id_not_found);
  EXPECT_EQ(response.error_message, "Group g is not a consumer group.");
}

TEST_F(ConsumerErrorsTest, OnlyMembersCommitAndOnlyAtTheirEpoch) {
  join(a);
  EXPECT_EQ(commit("a", 2), ErrorCode::none);
  EXPECT_EQ(commit("a", 3), ErrorCode::stale_member_epoch);
  EXPECT_EQ(commit("a", 1), ErrorCode::stale_member_epoch);
  EXPECT_EQ(commit("", -1), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit("b", 2), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit("a", 2, 0, 8), ErrorCode::unsupported_version);
  leave(a);
  EXPECT_EQ(commit("", -1), ErrorCode::none);
  EXPECT_EQ(commit("a", 2), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerErrorsTest, AnEarlierEpochCommitsWhatWasItsOwnThen) {
  join(a);
  join(b);
  hear(a, beat(says_what_it_has(a)));
  EXPECT_EQ(commit("a", 2, 1), ErrorCode::none);  // about to be given up
  beat(a);
  EXPECT_EQ(a.epoch, 3);
  EXPECT_EQ(commit("a", 2, 0), ErrorCode::none);
  EXPECT_EQ(commit("a", 2, 1), ErrorCode::stale_member_epoch);  // no longer its own
  EXPECT_EQ(commit("a", 1, 0), ErrorCode::stale_member_epoch);  // not yet its own
  beat(b);
  EXPECT_EQ(commit("b", 3, 1), ErrorCode::none);
  EXPECT_EQ(commit("b", 2, 1), ErrorCode::stale_member_epoch);
}

TEST_F(ConsumerErrorsTest, TransactionsCommitForMembersOrForNobody) {
  join(a);
  EXPECT_EQ(commit_in_transaction("a", 2), ErrorCode::none);
  EXPECT_EQ(commit_in_transaction("", -1), ErrorCode::none);
  EXPECT_EQ(commit_in_transaction("a", 3), ErrorCode::illegal_generation);
  EXPECT_EQ(commit_in_transaction("b", 2), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerErrorsTest, OffsetsAreFetchedByMembersAndByAdministrators) {
  join(a);
  EXPECT_EQ(fetch("a", 2), ErrorCode::none);
  EXPECT_EQ(fetch(std::nullopt, -1), ErrorCode::none);
  EXPECT_EQ(fetch("a", 1), ErrorCode::stale_member_epoch);
  EXPECT_EQ(fetch("b", 2), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerErrorsTest, OffsetsOfSubscribedTopicsStay) {
  join(a);
  commit("a", 2);
  EXPECT_EQ(delete_offset(0), ErrorCode::group_subscribed_to_topic);
  settings.offsets_retention = seconds(1);
  for (int i = 0; i < 40; ++i) {
    pass(seconds(30));
    beat(a);
  }
  EXPECT_NE(coordinator->state().offsets.find("g", "foo", 0), nullptr);
  leave(a);
  EXPECT_EQ(delete_offset(0), ErrorCode::none);
  EXPECT_EQ(coordinator->state().offsets.find("g", "foo", 0), nullptr);
}

TEST_F(ConsumerErrorsTest, AnEmptyGroupIsForgottenWithItsLastOffset) {
  join(a);
  commit("a", 2);
  leave(a);
  settings.offsets_retention = seconds(1);
  pass(std::chrono::minutes(21));
  EXPECT_TRUE(coordinator->state().groups.empty());
  restart();
  EXPECT_TRUE(coordinator->state().groups.empty());
}

TEST_F(ConsumerErrorsTest, OnlyAnEmptyGroupIsDeleted) {
  join(a);
  EXPECT_EQ(delete_group(), ErrorCode::non_empty_group);
  leave(a);
  EXPECT_EQ(delete_group(), ErrorCode::none);
  EXPECT_TRUE(coordinator->state().groups.empty());
  restart();
  EXPECT_TRUE(coordinator->state().groups.empty());
  EXPECT_EQ(join(a).member_epoch, 2);
}

TEST_F(ConsumerErrorsTest, ListAndDescribeSayWhatItIs) {
  join(a);
  protocol::ListGroupsRequest list;
  list.types_filter = {"consumer"};
  list.states_filter = {"stable"};
  const auto listed = this->request<protocol::ListGroupsResponse>(list).groups;
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].group_type, "consumer");
  EXPECT_EQ(listed[0].group_state, "Stable");
  EXPECT_EQ(listed[0].protocol_type, "consumer");
  protocol::DescribeGroupsRequest describe;
  describe.groups = {"g"};
  const auto described = this->request<protocol::DescribeGroupsResponse>(describe).groups.at(0);
  EXPECT_EQ(described.error_message, "Group g is not a classic group.");
}

}  // namespace
}  // namespace klamm::groups
