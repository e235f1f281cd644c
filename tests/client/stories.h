// A client's host and a model broker in one world.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "client/client.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "model_broker.h"

namespace klamm::client {

using namespace std::chrono_literals;
using protocol::ApiKey;
using runtime::Task;

class Story : public testing::Test {
 public:  // for the coroutines of stories
  Story()
      : world_({.seed = seed(), .reactors = 1}),
        broker_host_(world_.add_host("broker-1")),
        home_(world_.add_host("client")) {
    broker_ = std::make_unique<ModelBroker>(world_, broker_host_);
  }

  // KLAMM_SEED runs the same stories with other delays and other pieces on the wire.
  static std::uint64_t seed() {
    const char* given = std::getenv("KLAMM_SEED");
    return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  }

  ModelBroker& broker() { return *broker_; }
  Properties properties(Properties more = {}) {
    more.emplace("bootstrap.servers", "broker-1:9092");
    return more;
  }
  std::unique_ptr<Client> client(Properties more = {}) {
    runtime::Environment& environment = home_.environment();
    return std::make_unique<Client>(environment, *environment.reactors.front(), properties(std::move(more)));
  }
  // On the client's reactor, to its end.
  template <typename T>
  T run(Task<T> task, runtime::Duration limit = 1h) {
    return world_.run(home_, std::move(task), limit);
  }
  runtime::MonoTime now() const { return world_.now(); }

  sim::World world_;
  sim::Host& broker_host_;
  sim::Host& home_;
  std::unique_ptr<ModelBroker> broker_;
};

// Posts the values to one partition, waits for all; the errors and offsets in order.
inline Task<std::vector<Result<Produced>>> produce_all(Client& client, std::string topic,
                                                       std::vector<std::string> values, Properties properties = {}) {
  std::vector<Result<Produced>> results;
  {
    Producer producer(client, properties);
    for (const std::string& value : values) {
      const RecordView record{.topic = topic, .value = value, .partition = 0};
      while (!producer.post(record, [&results](const Result<Produced>& result) { results.push_back(result); })) {
        auto waiting = producer.ready(record);
        const auto ready = co_await std::move(waiting);
        if (!ready) {
          results.push_back(ready.error());
          co_return results;
        }
      }
    }
    auto closing = producer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
  }
  co_return results;
}

inline std::vector<std::string> numbered(int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back(std::to_string(i));
  return values;
}

// Polls until so many values came or an error, or nothing for two seconds.
inline Task<Result<std::vector<std::string>>> read_values(Consumer& consumer, std::size_t count) {
  std::vector<std::string> values;
  while (values.size() < count) {
    auto polling = consumer.poll(2s);
    const auto batch = co_await std::move(polling);
    if (!batch) co_return batch.error();
    if (batch->empty()) break;
    for (const Record& record : *batch) values.emplace_back(record.value().value_or("null"));
  }
  co_return values;
}

}  // namespace klamm::client
