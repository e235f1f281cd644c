// The coordinators of transactions over real logs: loading, writing, markers in the partitions, crashing.
#include "server/transaction_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>

#include "hosting/machine_test.h"
#include "protocol/records/feature_level_record.h"
#include "protocol/records/partition_record.h"
#include "protocol/records/remove_topic_record.h"
#include "protocol/records/topic_record.h"
#include "records/batch_walker.h"
#include "records/control_record.h"
#include "records/record_batch_builder.h"
#include "storage/log_directory.h"

namespace klamm::server {
namespace {

using namespace std::chrono_literals;
using runtime::Task;
using transactions::TransactionState;

constexpr Uuid coordinator_topic{7, 7};
constexpr Uuid data_topic{8, 8};
constexpr Uuid offsets_topic_id{9, 9};
constexpr std::int32_t data_partitions = 2;

struct Producer {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
};

// A broker that leads a partition of __transaction_state and two of "orders". What a crash leaves is the directory.
class World {
 public:
  explicit World(hosting::testing::Machine& machine_)
      : machine(machine_),
        directory(machine_.environment(), machine_.directory()),
        publisher(machine_.environment()),
        table(machine_.environment().scheduling) {
    settings.node_id = BrokerId(1);
    settings.partitions = 1;
    settings.transactions.marker_retry_delay = 5ms;
  }
  ~World() {
    for (const auto& partition : table.all()) partition->close();
  }

  runtime::Reactor& home() { return machine.reactor(); }

  void publish() {
    publish_change([](metadata::Delta& delta) {
      protocol::FeatureLevelRecord level;
      level.name = "transaction.version";
      level.feature_level = 2;
      delta.replay({level, 0});
      add_topic(delta, transactions_topic, coordinator_topic, 1);
      add_topic(delta, "orders", data_topic, data_partitions);
      add_topic(delta, offsets_topic, offsets_topic_id, 1);
    });
  }
  void forget_orders() {
    publish_change([](metadata::Delta& delta) {
      protocol::RemoveTopicRecord gone;
      gone.topic_id = data_topic;
      delta.replay({gone, 0});
    });
  }
  Task<void> open_log(std::string topic, Uuid id, std::int32_t index) {
    const TopicPartition name{topic, PartitionIndex(index)};
    auto& log = logs[name];
    log = storage::Log::open(directory, {.name = name,
                                         .directory_name = name.to_string(),
                                         .settings = std::make_shared<storage::LogSettings>(),
                                         .topic_id = id,
                                         .clean = false,
                                         .high_watermark = {}});
    auto leading = log->set_writer_epoch(home(), LeaderEpoch(1), true);
    EXPECT_TRUE(co_await std::move(leading));
    auto partition = std::make_shared<replication::Partition>(
        name, id, BrokerId(1), std::make_shared<replication::TopicSettings>(), machine.environment());
    replication::PartitionState state;
    state.leader = BrokerId(1);
    state.leader_epoch = LeaderEpoch(1);
    state.replicas = state.isr = {BrokerId(1)};
    partition->apply(state, log);
    table.insert(partition);
  }
  // Without `orders`: its partitions are not there yet, as after a start that still recovers.
  void run(bool orders, const std::function<Task<void>(World&)>& story) {
    machine.system().run_until_done(
        [](World& world, bool with_orders, const std::function<Task<void>(World&)>& what) -> Task<void> {
          world.publish();
          co_await world.open_log(std::string(transactions_topic), coordinator_topic, 0);
          if (with_orders) co_await world.open_orders();
          co_await world.open_log(std::string(offsets_topic), offsets_topic_id, 0);
          world.start_shards();
          co_await world.groups->start(world.home());
          co_await world.shards->start(world.home());
          co_await what(world);
          co_await world.shards->stop(world.home());
          world.shards.reset();
          co_await world.groups->stop(world.home());
          world.groups.reset();
          for (const auto& partition : world.table.all()) {
            partition->close();
            world.table.erase(partition);
          }
          for (auto& [name, log] : world.logs) co_await log->close(world.home(), false);
          world.logs.clear();
        }(*this, orders, story));
  }
  Task<void> open_orders() {
    for (std::int32_t i = 0; i < data_partitions; ++i) co_await open_log("orders", data_topic, i);
  }

  // --- calls ---

