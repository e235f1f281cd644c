#include "hosting/embedded_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/testing.h"
#include "hosting/format.h"
#include "hosting/machine_test.h"
#include "storage/meta_properties.h"

namespace klamm::hosting {
namespace {

using testing::Machine;
using testing::testdata;

// A node's metadata in a directory, from start to stop.
class Node {
 public:
  Node(Machine& machine, std::string directory) : machine_(machine), directory_(machine.environment(), directory) {
    const auto properties = storage::read_meta_properties(machine.disk(), directory);
    EXPECT_TRUE(properties && *properties);
    directory_.set_id((*properties)->directory_id.value_or(zero_uuid));
    settings.log.node_id = 1;
    settings.log.directory_id = directory_.id();
    settings.controller.cluster_id = (*properties)->cluster_id.value_or("");
    settings.controller.node_id = BrokerId(1);
  }

  // Runs the story between start and stop. Without `clean` the log is left as a crash would leave it.
  void run(const std::function<runtime::Task<void>(Node&)>& story, bool clean = true) {
    machine_.system().run_until_done(live(story, clean));
  }

  runtime::Task<void> live(const std::function<runtime::Task<void>(Node&)>& story, bool clean) {
    publisher_.emplace(machine_.environment());
    metadata_.emplace(machine_.environment(), machine_.reactor(), directory_, settings, rules_, *publisher_,
                      [this](const std::string& what) { failure = what; });
    co_await metadata_->start();
    co_await story(*this);
    co_await metadata_->stop(clean);
    metadata_.reset();
    publisher_.reset();
  }

  EmbeddedMetadata& metadata() { return *metadata_; }
  MetadataPublisher& publisher() { return *publisher_; }
  runtime::Reactor& reactor() { return machine_.reactor(); }
  const metadata::Image& image() { return *publisher_->image(reactor()); }

  runtime::Task<std::int64_t> start_broker() {
    // With the directories it had.
    const auto* before = image().broker(BrokerId(1));
    auto registration = controller::testing::ControllerStory::registration(
        1, before && !before->directories.empty() ? before->directories : std::vector<Uuid>{{300, 1}});
    registration.cluster_id = settings.controller.cluster_id;
    registration.incarnation_id = fresh_uuid(machine_.random());
    const auto registered = co_await metadata_->channel().register_broker(reactor(), {.api_version = 4}, registration);
    EXPECT_EQ(registered.error_code, 0);
    protocol::BrokerHeartbeatRequest heartbeat;
    heartbeat.broker_id = 1;
    heartbeat.broker_epoch = registered.broker_epoch;
    heartbeat.current_metadata_offset = image().provenance().offset.value;
    const auto alive = co_await metadata_->channel().broker_heartbeat(reactor(), {}, heartbeat);
    EXPECT_FALSE(alive.is_fenced);
    co_return registered.broker_epoch;
  }
  runtime::Task<int> create_topic(std::string name, std::int32_t timeout_ms = 10'000) {
    auto request = controller::testing::ControllerStory::topic(std::move(name), 2, 1);
    request.timeout_ms = timeout_ms;
    const auto response = co_await metadata_->channel().create_topics(reactor(), {}, request);
    co_return response.topics.at(0).error_code;
  }

  EmbeddedMetadataSettings settings;
  std::string failure;

