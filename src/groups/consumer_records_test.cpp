#include "groups/consumer_records.h"

#include <gtest/gtest.h>

#include "groups/metadata_hash.h"
#include "groups/testing.h"
#include "metadata/delta.h"

namespace klamm::groups {
namespace {

const Uuid one{0x1111, 0x2222};
const Uuid two{0x0123456789abcdef, 0xfedcba9876543210};

std::string hex(Bytes bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return out;
}

// What Kafka 4.3.1 writes for the same, and that reading it gives the same again.
void expect_bytes(const Record& record, std::string_view key, std::optional<std::string_view> value) {
  const Encoded encoded = encode(record);
  EXPECT_EQ(hex(encoded.key), key);
  ASSERT_EQ(encoded.value.has_value(), value.has_value());
  if (value) EXPECT_EQ(hex(*encoded.value), *value);
  std::optional<Bytes> bytes;
  if (encoded.value) bytes = *encoded.value;
  const auto read = decode(encoded.key, bytes);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(**read, record);
}

ConsumerMember full_member() {
  ConsumerMember member;
  member.id = "m1";
  member.epoch = 5;
  member.previous_epoch = 4;
  member.instance_id = "i1";
  member.rack_id = "r1";
  member.client_id = "c";
  member.client_host = "/127.0.0.1";
  member.topics = {"bar", "foo", "zoo"};
  member.regex = "f.*";
  member.rebalance_timeout_ms = 45'000;
  member.assignor = "range";
  member.state = ReconciliationState::unrevoked_partitions;
  member.assigned = {{one, {{0, 3}, {1, 5}, {17, 4}}}, {two, {{2, 1}}}};
  member.revoking = {{two, {{4, 2}, {7, 2}}}};
  return member;
}
ConsumerMember plain_member() {
  ConsumerMember member;
  member.id = "m2";
  member.client_id = "c";
  member.client_host = "/h";
  member.topics = {"foo"};
  member.rebalance_timeout_ms = 1000;
  return member;
}

TEST(ConsumerRecordsTest, AMemberIsWrittenAsKafkaWritesIt) {
  expect_bytes(
      consumer_member("g", full_member()), "000500016700026d31",
      "000003693103723102630b2f3132372e302e302e31040462617204666f6f047a6f6f04662e2a0000afc80672616e676501000100");
  expect_bytes(consumer_member("g", plain_member()), "000500016700026d32",
               "000000000263032f680204666f6f01000003e80001000100");
  ConsumerMember classic = plain_member();
  auto& metadata = classic.classic.emplace();
  metadata.session_timeout_ms = 30'000;
  auto& protocol = metadata.supported_protocols.emplace_back();
  protocol.name = "range";
  protocol.metadata = {std::byte{1}, std::byte{2}};
  expect_bytes(consumer_member("g", classic), "000500016700026d32",
               "000000000263032f680204666f6f01000003e8000100110100007530020672616e67650301020000");
  expect_bytes(consumer_member_tombstone("g", "m1"), "000500016700026d31", std::nullopt);
}

TEST(ConsumerRecordsTest, TheEpochOfAGroupIsWrittenAsKafkaWritesIt) {
  expect_bytes(consumer_group_epoch("g", 10, 0x1234567890), "0003000167", "00000000000a0100080000001234567890");
  expect_bytes(consumer_group_epoch("g", 10, 0), "0003000167", "00000000000a00");
  expect_bytes(consumer_group_tombstone("g"), "0003000167", std::nullopt);
  expect_bytes(partition_metadata_tombstone("g"), "0004000167", std::nullopt);
}

TEST(ConsumerRecordsTest, ATargetIsWrittenAsKafkaWritesIt) {
  expect_bytes(target_of("g", "m1", {{one, {0, 1, 16, 17}}, {two, {2}}}), "000700016700026d31",
               "0000030123456789abcdeffedcba987654321002000000020000000000000011110000000000002222050000000000000010000"
               "00001000000110000");
  expect_bytes(target_tombstone("g", "m1"), "000700016700026d31", std::nullopt);
  expect_bytes(target_epoch("g", 11, Timestamp(1'700'000'000'000)), "0006000167", "00000000000b0100080000018bcfe56800");
  expect_bytes(target_epoch("g", 11, Timestamp(0)), "0006000167", "00000000000b00");
  expect_bytes(target_epoch_tombstone("g"), "0006000167", std::nullopt);
}

TEST(ConsumerRecordsTest, WhatAMemberHasIsWrittenAsKafkaWritesIt) {
  expect_bytes(current_of("g", full_member()), "000800016700026d31",
               "0000000000050000000401030123456789abcdeffedcba987654321002000000020100050200000001000000000000111100000"
               "000000022220400000000000000010000001101000d04000000030000000500000004020123456789abcdeffedcba9876543210"
               "03000000040000000701000903000000020000000200");
  expect_bytes(current_of("g", plain_member()), "000800016700026d32", "000000000000ffffffff00010100");
  expect_bytes(current_tombstone("g", "m1"), "000800016700026d31", std::nullopt);
}

TEST(ConsumerRecordsTest, ARegularExpressionIsWrittenAsKafkaWritesIt) {
  const ResolvedRegex resolved{{"foo", "fab"}, 12, Timestamp(1'700'000'000'001)};
  expect_bytes(regular_expression("g", "f.*", resolved), "00100001670003662e2a",
               "0000030466616204666f6f000000000000000c0000018bcfe5680100");
  expect_bytes(regular_expression_tombstone("g", "f.*"), "00100001670003662e2a", std::nullopt);
}

TEST(ConsumerRecordsTest, WhatWasStoredComesBack) {
  ConsumerGroup group;
  const auto apply = [&](const Record& record) {
    std::visit(
        [&](const auto& each) {
          if constexpr (requires { group.apply(each); }) group.apply(each);
        },
        record.message);
  };
  apply(consumer_member("g", full_member()));
  apply(current_of("g", full_member()));
  ASSERT_NE(group.member("m1"), nullptr);
  EXPECT_EQ(*group.member("m1"), full_member());
  EXPECT_EQ(group.static_member("i1"), group.member("m1"));
  EXPECT_EQ(group.owner_epoch(one, 17), 5);
  EXPECT_EQ(group.owner_epoch(two, 7), 5);
  EXPECT_EQ(group.owner_epoch(two, 8), std::nullopt);
}

TEST(ConsumerRecordsTest, OldRecordsHaveNoEpochsOfPartitionsAndTheMembersStandsForThem) {
  ConsumerGroup group;
  ConsumerGroupCurrentMemberAssignmentRecord record;
  record.key.member_id = "m";
  auto& value = record.value.emplace();
  value.member_epoch = 7;
  value.assigned_partitions.push_back({.topic_id = one, .partitions = {3, 1}});
  group.apply(record);
  EXPECT_EQ(group.member("m")->assigned, (OwnedPartitions{{one, {{1, 7}, {3, 7}}}}));
}

TEST(ConsumerRecordsTest, NoPartitionGetsASecondOwnerFromTheLog) {
  ConsumerGroup group;
  ConsumerMember first = plain_member();
  first.epoch = 3;
  first.assigned = {{one, {{0, 3}}}};
  ConsumerMember second = first;
  second.id = "other";
  group.apply(std::get<ConsumerGroupCurrentMemberAssignmentRecord>(current_of("g", first).message));
  const auto again = std::get<ConsumerGroupCurrentMemberAssignmentRecord>(current_of("g", second).message);
  EXPECT_THROW(group.apply(again), ConsumerGroup::Contradiction);
}

metadata::ImageRef image() {
  metadata::Delta delta(metadata::Image::empty());
  const auto replay = [&](auto record) { delta.replay({std::move(record), 0}); };
  const auto broker = [&](std::int32_t id, std::optional<std::string> rack) {
    protocol::RegisterBrokerRecord record;
    record.broker_id = id;
    record.rack = std::move(rack);
    replay(std::move(record));
  };
  const auto topic = [&](std::string name, Uuid id, const std::vector<std::vector<std::int32_t>>& replicas) {
    replay(protocol::TopicRecord{.name = std::move(name), .topic_id = id});
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      protocol::PartitionRecord record;
      record.topic_id = id;
      record.partition_id = static_cast<std::int32_t>(i);
      record.replicas = record.isr = replicas[i];
      record.leader = replicas[i].front();
      replay(std::move(record));
    }
  };
  broker(0, std::nullopt);
  broker(1, "rack1");
  broker(2, "rack2");
  broker(3, "r\u00e4ck\U0001F600");
  broker(4, "r");
  broker(5, "rack0");
  topic("foo", one, {{0}});
  topic("bar", two, {{2, 1}, {0}, {3}});
  std::vector<std::vector<std::int32_t>> many;
  for (std::int32_t i = 0; i < 40; ++i) many.push_back({i % 3 == 0 ? 5 : i % 3, 4});
  topic("many", Uuid{7, 8}, many);
  return delta.finish({});
}

TEST(MetadataHashTest, OfTopicsIsKafkas) {
  const auto at = image();
  EXPECT_EQ(topic_hash(*at, *at->topic("foo")), -7258255035458960418);
  EXPECT_EQ(topic_hash(*at, *at->topic("bar")), -7833436433371946851);
  EXPECT_EQ(topic_hash(*at, *at->topic("many")), 612327142293755796);
}

TEST(MetadataHashTest, OfAGroupIsOverThoseTopicsThatExist) {
  const auto at = image();
  EXPECT_EQ(metadata_hash(*at, {"bar", "foo", "many"}), -4883876292082914468);
  EXPECT_EQ(metadata_hash(*at, {"foo", "not there"}), -5063919402733742805);
  EXPECT_EQ(metadata_hash(*at, {"not there"}), 0);
}

TEST(MetadataHashTest, XxhOfEveryLength) {
  const std::pair<std::size_t, std::uint64_t> of_the_reference[] = {
      {0, 0x2d06800538d394c2u},    {1, 0x13e608bc156defedu},    {2, 0x1c9074b93943b86cu},
      {3, 0xa9088dda485b481cu},    {4, 0x6d9253b16c8b1ed3u},    {5, 0x998620e10e3a4b37u},
      {8, 0x60539db630471163u},    {9, 0xfeff668361d723a8u},    {16, 0xb8c859b0f030b585u},
      {17, 0x714a04408e79b80fu},   {32, 0x19ff4ee1d6ba1a55u},   {33, 0x3e44983ad21679c8u},
      {64, 0x287eb1fa9e4be2c1u},   {65, 0x829218de4d798646u},   {96, 0xf084e7cfbc624743u},
      {97, 0x1daa83271a8e7b7cu},   {128, 0x67425a03650261bfu},  {129, 0xc664bf3311c6abc4u},
      {144, 0x606a17fa700bb932u},  {200, 0x746cd0025327bf5bu},  {240, 0x64556dc6b462a6cfu},
      {241, 0x8beadd3a8874fe17u},  {256, 0x3c38817f6d79c0dau},  {512, 0xf58202b8d9019d1du},
      {1023, 0xd26986a0b85dcc44u}, {1024, 0x9b81661c641c72b1u}, {1025, 0x806c2072ed713576u},
      {1088, 0x2f8781e01841f0dau}, {1089, 0x2a90437fe231e7e8u}, {2048, 0xabe604813ba62ed1u},
      {2049, 0x55aed42c9f1554b6u}, {5000, 0x799aaddd7339581du},
  };
  for (const auto& [size, hash] : of_the_reference) {
    ByteVector bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 3);
    EXPECT_EQ(xxh3(bytes), hash) << size;
  }
}

}  // namespace
}  // namespace klamm::groups
