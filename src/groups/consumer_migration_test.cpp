// Groups on their way from one protocol to the other, with members of both kinds in them.
#include "groups/consumer_migration.h"

#include <gtest/gtest.h>

#include "groups/consumer.h"
#include "groups/consumer_testing.h"
#include "protocol/reader.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/writer.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::bytes;
using testing::Client;
using testing::id_of;
using testing::of;

using Parts = std::map<std::string, PartitionList>;

template <typename Message>
ByteVector versioned(const Message& message, std::int16_t version) {
  ByteVector out;
  protocol::Writer writer(out);
  writer.write_int16(version);
  message.encode(writer, version);
  return out;
}

ByteVector subscription(const std::vector<std::string>& topics, const Parts& owned = {}, std::int16_t version = 3) {
  protocol::ConsumerProtocolSubscription message;
  message.topics = topics;
  for (const auto& [topic, partitions] : owned) {
    message.owned_partitions.push_back({.topic = topic, .partitions = partitions});
  }
  return versioned(message, version);
}

ByteVector assignment(const Parts& parts, std::string_view user_data = {}) {
  protocol::ConsumerProtocolAssignment message;
  for (const auto& [topic, partitions] : parts) {
    message.assigned_partitions.push_back({.topic = topic, .partitions = partitions});
  }
  if (!user_data.empty()) message.user_data = bytes(user_data);
  return versioned(message, 3);
}

Parts read(const ByteVector& assigned) {
  protocol::Reader reader{Bytes(assigned)};
  const std::int16_t version = reader.read_int16();
  protocol::ConsumerProtocolAssignment message;
  message.decode(reader, version);
  EXPECT_TRUE(reader.ok());
  Parts out;
  for (const auto& topic : message.assigned_partitions) out[topic.topic] = topic.partitions;
  return out;
}

// A client that speaks the classic protocol, whichever type its group has.
struct Classic {
  std::string id = {};
  std::optional<std::string> instance = {};
  std::vector<std::string> topics = {"foo"};
  Parts has = {};
  std::int32_t generation = 0;
};

class ConsumerMigrationTest : public ::testing::Test, protected testing::ConsumerStory {
 protected:
  using ConsumerStory::beat;

  ConsumerMigrationTest() { cluster({{"foo", 4}}); }

