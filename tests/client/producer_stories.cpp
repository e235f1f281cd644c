#include "stories.h"

namespace klamm::client {
namespace {

class ProducerStory : public Story {
 protected:
  ProducerStory() { broker().add_topic("orders", 1); }

  // Small batches, so that there are many requests.
  std::vector<Result<Produced>> produce(std::vector<std::string> values, Properties more = {}) {
    more.emplace("batch.size", "100");
    more.emplace("linger.ms", "0");
    auto with = client();
    return run(produce_all(*with, "orders", std::move(values), std::move(more)));
  }
  void expect_all_in_order(int count, const std::vector<Result<Produced>>& results) {
    ASSERT_EQ(results.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(results[i]) << i << ": " << results[i].error().to_string();
      EXPECT_EQ(results[i]->offset, i);
    }
    EXPECT_EQ(broker().values("orders", 0), numbered(count));
  }
};

TEST_F(ProducerStory, RecordsArriveOnceAndInOrder) {
  expect_all_in_order(500, produce(numbered(500)));
  EXPECT_GT(broker().count(ApiKey::produce), 10U);
}

TEST_F(ProducerStory, AtMostFiveRequestsAreUnderWay) {
  broker().set_delay(20ms);
  expect_all_in_order(500, produce(numbered(500)));
  EXPECT_EQ(broker().in_flight_most(), 5U);
}

TEST_F(ProducerStory, OneRequestAtATimeWhenSaidSo) {
  broker().set_delay(20ms);
  expect_all_in_order(100, produce(numbered(100), {{"max.in.flight.requests.per.connection", "1"}}));
  EXPECT_EQ(broker().in_flight_most(), 1U);
}

TEST_F(ProducerStory, ALostAnswerMakesNoDuplicate) {
  broker().set_delay(5ms);
  for (int i = 0; i < 3; ++i) broker().next(ApiKey::produce, Mishap::hang_up_after);
  expect_all_in_order(300, produce(numbered(300)));
  EXPECT_GE(broker().connections_accepted(), 4U);
}

TEST_F(ProducerStory, ALostRequestLosesNothing) {
  broker().set_delay(5ms);
  for (int i = 0; i < 3; ++i) broker().next(ApiKey::produce, Mishap::hang_up_before);
  expect_all_in_order(300, produce(numbered(300)));
}

TEST_F(ProducerStory, OrderSurvivesARetryInTheMiddleOfFive) {
  broker().set_delay(10ms);
  broker().next_error(ApiKey::produce, ErrorCode::not_enough_replicas);
  broker().next_error(ApiKey::produce, ErrorCode::none);
  broker().next_error(ApiKey::produce, ErrorCode::kafka_storage_error);
  expect_all_in_order(300, produce(numbered(300)));
}

TEST_F(ProducerStory, ASilentBrokerIsLeftAfterTheRequestTimeout) {
  broker().next(ApiKey::produce, Mishap::silence);
  const auto before = now();
  expect_all_in_order(1, produce(numbered(1), {{"request.timeout.ms", "2000"}}));
  EXPECT_GE(now() - before, 2s);
  EXPECT_LT(now() - before, 10s);
}

TEST_F(ProducerStory, NonsenseEndsTheConnectionNotTheProducer) {
  for (const Mishap mishap : {Mishap::garbage, Mishap::wrong_number, Mishap::huge_length}) {
    broker().next(ApiKey::produce, mishap);
  }
  expect_all_in_order(100, produce(numbered(100), {{"request.timeout.ms", "2000"}}));
}

TEST_F(ProducerStory, GivesUpAfterTheDeliveryTimeout) {
  broker().always_error(ApiKey::produce, ErrorCode::not_enough_replicas);
  const auto before = now();
  const auto results = produce({"a"}, {{"delivery.timeout.ms", "5000"}, {"request.timeout.ms", "1000"}});
  ASSERT_EQ(results.size(), 1U);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().exception_class(), kinds::timeout);
  EXPECT_GE(now() - before, 5s);
  EXPECT_LT(now() - before, 7s);
}

TEST_F(ProducerStory, WhatCannotSucceedFailsAtOnce) {
  broker().next_error(ApiKey::produce, ErrorCode::message_too_large);
  const auto before = now();
  const auto results = produce({"a"});
  ASSERT_EQ(results.size(), 1U);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().code(), ErrorCode::message_too_large);
  EXPECT_LT(now() - before, 1s);
}

