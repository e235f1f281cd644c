// What groups may hold: everything is counted, what would be too much is refused before it is there, and who is in
// already goes on.
#include "groups/memory.h"

#include <gtest/gtest.h>

#include "base/heap_test.h"
#include "groups/classic.h"
#include "groups/classic_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::bytes;
using testing::code;
using testing::Who;

// A subscription that says it has so many topics, and has bytes for all of them or for none.
ByteVector subscription(std::int32_t topics, std::size_t bytes_behind) {
  ByteVector out(sizeof(std::int16_t) + sizeof(std::int32_t) + bytes_behind);
  store_big(out.data() + sizeof(std::int16_t), topics);
  return out;
}

class MemoryTest : public ::testing::Test, protected testing::ClassicStory {
 protected:
  ErrorCode commit(const std::string& group, std::int32_t partition, std::string metadata = "m",
                   const std::string& member = {}, std::int32_t epoch = -1) {
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id_or_member_epoch = epoch;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    auto& to = topic.partitions.emplace_back();
    to.partition_index = partition;
    to.committed_metadata = std::move(metadata);
    const auto response = this->request<protocol::OffsetCommitResponse>(request);
    return code(response.topics.at(0).partitions.at(0).error_code);
  }
  void commit_in_transaction(std::int64_t producer, bool commits) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = "g";
    request.producer_id = producer;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().partition_index = 7;
    this->request<protocol::TxnOffsetCommitResponse>(request);
    coordinator->end_transaction(ProducerId(producer), commits);
  }
  void remove(const std::string& group) {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {group};
    EXPECT_EQ(this->request<protocol::DeleteGroupsResponse>(request).results.at(0).error_code, 0);
  }
};

TEST_F(MemoryTest, WhatWasThereIsGivenBackWhenItGoes) {
  EXPECT_EQ(memory->used(), 0u);
  const auto members = stable(3);
  const std::string unused = handshake();
  join({.instance_id = "i"});
  for (std::int32_t p = 0; p < 5; ++p) commit("h", p);
  commit("h", 0, "longer");
  commit_in_transaction(1, true);
  commit_in_transaction(2, false);
  EXPECT_GT(memory->used(), 5000u);
  for (const auto& id : members) leave(id);
  leave(unused);
  leave("", "i");
  EXPECT_EQ(state_of("g"), "Empty");
  remove("g");
  remove("h");
  EXPECT_EQ(memory->used(), 0u);
}

TEST_F(MemoryTest, AShardThatGoesGivesBackAllAndLoadingCountsTheSame) {
  stable(3);
  commit("h", 0);
  const std::size_t before = memory->used();
  restart();
  EXPECT_EQ(memory->used(), before);
  coordinator.reset();
  EXPECT_EQ(memory->used(), 0u);
}

TEST_F(MemoryTest, WhenItIsFullNobodyNewComesAndWhoIsThereGoesOn) {
  const auto members = stable(2);
  EXPECT_EQ(commit("g", 0, "four", members[0], 1), ErrorCode::none);
  leave_room_for(0);
  const std::size_t records = log.size();
  protocol::JoinGroupRequest other;
  other.group_id = "other";
  other.session_timeout_ms = 10'000;
  other.protocol_type = "consumer";
  other.protocols.emplace_back().name = "range";
  EXPECT_EQ(code(request<protocol::JoinGroupResponse>(other).error_code), ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(joined(join({})).error_code), ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(joined(join({.version = 3})).error_code), ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(joined(join({.instance_id = "i"})).error_code), ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(joined(join({.member_id = members[1], .metadata = "more"})).error_code),
            ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit("g", 1, "four", members[0], 1), ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit("g", 0, "fiver", members[0], 1), ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit("other", 0), ErrorCode::coordinator_not_available);
  EXPECT_EQ(log.size(), records);
  EXPECT_EQ(coordinator->state().groups.size(), 1u);

  for (const auto& id : members) EXPECT_EQ(beat(id, 1), ErrorCode::none);
  EXPECT_EQ(commit("g", 0, "new", members[0], 1), ErrorCode::none);
  const Ticket lead = join({.member_id = members[0]});
  const Ticket other_one = join({.member_id = members[1]});
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(joined(other_one).generation_id, 2);
}

