#include "transactions/init_producer_id.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::Producer;
using testing::Told;

class InitProducerIdTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  static constexpr std::int16_t last_epoch = epoch_max - 1;

  // Between transactions, with this epoch.
  Producer given_settled(std::int16_t epoch, TransactionState state = TransactionState::empty) {
    Transaction transaction = fresh_transaction(ProducerId(7), 60'000, wall());
    transaction.previous_producer_id = ProducerId(7);
    transaction.producer_epoch = ProducerEpoch(epoch);
    transaction.state = state;
    given("id", transaction);
    return {7, epoch};
  }
  ErrorCode init_code(protocol::InitProducerIdRequest request) {
    Asked<protocol::InitProducerIdRequest> asked{std::move(request)};
    const auto response = take<protocol::InitProducerIdResponse>(ask_with_id(asked));
    EXPECT_EQ(response.producer_id, -1);
    EXPECT_EQ(response.producer_epoch, -1);
    return testing::code(response.error_code);
  }
};

TEST_F(InitProducerIdTest, ANewIdGetsAProducerIdAndTheFirstEpoch) {
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {1000, 0}}));
  EXPECT_EQ(state_of("id"), TransactionState::empty);
  EXPECT_EQ(known("id").timeout_ms, 60'000);
  ASSERT_EQ(decided.size(), 1u);
  EXPECT_EQ(decided[0].transaction->previous_producer_id, ProducerId(1000));  // as Kafka's first record has it
}

TEST_F(InitProducerIdTest, ANewIdAsksForAProducerIdFirst) {
  Asked<protocol::InitProducerIdRequest> asked;
  asked.request.transactional_id = "id";
  asked.request.transaction_timeout_ms = 1000;
  take<ProducerIdWanted>(ask(Call(asked)));
  EXPECT_TRUE(decided.empty());
  EXPECT_FALSE(knows("id"));
}

TEST_F(InitProducerIdTest, WhoComesNextFencesWhoWasThere) {
  const Producer first = producer("id");
  const Producer second = producer("id");
  EXPECT_EQ(second, (Producer{first.id, 1}));
  EXPECT_EQ(add("id", first), ErrorCode::producer_fenced);
  EXPECT_EQ(add("id", second), ErrorCode::none);
}

TEST_F(InitProducerIdTest, AnUnknownIdTakesNoNoticeOfWhatTheProducerHas) {
  EXPECT_EQ(init("id", {55, 3}), (Told{ErrorCode::none, {1000, 0}}));
}

TEST_F(InitProducerIdTest, TheTimeoutIsThatOfTheLastOne) {
  producer("id", 1000);
  producer("id", 2000);
  EXPECT_EQ(known("id").timeout_ms, 2000);
}

TEST_F(InitProducerIdTest, RequestsThatAreRefused) {
  struct Case {
    std::string what;
    protocol::InitProducerIdRequest request;
    ErrorCode code;
  };
  const auto request = [](std::optional<std::string> id, std::int32_t timeout_ms, std::int64_t producer = -1,
                          std::int16_t epoch = -1) {
    protocol::InitProducerIdRequest out;
    out.transactional_id = std::move(id);
    out.transaction_timeout_ms = timeout_ms;
    out.producer_id = producer;
    out.producer_epoch = epoch;
    return out;
  };
  auto two_phase = request("id", 1000);
  two_phase.enable_2pc = true;
  auto keeps = request("id", 1000);
  keeps.keep_prepared_txn = true;
  const Case cases[] = {
      {"empty id", request("", 1000), ErrorCode::invalid_request},
      {"no id", request(std::nullopt, 1000), ErrorCode::invalid_request},
      {"producer id without epoch", request("id", 1000, 5, -1), ErrorCode::invalid_request},
      {"epoch without producer id", request("id", 1000, -1, 5), ErrorCode::invalid_request},
      {"timeout 0", request("id", 0), ErrorCode::invalid_transaction_timeout},
      {"timeout -1", request("id", -1), ErrorCode::invalid_transaction_timeout},
      {"timeout too long", request("id", 900'001), ErrorCode::invalid_transaction_timeout},
      {"an id that no key can hold", request(std::string(32768, 'x'), 1000), ErrorCode::unknown_server_error},
      {"two-phase commit", two_phase, ErrorCode::transactional_id_authorization_failed},
      {"a prepared transaction is kept", keeps, ErrorCode::unsupported_version},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(init_code(c.request), c.code) << c.what;
    EXPECT_TRUE(decided.empty()) << c.what;
  }
  EXPECT_EQ(init("id", {}, 900'000).code, ErrorCode::none);
}

TEST_F(InitProducerIdTest, TwoPhaseCommitHasNoTimeoutWhenItIsEnabled) {
  settings.two_phase_commit_enabled = true;
  Asked<protocol::InitProducerIdRequest> asked;
  asked.request.transactional_id = "id";
  asked.request.transaction_timeout_ms = 5;
  asked.request.enable_2pc = true;
  asked.api_version = 6;
  const auto response = take<protocol::InitProducerIdResponse>(ask_with_id(asked));
  EXPECT_EQ(response.error_code, 0);
  EXPECT_EQ(known("id").timeout_ms, no_timeout_ms);
}

// What a producer that says what it has (id 7, epoch 5 is current, 4 the last) is told.
TEST_F(InitProducerIdTest, AProducerGoesOnWithTheNextEpochAfterAnError) {
  given_settled(4);
  EXPECT_EQ(init("id", {7, 4}), (Told{ErrorCode::none, {7, 5}}));
  EXPECT_EQ(init("id", {7, 4}), (Told{ErrorCode::none, {7, 5}}));  // did not hear the answer
  EXPECT_EQ(init("id", {7, 5}), (Told{ErrorCode::none, {7, 6}}));
  EXPECT_EQ(init("id", {7, 4}).code, ErrorCode::producer_fenced);
  EXPECT_EQ(init("id", {7, 3}).code, ErrorCode::producer_fenced);
  EXPECT_EQ(init("id", {7, 9}).code, ErrorCode::producer_fenced);
  EXPECT_EQ(init("id", {8, 6}).code, ErrorCode::producer_fenced);
  EXPECT_EQ(init("id", {7, 3}, 60'000, 3).code, ErrorCode::invalid_producer_epoch);  // knows no other word for it
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(6));
}

TEST_F(InitProducerIdTest, ARetryIsNoneAnyMoreWhenAnotherProducerTookOver) {
  given_settled(4);
  init("id", {7, 4});
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {7, 6}}));
  EXPECT_EQ(init("id", {7, 5}).code, ErrorCode::producer_fenced);
}

// The log does not keep the last epoch, in Kafka neither.
TEST_F(InitProducerIdTest, ARetryAcrossCoordinatorsIsFenced) {
  given_settled(4);
  init("id", {7, 4});
  restart();
  EXPECT_EQ(init("id", {7, 4}).code, ErrorCode::producer_fenced);
}

TEST_F(InitProducerIdTest, WhenTheEpochsAreUsedUpThereIsANewProducerId) {
  given_settled(last_epoch);
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {1000, 0}}));
  EXPECT_EQ(known("id").previous_producer_id, ProducerId(7));
}

