#include "bench/transactional_producer.h"

#include <gtest/gtest.h>

#include "base/error_code.h"
#include "bench/answers_testing.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"

namespace klamm::bench {
namespace {

using Step = TransactionalProducer::Step;

constexpr Timestamp now{1'700'000'000'000};

TransactionSettings settings(bool second_version) {
  return {.id = "id",
          .topic = "t",
          .topic_id = Uuid{1, 2},
          .partitions = {0, 3},
          .record_bytes = 10,
          .second_version = second_version,
          .init = 4,
          .add = 3,
          .produce = static_cast<std::int16_t>(second_version ? 13 : 11),
          .end = static_cast<std::int16_t>(second_version ? 5 : 4)};
}

ByteVector initialized() {
  protocol::InitProducerIdResponse response;
  response.producer_id = 7;
  response.producer_epoch = 1;
  return answer_of(response, 4);
}

ByteVector produced(const TransactionSettings& of, std::vector<ErrorCode> codes) {
  protocol::ProduceResponse response;
  auto& topic = response.responses.emplace_back();
  topic.topic_id = of.topic_id;
  for (const ErrorCode code : codes)
    topic.partition_responses.emplace_back().error_code = static_cast<std::int16_t>(code);
  return answer_of(response, of.produce);
}

ByteVector ended(const TransactionSettings& of, std::int16_t epoch) {
  protocol::EndTxnResponse response;
  response.producer_id = 7;
  response.producer_epoch = epoch;
  return answer_of(response, of.end);
}

TEST(TransactionalProducer, OfTheFirstVersionAddsItsPartitionsBeforeItProduces) {
  const auto of = settings(false);
  TransactionalProducer producer(of);
  ASSERT_EQ(producer.step(), Step::init);
  producer.request(now);
  EXPECT_EQ(producer.answered(initialized()).failure, "");
  ASSERT_EQ(producer.step(), Step::add);
  EXPECT_TRUE(producer.between());
  producer.request(now);
  protocol::AddPartitionsToTxnResponse added;
  auto& topic = added.results_by_topic_v3_and_below.emplace_back();
  topic.results_by_partition.resize(2);
  EXPECT_EQ(producer.answered(answer_of(added, of.add)).failure, "");
  ASSERT_EQ(producer.step(), Step::produce);
  producer.request(now);
  EXPECT_EQ(producer.answered(produced(of, {ErrorCode::none, ErrorCode::none})).failure, "");
  ASSERT_EQ(producer.step(), Step::end);
  producer.request(now);
  EXPECT_TRUE(producer.answered(ended(of, -1)).committed);
  EXPECT_EQ(producer.step(), Step::add) << "and so on";
}

TEST(TransactionalProducer, OfTheSecondVersionOnlyProducesAndEnds) {
  const auto of = settings(true);
  TransactionalProducer producer(of);
  producer.request(now);
  producer.answered(initialized());
  ASSERT_EQ(producer.step(), Step::produce);
  EXPECT_TRUE(producer.between());
  const ByteVector first = producer.request(now).head;
  producer.answered(produced(of, {ErrorCode::none, ErrorCode::none}));
  producer.request(now);
  EXPECT_TRUE(producer.answered(ended(of, 2)).committed);
  EXPECT_NE(producer.request(now).head, first) << "the end gave it a new epoch";
}

TEST(TransactionalProducer, AsksAgainWhileTheTransactionBeforeEnds) {
  const auto of = settings(true);
  TransactionalProducer producer(of);
  producer.request(now);
  producer.answered(initialized());
  const ByteVector first = producer.request(now).head;
  const auto outcome = producer.answered(produced(of, {ErrorCode::none, ErrorCode::concurrent_transactions}));
  EXPECT_TRUE(outcome.again);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_EQ(producer.request(now).head, first) << "the same sequence numbers";
}

TEST(TransactionalProducer, SaysWhichStepWentWrong) {
  const auto of = settings(true);
  TransactionalProducer producer(of);
  producer.request(now);
  producer.answered(initialized());
  producer.request(now);
  EXPECT_EQ(producer.answered(produced(of, {ErrorCode::none, ErrorCode::invalid_txn_state})).failure,
            "produce: INVALID_TXN_STATE");
}

TEST(TransactionalProducer, AnAnswerThatLeavesAPartitionOutIsWrong) {
  const auto of = settings(true);
  TransactionalProducer producer(of);
  producer.request(now);
  producer.answered(initialized());
  producer.request(now);
  EXPECT_NE(producer.answered(produced(of, {ErrorCode::none})).failure, "");
  EXPECT_FALSE(producer.answered({}).committed);
}

}  // namespace
}  // namespace klamm::bench
