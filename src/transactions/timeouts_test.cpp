#include "transactions/timeouts.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Producer;
using testing::Told;

class TimeoutsTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  // An ongoing transaction in the last epoch that a producer is given.
  Producer given_in_last_epoch(const std::string& id, std::int64_t producer_id) {
    Transaction transaction = fresh_transaction(ProducerId(producer_id), 1000, wall());
    transaction.producer_epoch = ProducerEpoch(epoch_max - 1);
    given(id, transaction);
    const Producer by{producer_id, epoch_max - 1};
    EXPECT_EQ(add(id, by), ErrorCode::none);
    return by;
  }
};

TEST_F(TimeoutsTest, ATransactionThatStaysOpenIsAbortedWithTheNextEpoch) {
  const Producer one = producer("id", 30'000);
  add("id", one);
  pass(seconds(30));
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);  // not yet longer than its timeout
  pass(settings.abort_interval);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(1));
  const auto markers = write_markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_FALSE(markers[0].commit);
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
}

TEST_F(TimeoutsTest, AClockThatIsSetBackKeepsNoTransactionOpen) {
  const Producer one = producer("id", 30'000);
  add("id", one);
  pass(settings.abort_interval);
  wall_ms -= milliseconds(hours(1)).count();
  pass(seconds(30));
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
  pass(settings.abort_interval * 2);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
}

TEST_F(TimeoutsTest, AClockThatWasSetBackBeforeTheStartKeepsNoTransactionOpen) {
  settings.aborts_max = 2;
  const std::vector<std::string> ids{"a", "b", "c", "d", "e"};
  for (const std::string& id : ids) add(id, producer(id, 30'000));
  wall_ms -= milliseconds(hours(1)).count();
  restart();
  pass(seconds(30) + settings.abort_interval * 2);
  for (const std::string& id : ids) EXPECT_EQ(state_of(id), TransactionState::prepare_abort) << id;
}

// Of transaction.version 2 the producer's own end is then a retry of one that it never asked for.
TEST_F(TimeoutsTest, TheProducerHearsOfItWhenItGoesOn) {
  const Producer one = producer("id", 1000);
  add("id", one);
  pass(settings.abort_interval * 2);
  EXPECT_EQ(commit("id", one).code, ErrorCode::concurrent_transactions);
  write_markers();
  EXPECT_EQ(add("id", one, {{"t", {1}}}), ErrorCode::producer_fenced);
  EXPECT_EQ(commit("id", one).code, ErrorCode::invalid_txn_state);
  EXPECT_EQ(abort("id", one), (Told{ErrorCode::none, {one.id, 1}}));
  EXPECT_EQ(init("id", one).code, ErrorCode::none);
}

TEST_F(TimeoutsTest, BeforeVersionTwoTheProducerIsFenced) {
  level = 1;
  restart();
  const Producer one = producer("id", 1000);
  add("id", one, {{"t", {0}}}, 3);
  pass(settings.abort_interval * 2);
  write_markers();
  EXPECT_EQ(commit("id", one, 4).code, ErrorCode::producer_fenced);
  EXPECT_EQ(abort("id", one, 4).code, ErrorCode::producer_fenced);
}

TEST_F(TimeoutsTest, PreparedTransactionsAndThoseBetweenAreLeftAlone) {
  const Producer one = producer("prepared", 1000);
  add("prepared", one);
  commit("prepared", one);
  producer("empty", 1000);
  pass(hours(1));
  EXPECT_EQ(state_of("prepared"), TransactionState::prepare_commit);
  EXPECT_EQ(state_of("empty"), TransactionState::empty);
}

TEST_F(TimeoutsTest, TheTimeOfATransactionIsCountedFromItsFirstPartition) {
  const Producer one = producer("id", 15'000);
  add("id", one);
  for (int i = 1; i <= 3; ++i) {
    pass(seconds(5));
    add("id", one, {{"t", {i}}});
  }
  pass(seconds(10));
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
}

TEST_F(TimeoutsTest, TheTimeIsCountedOnByWhoLoads) {
  add("id", producer("id", 30'000));
  pass(seconds(25));
  restart();
  pass(settings.abort_interval);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
}

TEST_F(TimeoutsTest, TwoPhaseCommitHasNoTimeout) {
  Transaction transaction = fresh_transaction(ProducerId(7), no_timeout_ms, wall());
  transaction.producer_epoch = ProducerEpoch(0);
  given("id", transaction);
  add("id", {7, 0});
  pass(std::chrono::days(40));
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
}

TEST_F(TimeoutsTest, ManyAreAbortedInManyDecisions) {
  settings.aborts_max = 2;
  for (int i = 0; i < 5; ++i) {
    const std::string id = "id-" + std::to_string(i);
    add(id, producer(id, 1000));
  }
  pass(settings.abort_interval + seconds(1));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(state_of("id-" + std::to_string(i)), TransactionState::prepare_abort) << i;
}

TEST_F(TimeoutsTest, NobodyLooksWhileNothingIsOpen) {
  const Producer one = producer("id", 1000);
  EXPECT_FALSE(timers.contains("abort"));
  add("id", one);
  EXPECT_TRUE(timers.contains("abort"));
  commit("id", one);
  write_markers();
  pass(settings.abort_interval);
  EXPECT_FALSE(timers.contains("abort"));
}

// --- the last epoch --------------------------------------------------------------------------------------------------

TEST_F(TimeoutsTest, TheLastEpochIsAbortedAsSoonAsThereIsANewProducerId) {
  const Producer one = given_in_last_epoch("id", 7);
  const Producer two = given_in_last_epoch("jd", 8);
  const Ticket waiting = ask(Call(NextWork{}));
  pass(settings.abort_interval + seconds(1));
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
  const Work todo = take<Work>(waiting);
  EXPECT_TRUE(todo.producer_id_wanted);
  EXPECT_TRUE(todo.markers.empty());
  EXPECT_FALSE(work().producer_id_wanted);  // it was told

  take<Done>(ask(Call(ProducerIdGiven{ProducerId(500)})));
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
  EXPECT_EQ(state_of("jd"), TransactionState::ongoing);
  write_markers();  // and gives another id
  EXPECT_EQ(known("id").producer_id, ProducerId(500));
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(0));
  EXPECT_EQ(known("jd").producer_id, ProducerId(1000));
  EXPECT_EQ(abort("id", one), (Told{ErrorCode::none, {500, 0}}));
  EXPECT_EQ(abort("jd", two), (Told{ErrorCode::none, {1000, 0}}));
}

TEST_F(TimeoutsTest, WhenThereIsNoProducerIdItIsAskedForAgain) {
  given_in_last_epoch("id", 7);
  pass(settings.abort_interval + seconds(1));
  EXPECT_TRUE(work().producer_id_wanted);
  take<Done>(ask(Call(ProducerIdGiven{})));
  EXPECT_EQ(state_of("id"), TransactionState::ongoing);
  pass(settings.abort_interval);
  write_markers();
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
}

TEST_F(TimeoutsTest, BeforeVersionTwoTheLastEpochTakesNoProducerId) {
  level = 1;
  restart();
  given_in_last_epoch("id", 7);
  pass(settings.abort_interval + seconds(1));
  EXPECT_EQ(state_of("id"), TransactionState::prepare_abort);
  EXPECT_EQ(known("id").producer_epoch, ProducerEpoch(epoch_max));
}

// --- expiration ------------------------------------------------------------------------------------------------------

TEST_F(TimeoutsTest, IdsThatNobodyUsesAreForgotten) {
  settings.id_expiration = hours(10);
  producer("empty");
  const Producer committed = producer("committed");
  add("committed", committed);
  commit("committed", committed);
  const Producer aborted = producer("aborted");
  add("aborted", aborted);
  abort("aborted", aborted);
  write_markers();
  pass(hours(10) - milliseconds(1));
  EXPECT_TRUE(knows("empty"));
  pass(settings.expiration_interval);
  for (const std::string id : {"empty", "committed", "aborted"}) EXPECT_FALSE(knows(id)) << id;
  restart();
  for (const std::string id : {"empty", "committed", "aborted"}) EXPECT_FALSE(knows(id)) << id;
  EXPECT_EQ(commit("committed", committed).code, ErrorCode::invalid_producer_id_mapping);
}

TEST_F(TimeoutsTest, IdsInUseAreKept) {
  settings.id_expiration = hours(2);
  settings.timeout_max = std::chrono::days(10);
  add("ongoing", producer("ongoing", 800'000'000));
  const Producer prepared = producer("prepared");
  add("prepared", prepared);
  commit("prepared", prepared);
  producer("used");
  for (int i = 0; i < 5; ++i) {
    pass(hours(1));
    producer("used");
  }
  for (const std::string id : {"ongoing", "prepared", "used"}) EXPECT_TRUE(knows(id)) << id;
}

TEST_F(TimeoutsTest, ATombstoneIsWritten) {
  producer("id");
  pass(settings.id_expiration + settings.expiration_interval);
  ASSERT_FALSE(log.empty());
  EXPECT_EQ(log.back(), (Encoded{encode({"id", std::nullopt, 1}).key, std::nullopt}));
}

TEST_F(TimeoutsTest, ManyIdsAreForgottenInManyDecisionsAndTheLookGoesOnAfterwards) {
  settings.expiration_scan_max = 3;
  for (int i = 0; i < 10; ++i) producer("id-" + std::to_string(i));
  pass(settings.id_expiration + settings.expiration_interval);
  EXPECT_TRUE(coordinator->state().transactions.empty());
  EXPECT_FALSE(timers.contains("expiration"));  // nothing is left to look for
  producer("later");
  pass(settings.id_expiration + settings.expiration_interval);
  EXPECT_FALSE(knows("later"));
}

}  // namespace
}  // namespace klamm::transactions
