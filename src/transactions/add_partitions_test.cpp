#include "transactions/add_partitions.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::Producer;

class AddPartitionsTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  ErrorCode add_group(const std::string& id, Producer by, int version = 4) {
    AddOffsets call;
    call.request.transactional_id = id;
    call.request.producer_id = by.id;
    call.request.producer_epoch = by.epoch;
    call.request.group_id = "g";
    call.api_version = static_cast<std::int16_t>(version);
    call.offsets_partition = PartitionIndex(17);
    return testing::code(take<protocol::AddOffsetsToTxnResponse>(ask(Call(call))).error_code);
  }
};

TEST_F(AddPartitionsTest, TheFirstPartitionBeginsTheTransaction) {
  const Producer one = producer("id");
  const Timestamp began = wall();
  EXPECT_EQ(add("id", one, {{"t", {0, 1}}}), ErrorCode::none);
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
  EXPECT_EQ(known("id").started_at, began);
  pass(std::chrono::seconds(1));
  EXPECT_EQ(add("id", one, {{"u", {5}}, {"t", {1}}}), ErrorCode::none);
  EXPECT_EQ(known("id").started_at, began);
  EXPECT_EQ(known("id").updated_at, wall());
  EXPECT_EQ(known("id").partitions, (Partitions{{"t", {0, 1}}, {"u", {5}}}));
}

TEST_F(AddPartitionsTest, WhatIsInTheTransactionIsNotLoggedAgain) {
  const Producer one = producer("id");
  add("id", one, {{"t", {0, 1}}});
  EXPECT_EQ(add("id", one, {{"t", {1}}}), ErrorCode::none);
  EXPECT_TRUE(decided.empty());
}

TEST_F(AddPartitionsTest, TheVersionOfTheRequestSaysWhatTheClientSpeaks) {
  const Producer one = producer("id");
  add("id", one, {{"t", {0}}}, 3);
  EXPECT_EQ(known("id").client_version, 0);
  add("id", one, {{"t", {1}}}, 4);
  EXPECT_EQ(known("id").client_version, 2);
}

// Who is refused, in each state, when adding and when verifying.
TEST_F(AddPartitionsTest, TableOfRefusals) {
  const Producer empty = producer("empty");
  const Producer ongoing = producer("ongoing");
  add("ongoing", ongoing);
  const Producer committing = producer("prepared");
  add("prepared", committing);
  commit("prepared", committing);
  const Producer bumped{committing.id, 1};

  const auto wrong_id = [](Producer p) { return Producer{p.id + 1000, p.epoch}; };
  const auto wrong_epoch = [](Producer p, int by) { return Producer{p.id, static_cast<std::int16_t>(p.epoch + by)}; };
  using enum ErrorCode;
  struct Case {
    std::string id;
    Producer by;
    ErrorCode added;
    ErrorCode verified;
  };
  const Case cases[] = {
      {"", empty, invalid_request, invalid_request},
      {"unknown", empty, invalid_producer_id_mapping, invalid_producer_id_mapping},
      {"empty", wrong_id(empty), invalid_producer_id_mapping, invalid_producer_id_mapping},
      {"empty", wrong_epoch(empty, 1), producer_fenced, producer_fenced},
      {"empty", wrong_epoch(empty, -1), producer_fenced, producer_fenced},
      {"ongoing", wrong_id(ongoing), invalid_producer_id_mapping, invalid_producer_id_mapping},
      {"ongoing", wrong_epoch(ongoing, 1), producer_fenced, producer_fenced},
      {"prepared", bumped, concurrent_transactions, concurrent_transactions},
      {"prepared", committing, concurrent_transactions, producer_fenced},
      {"prepared", wrong_id(bumped), concurrent_transactions, invalid_producer_id_mapping},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(verify(c.id, c.by), c.verified) << c.id;
    EXPECT_EQ(add(c.id, c.by), c.added) << c.id;
    EXPECT_TRUE(decided.empty()) << c.id;
  }
}

