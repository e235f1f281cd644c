// A crash before every single operation of the disk, from formatting over snapshots to the second stop: what was told
// to somebody is there afterwards, and the next start goes on from it.
#include <gtest/gtest.h>

#include "controller/testing.h"
#include "hosting/embedded_metadata.h"
#include "hosting/format.h"
#include "storage/meta_properties.h"
#include "storage/test_world.h"

namespace klamm::hosting {
namespace {

using storage::test::DiskState;
using storage::test::World;

// Something that was told to a caller or a subscriber, and how many operations there were before.
struct Told {
  std::size_t operations;
  std::string topic;
  std::int64_t producer_ids = -1;
  LeaderEpoch epoch{-1};
};

struct Life {
  std::vector<DiskState> before_operation;
  std::vector<Told> told;
};

DiskState copy(const DiskState& from) {
  DiskState to;
  std::map<DiskState::NodeRef, DiskState::NodeRef> copies;
  const auto copy_names = [&](const auto& names, auto& copied) {
    for (const auto& [name, node] : names) {
      auto& each = copies[node];
      if (!each) each = std::make_shared<DiskState::Node>(*node);
      copied[name] = each;
    }
  };
  copy_names(from.names, to.names);
  copy_names(from.synced_names, to.synced_names);
  to.directories = from.directories;
  to.synced_directories = from.synced_directories;
  return to;
}

// A node that formats its directory where it must, as an embedded one does.
class Node final : MetadataSubscriber {
 public:
  explicit Node(World& world, Life* life = nullptr) : world_(world), life_(life) {
    if (life_) {
      world_.disk.before = [this](std::string_view, const std::string&) {
        life_->before_operation.push_back(copy(world_.disk.state));
      };
    }
    const auto properties = storage::read_meta_properties(world_.disk, directory);
    if (!properties) {
      format_directories(world_.disk, world_.random, world_.clock.time,
                         {.node_id = 1, .cluster_id = "c", .directories = {directory}, .metadata_directory = directory},
                         {});
    }
    directory_.emplace(world_.environment, directory);
    directory_->set_id(storage::read_meta_properties(world_.disk, directory)->value().directory_id.value());
    EmbeddedMetadataSettings settings;
    settings.log.directory_id = directory_->id();
    if (life_) settings.log.segment_bytes = 700;  // just enough for each batch
    settings.log.retention_bytes = 1;             // only the last snapshot stays, and the segments behind it
    settings.controller.cluster_id = "c";
    settings.controller.node_id = BrokerId(1);
    publisher_.emplace(world_.environment);
    metadata_.emplace(world_.environment, world_.first, *directory_, settings, rules_, *publisher_,
                      [](const std::string& what) { ADD_FAILURE() << what; });
    publisher_->subscribe(world_.first, *this);
    world_.run(metadata_->start());
    tell({.epoch = metadata_->epoch()});
  }
  ~Node() override { world_.disk.before = {}; }

  void stop(bool clean) {
    publisher_->unsubscribe(world_.first, *this);
    world_.run(metadata_->stop(clean));
  }

  void register_broker() {
    auto request = controller::testing::ControllerStory::registration(1, {directory_->id()});
    request.cluster_id = "c";
    request.incarnation_id = fresh_uuid(world_.random);
    const auto response = world_.run(channel().register_broker(world_.first, {.api_version = 4}, request));
    ASSERT_EQ(response.error_code, 0);
    broker_epoch_ = response.broker_epoch;
    protocol::BrokerHeartbeatRequest heartbeat;
    heartbeat.broker_id = 1;
    heartbeat.broker_epoch = broker_epoch_;
    heartbeat.current_metadata_offset = image().provenance().offset.value;
    ASSERT_FALSE(world_.run(channel().broker_heartbeat(world_.first, {}, heartbeat)).is_fenced);
  }
  int create_topic(const std::string& name) {
    auto request = controller::testing::ControllerStory::topic(name, 2, 1);
    const auto response = world_.run(channel().create_topics(world_.first, {}, request));
    if (response.topics.at(0).error_code == 0) tell({.topic = name});
    return response.topics.at(0).error_code;
  }
  std::int64_t allocate_producer_ids() {
    protocol::AllocateProducerIdsRequest request;
    request.broker_id = 1;
    request.broker_epoch = broker_epoch_;
    const auto response = world_.run(channel().allocate_producer_ids(world_.first, {}, request));
    EXPECT_EQ(response.error_code, 0);
    tell({.producer_ids = response.producer_id_start});
    return response.producer_id_start;
  }
  void write_snapshot() { world_.run(metadata_->log().write_snapshot(publisher_->image(world_.first))); }