 private:
  Machine& machine_;
  storage::LogDirectory directory_;
  controller::testing::FewRules rules_;
  std::optional<MetadataPublisher> publisher_;
  std::optional<EmbeddedMetadata> metadata_;
};

void format_static(Machine& machine, const std::string& directory) {
  format_directories(machine.disk(), machine.random(), Timestamp(1),
                     {.node_id = 1, .cluster_id = "c", .directories = {directory}, .metadata_directory = directory},
                     {});
}

std::string copy_of(Machine& machine, const std::string& kafka) {
  const std::string directory = machine.directory() + "/" + kafka;
  std::filesystem::copy(testdata() + "/" + kafka, directory, std::filesystem::copy_options::recursive);
  return directory;
}

TEST(EmbeddedMetadataTest, AFreshDirectoryBeginsAClusterThatSurvivesRestarts) {
  Machine machine;
  const std::string directory = machine.directory() + "/data";
  format_static(machine, directory);
  std::int64_t first_epoch = 0;
  {
    Node node(machine, directory);
    node.run([&](Node& n) -> runtime::Task<void> {
      EXPECT_EQ(n.metadata().epoch(), LeaderEpoch(1));
      EXPECT_EQ(n.metadata().kraft_version(), 0);
      EXPECT_EQ(n.image().metadata_version()->name(), "4.3-IV0");
      EXPECT_EQ(n.image().feature_level("transaction.version"), 2);
      EXPECT_TRUE(n.image().elr_enabled());
      EXPECT_EQ(n.image().config({metadata::ConfigResourceType::broker, ""}).at("min.insync.replicas"), "1");
      first_epoch = co_await n.start_broker();
      EXPECT_EQ(co_await n.create_topic("orders"), 0);
      EXPECT_NE(n.image().topic("orders"), nullptr);  // whoever has the answer sees the topic
      EXPECT_EQ(co_await n.create_topic("orders"), 36);
      EXPECT_EQ(co_await n.create_topic("late", 0), 7);
      EXPECT_EQ(n.image().topic("late"), nullptr);
    });
  }
  const auto state = read_quorum_state(machine.disk(), directory + "/__cluster_metadata-0");
  EXPECT_EQ(state, (QuorumState{.leader_id = 1, .leader_epoch = LeaderEpoch(1), .voters = {1}, .data_version = 0}));
  for (int restart = 1; restart <= 3; ++restart) {
    Node node(machine, directory);
    node.run(
        [&](Node& n) -> runtime::Task<void> {
          EXPECT_EQ(n.metadata().epoch(), LeaderEpoch(1 + restart));
          EXPECT_EQ(n.image().topic("orders")->partition_count(), 2u);
          const auto epoch = co_await n.start_broker();
          EXPECT_GT(epoch, first_epoch);
          EXPECT_EQ(n.image().partition("orders", 0)->leader, 1);
        },
        restart != 2);
  }
}

TEST(EmbeddedMetadataTest, DirectoriesOfApacheKafkaAreContinued) {
  for (const auto& [kafka, level, kraft] : {std::tuple{"kafka-3.9.2-static", 21, 0},
                                            {"kafka-4.3.1-static", 30, 0},
                                            {"kafka-4.3.1-standalone", 30, 1},
                                            {"kafka-4.4.0-standalone", 33, 1}}) {
    Machine machine;
    const std::string directory = copy_of(machine, kafka);
    for (int start = 0; start < 2; ++start) {
      Node node(machine, directory);
      node.run([&](Node& n) -> runtime::Task<void> {
        EXPECT_EQ(n.metadata().kraft_version(), kraft) << kafka;
        EXPECT_EQ(n.metadata().epoch(), LeaderEpoch(2 + start));
        EXPECT_EQ(n.image().metadata_version()->level(), level);
        EXPECT_EQ(n.image().topic("alpha")->partition_count(), 5u);
        co_await n.start_broker();
        EXPECT_EQ(n.image().partition("alpha", 4)->leader, 1);
        EXPECT_EQ(co_await n.create_topic("ours"), start == 0 ? 0 : 36);
        EXPECT_EQ(n.image().next_producer_id(), ProducerId(1000 + 1000 * start));
        protocol::AllocateProducerIdsRequest ids;
        ids.broker_id = 1;
        ids.broker_epoch = n.image().broker(BrokerId(1))->epoch.value;
        const auto block = co_await n.metadata().channel().allocate_producer_ids(n.reactor(), {}, ids);
        EXPECT_EQ(block.producer_id_start, 1000 + 1000 * start);
      });
    }
    const auto state = read_quorum_state(machine.disk(), directory + "/__cluster_metadata-0");
    EXPECT_EQ(state->data_version, kraft);
    EXPECT_EQ(state->leader_epoch, LeaderEpoch(3));
  }
}

TEST(EmbeddedMetadataTest, EveryLevelIsOpenedAndKept) {
  for (std::int16_t level = metadata::metadata_level_min; level <= metadata::metadata_level_max; ++level) {
    Machine machine;
    const std::string directory = machine.directory() + "/data";
    format_static(machine, directory);
    std::filesystem::copy_file(fmt::format("{}/levels/{:02}.checkpoint", testdata(), level),
                               directory + "/bootstrap.checkpoint", std::filesystem::copy_options::overwrite_existing);
    for (int start = 0; start < 2; ++start) {
      Node node(machine, directory);
      node.run([&](Node& n) -> runtime::Task<void> {
        EXPECT_EQ(n.image().metadata_version()->level(), level);
        co_await n.start_broker();
        EXPECT_EQ(co_await n.create_topic(fmt::format("t{}", start)), 0);
        EXPECT_EQ(n.image().topics().size(), static_cast<std::size_t>(start + 1));
        EXPECT_EQ(n.image().partition("t0", 0)->leader, 1);
      });
    }
  }
}

TEST(EmbeddedMetadataTest, A44DirectoryThatNeverStartedBeginsWithTheRecordsOfItsSnapshot) {
  Machine machine;
  const std::string directory = copy_of(machine, "kafka-4.4.0-standalone");
  std::filesystem::remove(directory + "/__cluster_metadata-0/00000000000000000000.log");
  std::filesystem::remove(directory + "/__cluster_metadata-0/quorum-state");
  std::filesystem::remove(directory + "/__cluster_metadata-0/leader-epoch-checkpoint");
  Node node(machine, directory);
  node.run([&](Node& n) -> runtime::Task<void> {
    EXPECT_EQ(n.image().metadata_version()->level(), 33);
    EXPECT_EQ(n.image().feature_level("share.version"), 2);
    EXPECT_EQ(n.metadata().kraft_version(), 1);
    EXPECT_EQ(n.metadata().epoch(), LeaderEpoch(1));
    co_return;
  });
}

TEST(EmbeddedMetadataTest, SnapshotsAreWrittenWhenEnoughChangedAndTheOldOnesGo) {
  Machine machine;
  const std::string directory = machine.directory() + "/data";
  format_static(machine, directory);
  const auto snapshots = [&] {
    std::vector<std::string> names;
    for (const auto& entry : machine.disk().list(directory + "/__cluster_metadata-0")) {
      if (parse_snapshot_name(entry.name)) names.push_back(entry.name);
    }
    return names;
  };
  {
    Node node(machine, directory);
    node.settings.log.snapshot_bytes = 2000;
    node.settings.log.retention_bytes = 20'000;
    node.run([&](Node& n) -> runtime::Task<void> {
      co_await n.start_broker();
      for (int i = 0; i < 200; ++i) EXPECT_EQ(co_await n.create_topic(fmt::format("topic-{}", i)), 0);
    });
  }
  ASSERT_GE(snapshots().size(), 1u);
  EXPECT_LE(snapshots().size(), 6u);
  const auto before = snapshots();
  {
    Node node(machine, directory);
    node.run([&](Node& n) -> runtime::Task<void> {
      EXPECT_EQ(n.image().topics().size(), 200u);
      co_await n.start_broker();
      EXPECT_EQ(n.image().partition("topic-7", 1)->leader, 1);
    });
  }
  EXPECT_EQ(snapshots(), before);  // little has changed since

  // The log may be gone up to the snapshot: it alone has all there is.
  std::filesystem::remove(directory + "/__cluster_metadata-0/00000000000000000000.log");
  Node node(machine, directory);
  node.run([&](Node& n) -> runtime::Task<void> {
    EXPECT_GE(n.image().topics().size(), 150u);
    co_await n.start_broker();
    EXPECT_EQ(co_await n.create_topic("after"), 0);
  });
}

TEST(EmbeddedMetadataTest, ATornTailIsCutOff) {
  Machine machine;
  const std::string directory = copy_of(machine, "kafka-4.3.1-static");
  const std::string log = directory + "/__cluster_metadata-0/00000000000000000000.log";
  const auto size = std::filesystem::file_size(log);
  std::filesystem::resize_file(log, size - 30);
  Node node(machine, directory);
  node.run([&](Node& n) -> runtime::Task<void> {
    EXPECT_EQ(n.image().topic("alpha")->partition_count(), 5u);
    co_await n.start_broker();
    EXPECT_EQ(co_await n.create_topic("after"), 0);
  });
}

// A flipped bit would otherwise take all topics that were created after it.
TEST(EmbeddedMetadataTest, DamageBeforeWholeBatchesIsNoTornEnd) {
  Machine machine;
  const std::string directory = copy_of(machine, "kafka-4.3.1-static");
  const std::string log = directory + "/__cluster_metadata-0/00000000000000000000.log";
  const ByteVector kept = machine.disk().read_file(log, 1 << 20);
  const auto nothing = [](Node&) -> runtime::Task<void> { co_return; };
  const auto topics_after = [&](auto hurt) {
    ByteVector hurt_bytes = kept;
    hurt(hurt_bytes);
    machine.disk().replace_file(log, hurt_bytes);
    std::size_t topics = 0;
    Node(machine, directory).run([&](Node& n) -> runtime::Task<void> {
      topics = n.image().topics().size();
      co_return;
    });
    return topics;
  };
  const auto all = topics_after([](ByteVector&) {});
  ASSERT_GT(all, 0u);
  for (const std::size_t at : {std::size_t{20}, std::size_t{64}, kept.size() / 2}) {
    EXPECT_THROW(topics_after([&](ByteVector& bytes) { bytes[at] ^= std::byte{4}; }), MetadataLogError) << at;
  }
  // A sector that was never written is what a power cut leaves; so is an end that nothing follows.
  EXPECT_LT(topics_after([](ByteVector& bytes) { std::fill_n(bytes.begin() + 512, 512, std::byte{0}); }), all);
  topics_after([](ByteVector& bytes) { bytes.back() ^= std::byte{4}; });
  topics_after([](ByteVector& bytes) { std::fill(bytes.end() - 700, bytes.end(), std::byte{7}); });
  machine.disk().replace_file(log, kept);
  Node(machine, directory).run(nothing);
}

TEST(EmbeddedMetadataTest, ALostLogIsNotBegunAnewWhilePartitionsAreThere) {
  Machine machine;
  const std::string directory = machine.directory() + "/data";
  format_static(machine, directory);
  Node(machine, directory).run([](Node&) -> runtime::Task<void> { co_return; });
  const std::string lost = directory + "/__cluster_metadata-0/00000000000000000000.log";
  const auto kept = machine.disk().read_file(lost, 1 << 20);
  machine.disk().remove_file(lost);

  Node node(machine, directory);
  node.settings.partition_held = "/data/orders-0";
  const auto nothing = [](Node&) -> runtime::Task<void> { co_return; };
  EXPECT_THROW(node.run(nothing), MetadataLogError);
  machine.disk().replace_file(lost, kept);
  node.run(nothing);
}

TEST(EmbeddedMetadataTest, QuorumsOfOthersAreNotLed) {
  const auto refusal = [](const std::string& kafka, auto change) {
    Machine machine;
    const std::string directory = copy_of(machine, kafka);
    Node node(machine, directory);
    change(node, directory);
    try {
      node.run([](Node&) -> runtime::Task<void> { co_return; });
    } catch (const MetadataLogError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(refusal("kafka-4.3.1-standalone", [](Node& n, auto&) { n.settings.log.node_id = 2; }),
              ::testing::HasSubstr("is made up of node 1, not of this node (2) alone"));
  EXPECT_THAT(refusal("kafka-4.3.1-standalone", [](Node& n, auto&) { n.settings.log.directory_id = Uuid{1, 1}; }),
              ::testing::HasSubstr("has directory id"));
  EXPECT_THAT(refusal("kafka-4.3.1-static",
                      [](Node&, const std::string& directory) {
                        std::filesystem::remove(directory + "/__cluster_metadata-0/quorum-state");
                        runtime::os::OsDisk disk;
                        write_quorum_state(disk, directory + "/__cluster_metadata-0",
                                           {.leader_id = 2, .leader_epoch = LeaderEpoch(1), .voters = {1, 2, 3}});
                      }),
              ::testing::HasSubstr("made up of nodes 1, 2, 3"));
}

TEST(EmbeddedMetadataTest, SubscribersHearEveryChangeOnTheirOwnReactor) {
  Machine machine(2);
  const std::string directory = machine.directory() + "/data";
  format_static(machine, directory);
  struct Listener final : MetadataSubscriber {
    explicit Listener(runtime::Reactor& r) : reactor(r) {}
    void metadata_changed(const metadata::Delta& delta) override {
      EXPECT_TRUE(reactor.is_current());
      if (last) EXPECT_EQ(delta.base()->provenance().offset, last->provenance().offset);
      last = delta.image();
      for (const auto& [id, change] : delta.topics()) topics.push_back(change.after->name);
    }
    runtime::Reactor& reactor;
    metadata::ImageRef last;
    std::vector<std::string> topics;
  };
  Listener here(machine.reactor(0));
  Listener there(machine.reactor(1));
  Node node(machine, directory);
  node.run([&](Node& n) -> runtime::Task<void> {
    n.publisher().subscribe(machine.reactor(0), here);
    co_await runtime::move_to(machine.reactor(1));
    n.publisher().subscribe(machine.reactor(1), there);
    co_await runtime::move_to(machine.reactor(0));
    co_await n.start_broker();
    // Asked from the other reactor: with the answer the topic is seen there.
    co_await runtime::move_to(machine.reactor(1));
    auto request = controller::testing::ControllerStory::topic("t", 1, 1);
    const auto response = co_await n.metadata().channel().create_topics(machine.reactor(1), {}, request);
    EXPECT_EQ(response.topics.at(0).error_code, 0);
    EXPECT_NE(n.publisher().image(machine.reactor(1))->topic("t"), nullptr);
    EXPECT_NE(n.publisher().latest()->topic("t"), nullptr);
    n.publisher().unsubscribe(machine.reactor(1), there);
    co_await runtime::move_to(machine.reactor(0));
    n.publisher().unsubscribe(machine.reactor(0), here);
  });
  EXPECT_EQ(here.topics, (std::vector<std::string>{"t"}));
  EXPECT_EQ(there.topics, here.topics);
  EXPECT_TRUE(there.last->same_contents(*here.last));
}

TEST(EmbeddedMetadataTest, ManyCallsAtOnceShareTheirSyncsAndAreAllAnswered) {
  Machine machine;
  const std::string directory = machine.directory() + "/data";
  format_static(machine, directory);
  Node node(machine, directory);
  node.run([&](Node& n) -> runtime::Task<void> {
    co_await n.start_broker();
    runtime::TaskGroup group(n.reactor());
    int created = 0;
    for (int i = 0; i < 100; ++i) {
      group.start([](Node& node_, int number, int& count) -> runtime::Task<void> {
        if (co_await node_.create_topic(fmt::format("t{}", number)) == 0) ++count;
      }(n, i, created));
    }
    co_await group.wait();
    EXPECT_EQ(created, 100);
    EXPECT_EQ(n.image().topics().size(), 100u);
  });
}

}  // namespace
}  // namespace klamm::hosting