TEST_F(AddPartitionsTest, OldClientsHearOfAnInvalidEpoch) {
  const Producer one = producer("id");
  const Producer late{one.id, -1};
  EXPECT_EQ(add("id", late, {{"t", {0}}}, 1), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(add("id", late, {{"t", {0}}}, 2), ErrorCode::producer_fenced);
  EXPECT_EQ(add_group("id", late, 1), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(add_group("id", late, 2), ErrorCode::producer_fenced);
}

TEST_F(AddPartitionsTest, VerifyingTellsOfEachPartitionAndAddsNone) {
  const Producer one = producer("id");
  EXPECT_EQ(verify("id", one), ErrorCode::transaction_abortable);
  add("id", one, {{"t", {0}}});
  AddPartitions call;
  call.transaction.transactional_id = "id";
  call.transaction.producer_id = one.id;
  call.transaction.producer_epoch = one.epoch;
  call.transaction.verify_only = true;
  call.transaction.topics.push_back({"t", {0, 1}, {}});
  call.transaction.topics.push_back({"u", {0}, {}});
  const auto answer = take<AddedPartitions>(ask(Call(call)));
  ASSERT_EQ(answer.topic_results.size(), 2u);
  const auto& t = answer.topic_results[0].results_by_partition;
  EXPECT_EQ(testing::code(t[0].partition_error_code), ErrorCode::none);
  EXPECT_EQ(testing::code(t[1].partition_error_code), ErrorCode::transaction_abortable);
  EXPECT_EQ(testing::code(answer.topic_results[1].results_by_partition[0].partition_error_code),
            ErrorCode::transaction_abortable);
  EXPECT_TRUE(decided.empty());
}

TEST_F(AddPartitionsTest, GroupsAddTheirPartitionOfTheOffsetsTopic) {
  const Producer one = producer("id");
  EXPECT_EQ(add_group("id", one), ErrorCode::none);
  EXPECT_EQ(known("id").partitions, (Partitions{{"__consumer_offsets", {17}}}));
  EXPECT_EQ(known("id").client_version, 0);
  EXPECT_EQ(add_group("unknown", one), ErrorCode::invalid_producer_id_mapping);
  EXPECT_EQ(add_group("", one), ErrorCode::invalid_request);
}

TEST_F(AddPartitionsTest, ATransactionBeginsAgainAfterItsEnd) {
  for (const bool committed : {true, false}) {
    const Producer one = producer("id");
    add("id", one);
    const Producer next = end("id", one, committed).producer;
    write_markers();
    pass(std::chrono::seconds(5));
    EXPECT_EQ(add("id", next, {{"u", {1}}}), ErrorCode::none);
    EXPECT_EQ(known("id").partitions, (Partitions{{"u", {1}}}));
    EXPECT_EQ(known("id").started_at, wall());
    abort("id", next);
    write_markers();
  }
}

TEST_F(AddPartitionsTest, TheLogOfVersionZeroHasNoPlaceForLaterClients) {
  level = 0;
  restart();
  const Producer one = producer("id");
  EXPECT_EQ(add("id", one, {{"t", {0}}}, 4), ErrorCode::unsupported_version);
  EXPECT_EQ(add("id", one, {{"t", {0}}}, 3), ErrorCode::none);
  EXPECT_EQ(decided.at(0).version, 0);
  EXPECT_EQ(verify("id", one), ErrorCode::none);
}

TEST_F(AddPartitionsTest, NoMorePartitionsThanATransactionMayHave) {
  settings.partitions_max = 3;
  const Producer one = producer("id");
  EXPECT_EQ(add("id", one, {{"t", {0, 1}}}), ErrorCode::none);
  EXPECT_EQ(add("id", one, {{"t", {2, 3}}}), ErrorCode::unknown_server_error);
  EXPECT_EQ(add("id", one, {{"t", {2, 3, 4, 5, 6, 7, 8}}}), ErrorCode::unknown_server_error);
  EXPECT_TRUE(decided.empty());
  EXPECT_EQ(add("id", one, {{"t", {1, 2}}}), ErrorCode::none);
}

TEST_F(AddPartitionsTest, NoMoreBytesThanALogTakesWhateverBecomesOfIt) {
  settings.record_bytes_max = 1000;
  const Producer one = producer("id");
  std::int32_t next = 0;
  while (add("id", one, {{"t", {next}}}) == ErrorCode::none) ++next;
  EXPECT_GT(next, 100);
  EXPECT_LE(encoded_bytes({"id", known("id"), 1}) + 60, settings.record_bytes_max);
  commit("id", one);
  ASSERT_EQ(decided.size(), 1u);
  EXPECT_LE(encoded_bytes(decided[0]), settings.record_bytes_max);
}

TEST_F(AddPartitionsTest, NamesThatNoTopicHasAreRefused) {
  const Producer one = producer("id");
  EXPECT_EQ(add("id", one, {{std::string(40'000, 'x'), {0}}}), ErrorCode::unknown_topic_or_partition);
}

TEST_F(AddPartitionsTest, OneRequestOfManyTransactionsIsAskedInParts) {
  protocol::AddPartitionsToTxnRequest request;
  for (const std::string id : {"a", "b", "a"}) {
    auto& transaction = request.transactions.emplace_back();
    transaction.transactional_id = id;
    transaction.verify_only = id == "b";
    transaction.topics.push_back({"t", {0}, {}});
  }
  const auto calls = split(request, 4);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_FALSE(calls[0].transaction.verify_only);
  EXPECT_TRUE(calls[1].transaction.verify_only);
  std::vector<AddedPartitions> answers;
  for (const auto& call : calls) answers.push_back(take<AddedPartitions>(ask(Call(call))));
  const auto response = merge(answers, 4);
  ASSERT_EQ(response.results_by_transaction.size(), 2u);
  EXPECT_EQ(response.results_by_transaction[1].transactional_id, "b");
  EXPECT_TRUE(response.results_by_topic_v3_and_below.empty());
}

TEST_F(AddPartitionsTest, OneRequestOfAnOldClientIsOneTransaction) {
  protocol::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = "a";
  request.v3_and_below_producer_id = 5;
  request.v3_and_below_producer_epoch = 6;
  request.v3_and_below_topics.push_back({"t", {0}, {}});
  const auto calls = split(request, 3);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].api_version, 3);
  EXPECT_EQ(calls[0].transaction.transactional_id, "a");
  EXPECT_EQ(calls[0].transaction.producer_id, 5);
  EXPECT_EQ(calls[0].transaction.producer_epoch, 6);
  const auto response = merge({take<AddedPartitions>(ask(Call(calls[0])))}, 3);
  EXPECT_TRUE(response.results_by_transaction.empty());
  ASSERT_EQ(response.results_by_topic_v3_and_below.size(), 1u);
  EXPECT_EQ(testing::code(response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code),
            ErrorCode::invalid_producer_id_mapping);
}

}  // namespace
}  // namespace klamm::transactions
