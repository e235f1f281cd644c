#include "transactions/record.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace klamm::transactions {
namespace {

ByteVector from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  ByteVector out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return out;
}

// What a producer of transaction.version 2 left in __transaction_state of Apache Kafka 4.3.1: two transactions in one
// partition each, both committed.
struct Logged {
  std::string_view value;
  TransactionState state;
  std::int16_t epoch;
};
constexpr std::string_view key = "0000000474782d62";  // "tx-b"
const Logged two_commits[] = {
    {"0001000000000000000600000000ea600000000001a213945021ffffffffffffffff0100080000000000000006",
     TransactionState::empty, 0},
    {"0001000000000000000600000000ea60010204747831020000000000000001a213945066000001a2139450660200080000000000000006"
     "02020002",
     TransactionState::ongoing, 0},
    {"0001000000000000000600010000ea60020204747831020000000000000001a213945075000001a2139450660200080000000000000006"
     "02020002",
     TransactionState::prepare_commit, 1},
    {"0001000000000000000600010000ea600401000001a213945076000001a213945066020008000000000000000602020002",
     TransactionState::complete_commit, 1},
    {"0001000000000000000600010000ea60010204747831020000000000000001a21394508d000001a21394508d0200080000000000000006"
     "02020002",
     TransactionState::ongoing, 1},
    {"0001000000000000000600020000ea60020204747831020000000000000001a213945094000001a21394508d0200080000000000000006"
     "02020002",
     TransactionState::prepare_commit, 2},
};

TEST(RecordTest, KafkasBytesAreReadAndWrittenAgain) {
  for (const Logged& logged : two_commits) {
    const ByteVector value = from_hex(logged.value);
    const auto record = decode(from_hex(key), value);
    ASSERT_TRUE(record && *record) << logged.value;
    EXPECT_EQ((*record)->transactional_id, "tx-b");
    const Transaction& transaction = *(*record)->transaction;
    EXPECT_EQ(transaction.state, logged.state);
    EXPECT_EQ(transaction.producer_id, ProducerId(6));
    EXPECT_EQ(transaction.producer_epoch, ProducerEpoch(logged.epoch));
    const Encoded again = encode(**record);
    EXPECT_EQ(to_hex(again.key), key);
    EXPECT_EQ(to_hex(*again.value), logged.value);
    EXPECT_EQ(encoded_bytes(**record), again.key.size() + again.value->size());
  }
}

// The same story told by our own transitions: every byte is Kafka's, but for the time of the completion.
TEST(RecordTest, TransitionsLeaveKafkasBytes) {
  Transaction at = *with_next_epoch(fresh_transaction(ProducerId(6), 60'000, Timestamp(0x1a213945021)), {}, 60'000,
                                    Timestamp(0x1a213945021));
  std::vector<Transaction> story{at};
  const Partitions partitions{{"tx1", {0}}};
  story.push_back(with_partitions(story.back(), partitions, 2, Timestamp(0x1a213945066)));
  story.push_back(prepared(story.back(), {.commit = true, .client_version = 2}, Timestamp(0x1a213945075)));
  story.push_back(completed(story.back(), Timestamp(0x1a213945076)));
  story.push_back(with_partitions(story.back(), partitions, 2, Timestamp(0x1a21394508d)));
  story.push_back(prepared(story.back(), {.commit = true, .client_version = 2}, Timestamp(0x1a213945094)));
  ASSERT_EQ(story.size(), std::size(two_commits));
  for (std::size_t i = 0; i < story.size(); ++i) {
    EXPECT_EQ(to_hex(*encode({"tx-b", story[i], 1}).value), two_commits[i].value) << i;
  }
}

TEST(RecordTest, VersionFollowsTheClustersLevel) {
  EXPECT_EQ(value_version(0), 0);
  EXPECT_EQ(value_version(1), 1);
  EXPECT_EQ(value_version(2), 1);
}

TEST(RecordTest, VersionZeroHasNoFieldsOfLaterOnes) {
  Transaction transaction;
  transaction.producer_id = ProducerId(6);
  transaction.previous_producer_id = ProducerId(5);
  transaction.next_producer_id = ProducerId(7);
  transaction.producer_epoch = ProducerEpoch(3);
  transaction.timeout_ms = 60'000;
  transaction.state = TransactionState::prepare_abort;
  transaction.partitions = {{"t", {1, 2}}};
  transaction.started_at = Timestamp(10);
  transaction.updated_at = Timestamp(11);
  transaction.client_version = 2;
  const Encoded encoded = encode({"id", transaction, 0});
  EXPECT_EQ(to_hex(encoded.key), "000000026964");
  EXPECT_EQ(to_hex(*encoded.value),
            "0000"  // version
            "0000000000000006"
            "0003"  // producer id, epoch
            "0000ea60"
            "03"  // timeout, PrepareAbort
            "00000001"
            "000174"
            "00000002"
            "00000001"
            "00000002"
            "000000000000000b"
            "000000000000000a");
  transaction.previous_producer_id = transaction.next_producer_id = no_producer_id;
  transaction.client_version = 0;
  EXPECT_EQ((*decode(encoded.key, *encoded.value))->transaction, transaction);
}

TEST(RecordTest, ATombstoneHasNoValue) {
  const Encoded encoded = encode({"id", std::nullopt, 1});
  EXPECT_FALSE(encoded.value);
  const auto record = decode(encoded.key, std::nullopt);
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->transactional_id, "id");
  EXPECT_FALSE((*record)->transaction);
}

TEST(RecordTest, WhatALaterReleaseLeftIsPassedOver) {
  EXPECT_EQ(*decode(from_hex("0001000161"), std::nullopt), std::nullopt);  // key version 1
  ByteVector value = from_hex(two_commits[0].value);
  value[1] = std::byte{2};
  EXPECT_EQ(*decode(from_hex(key), value), std::nullopt);
}

TEST(RecordTest, BrokenRecordsAreTold) {
  const ByteVector good = from_hex(two_commits[1].value);
  const std::size_t whole = good.size();
  for (std::size_t size = 0; size < whole; ++size) {
    const auto record = decode(from_hex(key), Bytes(good).first(size));
    ASSERT_FALSE(record) << size;
    EXPECT_EQ(record.error().code, ErrorCode::corrupt_message);
  }
  EXPECT_FALSE(decode(from_hex("00"), good));
  EXPECT_FALSE(decode(from_hex("0000000574"), good));
  for (const int state : {-1, 6, 7, 8, 100}) {
    ByteVector value = good;
    value[16] = static_cast<std::byte>(state);
    EXPECT_FALSE(decode(from_hex(key), value)) << state;
  }
}

}  // namespace
}  // namespace klamm::transactions
