#include "groups/offsets.h"

#include <gtest/gtest.h>

#include "groups/classic_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::code;

struct Commit {
  std::string member = {};
  std::int32_t epoch = -1;
  std::optional<std::string> instance = {};
  std::int64_t offset = 5;
  std::optional<std::string> metadata = "meta";
  std::int64_t retention_ms = -1;
  Uuid topic_id = {};
  std::int32_t partition = 0;
  std::string group = "g";
  int version = 10;
};

class OffsetsTest : public ::testing::Test, protected testing::ClassicStory {
 protected:
  ErrorCode commit(const Commit& by) {
    protocol::OffsetCommitRequest request;
    request.group_id = by.group;
    request.member_id = by.member;
    request.generation_id_or_member_epoch = by.epoch;
    request.group_instance_id = by.instance;
    request.retention_time_ms = by.retention_ms;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.topic_id = by.topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = by.partition;
    partition.committed_offset = by.offset;
    partition.committed_leader_epoch = 3;
    partition.committed_metadata = by.metadata;
    const auto response = this->request<protocol::OffsetCommitResponse>(request, by.version);
    return code(response.topics.at(0).partitions.at(0).error_code);
  }
  ErrorCode commit_in_transaction(std::int64_t producer, std::int64_t offset, std::int32_t epoch = -1,
                                  const std::string& group = "g", int version = 6) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = group;
    request.producer_id = producer;
    request.generation_id_or_member_epoch = epoch;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().committed_offset = offset;
    const auto response = this->request<protocol::TxnOffsetCommitResponse>(request, version);
    return code(response.topics.at(0).partitions.at(0).error_code);
  }
  FetchedOffsets fetch_from(const std::string& group, bool all, bool stable = false, Uuid id = {}) {
    FetchOffsets call;
    call.group.group_id = group;
    call.require_stable = stable;
    if (!all) {
      auto& topic = call.group.topics.emplace().emplace_back();
      topic.name = "t";
      topic.topic_id = id;
      topic.partition_indexes = {0};
    } else {
      call.group.topics.reset();
    }
    return take<FetchedOffsets>(ask(Call(call)));
  }
  std::int64_t fetch(bool stable = false, Uuid id = {}) {
    return fetch_from("g", false, stable, id).topics.at(0).partitions.at(0).committed_offset;
  }
};

TEST_F(OffsetsTest, WhatIsCommittedIsFetched) {
  EXPECT_EQ(commit({}), ErrorCode::none);
  const auto fetched = fetch_from("g", true);
  ASSERT_EQ(fetched.topics.size(), 1u);
  const auto& partition = fetched.topics[0].partitions.at(0);
  EXPECT_EQ(partition.committed_offset, 5);
  EXPECT_EQ(partition.committed_leader_epoch, 3);
  EXPECT_EQ(partition.metadata, "meta");
  EXPECT_EQ(state_of("g"), "Empty");
  restart();
  EXPECT_EQ(fetch(), 5);
  const auto decoded = decode(log[0].first.key, *log[0].first.value);
  const auto& entry = std::get<OffsetCommitRecord>((*decoded)->message);
  EXPECT_EQ(entry.version, 4);
  EXPECT_EQ(entry.value->commit_timestamp, moment().wall.value);
}

TEST_F(OffsetsTest, AnUnknownGroupHasNoOffsetsAndNoError) {
  const auto fetched = fetch_from("nobody", false);
  EXPECT_EQ(fetched.error_code, 0);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).committed_offset, -1);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).metadata, "");
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_TRUE(fetch_from("nobody", true).topics.empty());
}

TEST_F(OffsetsTest, WhoMayCommit) {
  const auto members = stable(1);
  const std::string& id = members[0];
  struct Case {
    std::string what;
    Commit by;
    ErrorCode code;
  };
  const Case cases[] = {
      {"the member", {id, 1}, ErrorCode::none},
      {"an older generation", {id, 0}, ErrorCode::illegal_generation},
      {"a later generation", {id, 2}, ErrorCode::illegal_generation},
      {"the hostile generation", {id, std::numeric_limits<std::int32_t>::min()}, ErrorCode::illegal_generation},
      {"somebody else", {"x", 1}, ErrorCode::unknown_member_id},
      {"nobody, while there are members", {}, ErrorCode::unknown_member_id},
      {"an instance that is not there", {id, 1, "i"}, ErrorCode::unknown_member_id},
      {"a generation of a group that is not there",
       {.member = "x", .epoch = 1, .group = "h"},
       ErrorCode::group_id_not_found},
      {"the same, old", {.member = "x", .epoch = 1, .group = "h", .version = 8}, ErrorCode::illegal_generation},
  };
  for (const Case& c : cases) EXPECT_EQ(commit(c.by), c.code) << c.what;
  join({.version = 3});
  EXPECT_EQ(commit({id, 1}), ErrorCode::none);  // before it gives up its partitions
}

