#include "coordinators/coordinators_story.h"

#include <algorithm>
#include <memory>

#include "broker_process.h"
#include "client/admin.h"
#include "coordinators/players.h"
#include "files.h"
#include "history.h"
#include "nemesis.h"
#include "runtime/simulation/disk.h"

namespace klamm::simulation {
namespace {

using namespace std::chrono_literals;

constexpr runtime::Duration patience = 15min;

class CoordinatorsStory {
 public:
  explicit CoordinatorsStory(const StoryOptions& options)
      : world_(world_options(options.seed ^ 0x636f6f7264u)),
        chance_(world_.story_chance().fork()),
        broker_host_(world_.add_host("broker-1")) {
    if (options.trace) world_.trace().hand_to(options.trace);
    stage_.note = [this](std::string_view who, std::string_view what) {
      world_.trace().add(world_.now(), "story", "{}: {}", who, what);
    };
    lazy_ = chance_.one_in(4);
    anomalous_ = chance_.one_in(5);
    if (!chance_.one_in(3)) stage_.late_one_in = chance_.between(5, 60);
  }

  StoryOutcome run() {
    try {
      play();
    } catch (const std::exception& failure) {
      history_.fail(fmt::format("the story broke: {}", failure.what()));
    }
    StoryOutcome outcome;
    outcome.failures = history_.failures();
    outcome.trace_hash = world_.trace().hash();
    outcome.trace_lines = world_.trace().lines();
    for (const auto& players : players_) {
      outcome.operations += players->operations();
      outcome.late += players->late();
    }
    outcome.acknowledged = transactions_.acknowledged();
    outcome.reads = transactions_.reads() + groups_.reads();
    outcome.committed = transactions_.committed();
    outcome.commits = groups_.acknowledged_commits();
    outcome.anomalies = anomalies_;
    outcome.starts = broker_->starts();
    outcome.crashes = broker_->deaths();
    outcome.power_cuts = history_.cuts();
    outcome.virtual_seconds = std::chrono::duration<double>(world_.now().time_since_epoch()).count();
    return outcome;
  }

