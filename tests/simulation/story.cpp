#include "story.h"

#include <memory>

#include "broker_process.h"
#include "clients.h"
#include "files.h"
#include "history.h"
#include "nemesis.h"
#include "runtime/simulation/disk.h"
#include "runtime/simulation/network.h"

namespace klamm::simulation {
namespace {

using namespace std::chrono_literals;

// Once nothing goes wrong any more, everything is done within so much virtual time.
constexpr runtime::Duration patience = 15min;
constexpr int records_min = 500;

}  // namespace

sim::Options world_options(std::uint64_t seed) {
  sim::Chance chance(seed ^ 0x6f7074696f6e73u);
  sim::Options options{.seed = seed};
  options.reactors = static_cast<unsigned>(chance.between(2, 3));
  options.io_threads = static_cast<unsigned>(chance.between(1, 3));
  options.turn_delay_max = chance.between(runtime::Duration(1us), runtime::Duration(200us));
  options.late_wake_up_one_in = chance.one_in(3) ? 0 : static_cast<unsigned>(chance.between(5, 100));
  options.refuse_try_lock_one_in = chance.one_in(3) ? 0 : static_cast<unsigned>(chance.between(2, 20));
  options.sync_max = chance.between(runtime::Duration(10us), runtime::Duration(20ms));
  options.not_resident_one_in = chance.one_in(3) ? 0 : static_cast<unsigned>(chance.between(2, 30));
  return options;
}

namespace {

class Story {
 public:
  explicit Story(const StoryOptions& options)
      : world_(world_options(options.seed)),
        chance_(world_.story_chance().fork()),
        broker_host_(world_.add_host("broker-1")) {
    if (options.trace) world_.trace().hand_to(options.trace);
    plan_topics();
  }

  StoryOutcome run() {
    try {
      play();
    } catch (const std::exception& failure) {
      history_->fail(fmt::format("the story broke: {}", failure.what()));
    }
    StoryOutcome outcome;
    outcome.failures = history_->failures();
    outcome.trace_hash = world_.trace().hash();
    outcome.trace_lines = world_.trace().lines();
    for (const auto& clients : clients_) outcome.operations += clients->operations();
    outcome.acknowledged = history_->acknowledged();
    outcome.reads = history_->reads();
    outcome.allowed_duplicates = history_->allowed_duplicates();
    outcome.starts = broker_->starts();
    outcome.crashes = broker_->deaths();
    outcome.power_cuts = history_->cuts();
    outcome.virtual_seconds = std::chrono::duration<double>(world_.now().time_since_epoch()).count();
    return outcome;
  }