TEST_F(OffsetsTest, OffsetsCommittedByHandNeedNoNameOfAGroup) {
  EXPECT_EQ(commit({.group = ""}), ErrorCode::none);
  EXPECT_EQ(fetch_from("", true).topics.size(), 1u);
  EXPECT_EQ(state_of(""), "Empty");
  protocol::DeleteGroupsRequest request;
  request.groups_names = {""};
  EXPECT_EQ(this->request<protocol::DeleteGroupsResponse>(request).results.at(0).error_code, 0);
  EXPECT_EQ(this->request<protocol::DeleteGroupsResponse>(request).results.at(0).error_code,
            wire_of(ErrorCode::group_id_not_found));
}

TEST_F(OffsetsTest, WhileAssignmentsAreMadeNobodyCommits) {
  const Ticket join = this->join({.version = 3});
  pass(seconds(3));
  const auto joined = this->joined(join);
  EXPECT_EQ(commit({joined.member_id, 1}), ErrorCode::rebalance_in_progress);
}

TEST_F(OffsetsTest, ACommitIsAsGoodAsAHeartbeat) {
  const auto members = stable(1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(commit({members[0], 1}), ErrorCode::none);
    pass(seconds(9));
  }
  EXPECT_EQ(state_of("g"), "Stable");
}

TEST_F(OffsetsTest, MetadataHasASize) {
  EXPECT_EQ(commit({.metadata = std::string(4096, 'x')}), ErrorCode::none);
  EXPECT_EQ(commit({.metadata = std::string(4097, 'x')}), ErrorCode::offset_metadata_too_large);
  std::string umlauts;
  for (int i = 0; i < 4096; ++i) umlauts += "\xC3\xA4";
  EXPECT_EQ(commit({.metadata = umlauts}), ErrorCode::none);  // counted as Java counts
  EXPECT_EQ(commit({.metadata = std::nullopt}), ErrorCode::none);
  EXPECT_EQ(fetch_from("g", true).topics.at(0).partitions.at(0).metadata, "");
}

TEST_F(OffsetsTest, OffsetsOfAnEarlierTopicOfTheSameNameDoNotCount) {
  const Uuid old{1, 1};
  const Uuid fresh{2, 2};
  commit({.topic_id = old});
  EXPECT_EQ(fetch(false, old), 5);
  EXPECT_EQ(fetch(false, fresh), -1);
  EXPECT_EQ(fetch(), 5);
  ask(Call(TopicsDeleted{{{"t", fresh}}}));
  EXPECT_EQ(fetch(), 5);
  ask(Call(TopicsDeleted{{{"t", old}}}));
  EXPECT_EQ(fetch(), -1);
}

TEST_F(OffsetsTest, AGroupWithoutMembersForgetsAfterItsRetention) {
  commit({});
  pass(hours(24 * 7) - seconds(700));
  EXPECT_EQ(fetch(), 5);
  pass(seconds(1400));
  EXPECT_EQ(fetch(), -1);
  EXPECT_TRUE(coordinator->state().groups.empty());  // and nothing is left of the group
  restart();
  EXPECT_TRUE(coordinator->state().groups.empty());
}

TEST_F(OffsetsTest, TheRetentionBeginsWhenTheLastMemberLeaves) {
  const auto members = stable(1);
  commit({members[0], 1});
  for (int i = 0; i < 24 * 8; ++i) {
    for (int k = 0; k < 3600 / 9; ++k) {
      pass(seconds(9));
      beat(members[0], 1);
    }
  }
  EXPECT_EQ(fetch(), 5);
  leave(members[0]);
  pass(hours(24 * 7) - seconds(700));
  EXPECT_EQ(fetch(), 5);
  pass(seconds(1400));
  EXPECT_EQ(fetch(), -1);
}

TEST_F(OffsetsTest, OldClientsChooseTheRetentionThemselves) {
  EXPECT_EQ(commit({.retention_ms = 3'600'000, .version = 4}), ErrorCode::none);
  EXPECT_EQ(std::get<OffsetCommitRecord>(decided.at(0).message).version, 1);
  restart();
  pass(seconds(3000));
  EXPECT_EQ(fetch(), 5);
  pass(seconds(1300));
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(commit({.retention_ms = std::numeric_limits<std::int64_t>::max(), .version = 4}), ErrorCode::none);
  pass(hours(24));
  EXPECT_EQ(fetch(), 5);
}