TEST_F(MemoryTest, WhenOneGoesAnotherHasRoom) {
  const auto members = stable(2);
  leave_room_for(0);
  leave(members[1]);
  EXPECT_EQ(code(joined(join({})).error_code), ErrorCode::member_id_required);
}

TEST_F(MemoryTest, AnAssignmentThatHasNoRoomIsRefusedAndTheGroupTriesAgain) {
  const auto members = stable(1);
  leave_room_for(100);
  const Ticket again = join({.member_id = members[0]});
  EXPECT_EQ(joined(again).generation_id, 2);
  const auto refused = synced(sync(members[0], 2, {{members[0], std::string(10'000, 'x')}}));
  EXPECT_EQ(code(refused.error_code), ErrorCode::coordinator_not_available);
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  EXPECT_EQ(joined(join({.member_id = members[0]})).generation_id, 3);
  EXPECT_EQ(synced(sync(members[0], 3, {{members[0], "small"}})).error_code, 0);
}

TEST_F(MemoryTest, NamesAndContainersCountNotOnlyTheirBytes) {
  ClassicProtocols names;
  for (int i = 0; i < 1000; ++i) names.push_back({std::to_string(i), {}});
  EXPECT_GT(bytes_of(names, false), 100'000u);
  // The topics that a consumer's metadata can hold, but not more than it has bytes for.
  const ClassicProtocols consumer{{"range", subscription(50'000, 100'000)}};
  EXPECT_GT(bytes_of(consumer, true), bytes_of(consumer, false) + 5'000'000);
  const ClassicProtocols liar{{"range", subscription(std::numeric_limits<std::int32_t>::max(), 0)}};
  EXPECT_LT(bytes_of(liar, true), 2000u);
  const ClassicProtocols negative{{"range", subscription(-1, 100)}};
  EXPECT_EQ(bytes_of(negative, true), bytes_of(negative, false));
}

TEST_F(MemoryTest, AMemberThatWouldTakeTooMuchIsRefused) {
  settings.member_bytes_max = 10'000;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back(std::to_string(i));
  EXPECT_EQ(code(joined(join({.protocols = names, .version = 3})).error_code), ErrorCode::group_max_size_reached);
  EXPECT_TRUE(coordinator->state().groups.empty());
  EXPECT_EQ(memory->used(), 0u);
}

TEST_F(MemoryTest, ACallThatWaitsKeepsWhatItsRefusalNeeds) {
  protocol::JoinGroupRequest request;
  request.member_id = "m";
  request.protocols.emplace_back().metadata = bytes("much");
  Call call = Asked<protocol::JoinGroupRequest>{std::move(request)};
  GroupCoordinator::settle(call);
  EXPECT_EQ(std::get<Asked<protocol::JoinGroupRequest>>(call).request.protocols.capacity(), 0u);
  const Answer refused = GroupCoordinator::refuse(call, Error{ErrorCode::not_coordinator});
  EXPECT_EQ(std::get<protocol::JoinGroupResponse>(refused).member_id, "m");
}

TEST_F(MemoryTest, WhatIsCountedIsWhatIsTaken) {
  Memory all;
  Held held(all);
  OffsetStore offsets(held);
  std::size_t before = heap_bytes();
  for (std::int32_t i = 0; i < 20'000; ++i) {
    OffsetCommitRecord record;
    record.key.group = fmt::format("a group with a long name {}", i / 10);
    record.key.topic = fmt::format("a topic with a long name {}", i % 3);
    record.key.partition = i;
    record.value.emplace().metadata = "metadata of some length";
    offsets.apply(Offset(i), no_producer_id, record);
  }
  std::size_t real = heap_bytes() - before;
  EXPECT_GE(held.bytes(), real * 9 / 10);
  EXPECT_LE(held.bytes(), real * 2 + 1'000'000);

  before = heap_bytes();
  const std::size_t counted_before = held.bytes();
  ClassicGroup group(held, "g");
  for (int i = 0; i < 2000; ++i) {
    ClassicMember member;
    member.id = fmt::format("a member with a long name {}", i);
    member.client_id = "a client with a long name";
    for (int p = 0; p < 4; ++p) member.protocols.push_back({fmt::format("protocol {}", p), ByteVector(200)});
    group.add(std::move(member), "consumer");
  }
  real = heap_bytes() - before;
  EXPECT_GE(held.bytes() - counted_before, real * 9 / 10);
}

}  // namespace
}  // namespace klamm::groups
