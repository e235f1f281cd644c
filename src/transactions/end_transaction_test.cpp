#include "transactions/end_transaction.h"

#include <gtest/gtest.h>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::Producer;
using testing::Told;

class EndTransactionTest : public ::testing::Test, protected testing::TransactionStory {
 protected:
  static constexpr std::int16_t last_epoch = epoch_max - 1;
  static constexpr Producer nobody{-1, -1};

  // A transaction of this state whose epoch is 5, and that was in epoch 4 before.
  Producer given_in(TransactionState state, TransactionVersion client = 2, std::int16_t epoch = 5) {
    Transaction transaction = fresh_transaction(ProducerId(7), 60'000, wall());
    transaction.previous_producer_id = ProducerId(7);
    transaction.producer_epoch = ProducerEpoch(epoch);
    transaction.last_producer_epoch = ProducerEpoch(static_cast<std::int16_t>(epoch - 1));
    transaction.state = state;
    transaction.client_version = client;
    if (state != TransactionState::empty) transaction.started_at = wall();
    if (state == TransactionState::ongoing || is_prepared(state)) transaction.partitions = {{"t", {0}}};
    given("id", transaction);
    return {7, epoch};
  }
};

// --- clients before transaction.version 2 ----------------------------------------------------------------------------

TEST_F(EndTransactionTest, ACommitIsPreparedThenCompleteWhenTheMarkersAreWritten) {
  const Producer one = producer("id");
  add("id", one, {{"t", {0, 1}}, {"u", {0}}}, 3);
  EXPECT_EQ(commit("id", one, 4), (Told{ErrorCode::none, nobody}));
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
  EXPECT_EQ(known("id").producer_epoch.value, one.epoch);

  const Work todo = work();
  ASSERT_EQ(todo.markers.size(), 1u);
  EXPECT_EQ(todo.markers[0],
            (Marker{"id", ProducerId(one.id), ProducerEpoch(one.epoch), true, 0, {{"t", {0, 1}}, {"u", {0}}}}));
  report(todo.markers[0]);
  EXPECT_EQ(state_of("id"), TransactionState::complete_commit);
  EXPECT_TRUE(known("id").partitions.empty());
  EXPECT_EQ(add("id", one, {{"t", {0}}}, 3), ErrorCode::none);  // the epoch is as good as before
}

TEST_F(EndTransactionTest, TableOfAnswersBeforeVersionTwo) {
  using enum ErrorCode;
  using enum TransactionState;
  struct Case {
    TransactionState state;
    bool commit;
    int epoch_off;
    ErrorCode code;
    bool logged = false;
  };
  const Case cases[] = {
      {ongoing, true, 0, none, true},
      {ongoing, false, 0, none, true},
      {ongoing, true, -1, producer_fenced},
      {ongoing, true, 1, producer_fenced},
      {empty, true, 0, invalid_txn_state},
      {empty, false, 0, invalid_txn_state},
      {empty, false, -1, producer_fenced},
      {prepare_commit, true, 0, concurrent_transactions},
      {prepare_commit, false, 0, concurrent_transactions},
      {prepare_commit, true, -1, producer_fenced},
      {prepare_abort, true, 0, concurrent_transactions},
      {prepare_abort, false, 0, concurrent_transactions},
      {complete_commit, true, 0, none},
      {complete_commit, false, 0, invalid_txn_state},
      {complete_commit, true, -1, producer_fenced},
      {complete_abort, false, 0, none},
      {complete_abort, true, 0, invalid_txn_state},
      {complete_abort, false, 1, producer_fenced},
  };
  for (const Case& c : cases) {
    Producer by = given_in(c.state, 0);
    by.epoch = static_cast<std::int16_t>(by.epoch + c.epoch_off);
    EXPECT_EQ(end("id", by, c.commit, 4), (Told{c.code, nobody})) << name_of(c.state) << c.commit << c.epoch_off;
    EXPECT_EQ(decided.size(), c.logged ? 1u : 0u) << name_of(c.state) << c.commit << c.epoch_off;
  }
}

TEST_F(EndTransactionTest, WhoIsUnknownIsRefusedInEveryVersion) {
  const Producer one = given_in(TransactionState::ongoing);
  for (const int version : {0, 4, 5}) {
    EXPECT_EQ(commit("", one, version).code, ErrorCode::invalid_request);
    EXPECT_EQ(commit("unknown", one, version).code, ErrorCode::invalid_producer_id_mapping);
    EXPECT_EQ(commit("id", {8, one.epoch}, version).code, ErrorCode::invalid_producer_id_mapping);
  }
  EXPECT_EQ(commit("id", {7, 4}, 1).code, ErrorCode::invalid_producer_epoch);  // knows no other word for it
  EXPECT_EQ(commit("id", {7, 4}, 2).code, ErrorCode::producer_fenced);
}

// --- transaction.version 2 -------------------------------------------------------------------------------------------

TEST_F(EndTransactionTest, EveryEndGivesTheNextEpoch) {
  const Producer one = producer("id");
  add("id", one);
  const Told told = commit("id", one);
  EXPECT_EQ(told, (Told{ErrorCode::none, {one.id, 1}}));
  const auto markers = write_markers();
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_EQ(markers[0].producer_epoch, ProducerEpoch(1));
  EXPECT_EQ(markers[0].version, 2);
  add("id", told.producer);
  EXPECT_EQ(abort("id", told.producer), (Told{ErrorCode::none, {one.id, 2}}));
}

TEST_F(EndTransactionTest, TheNextTransactionWaitsForTheMarkersOfTheLast) {
  const Producer one = producer("id");
  add("id", one);
  const Producer next = commit("id", one).producer;
  EXPECT_EQ(add("id", next), ErrorCode::concurrent_transactions);
  EXPECT_EQ(commit("id", next).code, ErrorCode::concurrent_transactions);
  write_markers();
  EXPECT_EQ(add("id", next), ErrorCode::none);
}

// The table of TransactionCoordinator.endTransaction, and the states around it. Epoch 5 is current, 4 is a retry.
TEST_F(EndTransactionTest, TableOfAnswersOfVersionTwo) {
  using enum ErrorCode;
  using enum TransactionState;
  const Producer current{7, 5};
  const Producer bumped{7, 6};
  struct Case {
    TransactionState state;
    bool commit;
    std::int16_t epoch;
    ErrorCode code;
    Producer told = nobody;
    std::size_t records = 0;
  };
  const Case cases[] = {
      {ongoing, true, 5, none, bumped, 1},
      {ongoing, false, 5, none, bumped, 1},
      {ongoing, true, 4, producer_fenced},
      {ongoing, true, 6, producer_fenced},
      {empty, false, 4, producer_fenced},
      {empty, false, 5, none, bumped, 2},  // nothing to abort: complete at once
      {empty, true, 4, producer_fenced},
      {empty, true, 5, invalid_txn_state},
      {complete_abort, false, 4, none, current},
      {complete_abort, false, 5, none, bumped, 2},
      {complete_abort, true, 4, invalid_txn_state},
      {complete_abort, true, 5, invalid_txn_state},
      {complete_abort, true, 3, producer_fenced},
      {complete_commit, false, 4, invalid_txn_state},
      {complete_commit, false, 5, none, bumped, 2},
      {complete_commit, true, 4, none, current},
      {complete_commit, true, 5, invalid_txn_state},
      {complete_commit, true, 6, producer_fenced},
      {prepare_commit, true, 4, concurrent_transactions},
      {prepare_commit, false, 5, concurrent_transactions},
      {prepare_commit, true, 3, concurrent_transactions},
      {prepare_abort, false, 4, concurrent_transactions},
      {prepare_abort, true, 4, concurrent_transactions},
  };
  for (const Case& c : cases) {
    given_in(c.state);
    EXPECT_EQ(end("id", {7, c.epoch}, c.commit), (Told{c.code, c.told})) << name_of(c.state) << c.commit << c.epoch;
    EXPECT_EQ(decided.size(), c.records) << name_of(c.state) << c.commit << c.epoch;
  }
}

TEST_F(EndTransactionTest, AnAbortOfNothingIsCompleteAtOnceAndWritesNoMarker) {
  const Producer one = producer("id");
  const Timestamp now = wall();
  const Told told = abort("id", one);
  EXPECT_EQ(told, (Told{ErrorCode::none, {one.id, 1}}));
  ASSERT_EQ(decided.size(), 2u);
  EXPECT_EQ(decided[0].transaction->state, TransactionState::prepare_abort);
  EXPECT_EQ(decided[0].transaction->started_at, now);
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
  EXPECT_TRUE(work().markers.empty());
  EXPECT_EQ(add("id", told.producer), ErrorCode::none);
}

TEST_F(EndTransactionTest, ARetryIsToldTheEpochAgainEvenByAnotherCoordinator) {
  const Producer one = producer("id");
  add("id", one);
  const Told told = commit("id", one);
  EXPECT_EQ(commit("id", one).code, ErrorCode::concurrent_transactions);
  write_markers();
  EXPECT_EQ(commit("id", one), told);
  restart();
  EXPECT_EQ(commit("id", one), told);
  EXPECT_EQ(abort("id", one).code, ErrorCode::invalid_txn_state);
}

// KAFKA-17754: a copy of an EndTxn comes late, when the next transaction of the producer is open.
TEST_F(EndTransactionTest, ADelayedEndOfTheLastTransactionDoesNotEndTheNext) {
  const Producer one = producer("id");
  add("id", one);
  const Producer next = commit("id", one).producer;
  write_markers();
  add("id", next);
  for (const bool commits : {true, false}) {
    EXPECT_EQ(end("id", one, commits).code, ErrorCode::producer_fenced);
    EXPECT_EQ(state_of("id"), TransactionState::ongoing);
  }
  EXPECT_EQ(abort("id", next).code, ErrorCode::none);
  write_markers();
  EXPECT_EQ(commit("id", one).code, ErrorCode::producer_fenced);
  EXPECT_EQ(state_of("id"), TransactionState::complete_abort);
}

TEST_F(EndTransactionTest, ADelayedAbortDoesNotAbortWhatWasInitializedSince) {
  const Producer one = producer("id");
  add("id", one);
  abort("id", one);
  write_markers();
  const Producer next = producer("id");
  EXPECT_EQ(abort("id", one).code, ErrorCode::producer_fenced);
  EXPECT_EQ(known("id").producer_epoch.value, next.epoch);
}

// Before version 2 the epoch tells nothing apart: what Kafka does, and why there is a version 2.
TEST_F(EndTransactionTest, ADelayedEndOfAnOldClientEndsTheNextTransaction) {
  const Producer one = producer("id");
  add("id", one, {{"t", {0}}}, 3);
  commit("id", one, 4);
  write_markers();
  add("id", one, {{"t", {1}}}, 3);
  EXPECT_EQ(commit("id", one, 4).code, ErrorCode::none);
  EXPECT_EQ(state_of("id"), TransactionState::prepare_commit);
}

TEST_F(EndTransactionTest, TheEndOfTheLastEpochGivesANewProducerId) {
  for (const bool commits : {true, false}) {
    next_id = 1000;
    const Producer last = given_in(TransactionState::ongoing, 2, last_epoch);
    const Told told = end("id", last, commits);
    EXPECT_EQ(told, (Told{ErrorCode::none, {1000, 0}}));
    EXPECT_EQ(known("id").producer_id, ProducerId(7));
    EXPECT_EQ(known("id").next_producer_id, ProducerId(1000));
    EXPECT_EQ(add("id", told.producer), ErrorCode::concurrent_transactions);

    const auto markers = write_markers();
    ASSERT_EQ(markers.size(), 1u);
    EXPECT_EQ(markers[0].producer_id, ProducerId(7));
    EXPECT_EQ(markers[0].producer_epoch, ProducerEpoch(epoch_max));
    EXPECT_EQ(known("id").producer_id, ProducerId(1000));
    EXPECT_EQ(known("id").previous_producer_id, ProducerId(7));
    EXPECT_EQ(known("id").next_producer_id, no_producer_id);

    EXPECT_EQ(end("id", last, commits), told);  // did not hear the answer
    EXPECT_EQ(end("id", last, !commits).code, ErrorCode::invalid_txn_state);
    EXPECT_EQ(add("id", told.producer), ErrorCode::none);
    EXPECT_EQ(end("id", last, commits).code, ErrorCode::invalid_producer_id_mapping);  // late
  }
}

TEST_F(EndTransactionTest, TheNewProducerIdOutlivesTheCoordinator) {
  const Producer last = given_in(TransactionState::ongoing, 2, last_epoch);
  const Told told = commit("id", last);
  restart();
  write_markers();
  EXPECT_EQ(commit("id", last), told);
  EXPECT_EQ(add("id", told.producer), ErrorCode::none);
}

// An epoch that no producer is ever given, but that a client may say all the same.
TEST_F(EndTransactionTest, TheEpochOfFencingCannotCommitButMayAbort) {
  const Producer beyond = given_in(TransactionState::ongoing, 2, epoch_max);
  EXPECT_EQ(commit("id", beyond).code, ErrorCode::unknown_server_error);
  EXPECT_TRUE(decided.empty());
  const Told told = abort("id", beyond);
  EXPECT_EQ(told.code, ErrorCode::none);
  EXPECT_EQ(told.producer.epoch, 0);
  write_markers();
  EXPECT_EQ(add("id", told.producer), ErrorCode::none);
}

// A coordinator of version 1 fenced the producer with the last of all epochs, then the cluster went on to version 2.
TEST_F(EndTransactionTest, TheEpochOfFencingIsNobodys) {
  const Producer fenced = given_in(TransactionState::complete_abort, 0, epoch_max);
  EXPECT_EQ(abort("id", {7, last_epoch}).code, ErrorCode::producer_fenced);  // as if it were a retry
  EXPECT_EQ(add("id", fenced), ErrorCode::producer_fenced);
  EXPECT_TRUE(decided.empty());
  EXPECT_EQ(init("id"), (Told{ErrorCode::none, {1000, 0}}));
}

TEST_F(EndTransactionTest, TheLogOfVersionZeroHasNoPlaceForTheNextEpoch) {
  level = 0;
  restart();
  const Producer one = producer("id");
  add("id", one, {{"t", {0}}}, 3);
  EXPECT_EQ(commit("id", one, 5).code, ErrorCode::unsupported_version);
  EXPECT_EQ(commit("id", one, 4).code, ErrorCode::none);
}

TEST_F(EndTransactionTest, WhatALogFailsWithIsTranslated) {
  using enum ErrorCode;
  const std::pair<ErrorCode, ErrorCode> cases[] = {
      {unknown_topic_or_partition, coordinator_not_available},
      {not_enough_replicas, coordinator_not_available},
      {not_enough_replicas_after_append, coordinator_not_available},
      {request_timed_out, coordinator_not_available},
      {not_leader_or_follower, not_coordinator},
      {kafka_storage_error, not_coordinator},
      {message_too_large, unknown_server_error},
      {record_list_too_large, unknown_server_error},
      {coordinator_load_in_progress, coordinator_load_in_progress},
      {not_coordinator, not_coordinator},
  };
  for (const auto& [from, to] : cases) {
    const auto answer = TransactionCoordinator::refuse(Call(Asked<protocol::EndTxnRequest>{}), Error{from});
    const auto& response = std::get<protocol::EndTxnResponse>(answer);
    EXPECT_EQ(testing::code(response.error_code), to);
    EXPECT_EQ(response.producer_id, -1);
    EXPECT_EQ(response.producer_epoch, -1);
  }
}

}  // namespace
}  // namespace klamm::transactions
