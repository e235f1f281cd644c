// The coordinators of groups in this broker: one shard for each partition of __consumer_offsets that it leads. Handlers
// ask here; where a group belongs, and that the topic has to be made first, is known here.
// Source of behaviour: org.apache.kafka.coordinator.group.GroupCoordinatorService.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"
#include "groups/group_coordinator.h"
#include "groups/settings.h"
#include "hosting/controller_channel.h"
#include "hosting/hosted_topic.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "server/internal_topic.h"

namespace klamm::server {

inline constexpr std::string_view offsets_topic = "__consumer_offsets";

// What the records of __consumer_offsets are made into.
class GroupsKind {
 public:
  using Machine = groups::GroupCoordinator;

  GroupsKind(const groups::Settings& settings, groups::Memory& memory, const hosting::MetadataPublisher& metadata,
             Logger log)
      : settings_(&settings), memory_(&memory), metadata_(&metadata), log_(std::move(log)) {}

  std::shared_ptr<Machine> make() const { return std::make_shared<Machine>(*settings_, *memory_, log_); }
  static hosting::LogEntry encode(const groups::Record& record);
  static void load(Machine& machine, const records::RecordBatchView& batch, const records::RecordView& record);
  static void end_of_transaction(Machine& machine, ProducerId producer, bool commit) {
    machine.end_transaction(producer, commit);
  }
  std::vector<groups::Call> after_load() const;
  std::vector<groups::Call> after_change(const metadata::Delta& delta) const;

 private:
  const groups::Settings* settings_;
  groups::Memory* memory_;
  const hosting::MetadataPublisher* metadata_;
  Logger log_;
};

struct GroupShardsSettings {
  BrokerId node_id;
  groups::Settings groups;
  bool consumer_groups = true;                        // group.coordinator.rebalance.protocols
  std::size_t memory_bytes = 256u << 20;              // klamm.groups.memory.bytes
  hosting::PartitionWriterSettings writer;            // offsets.topic.compression.codec, message.max.bytes
  std::size_t load_bytes = 5u << 20;                  // offsets.load.buffer.size
  std::int32_t partitions = 50;                       // offsets.topic.num.partitions
  std::int16_t replication_factor = 3;                // offsets.topic.replication.factor
  std::int32_t segment_bytes = 100 << 20;             // offsets.topic.segment.bytes
  std::chrono::milliseconds commit_timeout{5000};     // offsets.commit.timeout.ms
  std::chrono::milliseconds creation_timeout{30000};  // request.timeout.ms
};

GroupShardsSettings group_shards_settings(const config::BrokerConfig& config);

class GroupShards {
 public:
  // The references outlive this.
  GroupShards(runtime::Environment& environment, hosting::MetadataPublisher& metadata,
              const replication::PartitionTable& partitions, GroupShardsSettings settings);

  // On `home`, after the metadata was published for the first time. What answers waited for is refused at the stop.
  runtime::Task<void> start(runtime::Reactor& home);
  runtime::Task<void> stop(runtime::Reactor& home);

  // As many as there were when this started; what the topic is made with when there was none.
  std::int32_t partition_count() const { return partition_count_; }
  PartitionIndex partition_of(std::string_view group_id) const;
  const groups::Settings& group_settings() const { return settings_.groups; }
  // Whether the consumer protocol (KIP-848) is on, here and in the cluster.
  bool serves_consumer_groups(const metadata::Image& image) const;

  // Any reactor. The machine's answer of the group's shard; NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS in it when
  // there is none to ask. A write that does not last in time is COORDINATOR_NOT_AVAILABLE.
  runtime::Task<groups::Answer> ask(runtime::Reactor& reactor, PartitionIndex partition, groups::Call call);
  // The same for answers that come when other members did something: waits as long as the machine does.
  runtime::Task<groups::Answer> ask_and_wait(runtime::Reactor& reactor, PartitionIndex partition, groups::Call call);

  // Makes the topic, unless somebody is about to. What became of it shows in the metadata.
  runtime::Task<void> create_topic(runtime::Reactor& reactor, hosting::ControllerChannel& controller,
                                   hosting::CallerContext caller) {
    return creation_.create(reactor, controller, std::move(caller));
  }

 private:
  hosting::MetadataPublisher& metadata_;
  GroupShardsSettings settings_;
  Logger log_;
  std::int32_t partition_count_;
  InternalTopicCreation creation_;
  groups::Memory memory_;
  hosting::HostedTopic<GroupsKind> shards_;
};

}  // namespace klamm::server
