// A producer of transactions whose coordinator and connections misbehave. The broker of these stories knows version 1.
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "stories.h"

namespace klamm::client {
namespace {

class TransactionalProducerStory : public Story {
 protected:
  TransactionalProducerStory() {
    broker().add_topic("clean", 2);
    broker().serve<protocol::AddPartitionsToTxnRequest>(
        0, 3, [this](const protocol::AddPartitionsToTxnRequest& request, std::int16_t) {
          protocol::AddPartitionsToTxnResponse response;
          for (const auto& topic : request.v3_and_below_topics) {
            auto& result = response.results_by_topic_v3_and_below.emplace_back();
            result.name = topic.name;
            for (const std::int32_t each : topic.partitions) {
              result.results_by_partition.push_back({each, 0, {}});
              ++added_;
            }
          }
          return response;
        });
    broker().serve<protocol::EndTxnRequest>(0, 4, [this](const protocol::EndTxnRequest& request, std::int16_t) {
      protocol::EndTxnResponse response;
      if (!end_errors_.empty()) {
        response.error_code = wire_of(end_errors_.front());
        end_errors_.erase(end_errors_.begin());
      }
      if (response.error_code != 0) return response;
      (request.committed ? commits_ : aborts_) += 1;
      return response;
    });
    client_ = client();
  }
  ~TransactionalProducerStory() override { client_.reset(); }

 public:
  Properties with_id(Properties more = {}) {
    more.emplace("transactional.id", "etl-1");
    more.emplace("linger.ms", "0");
    return more;
  }
  Client& its() { return *client_; }

  int added_ = 0;
  int commits_ = 0;
  int aborts_ = 0;
  std::vector<ErrorCode> end_errors_;  // of the next requests, in order

