#include "client/sequences.h"

#include <gtest/gtest.h>

#include <limits>

namespace klamm::client {
namespace {

const TopicPartition orders{"orders", PartitionIndex(0)};
const TopicPartition bills{"bills", PartitionIndex(0)};

BatchSequence batch_of(std::int32_t records) {
  BatchSequence batch;
  batch.records = records;
  return batch;
}

class SequencesTest : public ::testing::Test {
 protected:
  SequencesTest() { sequences.set_producer({7, 0}); }

  BatchSequence send(std::int32_t records) { return batch_of(records); }

  Sequences sequences;
};

TEST_F(SequencesTest, NumbersRecordsOfEachPartitionFromZero) {
  BatchSequence a = batch_of(3), b = batch_of(2), other = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  sequences.assign(bills, other);
  EXPECT_EQ(a.base, 0);
  EXPECT_EQ(a.last(), 2);
  EXPECT_EQ(b.base, 3);
  EXPECT_EQ(other.base, 0);
  EXPECT_EQ(a.producer, (ProducerIdentity{7, 0}));
}

TEST_F(SequencesTest, NothingIsNumberedWithoutAnId) {
  Sequences fresh;
  EXPECT_FALSE(fresh.may_assign(orders));
}

TEST_F(SequencesTest, OnlyTheFirstInFlightIsSentAgain) {
  BatchSequence a = batch_of(1), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  EXPECT_TRUE(sequences.may_resend(orders, a));
  EXPECT_FALSE(sequences.may_resend(orders, b));
  sequences.completed(orders, a, 0);
  EXPECT_TRUE(sequences.may_resend(orders, b));
}

TEST_F(SequencesTest, AnOutOfOrderAnswerToALaterBatchIsTheEarlierOnesFault) {
  BatchSequence a = batch_of(1), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  // a was lost on the way; b cannot be next.
  EXPECT_TRUE(sequences.may_retry(orders, b, {ErrorCode::out_of_order_sequence_number, 0}));
  sequences.resolve();
  EXPECT_EQ(sequences.epoch_bumps(), 0);
}

TEST_F(SequencesTest, AnOutOfOrderAnswerToTheNextBatchShowsAGapAndBumpsTheEpoch) {
  BatchSequence a = batch_of(2), b = batch_of(3);
  sequences.assign(orders, a);
  sequences.completed(orders, a, 10);
  sequences.assign(orders, b);
  EXPECT_TRUE(sequences.may_retry(orders, b, {ErrorCode::out_of_order_sequence_number, 0}));
  sequences.resolve();
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 1}));
  EXPECT_EQ(b.base, 0);
  EXPECT_EQ(b.producer, (ProducerIdentity{7, 1}));
  EXPECT_TRUE(b.was_reset);
  BatchSequence c = batch_of(1);
  sequences.assign(orders, c);
  EXPECT_EQ(c.base, 3);
}

TEST_F(SequencesTest, AForgottenProducerStartsAnewUnderTheNextEpoch) {
  BatchSequence a = batch_of(2), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.completed(orders, a, 10);
  sequences.assign(orders, b);
  EXPECT_TRUE(sequences.may_retry(orders, b, {ErrorCode::unknown_producer_id, 500}));
  sequences.resolve();
  EXPECT_EQ(b.base, 0);
  EXPECT_EQ(sequences.producer().epoch, 1);
}

TEST_F(SequencesTest, ABatchThatExpiredInFlightHoldsBackNewOnesUntilItsFateIsKnown) {
  BatchSequence a = batch_of(1), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  sequences.unresolved(orders, a);
  sequences.forget(orders, a);
  EXPECT_FALSE(sequences.may_assign(orders));
  EXPECT_TRUE(sequences.may_assign(bills));

  // b was acknowledged, so a had arrived.
  sequences.completed(orders, b, 1);
  sequences.resolve();
  EXPECT_TRUE(sequences.may_assign(orders));
  EXPECT_EQ(sequences.epoch_bumps(), 0);
}

TEST_F(SequencesTest, WhenTheFateStaysUnknownTheEpochIsBumped) {
  BatchSequence a = batch_of(1);
  sequences.assign(orders, a);
  sequences.unresolved(orders, a);
  sequences.forget(orders, a);
  sequences.resolve();
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 1}));
  BatchSequence b = batch_of(1);
  sequences.assign(orders, b);
  EXPECT_EQ(b.base, 0);
}

TEST_F(SequencesTest, ARefusedBatchLeavesAHoleThatTheNextEpochCloses) {
  BatchSequence a = batch_of(4), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  sequences.failed(orders, a, ErrorCode::invalid_record, true);
  sequences.resolve();
  EXPECT_EQ(sequences.producer().epoch, 1);
  EXPECT_EQ(b.base, 0);
}

TEST_F(SequencesTest, OtherPartitionsFinishUnderTheOldEpochBeforeTheyStartTheNew) {
  BatchSequence a = batch_of(1), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(bills, b);
  sequences.failed(orders, a, ErrorCode::out_of_order_sequence_number, true);
  sequences.resolve();
  EXPECT_EQ(b.producer.epoch, 0);
  EXPECT_FALSE(sequences.may_assign(bills));
  sequences.completed(bills, b, 0);
  EXPECT_TRUE(sequences.may_assign(bills));
  BatchSequence c = batch_of(1);
  sequences.assign(bills, c);
  EXPECT_EQ(c.base, 0);
  EXPECT_EQ(c.producer.epoch, 1);
}