TEST_F(OffsetsTest, OffsetsOfATransactionCountWhenItIsCommitted) {
  commit({.offset = 1});
  EXPECT_EQ(commit_in_transaction(7, 10), ErrorCode::none);
  EXPECT_EQ(fetch(), 1);
  EXPECT_EQ(code(fetch_from("g", false, true).topics.at(0).partitions.at(0).error_code),
            ErrorCode::unstable_offset_commit);
  restart();
  EXPECT_EQ(fetch(true), -1);
  coordinator->end_transaction(ProducerId(7), true);
  EXPECT_EQ(fetch(true), 10);

  commit_in_transaction(7, 20);
  coordinator->end_transaction(ProducerId(7), false);
  EXPECT_EQ(fetch(true), 10);

  commit_in_transaction(7, 30);
  commit({.offset = 31});
  coordinator->end_transaction(ProducerId(7), true);
  EXPECT_EQ(fetch(true), 31);  // it came later
}

TEST_F(OffsetsTest, TransactionsAreFencedByGeneration) {
  const auto members = stable(1);
  EXPECT_EQ(commit_in_transaction(7, 1, 9), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit_in_transaction(7, 1, 1, "h", 6), ErrorCode::group_id_not_found);
  EXPECT_EQ(commit_in_transaction(7, 1, 1, "h", 5), ErrorCode::illegal_generation);
  EXPECT_EQ(commit_in_transaction(7, 1), ErrorCode::none);  // clients before KIP-447 do not say who they are
}

TEST_F(OffsetsTest, OffsetsAreDeletedUnlessSomebodyReadsTheTopic) {
  protocol::OffsetDeleteRequest request;
  request.group_id = "g";
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back();
  const auto ask_it = [&] { return this->request<protocol::OffsetDeleteResponse>(request); };
  EXPECT_EQ(code(ask_it().error_code), ErrorCode::group_id_not_found);
  commit({});
  EXPECT_EQ(ask_it().topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(fetch(), -1);
  stable(1);  // of consumers, of whose subscription nothing is known
  EXPECT_EQ(code(ask_it().topics.at(0).partitions.at(0).error_code), ErrorCode::group_subscribed_to_topic);
}

TEST_F(OffsetsTest, GroupsAreDeletedWithTheirOffsets) {
  const auto remove = [&](std::string id) {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {std::move(id)};
    return code(this->request<protocol::DeleteGroupsResponse>(request).results.at(0).error_code);
  };
  EXPECT_EQ(remove("g"), ErrorCode::group_id_not_found);
  const auto members = stable(1);
  commit({members[0], 1});
  EXPECT_EQ(remove("g"), ErrorCode::non_empty_group);
  leave(members[0]);
  EXPECT_EQ(remove("g"), ErrorCode::none);
  EXPECT_EQ(fetch(), -1);
  EXPECT_EQ(state_of("g"), "Dead");
  restart();
  EXPECT_TRUE(coordinator->state().groups.empty());
}

TEST_F(OffsetsTest, GroupsAreListedByStateAndType) {
  stable(1);
  commit({.group = "simple"});
  const auto list = [&](std::vector<std::string> states, std::vector<std::string> types) {
    protocol::ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    std::string out;
    for (const auto& each : this->request<protocol::ListGroupsResponse>(request).groups) {
      out += fmt::format("{} {} {} {};", each.group_id, each.protocol_type, each.group_state, each.group_type);
    }
    return out;
  };
  EXPECT_EQ(list({}, {}), "g consumer Stable classic;simple  Empty classic;");
  EXPECT_EQ(list({" stable "}, {}), "g consumer Stable classic;");
  EXPECT_EQ(list({}, {"CLASSIC"}), "g consumer Stable classic;simple  Empty classic;");
  EXPECT_EQ(list({}, {"consumer"}), "");
}

TEST_F(OffsetsTest, WhatIsNotThereIsDescribedAsDead) {
  protocol::DescribeGroupsRequest request;
  request.groups = {"x"};
  EXPECT_EQ(this->request<protocol::DescribeGroupsResponse>(request, 5).groups.at(0).error_code, 0);
  const auto now_named = this->request<protocol::DescribeGroupsResponse>(request, 6).groups.at(0);
  EXPECT_EQ(code(now_named.error_code), ErrorCode::group_id_not_found);
  EXPECT_EQ(now_named.error_message, "Group x not found.");
  EXPECT_EQ(now_named.group_state, "Dead");
}

TEST_F(OffsetsTest, BrokenRecordsAreToldFromUnknownOnes) {
  const auto whole = encode(offset_commit("g", "t", 0, {}));
  EXPECT_EQ(decode(Bytes(whole.key).first(3), *whole.value).error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(decode(whole.key, Bytes(*whole.value).first(5)).error().code, ErrorCode::corrupt_message);
  ByteVector future = whole.key;
  store_big(future.data(), std::int16_t{99});
  EXPECT_EQ(*decode(future, *whole.value), std::nullopt);
  ByteVector later = *whole.value;
  store_big(later.data(), std::int16_t{9});
  EXPECT_EQ(decode(whole.key, later).error().code, ErrorCode::corrupt_message);
}

}  // namespace
}  // namespace klamm::groups