  Task<transactions::Answer> ask(transactions::Call call) {
    // Loading takes its time.
    for (int i = 0;; ++i) {
      auto asking = shards->ask(home(), PartitionIndex(0), call);
      transactions::Answer answer = co_await std::move(asking);
      if (i == 1000 || code_of(answer) != ErrorCode::coordinator_load_in_progress) co_return answer;
      co_await runtime::sleep_for(home(), 1ms, stop_.token());
    }
  }
  static ErrorCode code_of(const transactions::Answer& answer) {
    return std::visit(
        [](const auto& response) {
          if constexpr (requires { response.error_code; }) {
            return static_cast<ErrorCode>(response.error_code);
          } else if constexpr (requires { response.transaction_states.at(0).error_code; }) {
            return static_cast<ErrorCode>(response.transaction_states.at(0).error_code);
          } else if constexpr (requires { response.topic_results; }) {
            return static_cast<ErrorCode>(response.topic_results.at(0).results_by_partition.at(0).partition_error_code);
          } else {
            return ErrorCode::none;
          }
        },
        answer);
  }
  Task<Producer> init(std::string id) {
    transactions::Asked<protocol::InitProducerIdRequest> asked;
    asked.request.transactional_id = std::move(id);
    asked.request.transaction_timeout_ms = 60'000;
    auto asking = ask(transactions::Call(asked));
    const transactions::Answer answer = co_await std::move(asking);
    EXPECT_EQ(code_of(answer), ErrorCode::none);
    const auto& response = std::get<protocol::InitProducerIdResponse>(answer);
    co_return Producer{response.producer_id, response.producer_epoch};
  }
  Task<ErrorCode> add_orders(std::string id, Producer by) {
    transactions::AddPartitions call;
    call.transaction.transactional_id = std::move(id);
    call.transaction.producer_id = by.id;
    call.transaction.producer_epoch = by.epoch;
    call.transaction.topics.push_back({"orders", {0, 1}, {}});
    auto asking = ask(transactions::Call(call));
    co_return code_of(co_await std::move(asking));
  }
  Task<ErrorCode> add_offsets(std::string id, Producer by) {
    transactions::AddOffsets call;
    call.request.transactional_id = std::move(id);
    call.request.producer_id = by.id;
    call.request.producer_epoch = by.epoch;
    call.request.group_id = "group";
    call.offsets_partition = PartitionIndex(0);
    auto asking = ask(transactions::Call(call));
    co_return code_of(co_await std::move(asking));
  }
  Task<void> commit_offset(Producer by, std::int64_t offset) {
    groups::Asked<protocol::TxnOffsetCommitRequest> call;
    call.request.group_id = "group";
    call.request.producer_id = by.id;
    call.request.producer_epoch = by.epoch;
    auto& topic = call.request.topics.emplace_back();
    topic.name = "orders";
    topic.partitions.emplace_back().committed_offset = offset;
    const groups::Answer answer = co_await groups->ask(home(), PartitionIndex(0), groups::Call(call));
    const auto& response = std::get<protocol::TxnOffsetCommitResponse>(answer);
    EXPECT_EQ(response.topics.at(0).partitions.at(0).error_code, 0);
  }
  Task<std::int64_t> committed_offset() {
    groups::FetchOffsets call;
    call.group.group_id = "group";
    auto& topic = call.group.topics->emplace_back();
    topic.name = "orders";
    topic.partition_indexes = {0};
    const groups::Answer answer = co_await groups->ask(home(), PartitionIndex(0), groups::Call(call));
    co_return std::get<groups::FetchedOffsets>(answer).topics.at(0).partitions.at(0).committed_offset;
  }
  Task<Producer> end(std::string id, Producer by, bool commit) {
    transactions::Asked<protocol::EndTxnRequest> asked;
    asked.request.transactional_id = std::move(id);
    asked.request.producer_id = by.id;
    asked.request.producer_epoch = by.epoch;
    asked.request.committed = commit;
    auto asking = ask(transactions::Call(asked));
    const transactions::Answer answer = co_await std::move(asking);
    EXPECT_EQ(code_of(answer), ErrorCode::none);
    const auto& response = std::get<protocol::EndTxnResponse>(answer);
    co_return Producer{response.producer_id, response.producer_epoch};
  }
  Task<std::string> state_of(std::string id) {
    transactions::Asked<protocol::DescribeTransactionsRequest> asked;
    asked.request.transactional_ids = {std::move(id)};
    auto asking = ask(transactions::Call(asked));
    const transactions::Answer answer = co_await std::move(asking);
    co_return std::get<protocol::DescribeTransactionsResponse>(answer).transaction_states.at(0).transaction_state;
  }
  // Waits until it is in this state.
  Task<bool> becomes(std::string id, std::string state) {
    for (int i = 0; i < 5000; ++i) {
      auto asking = state_of(id);
      if (co_await std::move(asking) == state) co_return true;
      co_await runtime::sleep_for(home(), 1ms, stop_.token());
    }
    co_return false;
  }