TEST_F(SequencesTest, AUsedUpEpochAsksForANewId) {
  sequences.set_producer({7, std::numeric_limits<std::int16_t>::max()});
  BatchSequence a = batch_of(1);
  sequences.assign(orders, a);
  sequences.failed(orders, a, ErrorCode::out_of_order_sequence_number, true);
  sequences.resolve();
  EXPECT_FALSE(sequences.producer().valid());
  EXPECT_FALSE(sequences.may_assign(orders));
}

TEST_F(SequencesTest, PiecesOfASplitBatchKeepItsNumbers) {
  BatchSequence whole = batch_of(5), next = batch_of(1);
  sequences.assign(orders, whole);
  sequences.assign(orders, next);
  sequences.forget(orders, whole);
  BatchSequence left = whole, right = whole;
  left.records = 2;
  right.records = 3;
  right.base = 2;
  sequences.adopt(orders, left);
  sequences.adopt(orders, right);
  EXPECT_TRUE(sequences.may_resend(orders, left));
  EXPECT_FALSE(sequences.may_resend(orders, right));
  EXPECT_FALSE(sequences.may_resend(orders, next));
}

TEST_F(SequencesTest, NumbersWrapAround) {
  BatchSequence a = batch_of(std::numeric_limits<std::int32_t>::max());
  sequences.assign(orders, a);
  sequences.completed(orders, a, 0);
  BatchSequence b = batch_of(2), c = batch_of(1);
  sequences.assign(orders, b);
  EXPECT_EQ(b.base, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(b.last(), 0);
  sequences.assign(orders, c);
  EXPECT_EQ(c.base, 1);
  sequences.completed(orders, b, 1);
  // c is next: its being out of order shows a gap.
  EXPECT_TRUE(sequences.may_retry(orders, c, {ErrorCode::out_of_order_sequence_number, 0}));
  sequences.resolve();
  EXPECT_EQ(sequences.epoch_bumps(), 1);
}

// --- with transactions ---

TEST(TransactionalSequencesTest, NothingGoesToAPartitionOutsideOfTheTransaction) {
  Sequences sequences(true);
  sequences.set_producer({7, 0});
  EXPECT_FALSE(sequences.may_send(orders));
  sequences.add_to_transaction(orders);
  EXPECT_TRUE(sequences.may_send(orders));
  EXPECT_FALSE(sequences.may_send(bills));
  BatchSequence a = batch_of(2);
  sequences.assign(orders, a);
  EXPECT_TRUE(a.transactional);
  sequences.completed(orders, a, 0);
  sequences.end_transaction();
  EXPECT_FALSE(sequences.may_send(orders));
}

TEST(TransactionalSequencesTest, WhatComesAfterARefusedBatchMovesUp) {
  Sequences sequences(true);
  sequences.set_producer({7, 0});
  BatchSequence a = batch_of(1), b = batch_of(3), c = batch_of(2);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  sequences.assign(orders, c);
  sequences.failed(orders, b, ErrorCode::invalid_record, true);
  EXPECT_EQ(a.base, 0);
  EXPECT_EQ(c.base, 1);
  EXPECT_TRUE(c.was_reset);
  BatchSequence d = batch_of(1);
  sequences.completed(orders, a, 0);
  sequences.completed(orders, c, 1);
  sequences.assign(orders, d);
  EXPECT_EQ(d.base, 3);
  EXPECT_EQ(sequences.epoch_bumps(), 0);
}

TEST(TransactionalSequencesTest, ABatchOfUnknownFateIsToldNotBumped) {
  Sequences sequences(true);
  sequences.set_producer({7, 0});
  BatchSequence a = batch_of(1);
  sequences.assign(orders, a);
  sequences.unresolved(orders, a);
  EXPECT_FALSE(sequences.resolve()) << "it is still in flight";
  sequences.forget(orders, a);
  EXPECT_TRUE(sequences.resolve());
  EXPECT_FALSE(sequences.resolve()) << "told once";
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 0}));
}

TEST(TransactionalSequencesTest, ADeletedBeginningDoesNotEndTheTransaction) {
  Sequences sequences(true);
  sequences.set_producer({7, 0});
  BatchSequence a = batch_of(1), b = batch_of(1), c = batch_of(1);
  sequences.assign(orders, a);
  sequences.completed(orders, a, 10);
  sequences.assign(orders, b);
  sequences.assign(orders, c);
  EXPECT_TRUE(sequences.may_retry(orders, b, {ErrorCode::unknown_producer_id, 11}));
  EXPECT_EQ(b.base, 0);
  EXPECT_EQ(c.base, 1);
  // Here it was not deletion that made the broker forget.
  Sequences other(true);
  other.set_producer({7, 0});
  BatchSequence d = batch_of(1), e = batch_of(1);
  other.assign(orders, d);
  other.completed(orders, d, 10);
  other.assign(orders, e);
  EXPECT_FALSE(other.may_retry(orders, e, {ErrorCode::unknown_producer_id, 5}));
}

TEST(TransactionalSequencesTest, AGapIsNotRepairedInsideOfATransaction) {
  Sequences sequences(true);
  sequences.set_producer({7, 0});
  BatchSequence a = batch_of(1), b = batch_of(1);
  sequences.assign(orders, a);
  sequences.assign(orders, b);
  EXPECT_TRUE(sequences.may_retry(orders, b, {ErrorCode::out_of_order_sequence_number, 0})) << "a is sent again first";
  EXPECT_FALSE(sequences.may_retry(orders, a, {ErrorCode::out_of_order_sequence_number, 0}));
}

}  // namespace
}  // namespace klamm::client
