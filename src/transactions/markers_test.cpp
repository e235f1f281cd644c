#include "transactions/markers.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using std::chrono::milliseconds;
using testing::Producer;
using testing::Told;

class MarkersTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  // A transaction in these partitions that is to be committed; with what its producer goes on.
  Producer given_prepared(const std::string& id, const Partitions& partitions = {{"t", {0}}}) {
    const Producer one = producer(id);
    EXPECT_EQ(add(id, one, partitions), ErrorCode::none);
    const Told told = commit(id, one);
    EXPECT_EQ(told.code, ErrorCode::none);
    return told.producer;
  }
  void report_one(const std::string& id, Producer by, const std::string& topic, std::int32_t partition,
                  MarkerOutcome outcome) {
    take<Done>(
        ask(Call(MarkersWritten{{{id, ProducerId(by.id), ProducerEpoch(by.epoch), {{topic, partition, outcome}}}}})));
  }
};

TEST_F(MarkersTest, WhoWaitsForWorkIsAnsweredWithTheDecisionThatMakesIt) {
  const Ticket waiting = ask(Call(NextWork{}));
  const Producer one = producer("id");
  add("id", one);
  EXPECT_FALSE(is_answered(waiting));
  commit("id", one);
  ASSERT_TRUE(is_answered(waiting));
  const Work todo = take<Work>(waiting);
  ASSERT_EQ(todo.markers.size(), 1u);
  EXPECT_EQ(todo.markers[0], (Marker{"id", ProducerId(one.id), ProducerEpoch(1), true, 2, {{"t", {0}}}}));
  EXPECT_FALSE(todo.producer_id_wanted);
}

TEST_F(MarkersTest, AnotherWorkerTakesThePlaceOfTheFirst) {
  const Ticket first = ask(Call(NextWork{}));
  const Ticket second = ask(Call(NextWork{}));
  EXPECT_TRUE(take<Work>(first).markers.empty());
  given_prepared("id");
  EXPECT_EQ(take<Work>(second).markers.size(), 1u);
}

TEST_F(MarkersTest, NothingIsHandedOutTwice) {
  given_prepared("id");
  EXPECT_EQ(work().markers.size(), 1u);
  EXPECT_TRUE(work().markers.empty());
}

TEST_F(MarkersTest, TheTransactionIsCompleteWithTheLastMarker) {
  const Producer next = given_prepared("id", {{"t", {0, 1}}, {"u", {0}}});
  work();
  report_one("id", next, "t", 1, MarkerOutcome::written);
  report_one("id", next, "u", 0, MarkerOutcome::written);
  report_one("id", next, "u", 0, MarkerOutcome::written);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
  EXPECT_TRUE(decided.empty());
  report_one("id", next, "t", 0, MarkerOutcome::written);
  EXPECT_EQ(state_of("id"), TransactionState::complete_commit);
}

TEST_F(MarkersTest, WhatFailsIsHandedOutAgainAfterAWhileAndNothingElse) {
  const Producer next = given_prepared("id", {{"t", {0, 1}}});
  work();
  report_one("id", next, "t", 0, MarkerOutcome::again);
  report_one("id", next, "t", 1, MarkerOutcome::written);
  EXPECT_TRUE(work().markers.empty());
  pass(settings.marker_retry_delay - milliseconds(1));
  EXPECT_TRUE(work().markers.empty());
  pass(milliseconds(1));
  const Work todo = work();
  ASSERT_EQ(todo.markers.size(), 1u);
  EXPECT_EQ(todo.markers[0].partitions, (Partitions{{"t", {0}}}));
  report(todo.markers[0]);
  EXPECT_EQ(state_of("id"), TransactionState::complete_commit);
  EXPECT_FALSE(timers.contains("retry"));
}

TEST_F(MarkersTest, WhatComesFromAnEarlierTransactionChangesNothing) {
  const Producer first = given_prepared("id");
  write_markers();
  add("id", first, {{"t", {0}}});
  const Producer second = commit("id", first).producer;
  work();
  report_one("id", first, "t", 0, MarkerOutcome::written);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
  report_one("id", {second.id + 1, second.epoch}, "t", 0, MarkerOutcome::written);
  report_one("unknown", second, "t", 0, MarkerOutcome::written);
  report_one("id", second, "t", 7, MarkerOutcome::written);
  report_one("id", second, "t", 7, MarkerOutcome::again);
  pass(settings.marker_retry_delay * 2);
  EXPECT_TRUE(work().markers.empty());
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
  report_one("id", second, "t", 0, MarkerOutcome::written);
  EXPECT_EQ(state_of("id"), TransactionState::complete_commit);
}

