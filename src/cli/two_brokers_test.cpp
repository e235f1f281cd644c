// Two brokers in one process: nothing of one is seen by the other, because nothing is global.
#include <gtest/gtest.h>

#include <barrier>
#include <filesystem>
#include <mutex>
#include <thread>

#include "broker/broker.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "runtime/os/system.h"

namespace klamm {
namespace {

using namespace std::chrono_literals;
using runtime::Task;

struct Lines final : LogSink {
  bool enabled(std::string_view, LogLevel level) const override { return level >= LogLevel::info; }
  void write(std::string_view, LogLevel, std::string_view message) override {
    const std::scoped_lock guard(mutex);
    text.append(message).push_back('\n');
  }
  bool has(std::string_view part) {
    const std::scoped_lock guard(mutex);
    return text.contains(part);
  }
  std::mutex mutex;
  std::string text;
};

// A broker with its own threads, directory and log.
class Side {
 public:
  explicit Side(int node) : node_(node), directory_(make_directory()) {}
  ~Side() { std::filesystem::remove_all(directory_); }

  config::Checked<config::BrokerConfigRef> config() const {
    return config::BrokerConfig::parse({{"node.id", std::to_string(node_)},
                                        {"listeners", "PLAINTEXT://127.0.0.1:0"},
                                        {"log.dirs", directory_.string()}});
  }

  // Starts, meets the other one, writes and reads its topic, meets again, stops.
  void live(std::barrier<>& both) {
    runtime::os::System system({.reactors = 2}, log);
    system.run_until_done(life(system.environment(), both));
  }

  std::string start_refused() {
    Lines unheard;
    runtime::os::System system({.reactors = 1}, unheard);
    return system.run_until_done(refused(system.environment()));
  }

  Lines log;
  std::string cluster_id;
  std::vector<std::string> values, topics;

 private:
  static std::filesystem::path make_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "klamm-two-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    return name;
  }

  Task<void> life(runtime::Environment& environment, std::barrier<>& both) {
    broker::Broker broker(environment, *config(), [](const std::string& why) { FAIL() << why; });
    auto starting = broker.start();
    co_await std::move(starting);
    both.arrive_and_wait();
    {
      const auto address = broker.addresses().front();
      client::Client client(environment, *environment.reactors.front(),
                            {{"bootstrap.servers", fmt::format("127.0.0.1:{}", address.port)}});
      auto using_it = write_and_read(client);
      co_await std::move(using_it);
    }
    both.arrive_and_wait();
    auto stopping = broker.stop();
    co_await std::move(stopping);
  }

  Task<void> write_and_read(client::Client& client) {
    const std::string own = fmt::format("only-{}", node_);
    client::Producer producer(client);
    const std::vector<std::string> written{"shared", own};
    for (const std::string& topic : written) {
      const std::string value = fmt::format("{} of {}", topic, node_);
      auto sending = producer.send({.topic = topic, .value = value});
      const auto sent = co_await std::move(sending);
      EXPECT_TRUE(sent) << sent.error().to_string();
    }
    client::Consumer consumer(client, {{"auto.offset.reset", "earliest"}});
    consumer.assign({{"shared", 0}, {own, 0}});
    while (values.size() < 2) {
      auto polling = consumer.poll(5s);
      const auto batch = co_await std::move(polling);
      EXPECT_TRUE(batch && !batch->empty());
      if (!batch || batch->empty()) co_return;
      for (const client::Record& record : *batch) values.emplace_back(*record.value());
    }
    client::Admin admin(client);
    auto listing = admin.list_topics();
    const auto listed = co_await std::move(listing);
    if (listed)
      for (const auto& topic : *listed) topics.push_back(topic.name);
    auto describing = admin.describe_cluster();
    const auto cluster = co_await std::move(describing);
    if (cluster) cluster_id = cluster->cluster_id;
  }

  Task<std::string> refused(runtime::Environment& environment) {
    broker::Broker broker(environment, *config(), [](const std::string&) {});
    try {
      auto starting = broker.start();
      co_await std::move(starting);
    } catch (const std::exception& why) {
      co_return why.what();
    }
    co_return "";
  }

  int node_;
  std::filesystem::path directory_;
};

TEST(TwoBrokersInOneProcess, KnowNothingOfEachOther) {
  Side first(1), second(2);
  std::barrier both(2);
  std::string refusal;
  std::thread beside([&] { second.live(both); });
  first.live(both);
  beside.join();

  std::ranges::sort(first.values);
  std::ranges::sort(second.values);
  EXPECT_EQ(first.values, (std::vector<std::string>{"only-1 of 1", "shared of 1"}));
  EXPECT_EQ(second.values, (std::vector<std::string>{"only-2 of 2", "shared of 2"}));
  EXPECT_EQ(first.topics, (std::vector<std::string>{"only-1", "shared"}));
  EXPECT_EQ(second.topics, (std::vector<std::string>{"only-2", "shared"}));
  EXPECT_NE(first.cluster_id, second.cluster_id);
  EXPECT_TRUE(first.log.has("[BrokerServer id=1]") && first.log.has(first.cluster_id));
  EXPECT_FALSE(first.log.has("id=2") || first.log.has(second.cluster_id));
  EXPECT_TRUE(second.log.has("[BrokerServer id=2]") && second.log.has(second.cluster_id));
}

TEST(TwoBrokersInOneProcess, NeverShareADirectory) {
  Side owner(1);
  std::barrier meeting(2);
  std::thread beside([&] { owner.live(meeting); });
  meeting.arrive_and_wait();
  EXPECT_TRUE(owner.start_refused().contains("Failed to acquire lock on file .lock")) << "in one process too";
  meeting.arrive_and_wait();
  beside.join();
  EXPECT_EQ(owner.values.size(), 2U);
}

}  // namespace
}  // namespace klamm