  // --- the partitions of "orders" ---

  Task<void> write_order(Producer by, std::int32_t index) {
    records::RecordBatchBuilder builder;
    records::BatchOptions options;
    options.producer_id = ProducerId(by.id);
    options.producer_epoch = ProducerEpoch(by.epoch);
    options.base_sequence = 0;
    options.transactional = true;
    builder.reset(options);
    records::RecordFields fields;
    fields.timestamp = Timestamp(1);
    fields.value = as_bytes("an order");
    builder.append(fields);
    ByteVector batch = builder.take(tools_.compressor);
    replication::AppendRequest request;
    request.records = batch;
    request.origin = records::AppendOrigin::coordinator;
    auto partition = table.find("orders", PartitionIndex(index));
    auto appending = partition->append_as_leader(home(), tools_.validator, request);
    const auto appended = co_await std::move(appending);
    EXPECT_TRUE(appended);
  }
  storage::LogOffsets offsets(std::int32_t index) { return logs[{"orders", PartitionIndex(index)}]->offsets(); }
  // The marker that is the last record of a partition; nothing when that is none.
  struct Marked {
    Producer by;
    records::EndTransactionMarker marker;
  };
  Task<std::optional<Marked>> marker_in(std::int32_t index) {
    const Offset last = offsets(index).log_end - 1;
    const storage::ReadRequest request{last, 1 << 20, true, storage::ReadIsolation::log_end};
    auto reading = logs[{"orders", PartitionIndex(index)}]->read(home(), request);
    const auto read = co_await std::move(reading);
    std::optional<Marked> found;
    if (!read || read->bytes() == 0) co_return found;
    ByteVector window(read->bytes());
    window.resize(read->data.file->read_at(read->data.offset, window));
    records::BatchWalker walker(window);
    while (walker.next() == records::BatchWalker::Step::entry) {
      if (!walker.entry().is_control()) continue;
      const ByteVector bytes = to_vector(walker.entry().bytes());
      const auto view = records::RecordBatchView::parse(bytes);
      EXPECT_TRUE(view);
      found.emplace();
      found->by = {view->producer_id().value, view->producer_epoch().value};
    }
    co_return found;
  }

 private:
  static void add_topic(metadata::Delta& delta, std::string_view name, Uuid id, std::int32_t partitions) {
    protocol::TopicRecord topic;
    topic.name = name;
    topic.topic_id = id;
    delta.replay({topic, 0});
    for (std::int32_t i = 0; i < partitions; ++i) {
      protocol::PartitionRecord record;
      record.partition_id = i;
      record.topic_id = id;
      record.replicas = record.isr = {1};
      record.leader = 1;
      record.leader_epoch = record.partition_epoch = 1;
      delta.replay({record, 0});
    }
  }
  void publish_change(const std::function<void(metadata::Delta&)>& change) {
    auto delta = std::make_shared<metadata::Delta>(image_);
    change(*delta);
    image_ = delta->finish({Offset(++published_), LeaderEpoch(1), Timestamp(0)});
    publisher.publish(home(), delta);
  }
  void start_shards() {
    GroupShardsSettings of_groups;
    of_groups.node_id = BrokerId(1);
    of_groups.partitions = 1;
    groups.emplace(machine.environment(), publisher, table, of_groups);
    shards.emplace(
        machine.environment(), publisher, table, *groups,
        [this](runtime::Reactor&) -> Task<Result<ProducerId>> { co_return ProducerId(next_id++); }, settings);
  }

  metadata::ImageRef image_ = metadata::Image::empty();
  std::int64_t published_ = 0;
  runtime::StopSource stop_;
  hosting::BatchTools tools_;