 private:
  void plan_topics() {
    std::vector<std::string> lazy;
    std::vector<std::string> shrinking;
    const auto add = [&](std::string name, bool is_lazy, bool shrinks) {
      TopicPlan plan{.name = std::move(name),
                     .partitions = static_cast<std::int32_t>(chance_.between(1, 3)),
                     .lazy = is_lazy,
                     .shrinks = shrinks,
                     .configs = {}};
      if (!is_lazy) plan.configs["flush.messages"] = "1";
      if (is_lazy && chance_.one_in(3)) plan.configs["flush.ms"] = std::to_string(chance_.between(10, 2000));
      if (chance_.one_in(2)) plan.configs["segment.ms"] = std::to_string(chance_.between(100, 5000));
      if (chance_.one_in(2)) plan.configs["index.interval.bytes"] = std::to_string(chance_.between(0, 2000));
      if (chance_.one_in(2)) plan.configs["file.delete.delay.ms"] = std::to_string(chance_.between(0, 5000));
      if (is_lazy) lazy.push_back(plan.name);
      if (shrinks) {
        shrinking.push_back(plan.name);
        if (chance_.one_in(2)) plan.configs["retention.bytes"] = std::to_string(chance_.between(0, 50'000));
        if (chance_.one_in(2)) plan.configs["retention.ms"] = std::to_string(chance_.between(1000, 20'000));
      }
      topics_.push_back(std::move(plan));
    };
    add("synced", false, false);
    if (!chance_.one_in(3)) add("lazy", true, false);
    if (chance_.one_in(2)) add("short", chance_.one_in(3), true);
    history_ = std::make_unique<History>(std::move(lazy), std::move(shrinking));
  }

  config::Properties broker_properties() {
    std::string directories = "/data/0";
    for (std::uint64_t i = chance_.below(3); i > 0; --i) directories += fmt::format(",/data/{}", i);
    config::Properties properties{
        {"node.id", "1"},
        {"listeners", "PLAINTEXT://:9092"},
        {"log.dirs", directories},
        {"auto.create.topics.enable", "false"},
        {"log.flush.offset.checkpoint.interval.ms", std::to_string(chance_.between(100, 60000))},
        {"log.initial.task.delay.ms", std::to_string(chance_.between(0, 5000))},
        {"log.retention.check.interval.ms", std::to_string(chance_.between(500, 20'000))}};
    if (chance_.one_in(2)) {
      properties["metadata.log.max.record.bytes.between.snapshots"] = std::to_string(chance_.between(1, 20'000));
    }
    return properties;
  }

  ProducerPlan producer_plan() {
    ProducerPlan plan;
    const std::uint64_t kind = chance_.below(10);
    if (kind == 0) {
      plan.properties = {{"enable.idempotence", "false"}, {"acks", "0"}};
      plan.idempotent = plan.promised = false;
    } else if (kind <= 2) {
      plan.properties = {{"enable.idempotence", "false"}, {"acks", kind == 1 ? "1" : "all"}};
      plan.idempotent = false;
    }
    plan.one_in_flight = chance_.one_in(2);
    if (plan.one_in_flight) plan.properties["max.in.flight.requests.per.connection"] = "1";
    if (chance_.one_in(2)) plan.properties["linger.ms"] = std::to_string(chance_.below(20));
    if (chance_.one_in(2)) plan.properties["batch.size"] = std::to_string(chance_.between(100, 16384));
    if (chance_.one_in(3)) plan.properties["compression.type"] = chance_.one_in(2) ? "lz4" : "zstd";
    if (chance_.one_in(3)) plan.properties["request.timeout.ms"] = std::to_string(chance_.between(500, 5000));
    plan.records = static_cast<int>(chance_.between(50, 250));
    plan.burst_max = static_cast<int>(chance_.between(1, 30));
    plan.pause_max = chance_.between(runtime::Duration(10ms), runtime::Duration(1s));
    plan.value_bytes_max = static_cast<std::size_t>(chance_.between(40, 3000));
    plan.records_per_life = static_cast<int>(chance_.between(30, 300));
    return plan;
  }

  void wait_for(const std::string& what, const std::function<bool()>& condition) {
    const bool came = world_.run_until([&] { return broker_->refusal() || condition(); }, patience);
    if (broker_->refusal()) throw std::runtime_error("the broker does not start: " + *broker_->refusal());
    if (!came) throw std::runtime_error(fmt::format("P10: {} did not happen within {} minutes", what, patience / 1min));
  }

  void play() {
    broker_ = std::make_unique<BrokerProcess>(world_, broker_host_, broker_properties(), *history_);
    for (std::uint64_t i = 1; i <= 2; ++i) {
      sim::Host& host = world_.add_host(fmt::format("client-{}", i));
      client_hosts_.push_back(&host);
      clients_.push_back(std::make_unique<Clients>(host, *history_, chance_.fork(), topics_));
    }
    Nemesis nemesis(world_, *broker_, client_hosts_, *history_, chance_.fork());
    nemesis.begin();  // also the first start is not safe
    broker_->start();
    world_.run(*client_hosts_[0], clients_[0]->make_topics(), patience);

    int producers = static_cast<int>(chance_.between(3, 6));
    for (int records = 0; producers > 0 || records < records_min; --producers) {
      ProducerPlan plan = producer_plan();
      records += plan.records;
      clients_[chance_.below(2)]->start_producer(std::move(plan));
    }
    for (const auto& clients : clients_) {
      clients->start_reader({});
      if (chance_.one_in(2)) clients->start_admin(static_cast<int>(chance_.between(5, 20)));
    }
    wait_for("the end of what goes wrong", [&] { return nemesis.over(); });
    wait_for("a broker that serves", [&] { return broker_->serving(); });
    wait_for("the end of the clients' work", [&] { return clients_[0]->done() && clients_[1]->done(); });
    for (const auto& clients : clients_) clients->stop();
    wait_for("the end of the readers", [&] { return clients_[0]->stopped() && clients_[1]->stopped(); });

    check("at the end");
    broker_->stop(false);
    wait_for("a clean stop", [&] { return broker_->state() == BrokerProcess::State::down; });
    check_files(broker_host_.disk(), *history_);
    broker_->start();
    wait_for("a broker that was started again", [&] { return broker_->serving(); });
    check("after a clean stop");
  }

  void check(std::string_view when) {
    world_.trace().add(world_.now(), "story", "check {}", when);
    const auto logs = world_.run(*client_hosts_[1], clients_[1]->read_all(), patience);
    history_->check(logs);
    for (std::size_t i = 0; i < clients_.size(); ++i)
      world_.run(*client_hosts_[i], clients_[i]->check_topics(), patience);
  }

  sim::World world_;
  sim::Chance chance_;
  sim::Host& broker_host_;
  std::vector<sim::Host*> client_hosts_;
  std::vector<TopicPlan> topics_;
  std::unique_ptr<History> history_;
  std::unique_ptr<BrokerProcess> broker_;
  std::vector<std::unique_ptr<Clients>> clients_;
};

}  // namespace

StoryOutcome run_story(const StoryOptions& options) {
  Story story(options);
  return story.run();
}

}  // namespace klamm::simulation