 protected:
  std::unique_ptr<Client> client_;
};

// Posts and does not wait: commit() does.
Task<std::vector<Result<Produced>>> post_all(Producer& producer, Transaction& transaction,
                                             std::vector<std::string> values, Result<void>& committed) {
  std::vector<Result<Produced>> results;
  for (const std::string& value : values) {
    const RecordView record{.topic = "clean", .key = {}, .value = value, .headers = {}, .partition = 0};
    while (!producer.post(record, [&results](const Result<Produced>& result) { results.push_back(result); })) {
      auto waiting = producer.ready(record);
      const auto ready = co_await std::move(waiting);
      EXPECT_TRUE(ready);
    }
  }
  auto committing = transaction.commit();
  committed = co_await std::move(committing);
  auto flushing = producer.flush();
  const auto flushed = co_await std::move(flushing);
  EXPECT_TRUE(flushed);
  co_return results;
}

Task<void> two_transactions(TransactionalProducerStory& story) {
  Producer producer(story.its(), story.with_id({{"batch.size", "100"}}));
  for (int round = 0; round < 2; ++round) {
    auto beginning = producer.begin();
    auto transaction = co_await std::move(beginning);
    EXPECT_TRUE(transaction) << (transaction ? "" : transaction.error().to_string());
    if (!transaction) co_return;
    Result<void> committed;
    auto posting = post_all(producer, *transaction, numbered(50), committed);
    const auto results = co_await std::move(posting);
    EXPECT_TRUE(committed) << (committed ? "" : committed.error().to_string());
    EXPECT_EQ(results.size(), 50u);
    for (const auto& each : results) EXPECT_TRUE(each) << (each ? "" : each.error().to_string());
  }
}

TEST_F(TransactionalProducerStory, ACommitWaitsForAllRecords) {
  run(two_transactions(*this));
  EXPECT_EQ(commits_, 2);
  EXPECT_EQ(aborts_, 0);
  EXPECT_EQ(added_, 2) << "each transaction adds its partition once";
  EXPECT_EQ(broker().values("clean", 0).size(), 100u);
}

TEST_F(TransactionalProducerStory, LostAnswersChangeNothing) {
  broker().set_delay(5ms);
  for (const ApiKey key : {ApiKey::init_producer_id, ApiKey::produce, ApiKey::end_txn, ApiKey::find_coordinator}) {
    broker().next(key, Mishap::hang_up_after);
  }
  broker().next(ApiKey::add_partitions_to_txn, Mishap::hang_up_before);
  end_errors_ = {ErrorCode::none, ErrorCode::concurrent_transactions, ErrorCode::not_coordinator};
  run(two_transactions(*this));
  EXPECT_EQ(commits_, 3) << "one was asked for again";
  EXPECT_EQ(broker().values("clean", 0).size(), 100u);
}

TEST_F(TransactionalProducerStory, OutsideOfATransactionNothingIsTaken) {
  run([](TransactionalProducerStory& story) -> Task<void> {
    Producer producer(story.its(), story.with_id());
    auto initializing = producer.init_transactions();
    const auto initialized = co_await std::move(initializing);
    EXPECT_TRUE(initialized);
    auto sending = producer.send({.topic = "clean", .key = {}, .value = "a", .headers = {}, .partition = 1});
    const auto sent = co_await std::move(sending);
    EXPECT_FALSE(sent);
    if (!sent) {
      EXPECT_EQ(sent.error().to_string(),
                "java.lang.IllegalStateException: Cannot add partition clean-1 to transaction while in state  READY");
    }
  }(*this));
  EXPECT_TRUE(broker().values("clean", 1).empty());
}

TEST_F(TransactionalProducerStory, ATransactionThatIsDestroyedIsAbortedBeforeTheNextBegins) {
  run([](TransactionalProducerStory& story) -> Task<void> {
    Producer producer(story.its(), story.with_id());
    {
      auto beginning = producer.begin();
      auto transaction = co_await std::move(beginning);
      EXPECT_TRUE(transaction);
      auto sending = producer.send({.topic = "clean", .key = {}, .value = "a", .headers = {}, .partition = 0});
      const auto sent = co_await std::move(sending);
      EXPECT_TRUE(sent);
    }
    auto beginning = producer.begin();
    auto transaction = co_await std::move(beginning);
    EXPECT_TRUE(transaction);
    EXPECT_EQ(story.aborts_, 1);
  }(*this));
}

TEST_F(TransactionalProducerStory, WhatIsOpenIsAbortedWhenTheProducerCloses) {
  run([](TransactionalProducerStory& story) -> Task<void> {
    Producer producer(story.its(), story.with_id());
    auto beginning = producer.begin();
    auto transaction = co_await std::move(beginning);
    EXPECT_TRUE(transaction);
    auto sending = producer.send({.topic = "clean", .key = {}, .value = "a", .headers = {}, .partition = 0});
    const auto sent = co_await std::move(sending);
    EXPECT_TRUE(sent);
    auto closing = producer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
    EXPECT_EQ(story.aborts_, 1);
    auto committing = transaction->commit();
    const auto committed = co_await std::move(committing);
    EXPECT_FALSE(committed);
  }(*this));
  EXPECT_EQ(commits_, 0);
}

TEST_F(TransactionalProducerStory, ABatchThatIsGivenUpFailsTheCommitAndTheNextTransactionGoesWell) {
  run([](TransactionalProducerStory& story) -> Task<void> {
    Producer producer(story.its(), story.with_id());
    auto beginning = producer.begin();
    auto transaction = co_await std::move(beginning);
    EXPECT_TRUE(transaction);
    story.broker().next_error(ApiKey::produce, ErrorCode::invalid_record);
    Result<void> committed;
    auto posting = post_all(producer, *transaction, {"a"}, committed);
    const auto results = co_await std::move(posting);
    EXPECT_FALSE(results.at(0));
    EXPECT_FALSE(committed);
    if (!committed) EXPECT_EQ(committed.error().code(), ErrorCode::invalid_record);
    EXPECT_EQ(story.commits_, 0);
    EXPECT_FALSE(producer.fatal());
    auto aborting = transaction->abort();
    const auto aborted = co_await std::move(aborting);
    EXPECT_TRUE(aborted) << (aborted ? "" : aborted.error().to_string());
    EXPECT_EQ(story.aborts_, 1);
    auto again = producer.begin();
    auto second = co_await std::move(again);
    EXPECT_TRUE(second);
    auto posting_again = post_all(producer, *second, {"b"}, committed);
    const auto more = co_await std::move(posting_again);
    EXPECT_TRUE(more.at(0));
    EXPECT_TRUE(committed);
  }(*this));
  EXPECT_EQ(broker().values("clean", 0), std::vector<std::string>{"b"});
}

TEST_F(TransactionalProducerStory, AFencedProducerSaysSo) {
  end_errors_ = {ErrorCode::producer_fenced};
  run([](TransactionalProducerStory& story) -> Task<void> {
    Producer producer(story.its(), story.with_id());
    auto beginning = producer.begin();
    auto transaction = co_await std::move(beginning);
    Result<void> committed;
    auto posting = post_all(producer, *transaction, {"a"}, committed);
    const auto results = co_await std::move(posting);
    EXPECT_FALSE(committed);
    EXPECT_TRUE(producer.fatal());
    if (producer.fatal()) EXPECT_EQ(producer.fatal()->code(), ErrorCode::producer_fenced);
    auto sending = producer.send({.topic = "clean", .key = {}, .value = "b", .headers = {}, .partition = 0});
    const auto sent = co_await std::move(sending);
    EXPECT_FALSE(sent);
    if (!sent) EXPECT_EQ(sent.error().code(), ErrorCode::producer_fenced);
  }(*this));
}

TEST_F(TransactionalProducerStory, SettingsThatTransactionsCannotBeHadWith) {
  const auto refused = [this](Properties properties) {
    const Producer producer(its(), with_id(std::move(properties)));
    return producer.configuration_error() ? producer.configuration_error()->message() : "";
  };
  EXPECT_EQ(refused({{"enable.idempotence", "false"}}),
            "Cannot set a transactional.id without also enabling idempotence.");
  EXPECT_EQ(refused({{"acks", "1"}}), "Cannot set a transactional.id without also enabling idempotence.");
  EXPECT_EQ(refused({{"retries", "0"}}), "Cannot set a transactional.id without also enabling idempotence.");
  EXPECT_EQ(refused({{"acks", "1"}, {"enable.idempotence", "true"}}),
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.");
  EXPECT_EQ(
      refused({{"max.in.flight.requests.per.connection", "6"}}),
      "To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most 5. Current value "
      "is 6.");
  EXPECT_EQ(refused({{"transaction.timeout.ms", "x"}}),
            "Invalid value x for configuration transaction.timeout.ms: Not a number of type INT");
  EXPECT_EQ(refused({}), "");
}

}  // namespace
}  // namespace klamm::client