TEST_F(InitProducerIdTest, AProducerThatHasTheLastEpochGetsANewIdAndMayRetry) {
  const Producer last = given_settled(last_epoch);
  const Told told = init("id", last);
  EXPECT_EQ(told, (Told{ErrorCode::none, {1000, 0}}));
  EXPECT_EQ(init("id", last), told);
  EXPECT_EQ(init("id", {7, 5}).code, ErrorCode::producer_fenced);  // of the earlier id, but not its last epoch
  EXPECT_EQ(init("id", {1000, 0}), (Told{ErrorCode::none, {1000, 1}}));
}

TEST_F(InitProducerIdTest, ThereIsNoNextEpochForWhoDoesNotHaveTheLast) {
  given_settled(last_epoch);
  EXPECT_EQ(init("id", {7, 5}).code, ErrorCode::unknown_server_error);
}

TEST_F(InitProducerIdTest, AnOngoingTransactionIsAbortedFirst) {
  const Producer first = producer("id");
  add("id", first);
  EXPECT_EQ(init("id").code, ErrorCode::concurrent_transactions);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
  EXPECT_EQ(init("id").code, ErrorCode::concurrent_transactions);
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(1));  // bumped once
  EXPECT_EQ(commit("id", first).code, ErrorCode::concurrent_transactions);

  const auto markers = write_markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_FALSE(markers[0].commit);
  EXPECT_EQ(markers[0].producer_epoch, ProducerEpoch(1));
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {first.id, 2}}));
  EXPECT_EQ(add("id", first), ErrorCode::producer_fenced);
}

TEST_F(InitProducerIdTest, AnOngoingTransactionIsAbortedFirstBeforeVersionTwo) {
  level = 1;
  restart();
  const Producer first = producer("id");
  add("id", first, {{"t", {0}}}, 3);
  EXPECT_EQ(init("id").code, ErrorCode::concurrent_transactions);
  const auto markers = write_markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_EQ(markers[0].producer_epoch, ProducerEpoch(1));
  EXPECT_EQ(markers[0].version, 0);
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {first.id, 2}}));
}

TEST_F(InitProducerIdTest, AStrangerDoesNotAbortAnOngoingTransaction) {
  add("id", producer("id"));
  EXPECT_EQ(init("id", {4711, 0}).code, ErrorCode::producer_fenced);
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
}

TEST_F(InitProducerIdTest, FencingTheLastEpochLeadsToANewProducerId) {
  const Producer last = given_settled(last_epoch);
  add("id", last);
  EXPECT_EQ(init("id").code, ErrorCode::concurrent_transactions);
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(epoch_max));
  write_markers();
  EXPECT_EQ(known("id").producer_id, ProducerId(1000));
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(0));
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {1000, 1}}));
}

TEST_F(InitProducerIdTest, FencingTheLastEpochBeforeVersionTwoLeadsThereAtTheNextCall) {
  level = 1;
  restart();
  add("id", given_settled(last_epoch), {{"t", {0}}}, 3);
  EXPECT_EQ(init("id").code, ErrorCode::concurrent_transactions);
  write_markers();
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(epoch_max));
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {1000, 0}}));
}

TEST_F(InitProducerIdTest, PreparedTransactionsAreWaitedFor) {
  for (const bool commit : {true, false}) {
    const std::string id = commit ? "c" : "a";
    const Producer one = producer(id);
    add(id, one);
    end(id, one, commit);
    EXPECT_EQ(init(id).code, ErrorCode::concurrent_transactions);
    EXPECT_EQ(init(id, {4711, 0}).code, ErrorCode::concurrent_transactions);
  }
}

}  // namespace
}  // namespace klamm::transactions