 public:
  hosting::testing::Machine& machine;
  storage::LogDirectory directory;
  hosting::MetadataPublisher publisher;
  replication::PartitionTable table;
  std::map<TopicPartition, storage::LogRef> logs;
  TransactionShardsSettings settings;
  std::optional<GroupShards> groups;
  std::optional<TransactionShards> shards;
  std::int64_t next_id = 100;
};

TEST(TransactionShardsTest, ACommitPutsMarkersIntoThePartitions) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(true, [](World& w) -> Task<void> {
    const Producer one = co_await w.init("id");
    EXPECT_EQ(one.id, 100);
    EXPECT_EQ(co_await w.add_orders("id", one), ErrorCode::none);
    co_await w.write_order(one, 0);
    EXPECT_EQ(w.offsets(0).last_stable, Offset(0));
    const Producer next = co_await w.end("id", one, true);
    EXPECT_EQ(next.epoch, 1);
    EXPECT_TRUE(co_await w.becomes("id", "CompleteCommit"));
    EXPECT_EQ(w.offsets(0).last_stable, Offset(2));  // readers of what is committed see it
    for (std::int32_t i = 0; i < data_partitions; ++i) {
      const auto marked = co_await w.marker_in(i);
      EXPECT_TRUE(marked);
      if (!marked) continue;
      EXPECT_EQ(marked->by.id, one.id);
      EXPECT_EQ(marked->by.epoch, 1);
    }
    EXPECT_EQ(co_await w.add_orders("id", next), ErrorCode::none);
  });
}

// The markers could not be written before the crash; whoever loads the log writes them.
TEST(TransactionShardsTest, ACrashBeforeTheMarkersIsMadeUpFor) {
  hosting::testing::Machine machine;
  {
    World world(machine);
    world.run(false, [](World& w) -> Task<void> {
      const Producer one = co_await w.init("id");
      EXPECT_EQ(co_await w.add_orders("id", one), ErrorCode::none);
      co_await w.end("id", one, false);
      EXPECT_EQ(co_await w.state_of("id"), "PrepareAbort");
    });
  }
  World world(machine);
  world.run(true, [](World& w) -> Task<void> {
    EXPECT_TRUE(co_await w.becomes("id", "CompleteAbort"));
    EXPECT_TRUE(co_await w.marker_in(0));
    EXPECT_TRUE(co_await w.marker_in(1));
  });
}

TEST(TransactionShardsTest, PartitionsThatComeLateGetTheirMarkers) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(false, [](World& w) -> Task<void> {
    const Producer one = co_await w.init("id");
    EXPECT_EQ(co_await w.add_orders("id", one), ErrorCode::none);
    co_await w.end("id", one, true);
    co_await w.open_orders();
    EXPECT_TRUE(co_await w.becomes("id", "CompleteCommit"));
    EXPECT_TRUE(co_await w.marker_in(1));
  });
}

TEST(TransactionShardsTest, ATopicThatIsDeletedHoldsNothingUp) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(false, [](World& w) -> Task<void> {
    const Producer one = co_await w.init("id");
    EXPECT_EQ(co_await w.add_orders("id", one), ErrorCode::none);
    co_await w.end("id", one, true);
    EXPECT_EQ(co_await w.state_of("id"), "PrepareCommit");
    w.forget_orders();
    EXPECT_TRUE(co_await w.becomes("id", "CompleteCommit"));
  });
}

TEST(TransactionShardsTest, OffsetsOfAGroupCountWithTheTransaction) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(true, [](World& w) -> Task<void> {
    Producer one = co_await w.init("id");
    for (std::int64_t i = 1; i < 5; ++i) {
      const bool commit = i % 2 == 0;
      EXPECT_EQ(co_await w.add_offsets("id", one), ErrorCode::none);
      co_await w.commit_offset(one, i);
      one = co_await w.end("id", one, commit);
      EXPECT_TRUE(co_await w.becomes("id", commit ? "CompleteCommit" : "CompleteAbort"));
      EXPECT_EQ(co_await w.committed_offset(), commit ? i : i - 1 == 0 ? -1 : i - 1);
    }
  });
}

TEST(TransactionShardsTest, WhatIsWrongInItselfIsRefusedWithoutAShard) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(true, [](World& w) -> Task<void> {
    transactions::Asked<protocol::InitProducerIdRequest> init;
    init.request.transactional_id = "id";
    init.request.transaction_timeout_ms = 0;
    auto initializing = w.shards->ask(w.home(), PartitionIndex(5), transactions::Call(init));
    EXPECT_EQ(World::code_of(co_await std::move(initializing)), ErrorCode::invalid_transaction_timeout);
    auto ending =
        w.shards->ask(w.home(), PartitionIndex(5), transactions::Call(transactions::Asked<protocol::EndTxnRequest>{}));
    EXPECT_EQ(World::code_of(co_await std::move(ending)), ErrorCode::invalid_request);
  });
}

TEST(TransactionShardsTest, WhoIsNotLedHereIsToldSo) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run(true, [](World& w) -> Task<void> {
    transactions::Asked<protocol::EndTxnRequest> call;
    call.request.transactional_id = "id";
    auto asking = w.shards->ask(w.home(), PartitionIndex(5), transactions::Call(call));
    EXPECT_EQ(World::code_of(co_await std::move(asking)), ErrorCode::not_coordinator);
  });
}

}  // namespace
}  // namespace klamm::server