TEST_F(MarkersTest, ALaterCoordinatorIsLeftAlone) {
  given_prepared("id");
  const Work todo = work();
  report(todo.markers.at(0), MarkerOutcome::fenced);
  pass(std::chrono::minutes(5));
  EXPECT_TRUE(work().markers.empty());
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
  restart();  // it was this one after all
  write_markers();
  EXPECT_EQ(state_of("id"), TransactionState::complete_commit);
}

TEST_F(MarkersTest, TooManyAreHandedOutInTurnsButAlwaysWholeTransactions) {
  settings.work_partitions_max = 3;
  given_prepared("a", {{"t", {0, 1}}});
  given_prepared("b", {{"t", {0}}});
  given_prepared("c", {{"t", {0, 1, 2, 3, 4}}});
  Work todo = work();
  ASSERT_EQ(todo.markers.size(), 2u);
  EXPECT_EQ(todo.markers[0].transactional_id, "a");
  EXPECT_EQ(todo.markers[1].transactional_id, "b");
  todo = work();
  ASSERT_EQ(todo.markers.size(), 1u);
  EXPECT_EQ(count(todo.markers[0].partitions), 5u);
}

TEST_F(MarkersTest, OneReportMayCompleteManyTransactions) {
  given_prepared("a");
  given_prepared("b");
  MarkersWritten all;
  for (const Marker& marker : work().markers) {
    all.reports.push_back(
        {marker.transactional_id, marker.producer_id, marker.producer_epoch, {{"t", 0, MarkerOutcome::written}}});
  }
  take<Done>(ask(Call(all)));
  EXPECT_EQ(decided.size(), 2u);
  EXPECT_EQ(state_of("a"), TransactionState::complete_commit);
  EXPECT_EQ(state_of("b"), TransactionState::complete_commit);
}

TEST_F(MarkersTest, WhatTheLeaderOfAPartitionAnswersIsUnderstood) {
  using enum ErrorCode;
  const std::pair<ErrorCode, MarkerOutcome> cases[] = {
      {none, MarkerOutcome::written},
      {unsupported_for_message_format, MarkerOutcome::written},
      {unsupported_version, MarkerOutcome::written},
      {invalid_producer_epoch, MarkerOutcome::written},
      {transaction_coordinator_fenced, MarkerOutcome::fenced},
      {unknown_topic_or_partition, MarkerOutcome::again},
      {not_leader_or_follower, MarkerOutcome::again},
      {not_enough_replicas, MarkerOutcome::again},
      {not_enough_replicas_after_append, MarkerOutcome::again},
      {request_timed_out, MarkerOutcome::again},
      {kafka_storage_error, MarkerOutcome::again},
      {corrupt_message, MarkerOutcome::again},
      {unknown_server_error, MarkerOutcome::again},
  };
  for (const auto& [code, outcome] : cases) EXPECT_EQ(outcome_of(code), outcome) << error_name(code);
}

// --- loading ---------------------------------------------------------------------------------------------------------

TEST_F(MarkersTest, PreparedTransactionsAreCompletedByWhoLoadsThem) {
  given_prepared("written", {{"t", {0, 1}}});
  const Producer open = producer("open");
  add("open", open);
  const Producer aborting = producer("aborting");
  add("aborting", aborting);
  abort("aborting", aborting);
  restart();
  const auto markers = write_markers();
  ASSERT_EQ(markers.size(), 2u);
  EXPECT_EQ(markers[0].transactional_id, "aborting");
  EXPECT_FALSE(markers[0].commit);
  EXPECT_EQ(markers[1].partitions, (Partitions{{"t", {0, 1}}}));
  EXPECT_TRUE(markers[1].commit);
  EXPECT_EQ(state_of("aborting"), TransactionState::complete_abort);
  EXPECT_EQ(state_of("written"), TransactionState::complete_commit);
  EXPECT_EQ(state_of("open"), TransactionState::ongoing);
}

TEST_F(MarkersTest, WhatWasPreparedWithoutPartitionsIsCompleteWhenItIsLoaded) {
  Transaction transaction = fresh_transaction(ProducerId(7), 60'000, wall());
  transaction.producer_epoch = ProducerEpoch(3);
  transaction.state = TransactionState::prepare_abort;
  transaction.started_at = wall();
  given("id", transaction);
  restart();
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
}

TEST_F(MarkersTest, ATransactionIsLoadedAsItWasLogged) {
  const Producer one = producer("id", 12'345);
  add("id", one, {{"t", {3, 1}}, {"u", {0}}});
  const Transaction before = known("id");
  restart();
  EXPECT_EQ(known("id"), before);
  EXPECT_EQ(verify("id", one, {{"u", {0}}}), ErrorCode::none);
}

}  // namespace
}  // namespace klamm::transactions