  const metadata::Image& image() { return *publisher_->image(world_.first); }
  LeaderEpoch epoch() const { return metadata_->epoch(); }

  static constexpr const char* directory = "/var/data";

 private:
  void metadata_changed(const metadata::Delta& delta) override {
    for (const auto& [id, change] : delta.topics()) {
      if (change.after) tell({.topic = change.after->name});
    }
  }
  void tell(Told told) {
    if (!life_) return;
    told.operations = life_->before_operation.size();
    life_->told.push_back(std::move(told));
  }
  ControllerChannel& channel() { return metadata_->channel(); }

  World& world_;
  Life* life_;
  controller::testing::FewRules rules_;
  std::optional<storage::LogDirectory> directory_;
  std::optional<MetadataPublisher> publisher_;
  std::optional<EmbeddedMetadata> metadata_;
  std::int64_t broker_epoch_ = -1;
};

Life live() {
  Life life;
  World world;
  {
    Node node(world, &life);
    node.register_broker();
    EXPECT_EQ(node.create_topic("first"), 0);
    node.allocate_producer_ids();
    node.write_snapshot();
    EXPECT_EQ(node.create_topic("second"), 0);
    node.write_snapshot();
    EXPECT_EQ(node.create_topic("third"), 0);
    node.stop(false);
  }
  {
    Node node(world, &life);
    node.register_broker();
    EXPECT_EQ(node.create_topic("fourth"), 0);
    node.allocate_producer_ids();
    node.write_snapshot();
    node.stop(true);
  }
  return life;
}

void go_on(const Life& life, std::size_t operations, bool power_cut) {
  World world(life.before_operation[operations].after_crash(power_cut));
  // Ids that no life had.
  for (std::size_t i = 0; i < operations + 100; ++i) world.random.next();
  for (int start = 0; start < 2; ++start) {
    Node node(world);
    node.register_broker();
    const std::int64_t ids = node.allocate_producer_ids();
    for (const Told& told : life.told) {
      if (told.operations > operations) break;
      if (!told.topic.empty()) ASSERT_NE(node.image().topic(told.topic), nullptr) << told.topic;
      ASSERT_GT(ids, told.producer_ids);
      ASSERT_GT(node.epoch(), told.epoch);
    }
    for (const auto& topic : node.image().topics()) {
      ASSERT_EQ(topic->partition_count(), 2u);
      ASSERT_EQ(topic->partition(1)->leader, 1);
    }
    ASSERT_EQ(node.create_topic("after"), start == 0 ? 0 : 36);
    node.stop(false);
  }
}

TEST(MetadataCrashTest, WhatWasToldIsThereAfterACrashBeforeAnyOperation) {
  const Life life = live();
  // Segments and snapshots went meanwhile.
  ASSERT_FALSE(life.before_operation.back().names.contains(
      fmt::format("{}/{}/{:020}.log", Node::directory, metadata_log_name, 0)));
  ASSERT_GT(life.before_operation.size(), 100u);
  for (std::size_t operations = 0; operations < life.before_operation.size(); ++operations) {
    for (const bool power_cut : {false, true}) {
      SCOPED_TRACE(fmt::format("before operation {}, {}", operations, power_cut ? "power cut" : "kill"));
      go_on(life, operations, power_cut);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace klamm::hosting