 private:
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
        {"log.retention.check.interval.ms", std::to_string(chance_.between(500, 20'000))},
        {"offsets.topic.num.partitions", std::to_string(chance_.between(1, 3))},
        {"transaction.state.log.num.partitions", std::to_string(chance_.between(1, 3))},
        // A group that nobody is in keeps its offsets for the length of a story.
        {"offsets.retention.check.interval.ms", "86400000"},
        {"group.min.session.timeout.ms", "500"},
        {"group.initial.rebalance.delay.ms", std::to_string(chance_.between(0, 1000))},
        {"group.consumer.min.session.timeout.ms", "500"},
        {"group.consumer.session.timeout.ms", std::to_string(chance_.between(1000, 5000))},
        {"group.consumer.min.heartbeat.interval.ms", "100"},
        {"group.consumer.heartbeat.interval.ms", "500"},
        {"transaction.abort.timed.out.transaction.cleanup.interval.ms", std::to_string(chance_.between(100, 2000))}};
    if (chance_.one_in(2)) properties["log.roll.ms"] = std::to_string(chance_.between(500, 20'000));
    if (!lazy_) properties["log.flush.interval.messages"] = "1";
    if (chance_.one_in(2)) properties["group.consumer.assignment.interval.ms"] = std::to_string(chance_.below(2000));
    if (chance_.one_in(2)) {
      properties["metadata.log.max.record.bytes.between.snapshots"] = std::to_string(chance_.between(1, 20'000));
    }
    return properties;
  }

  // --- the cast

  void plan_topics() {
    const auto add = [&](std::string name, std::uint64_t partitions_max) {
      topics_.push_back({std::move(name), static_cast<std::int32_t>(chance_.between(1, partitions_max)), {}});
    };
    add("in", 3);
    add("out", 3);
    add("side", 2);
    add("work", 6);
  }

  const TopicOfStory& topic(std::string_view name) const {
    return *std::ranges::find(topics_, name, &TopicOfStory::name);
  }

  Task<void> make_topics() {
    runtime::Environment& environment = client_hosts_[0]->environment();
    runtime::Reactor& home = *environment.reactors.front();
    client::Client client(environment, home, {{"bootstrap.servers", "broker-1:9092"}});
    client::Admin admin(client);
    for (TopicOfStory& topic : topics_) {
      client::TopicSpec spec{.name = topic.name, .partitions = topic.partitions};
      if (chance_.one_in(2)) spec.configs["segment.ms"] = std::to_string(chance_.between(100, 5000));
      if (chance_.one_in(2)) spec.configs["index.interval.bytes"] = std::to_string(chance_.between(0, 2000));
      for (;;) {
        auto making = admin.create_topic(spec);
        const auto made = co_await std::move(making);
        if (made || made.error().code() == ErrorCode::topic_already_exists) break;
        auto waiting = rest(home, 200ms);
        co_await std::move(waiting);
      }
    }
    while (std::ranges::any_of(topics_, [](const TopicOfStory& topic) { return topic.id.is_zero(); })) {
      auto listing = admin.list_topics();
      const auto listed = co_await std::move(listing);
      if (listed) {
        for (const auto& each : *listed) {
          for (TopicOfStory& topic : topics_) {
            if (topic.name == each.name) topic.id = each.id;
          }
        }
      }
      auto waiting = rest(home, 100ms);
      co_await std::move(waiting);
    }
    auto finding = find_coordinators(environment, home);
    co_await std::move(finding);
  }

  Players& somebody() { return *players_[chance_.below(players_.size())]; }

  MembershipPlan membership_in(std::string group, const TopicOfStory& topic, bool consumer_protocol) {
    MembershipPlan plan;
    plan.group = std::move(group);
    plan.topic = topic.name;
    plan.topic_id = topic.id;
    plan.partitions = topic.partitions;
    plan.consumer_protocol = consumer_protocol;
    plan.session = chance_.between(runtime::Duration(1s), runtime::Duration(5s));
    plan.rebalance = chance_.between(runtime::Duration(1s), runtime::Duration(5s));
    plan.interval = chance_.between(runtime::Duration(100ms), runtime::Duration(700ms));
    if (chance_.one_in(3)) plan.assignor = chance_.one_in(2) ? "range" : "uniform";
    return plan;
  }

  // Of one protocol, or of both at a time: then the group migrates.
  bool protocol_of(std::uint64_t kind) { return kind == 2 ? chance_.one_in(2) : kind == 1; }

  void start_groups() {
    for (std::uint64_t i = chance_.between(1, 2); i > 0; --i) {
      GroupOfStory group{fmt::format("workers-{}", i), "work", topic("work").partitions, false};
      const std::uint64_t kind = chance_.below(3);
      if (kind == 2) groups_.mixed(group.name);
      for (std::uint64_t m = chance_.between(2, 3); m > 0; --m) {
        MembershipPlan plan = membership_in(group.name, topic("work"), protocol_of(kind));
        if (chance_.one_in(4)) plan.instance = fmt::format("instance-{}", chance_.below(3));
        somebody().start_member(std::move(plan));
      }
      groups_of_story_.push_back(std::move(group));
    }
  }

  ProducerSetup setup_of(std::string id) {
    ProducerSetup setup{.id = std::move(id), .second_version = chance_.one_in(2)};
    setup.timeout = std::chrono::milliseconds(chance_.between(1000, 6000));
    setup.careful = !anomalous_;
    return setup;
  }

  void start_transactions() {
    for (std::uint64_t i = chance_.between(1, 3); i > 0; --i) {
      const std::string id = fmt::format("writer-{}", i);
      const int transactions = static_cast<int>(chance_.between(8, 25));
      const bool second_version = chance_.one_in(2);
      // Of two with one id each is the other's zombie, until it comes anew.
      for (std::uint64_t n = chance_.one_in(2) ? 2 : 1; n > 0; --n) {
        ProducerSetup setup = setup_of(id);
        // Of one protocol: of two that mix them Kafka's coordinator takes a late end of one for a retry of the other's.
        setup.second_version = second_version;
        // What a transaction of writer-1 writes into `in` may be hit, and its copies with it.
        setup.shares = {"in", "side"};
        somebody().start_producer(std::move(setup), {topic("in"), topic("side")}, transactions);
      }
    }
    GroupOfStory group{"copiers", "in", topic("in").partitions, true};
    const std::uint64_t kind = chance_.below(3);
    if (kind == 2) groups_.mixed(group.name);
    for (std::uint64_t i = chance_.between(1, 3); i > 0; --i) {
      ProducerSetup setup = setup_of(fmt::format("copier-{}", i));
      setup.shares = {group.name, "out"};
      somebody().start_copier(membership_in(group.name, topic("in"), protocol_of(kind)), std::move(setup),
                              topic("out"));
    }
    groups_of_story_.push_back(std::move(group));
    for (const char* name : {"in", "out", "side"}) somebody().start_reader(topic(name));
    somebody().start_auditor(groups_of_story_);
  }

  // --- the acts

  void wait_for(const std::string& what, const std::function<bool()>& condition) {
    const bool came = world_.run_until([&] { return broker_->refusal() || condition(); }, patience);
    if (broker_->refusal()) throw std::runtime_error("the broker does not start: " + *broker_->refusal());
    if (!came) throw std::runtime_error(fmt::format("P10: {} did not happen within {} minutes", what, patience / 1min));
  }

  template <typename T>
  T ask(Task<T> task) {
    return world_.run(*client_hosts_[0], std::move(task), patience);
  }

  // Again and again, until it says so.
  void wait_until(const std::string& what, const std::function<bool()>& asked) {
    const runtime::MonoTime give_up = world_.now() + patience;
    while (!asked()) {
      if (world_.now() >= give_up) {
        throw std::runtime_error(fmt::format("P10: {} did not happen within {} minutes", what, patience / 1min));
      }
      world_.run_for(500ms);
    }
  }

  std::vector<TopicOfStory> data_topics() const { return {topics_.begin(), topics_.begin() + 3}; }

  void play() {
    plan_topics();
    broker_ = std::make_unique<BrokerProcess>(world_, broker_host_, broker_properties(), history_);
    for (std::uint64_t i = 1; i <= 2; ++i) client_hosts_.push_back(&world_.add_host(fmt::format("client-{}", i)));
    for (sim::Host* host : client_hosts_) {
      players_.push_back(std::make_unique<Players>(*host, stage_, chance_.fork()));
    }
    Nemesis nemesis(world_, *broker_, client_hosts_, history_, chance_.fork(), !lazy_);
    broker_->start();
    ask(make_topics());
    nemesis.begin();
    start_groups();
    start_transactions();
    wait_for("the end of what goes wrong", [&] { return nemesis.over(); });
    wait_for("a broker that serves", [&] { return broker_->serving(); });
    wait_for("the end of the producers' work",
             [&] { return std::ranges::all_of(players_, [](const auto& each) { return each->done(); }); });
    last_act();
  }

  void last_act() {
    stage_.last_act = true;
    stage_.late_one_in = 0;
    std::string open;
    wait_until("the end of all transactions of the producers", [&] {
      open = ask(players_[0]->open_transactions({topic("in"), topic("side")}, "copier-"));
      return open.empty();
    });
    const GroupOfStory& copiers = groups_of_story_.back();
    if (!stage_.tainted.contains(copiers.name)) {
      wait_until("that everything is copied", [&] { return ask(players_[0]->all_copied(copiers)); });
    }
    stage_.over = true;
    wait_for("that everybody goes",
             [&] { return std::ranges::all_of(players_, [](const auto& each) { return each->gone(); }); });
    try {
      wait_until("T6: the end of all transactions", [&] {
        open = ask(players_[0]->open_transactions(data_topics(), ""));
        return open.empty();
      });
    } catch (const std::exception& failure) {
      throw std::runtime_error(fmt::format("{}: {}", failure.what(), open));
    }
    check("at the end");
    broker_->stop(false);
    wait_for("a clean stop", [&] { return broker_->state() == BrokerProcess::State::down; });
    check_files(broker_host_.disk(), history_);
    broker_->start();
    wait_for("a broker that was started again", [&] { return broker_->serving(); });
    check("after a clean stop");
  }

  void check(std::string_view when) {
    world_.trace().add(world_.now(), "story", "check {}", when);
    const auto logs = ask(players_[0]->read_all(data_topics()));
    transactions_.note_committed(logs);
    ask(players_[0]->audit(groups_of_story_));
    transactions_.check(logs, {{"in", "out"}});
  }

  // What a careless producer of the first version did to itself is Kafka's known anomaly.
  void fail(const std::vector<std::string>& about, std::string what) {
    const bool known =
        std::ranges::any_of(about, [&](const std::string& each) { return stage_.tainted.contains(each); });
    world_.trace().add(world_.now(), "story", "{} {}", known ? "anomaly" : "violation", what);
    if (known) {
      ++anomalies_;
    } else {
      history_.fail(std::move(what));
    }
  }

  sim::World world_;
  sim::Chance chance_;
  sim::Host& broker_host_;
  bool lazy_ = false;       // nothing is flushed; power is not cut
  bool anomalous_ = false;  // producers of the first version are careless
  History history_{{}, {}};
  std::uint64_t step_ = 0;
  std::set<std::string> tainted_;
  std::size_t anomalies_ = 0;
  GroupHistory groups_{step_, [this](const auto& about, std::string what) { fail(about, std::move(what)); },
                       [this](const std::string& what) { world_.trace().add(world_.now(), "story", "{}", what); }};
  TransactionHistory transactions_{step_, groups_,
                                   [this](const auto& about, std::string what) { fail(about, std::move(what)); }};
  Stage stage_{transactions_, groups_, tainted_};
  std::vector<TopicOfStory> topics_;
  std::vector<GroupOfStory> groups_of_story_;
  std::vector<sim::Host*> client_hosts_;
  std::unique_ptr<BrokerProcess> broker_;
  std::vector<std::unique_ptr<Players>> players_;
};

}  // namespace

StoryOutcome run_coordinators_story(const StoryOptions& options) {
  CoordinatorsStory story(options);
  return story.run();
}

}  // namespace klamm::simulation