  protocol::JoinGroupRequest joining(const Classic& who, const std::vector<std::string>& names = {"range"}) const {
    protocol::JoinGroupRequest request;
    request.group_id = "g";
    request.member_id = who.id;
    request.group_instance_id = who.instance;
    request.protocol_type = "consumer";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    for (const auto& name : names) {
      request.protocols.push_back({.name = name, .metadata = subscription(who.topics, who.has)});
    }
    return request;
  }
  // Where the answer comes at once.
  ErrorCode rejoin(Classic& who) {
    const auto response = request<protocol::JoinGroupResponse>(joining(who));
    if (!response.member_id.empty()) who.id = response.member_id;
    if (response.error_code == 0) who.generation = response.generation_id;
    return static_cast<ErrorCode>(response.error_code);
  }
  ErrorCode fetch_assignment(Classic& who) {
    protocol::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.member_id = who.id;
    sync.group_instance_id = who.instance;
    sync.generation_id = who.generation;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    const auto response = request<protocol::SyncGroupResponse>(std::move(sync));
    if (response.error_code == 0) who.has = read(response.assignment);
    return static_cast<ErrorCode>(response.error_code);
  }
  ErrorCode beat(const Classic& who) {
    protocol::HeartbeatRequest heartbeat;
    heartbeat.group_id = "g";
    heartbeat.member_id = who.id;
    heartbeat.group_instance_id = who.instance;
    heartbeat.generation_id = who.generation;
    return static_cast<ErrorCode>(request<protocol::HeartbeatResponse>(std::move(heartbeat)).error_code);
  }
  ErrorCode leave_classic(const Classic& who, int version = 5) {
    protocol::LeaveGroupRequest leaving;
    leaving.group_id = "g";
    leaving.member_id = who.id;
    if (version >= 3) leaving.members.push_back({.member_id = who.id, .group_instance_id = who.instance});
    const auto response = request<protocol::LeaveGroupResponse>(std::move(leaving), version);
    return static_cast<ErrorCode>(version >= 3 ? response.members.at(0).error_code : response.error_code);
  }
  // What its client does until nothing is left to do; the others do not move.
  void settle(Classic& who) {
    for (int i = 0; i < 10; ++i) {
      const ErrorCode code = beat(who);
      if (code == ErrorCode::none) return;
      ASSERT_EQ(code, ErrorCode::rebalance_in_progress);
      // It gives up what is no longer its own, as cooperative clients do, by what it says that it has.
      ASSERT_EQ(rejoin(who), ErrorCode::none);
      ASSERT_EQ(fetch_assignment(who), ErrorCode::none);
    }
    FAIL() << "it never comes to rest";
  }
  // A stable classic group of two; each has two partitions.
  void form_classic_group() {
    for (Classic* who : {&a, &b}) {
      if (who->instance) continue;
      EXPECT_EQ(rejoin(*who), ErrorCode::member_id_required);
    }
    const Ticket first = ask(joining(a));
    const Ticket second = ask(joining(b));
    pass(seconds(9));
    const auto joined_a = take<protocol::JoinGroupResponse>(first);
    const auto joined_b = take<protocol::JoinGroupResponse>(second);
    a.id = joined_a.member_id;
    b.id = joined_b.member_id;
    a.generation = b.generation = joined_a.generation_id;
    a.has = {{"foo", {0, 1}}};
    b.has = {{"foo", {2, 3}}};
    protocol::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = a.generation;
    sync.member_id = joined_a.leader;
    sync.group_instance_id = joined_a.leader == a.id ? a.instance : b.instance;
    sync.assignments.push_back({.member_id = a.id, .assignment = assignment(a.has)});
    sync.assignments.push_back({.member_id = b.id, .assignment = assignment(b.has)});
    EXPECT_EQ(request<protocol::SyncGroupResponse>(sync).error_code, 0);
    EXPECT_EQ(fetch_assignment(a), ErrorCode::none);
    EXPECT_EQ(fetch_assignment(b), ErrorCode::none);
    EXPECT_EQ(state_of("g"), "Stable");
  }
  bool is_classic() const { return coordinator->state().consumer("g") == nullptr; }
  std::vector<std::string> decided_types() const {
    std::vector<std::string> out;
    for (const Record& record : decided) {
      out.push_back(
          std::visit([](const auto& each) { return fmt::format("{}{}", each.value ? "" : "-", each.key.record_type); },
                     record.message));
    }
    return out;
  }
  void restart_with_the_image() {
    const auto image = coordinator->state().image;
    restart();
    ask(Call(ImageChanged{image}));
  }
  using Types = std::vector<std::string>;

  Classic a, b;
  Client c{"c", {"foo"}};
};

TEST_F(ConsumerMigrationTest, AClassicGroupBecomesAConsumerGroupAndAllComeToTheirShareOneByOne) {
  form_classic_group();
  EXPECT_EQ(code(join(c)), ErrorCode::none);
  // The end of the classic group; the members, the epoch, the targets and what they have, as it was; then the new one.
  const Types types = decided_types();
  ASSERT_GE(types.size(), 12u);
  EXPECT_EQ(Types(types.begin(), types.begin() + 9), (Types{"-2", "5", "5", "3", "7", "7", "6", "8", "8"}));
  EXPECT_EQ(Types(types.begin() + 9, types.begin() + 11), (Types{"5", "3"}));
  EXPECT_EQ(types.back(), "8");
  EXPECT_FALSE(is_classic());
  EXPECT_EQ(group().epoch, 2);
  EXPECT_EQ(group().classic_members(), 2u);
  EXPECT_TRUE(c.wanted.empty());  // nobody has given up anything
  EXPECT_EQ(*group().owner_epoch(id_of("foo"), 0), 1);

  settle(a);
  settle(b);
  beat(c);
  settle(a);
  settle(b);
  std::size_t all = 0;
  for (const Classic* who : {&a, &b}) all += who->has.contains("foo") ? who->has.at("foo").size() : 0;
  for (const auto& [topic, partitions] : c.wanted) all += partitions.size();
  EXPECT_EQ(all, 4u);
  EXPECT_EQ(c.wanted.size(), 1u);
  EXPECT_EQ(group().state_name(), "Stable");
}