TEST_F(ProducerStory, AForgottenProducerGoesOnWithAnotherEpoch) {
  auto with = client();
  run([](ProducerStory& story, Client& its) -> Task<void> {
    Producer producer(its, {{"linger.ms", "0"}});
    for (int i = 0; i < 10; ++i) {
      if (i == 5) story.broker().forget_producers();
      const std::string value = std::to_string(i);
      auto sending = producer.send({.topic = "orders", .value = value, .partition = 0});
      const auto sent = co_await std::move(sending);
      EXPECT_TRUE(sent) << i << ": " << (sent ? "" : sent.error().to_string());
    }
    auto closing = producer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
  }(*this, *with));
  EXPECT_EQ(broker().values("orders", 0), numbered(10));
}

TEST_F(ProducerStory, FollowsALeaderThatMoves) {
  sim::Host& other = world_.add_host("broker-2");
  ModelBroker second(world_, other, 2);
  for (ModelBroker* one : {&broker(), &second}) {
    one->add_peer(1, "broker-1");
    one->add_peer(2, "broker-2");
  }
  second.add_topic("orders", 1, 2);
  auto with = client();
  run([](ProducerStory& story, Client& its) -> Task<void> {
    Producer producer(its, {{"linger.ms", "0"}, {"enable.idempotence", "false"}});
    for (int i = 0; i < 10; ++i) {
      if (i == 4) story.broker().set_leader("orders", 0, 2);
      const std::string value = std::to_string(i);
      auto sending = producer.send({.topic = "orders", .value = value, .partition = 0});
      const auto sent = co_await std::move(sending);
      EXPECT_TRUE(sent) << i;
    }
    auto closing = producer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
  }(*this, *with));
  EXPECT_EQ(broker().values("orders", 0).size(), 4U);
  EXPECT_EQ(second.values("orders", 0).size(), 6U);
}

TEST_F(ProducerStory, WithoutAcknowledgementsThereAreNoOffsets) {
  const auto results = produce(numbered(50), {{"acks", "0"}, {"enable.idempotence", "false"}});
  ASSERT_EQ(results.size(), 50U);
  for (const auto& result : results) EXPECT_EQ(result->offset, -1);
  world_.run_for(1s);
  EXPECT_EQ(broker().values("orders", 0), numbered(50));
}

TEST_F(ProducerStory, AnUnknownTopicIsWaitedForAndThenGivenUp) {
  auto with = client();
  const auto before = now();
  const auto results = run(produce_all(*with, "nowhere", {"a"}, {{"max.block.ms", "3000"}}));
  ASSERT_EQ(results.size(), 1U);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().to_string(),
            "org.apache.kafka.common.errors.TimeoutException: Topic nowhere not present in metadata after 3000 ms.");
  EXPECT_GE(now() - before, 3s);
}

TEST_F(ProducerStory, MemoryIsBoundedAndMakesTheProducerWait) {
  broker().set_delay(50ms);
  const auto before = now();
  std::vector<std::string> values(200, std::string(500, 'x'));
  const auto results = produce(values, {{"buffer.memory", "4000"}, {"batch.size", "1000"}});
  ASSERT_EQ(results.size(), 200U);
  for (const auto& result : results) EXPECT_TRUE(result);
  EXPECT_GT(now() - before, 200ms) << "it could not all be taken at once";
}

}  // namespace
}  // namespace klamm::client
