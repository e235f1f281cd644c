#include "client/admin.h"
#include "stories.h"

namespace klamm::client {
namespace {

class ConsumerStory : public Story {
 protected:
  ConsumerStory() {
    broker().add_topic("orders", 3);
    client_ = client();
  }
  ~ConsumerStory() override { client_.reset(); }

  void fill(int count) {
    auto producer = client();
    run(produce_all(*producer, "orders", numbered(count), {{"batch.size", "100"}, {"linger.ms", "0"}}));
  }
  // With a consumer of partition 0 from its beginning.
  Result<std::vector<std::string>> read(std::size_t count, Properties more = {}) {
    more.emplace("auto.offset.reset", "earliest");
    return run([](Client& its, Properties properties, std::size_t wanted) -> Task<Result<std::vector<std::string>>> {
      Consumer consumer(its, properties);
      consumer.assign({{"orders", 0}});
      auto reading = read_values(consumer, wanted);
      auto values = co_await std::move(reading);
      co_return values;
    }(*client_, std::move(more), count));
  }
  void expect_numbered(int count, const Result<std::vector<std::string>>& values) {
    ASSERT_TRUE(values) << values.error().to_string();
    EXPECT_EQ(*values, numbered(count));
  }

  std::unique_ptr<Client> client_;
};

TEST_F(ConsumerStory, ReadsEverythingOnceAndInOrder) {
  fill(300);
  expect_numbered(300, read(300));
}

TEST_F(ConsumerStory, ASessionNamesOnlyWhatChanged) {
  fill(10);
  run([](Client& its) -> Task<void> {
    Consumer consumer(its, {{"auto.offset.reset", "earliest"}, {"fetch.max.wait.ms", "100"}});
    consumer.assign({{"orders", 0}, {"orders", 1}, {"orders", 2}});
    auto reading = read_values(consumer, 10);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values);
    auto polling = consumer.poll(500ms);
    const auto nothing = co_await std::move(polling);
    EXPECT_TRUE(nothing && nothing->empty());
  }(*client_));
  ASSERT_GE(broker().fetch_sizes().size(), 4U);
  EXPECT_EQ(broker().fetch_epochs()[0], 0);
  EXPECT_EQ(broker().fetch_sizes()[0], 3U) << "a full fetch first";
  EXPECT_EQ(broker().fetch_epochs()[1], 1);
  EXPECT_LE(broker().fetch_sizes()[1], 1U);
  EXPECT_EQ(broker().fetch_sizes().back(), 0U) << "and at last nothing is named";
}

TEST_F(ConsumerStory, AForgottenSessionIsMadeAgain) {
  fill(10);
  const auto values = run([](ConsumerStory& story, Client& its) -> Task<std::vector<std::string>> {
    Consumer consumer(its,
                      {{"auto.offset.reset", "earliest"}, {"max.poll.records", "3"}, {"fetch.max.wait.ms", "100"}});
    consumer.assign({{"orders", 0}});
    std::vector<std::string> all;
    while (all.size() < 10) {
      story.broker().forget_fetch_sessions();
      auto polling = consumer.poll(5s);
      const auto batch = co_await std::move(polling);
      EXPECT_TRUE(batch && !batch->empty());
      if (!batch || batch->empty()) break;
      for (const Record& record : *batch) all.emplace_back(*record.value());
    }
    co_return all;
  }(*this, *client_));
  EXPECT_EQ(values, numbered(10));
}

TEST_F(ConsumerStory, AConnectionThatBreaksIsMadeAgain) {
  fill(100);
  for (const Mishap mishap : {Mishap::hang_up_before, Mishap::hang_up_after, Mishap::garbage, Mishap::wrong_number}) {
    broker().next(ApiKey::fetch, mishap);
  }
  expect_numbered(100, read(100));
  EXPECT_GE(broker().connections_accepted(), 5U);
}

TEST_F(ConsumerStory, AnOffsetThatIsGoneIsResetToWhereTheLogBegins) {
  fill(100);
  const auto first = run([](ConsumerStory& story, Client& its) -> Task<std::string> {
    Consumer consumer(its, {{"auto.offset.reset", "earliest"}});
    consumer.assign({{"orders", 0}});
    consumer.seek({"orders", 0}, 5);
    story.broker().set_log_start("orders", 0, 60);
    auto reading = read_values(consumer, 1);
    const auto values = co_await std::move(reading);
    co_return values && !values->empty() ? values->front() : "none";
  }(*this, *client_));
  EXPECT_GE(std::stoi(first), 60);
}

TEST_F(ConsumerStory, WithoutAResetPolicyItIsAnError) {
  fill(10);
  const auto failure = run([](Client& its) -> Task<std::string> {
    Consumer consumer(its, {{"auto.offset.reset", "none"}});
    consumer.assign({{"orders", 0}});
    consumer.seek({"orders", 0}, 1000);
    auto polling = consumer.poll(5s);
    const auto batch = co_await std::move(polling);
    co_return batch ? std::string("none") : batch.error().exception_class();
  }(*client_));
  EXPECT_EQ(failure, kinds::offset_out_of_range);
}

TEST_F(ConsumerStory, OffsetsAndPositions) {
  fill(7);
  run([](Client& its) -> Task<void> {
    Consumer consumer(its, {{"auto.offset.reset", "latest"}});
    consumer.assign({{"orders", 0}});
    auto asking = consumer.end_offsets({{"orders", 0}, {"orders", 1}});
    const auto ends = co_await std::move(asking);
    EXPECT_TRUE(ends);
    if (ends) {
      EXPECT_EQ(ends->at({"orders", 0}), 7);
      EXPECT_EQ(ends->at({"orders", 1}), 0);
    }
    auto where = consumer.position({"orders", 0});
    const auto position = co_await std::move(where);
    EXPECT_TRUE(position && *position == 7);
    consumer.seek_to_beginning({"orders", 0});
    auto again = consumer.position({"orders", 0});
    const auto beginning = co_await std::move(again);
    EXPECT_TRUE(beginning && *beginning == 0);
  }(*client_));
}

TEST_F(ConsumerStory, ACallThatFindsNobodyEndsAtItsTimeout) {
  broker().always_error(ApiKey::metadata, ErrorCode::leader_not_available);
  const auto before = now();
  const auto failure = run([](Client& its) -> Task<std::string> {
    Consumer consumer(its, {{"default.api.timeout.ms", "3000"}});
    auto asking = consumer.end_offsets({{"orders", 0}});
    const auto ends = co_await std::move(asking);
    co_return ends ? std::string("none") : ends.error().exception_class();
  }(*client_));
  EXPECT_EQ(failure, kinds::timeout);
  EXPECT_GE(now() - before, 3s);
  EXPECT_LT(now() - before, 6s);
}

TEST_F(ConsumerStory, NobodyHasToListenForAClientToEnd) {
  const auto failure = run([](ConsumerStory& story) -> Task<std::string> {
    const auto alone = story.client({{"bootstrap.servers", "client:1"}, {"default.api.timeout.ms", "2000"}});
    Admin admin(*alone);
    const TopicSpec spec{.name = "t", .partitions = 1};
    auto making = admin.create_topic(spec);
    const auto made = co_await std::move(making);
    co_return made ? std::string("none") : made.error().exception_class();
  }(*this));
  EXPECT_EQ(failure, kinds::timeout);
}

TEST_F(ConsumerStory, TopicsAreCreatedThroughErrorsThatPass) {
  broker().next_error(ApiKey::create_topics, ErrorCode::not_controller);
  run([](Client& its) -> Task<void> {
    Admin admin(its);
    const TopicSpec spec{.name = "made", .partitions = 2};
    auto making = admin.create_topic(spec);
    const auto made = co_await std::move(making);
    EXPECT_TRUE(made) << (made ? "" : made.error().to_string());
    auto again = admin.create_topic(spec);
    const auto exists = co_await std::move(again);
    EXPECT_TRUE(!exists && exists.error().code() == ErrorCode::topic_already_exists);
  }(*client_));
}

}  // namespace
}  // namespace klamm::client