TEST_F(ConsumerMigrationTest, WhoWaitsInTheClassicGroupIsToldToJoinAgain) {
  form_classic_group();
  const Ticket waiting = ask(joining(a));
  const bool leads = !is_answered(waiting);
  if (!leads) take<protocol::JoinGroupResponse>(waiting);
  const Ticket second = leads ? waiting : ask(joining(b));
  ASSERT_FALSE(is_answered(second));
  EXPECT_EQ(code(join(c)), ErrorCode::none);
  const auto told = take<protocol::JoinGroupResponse>(second);
  EXPECT_EQ(static_cast<ErrorCode>(told.error_code), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(told.member_id, leads ? a.id : b.id);
}

TEST_F(ConsumerMigrationTest, WithoutTheLastMemberOfTheNewProtocolTheGroupIsClassicAgain) {
  form_classic_group();
  join(c);
  settle(a);
  settle(b);
  beat(c);
  const Assignment target_of_a = *group().target(a.id);
  EXPECT_EQ(code(leave(c)), ErrorCode::none);
  const Types types = decided_types();
  EXPECT_EQ(types.front(), "-8");
  EXPECT_EQ(types.back(), "2");
  EXPECT_TRUE(is_classic());
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  EXPECT_EQ(classic("g").generation, 2);
  EXPECT_EQ(read(classic("g").member(a.id)->assignment).at("foo"), target_of_a.at(id_of("foo")));
  EXPECT_EQ(beat(a), ErrorCode::rebalance_in_progress);

  const Ticket first = ask(joining(a));
  const Ticket second = ask(joining(b));
  EXPECT_EQ(take<protocol::JoinGroupResponse>(first).generation_id, 3);
  EXPECT_EQ(take<protocol::JoinGroupResponse>(second).generation_id, 3);
}

TEST_F(ConsumerMigrationTest, AnotherCoordinatorFindsTheClassicGroupThatItWas) {
  form_classic_group();
  join(c);
  leave(c);
  restart_with_the_image();
  ASSERT_TRUE(is_classic());
  EXPECT_EQ(classic("g").members().size(), 2u);
  EXPECT_EQ(state_of("g"), "Stable");
  EXPECT_EQ(classic("g").generation, 2);
}

TEST_F(ConsumerMigrationTest, AnotherCoordinatorFindsAGroupOfBothKinds) {
  form_classic_group();
  join(c);
  settle(a);
  restart_with_the_image();
  EXPECT_EQ(group().classic_members(), 2u);
  settle(b);
  beat(c);
  settle(a);
  settle(b);
  EXPECT_EQ(group().state_name(), "Stable");
}

TEST_F(ConsumerMigrationTest, SilenceOfTheLastMemberOfTheNewProtocolIsItsEndToo) {
  form_classic_group();
  join(c);
  for (int i = 0; i < 6; ++i) {
    settle(a);
    settle(b);
    pass(seconds(8));
  }
  EXPECT_TRUE(is_classic());
  EXPECT_EQ(classic("g").members().size(), 2u);
}

TEST_F(ConsumerMigrationTest, AMemberOfTheClassicProtocolJoinsAConsumerGroup) {
  join(c);
  EXPECT_EQ(rejoin(a), ErrorCode::member_id_required);
  EXPECT_EQ(rejoin(a), ErrorCode::none);
  EXPECT_EQ(a.generation, 3);
  EXPECT_EQ(fetch_assignment(a), ErrorCode::none);
  EXPECT_TRUE(a.has.empty());  // the other one has all of it still
  EXPECT_EQ(beat(a), ErrorCode::none);
  beat(c);
  beat(c);
  EXPECT_EQ(beat(a), ErrorCode::rebalance_in_progress);  // now it can have what it waited for
  settle(a);
  EXPECT_EQ(a.has.at("foo").size(), 2u);
  EXPECT_EQ(leave_classic(a), ErrorCode::none);
  EXPECT_FALSE(is_classic());
  beat(c);
  EXPECT_EQ(c.wanted, of("foo", {0, 1, 2, 3}));
}

TEST_F(ConsumerMigrationTest, OldVersionsLeaveToo) {
  join(c);
  rejoin(a);
  rejoin(a);
  EXPECT_EQ(leave_classic(a, 2), ErrorCode::none);
  EXPECT_EQ(group().members().size(), 1u);
  EXPECT_EQ(leave_classic(a, 2), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerMigrationTest, RequestsOfClassicMembersThatDoNotFitAreRefused) {
  join(c);
  rejoin(a);
  rejoin(a);
  Classic other = a;
  other.id = "c";
  EXPECT_EQ(beat(other), ErrorCode::unknown_member_id);  // speaks the other protocol
  other.id = "nobody";
  EXPECT_EQ(beat(other), ErrorCode::unknown_member_id);
  EXPECT_EQ(fetch_assignment(other), ErrorCode::unknown_member_id);
  other = a;
  other.generation = 9;
  EXPECT_EQ(beat(other), ErrorCode::illegal_generation);
  EXPECT_EQ(fetch_assignment(other), ErrorCode::illegal_generation);
  protocol::SyncGroupRequest sync;
  sync.group_id = "g";
  sync.member_id = a.id;
  sync.generation_id = a.generation;
  sync.protocol_type = "connect";
  EXPECT_EQ(static_cast<ErrorCode>(request<protocol::SyncGroupResponse>(sync).error_code),
            ErrorCode::inconsistent_group_protocol);
  sync.protocol_type = "consumer";
  sync.protocol_name = "another";
  EXPECT_EQ(static_cast<ErrorCode>(request<protocol::SyncGroupResponse>(sync).error_code),
            ErrorCode::inconsistent_group_protocol);
  auto join_as = [&](auto spoil) {
    auto wrong = joining({.id = "x"});
    spoil(wrong);
    return static_cast<ErrorCode>(request<protocol::JoinGroupResponse>(std::move(wrong)).error_code);
  };
  EXPECT_EQ(join_as([](auto& r) { r.protocol_type = "connect"; }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(join_as([](auto& r) { r.protocols[0].name = "another"; }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(join_as([](auto& r) { r.protocols[0].metadata = bytes("\x00\x03\x7f"); }),
            ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(join_as([](auto& r) { r.protocols.clear(); }), ErrorCode::inconsistent_group_protocol);
  settings.consumer_group_size_max = 2;
  EXPECT_EQ(join_as([](auto&) {}), ErrorCode::group_max_size_reached);
}

TEST_F(ConsumerMigrationTest, ThePolicyDecides) {
  form_classic_group();
  settings.migration_policy = MigrationPolicy::downgrade;
  auto refused = join(c);
  EXPECT_EQ(code(refused), ErrorCode::group_id_not_found);
  EXPECT_EQ(refused.error_message,
            "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
  EXPECT_TRUE(is_classic());
  EXPECT_TRUE(decided.empty());
  settings.migration_policy = MigrationPolicy::upgrade;
  EXPECT_EQ(code(join(c)), ErrorCode::none);
  EXPECT_EQ(code(leave(c)), ErrorCode::none);
  EXPECT_FALSE(is_classic());  // and stays a consumer group
  settings.migration_policy = MigrationPolicy::disabled;
  EXPECT_EQ(rejoin(a), ErrorCode::inconsistent_group_protocol);
}

TEST_F(ConsumerMigrationTest, WhatCannotBeOneIsLeftAsItIs) {
  form_classic_group();
  settings.consumer_group_size_max = 1;
  EXPECT_EQ(
      join(c).error_message,
      "Cannot upgrade classic group g to consumer group because the group size exceeds the consumer group maximum "
      "size.");
  settings.consumer_group_size_max = 10;

  std::int32_t round = 0;
  const auto with_assignments = [&](const ByteVector& of_a, const ByteVector& of_b) {
    // What they say is new each time, so that both are waited for.
    a.has = b.has = {{"foo", {++round}}};
    const Ticket first = ask(joining(a));
    const Ticket second = ask(joining(b));
    a.generation = take<protocol::JoinGroupResponse>(first).generation_id;
    b.generation = take<protocol::JoinGroupResponse>(second).generation_id;
    protocol::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = a.generation;
    sync.member_id = *classic("g").leader;
    sync.assignments.push_back({.member_id = a.id, .assignment = of_a});
    sync.assignments.push_back({.member_id = b.id, .assignment = of_b});
    EXPECT_EQ(request<protocol::SyncGroupResponse>(sync).error_code, 0);
    return join(c);
  };
  auto refused = with_assignments(assignment({{"foo", {0}}}, "custom"), assignment({}));
  EXPECT_EQ(refused.error_message,
            "Cannot upgrade classic group g to consumer group because an unsupported custom assignor is in use. Please "
            "refer to the documentation or switch to a default assignor before re-attempting the upgrade.");
  refused = with_assignments(bytes("?"), assignment({}));
  EXPECT_EQ(refused.error_message,
            "Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed.");
  EXPECT_EQ(code(refused), ErrorCode::group_id_not_found);
  refused = with_assignments(assignment({{"foo", {0}}}), assignment({{"foo", {0}}}));
  EXPECT_EQ(code(refused), ErrorCode::unknown_server_error);  // two have the same partition
  EXPECT_TRUE(is_classic());
}

TEST_F(ConsumerMigrationTest, AStaticMemberChangesTheProtocolAndKeepsItsPartitions) {
  a.instance = "one";
  b.instance = "two";
  form_classic_group();
  Client as_consumer{"a2", {"foo"}, "one"};
  EXPECT_EQ(code(join(as_consumer)), ErrorCode::none);
  EXPECT_EQ(as_consumer.wanted, of("foo", {0, 1}));
  EXPECT_EQ(group().members().size(), 2u);
  EXPECT_EQ(beat(a), ErrorCode::fenced_instance_id);
  settle(b);
  EXPECT_EQ(b.has.at("foo"), (PartitionList{2, 3}));

  // And back: the last one of the new protocol, so that the group is a classic one again, without a rebalance.
  Classic again{.id = {}, .instance = "one"};
  EXPECT_EQ(rejoin(again), ErrorCode::none);
  EXPECT_TRUE(is_classic());
  EXPECT_EQ(state_of("g"), "Stable");
  EXPECT_EQ(fetch_assignment(again), ErrorCode::none);
  EXPECT_EQ(again.has.at("foo"), (PartitionList{0, 1}));
  EXPECT_EQ(beat(again), ErrorCode::none);
  restart_with_the_image();
  EXPECT_TRUE(is_classic());
  EXPECT_EQ(beat(again), ErrorCode::none);
  EXPECT_EQ(beat(b), ErrorCode::none);
}

TEST_F(ConsumerMigrationTest, AClassicMemberThatDoesNotComeWhenItShouldIsPutOut) {
  form_classic_group();
  join(c);
  EXPECT_EQ(beat(a), ErrorCode::rebalance_in_progress);
  for (int i = 0; i < 8; ++i) {
    pass(seconds(8));
    settle(b);
    beat(c);
    if (i < 7) EXPECT_EQ(beat(a), ErrorCode::rebalance_in_progress) << i;
  }
  EXPECT_EQ(group().member(a.id), nullptr);
  EXPECT_NE(group().member(b.id), nullptr);
}

TEST_F(ConsumerMigrationTest, AClassicMemberThatDoesNotSyncIsPutOut) {
  join(c);
  rejoin(a);
  EXPECT_EQ(rejoin(a), ErrorCode::none);
  for (int i = 0; i < 8; ++i) {
    pass(seconds(8));
    beat(c);
    if (i < 7) beat(a);
  }
  EXPECT_EQ(group().member(a.id), nullptr);
}

TEST_F(ConsumerMigrationTest, ClassicMembersCommitAtTheirGeneration) {
  form_classic_group();
  join(c);
  const auto commit = [&](std::int32_t generation) {
    protocol::OffsetCommitRequest request;
    request.group_id = "g";
    request.member_id = a.id;
    request.generation_id_or_member_epoch = generation;
    auto& topic = request.topics.emplace_back();
    topic.name = "foo";
    topic.partitions.emplace_back().committed_offset = 1;
    const auto response = this->request<protocol::OffsetCommitResponse>(request, 7);
    return static_cast<ErrorCode>(response.topics.at(0).partitions.at(0).error_code);
  };
  EXPECT_EQ(commit(1), ErrorCode::none);
  EXPECT_EQ(commit(2), ErrorCode::illegal_generation);
}

}  // namespace
}  // namespace klamm::groups
