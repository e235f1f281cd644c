// The coordinators of transactions in this broker: one shard for each partition of __transaction_state that it leads.
// Handlers ask here; where a transactional id belongs, and where fresh producer ids come from, is known here. What a
// shard wants done in the world is done here: markers are written, producer ids are fetched.
// Source of behaviour: kafka.coordinator.transaction.TransactionCoordinator.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"
#include "coordination/memory.h"
#include "hosting/hosted_topic.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "server/group_shards.h"
#include "server/internal_topic.h"
#include "server/marker_writer.h"
#include "transactions/settings.h"
#include "transactions/transaction_coordinator.h"

namespace klamm::server {

inline constexpr std::string_view transactions_topic = "__transaction_state";

// A producer id that nobody had before.
using FreshProducerId = std::function<runtime::Task<Result<ProducerId>>(runtime::Reactor&)>;

struct TransactionShardsSettings {
  BrokerId node_id;
  transactions::Settings transactions;
  hosting::PartitionWriterSettings writer;            // message.max.bytes
  std::size_t load_bytes = 5u << 20;                  // transaction.state.log.load.buffer.size
  std::int32_t partitions = 50;                       // transaction.state.log.num.partitions
  std::int16_t replication_factor = 3;                // transaction.state.log.replication.factor
  std::int32_t min_insync_replicas = 2;               // transaction.state.log.min.isr
  std::int32_t segment_bytes = 100 << 20;             // transaction.state.log.segment.bytes
  std::size_t memory_bytes = 256u << 20;              // klamm.transactions.memory.bytes
  std::chrono::milliseconds marker_timeout{5000};     // until a marker is replicated, or tried again
  std::chrono::milliseconds commit_timeout{30000};    // request.timeout.ms
  std::chrono::milliseconds creation_timeout{30000};  // request.timeout.ms
};

TransactionShardsSettings transaction_shards_settings(const config::BrokerConfig& config);

// What the records of __transaction_state are made into.
class TransactionsKind {
 public:
  using Machine = transactions::TransactionCoordinator;

  struct Parts {
    const TransactionShardsSettings& settings;
    coordination::Memory& memory;
    hosting::MetadataPublisher& metadata;
    MarkerWriter& markers;
    const FreshProducerId& fresh_id;
  };
  TransactionsKind(Parts parts, Logger log) : parts_(parts), log_(std::move(log)) {}

  std::shared_ptr<Machine> make() const;
  static hosting::LogEntry encode(const transactions::Record& record);
  static void load(Machine& machine, const records::RecordBatchView& batch, const records::RecordView& record);
  static void end_of_transaction(Machine&, ProducerId, bool) {}
  std::vector<transactions::Call> after_load() const;
  std::vector<transactions::Call> after_change(const metadata::Delta& delta) const;
  // Until the shard is dropped.
  runtime::Task<void> work(hosting::Shard<Machine>& shard, runtime::Reactor& owner, LeaderEpoch epoch,
                           hosting::BatchTools& tools) const;

 private:
  runtime::Task<void> write_marker(hosting::Shard<Machine>& shard, runtime::Reactor& owner, LeaderEpoch epoch,
                                   transactions::Marker marker) const;
  runtime::Task<void> give_producer_id(hosting::Shard<Machine>& shard, runtime::Reactor& owner) const;

  Parts parts_;
  Logger log_;
};

class TransactionShards {
 public:
  // The references outlive this.
  TransactionShards(runtime::Environment& environment, hosting::MetadataPublisher& metadata,
                    const replication::PartitionTable& partitions, GroupShards& groups, FreshProducerId fresh_id,
                    TransactionShardsSettings settings);

  // On `home`, after the metadata was published for the first time. What answers waited for is refused at the stop.
  runtime::Task<void> start(runtime::Reactor& home);
  runtime::Task<void> stop(runtime::Reactor& home);

  // As many as there were when this started; what the topic is made with when there was none.
  std::int32_t partition_count() const { return partition_count_; }
  PartitionIndex partition_of(std::string_view transactional_id) const;

  // Any reactor. The machine's answer, never ProducerIdWanted: an id is fetched and the call asked again, with errors
  // of the controller in its answer. NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS when there is no shard to ask; a
  // write that does not last in time is COORDINATOR_NOT_AVAILABLE.
  runtime::Task<transactions::Answer> ask(runtime::Reactor& reactor, PartitionIndex partition, transactions::Call call);

  // What of its filters does not make sense; nobody is listed yet.
  protocol::ListTransactionsResponse check_filters(const protocol::ListTransactionsRequest& request) const;

  // Makes the topic, unless somebody is about to. What became of it shows in the metadata.
  runtime::Task<void> create_topic(runtime::Reactor& reactor, hosting::ControllerChannel& controller,
                                   hosting::CallerContext caller) {
    return creation_.create(reactor, controller, std::move(caller));
  }

  MarkerWriter& markers() { return markers_; }

 private:
  hosting::MetadataPublisher& metadata_;
  TransactionShardsSettings settings_;
  FreshProducerId fresh_id_;
  Logger log_;
  std::int32_t partition_count_;
  InternalTopicCreation creation_;
  coordination::Memory memory_;
  MarkerWriter markers_;
  hosting::HostedTopic<TransactionsKind> shards_;
};

}  // namespace klamm::server
