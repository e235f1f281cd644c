#include "transactions/listing.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::Producer;

class ListingTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  using Described = protocol::DescribeTransactionsResponse::TransactionState;

  Described describe(const std::string& id) {
    Asked<protocol::DescribeTransactionsRequest> asked;
    asked.request.transactional_ids = {id};
    return take<protocol::DescribeTransactionsResponse>(ask(Call(asked))).transaction_states.at(0);
  }
  protocol::ListTransactionsResponse list(protocol::ListTransactionsRequest request) {
    return take<protocol::ListTransactionsResponse>(
        ask(Call(Asked<protocol::ListTransactionsRequest>{std::move(request)})));
  }
  std::vector<std::string> ids(protocol::ListTransactionsRequest request) {
    std::vector<std::string> out;
    for (const auto& listed : list(std::move(request)).transaction_states) out.push_back(listed.transactional_id);
    return out;
  }
  // One in each state, each with the producer id 1000, 1001, …
  void given_one_of_each() {
    producer("a-empty");
    add("b-ongoing", producer("b-ongoing"));
    const Producer committing = producer("c-prepared");
    add("c-prepared", committing);
    const Producer aborting = producer("d-complete");
    add("d-complete", aborting);
    abort("d-complete", aborting);
    write_markers();
    commit("c-prepared", committing);
  }
};

using Ids = std::vector<std::string>;

TEST_F(ListingTest, ATransactionIsDescribed) {
  const Producer one = producer("id", 12'000);
  Described state = describe("id");
  EXPECT_EQ(state.transaction_state, "Empty");
  EXPECT_EQ(state.transaction_start_time_ms, -1);
  const Timestamp began = wall();
  add("id", one, {{"t", {0, 2}}, {"u", {1}}});
  state = describe("id");
  EXPECT_EQ(testing::code(state.error_code), ErrorCode::none);
  EXPECT_EQ(state.transactional_id, "id");
  EXPECT_EQ(state.transaction_state, "Ongoing");
  EXPECT_EQ(state.transaction_timeout_ms, 12'000);
  EXPECT_EQ(state.transaction_start_time_ms, began.value);
  EXPECT_EQ(state.producer_id, one.id);
  EXPECT_EQ(state.producer_epoch, one.epoch);
  ASSERT_EQ(state.topics.size(), 2u);
  EXPECT_EQ(state.topics[0].topic, "t");
  EXPECT_EQ(state.topics[0].partitions, (std::vector<std::int32_t>{0, 2}));
}

TEST_F(ListingTest, APreparedTransactionShowsWhereMarkersAreMissing) {
  const Producer one = producer("id");
  add("id", one, {{"t", {0, 1}}});
  const Producer next = commit("id", one).producer;
  EXPECT_EQ(describe("id").transaction_state, "PrepareCommit");
  work();
  take<Done>(ask(Call(
      MarkersWritten{{{"id", ProducerId(next.id), ProducerEpoch(next.epoch), {{"t", 0, MarkerOutcome::written}}}}})));
  const Described state = describe("id");
  ASSERT_EQ(state.topics.size(), 1u);
  EXPECT_EQ(state.topics[0].partitions, (std::vector<std::int32_t>{1}));
}

TEST_F(ListingTest, WhatIsNotThereIsTold) {
  EXPECT_EQ(testing::code(describe("").error_code), ErrorCode::invalid_request);
  EXPECT_EQ(testing::code(describe("unknown").error_code), ErrorCode::transactional_id_not_found);
}

TEST_F(ListingTest, AllAreListedWithoutAFilter) {
  given_one_of_each();
  const auto all = list({});
  ASSERT_EQ(all.transaction_states.size(), 4u);
  EXPECT_EQ(all.transaction_states[0].transactional_id, "a-empty");
  EXPECT_EQ(all.transaction_states[0].producer_id, 1000);
  EXPECT_EQ(all.transaction_states[0].transaction_state, "Empty");
  EXPECT_EQ(all.transaction_states[2].transaction_state, "PrepareCommit");
  EXPECT_EQ(all.transaction_states[3].transaction_state, "CompleteAbort");
}

TEST_F(ListingTest, FiltersAreHeldTogether) {
  given_one_of_each();
  pass(std::chrono::seconds(5));
  using Request = protocol::ListTransactionsRequest;
  const auto with = [](std::vector<std::string> states, std::vector<std::int64_t> producers = {},
                       std::int64_t duration = -1, std::optional<std::string> pattern = {}) {
    Request request;
    request.state_filters = std::move(states);
    request.producer_id_filters = std::move(producers);
    request.duration_filter = duration;
    request.transactional_id_pattern = std::move(pattern);
    return request;
  };
  EXPECT_EQ(ids(with({"Ongoing", "CompleteAbort"})), (Ids{"b-ongoing", "d-complete"}));
  EXPECT_EQ(ids(with({"ongoing"})), Ids{});  // names are as they are
  EXPECT_EQ(ids(with({"Dead", "PrepareEpochFence"})), Ids{});
  EXPECT_EQ(ids(with({}, {1001, 1002, 99})), (Ids{"b-ongoing", "c-prepared"}));
  EXPECT_EQ(ids(with({"Ongoing"}, {1000})), Ids{});
  EXPECT_EQ(ids(with({}, {}, 4999)), (Ids{"a-empty", "b-ongoing", "c-prepared", "d-complete"}));
  EXPECT_EQ(ids(with({}, {}, 5000)), (Ids{"a-empty"}));  // has no beginning: older than all
  EXPECT_EQ(ids(with({}, {}, -1, "[ab]-.*")), (Ids{"a-empty", "b-ongoing"}));
  EXPECT_EQ(ids(with({}, {}, -1, "ongoing")), Ids{});  // the whole id has to match
  EXPECT_EQ(ids(with({}, {}, -1, "")).size(), 4u);
}

TEST_F(ListingTest, StatesThatAreNoneAreTold) {
  given_one_of_each();
  protocol::ListTransactionsRequest request;
  request.state_filters = {"Bogus", "Ongoing", "Bogus", "Odd"};
  const auto response = list(request);
  EXPECT_EQ(response.unknown_state_filters, (std::vector<std::string>{"Bogus", "Odd"}));
  EXPECT_EQ(response.transaction_states.size(), 1u);
  request.state_filters = {"Bogus"};
  EXPECT_TRUE(list(request).transaction_states.empty());
}

TEST_F(ListingTest, APatternThatIsNoneIsRefused) {
  given_one_of_each();
  protocol::ListTransactionsRequest request;
  for (const std::string& pattern : {std::string("("), std::string(settings.pattern_bytes_max + 1, 'x')}) {
    request.transactional_id_pattern = pattern;
    const auto response = list(request);
    EXPECT_EQ(testing::code(response.error_code), ErrorCode::invalid_regular_expression);
    EXPECT_TRUE(response.transaction_states.empty());
  }
}

}  // namespace
}  // namespace klamm::transactions
