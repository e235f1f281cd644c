// The coordinators of groups over real logs: loading, writing, crashing, losing the lead.
#include "server/group_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

#include "hosting/machine_test.h"
#include "protocol/records/partition_record.h"
#include "protocol/records/topic_record.h"
#include "records/batch_walker.h"
#include "records/control_record.h"
#include "storage/log_directory.h"

namespace klamm::server {
namespace {

using namespace std::chrono_literals;
using runtime::Task;

constexpr std::int32_t partitions = 4;
constexpr Uuid topic_id{7, 7};

class Lines final : public LogSink {
 public:
  bool enabled(std::string_view, LogLevel level) const override { return level >= LogLevel::warn; }
  void write(std::string_view, LogLevel, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

struct Producer {
  std::int64_t id;
  std::int16_t epoch;
};

// A broker that leads the partitions of __consumer_offsets: its logs, its partitions, the metadata that says so. What a
// crash leaves is the directory.
class World {
 public:
  explicit World(hosting::testing::Machine& machine_)
      : environment_(with_lines(machine_.environment(), lines)),
        machine(machine_),
        directory(environment_, machine_.directory()),
        publisher(environment_),
        table(environment_.scheduling) {
    settings.node_id = BrokerId(1);
    settings.partitions = partitions;
    settings.groups.initial_rebalance_delay = 0ms;
  }
  ~World() {
    for (const auto& partition : table.all()) partition->close();
  }

  runtime::Reactor& home() { return machine.reactor(); }

  // The metadata speaks; the log is there or comes later. A leader of another number is another broker.
  void publish(std::int32_t leader, std::int32_t epoch) {
    auto delta = std::make_shared<metadata::Delta>(image_);
    if (!image_->topic(offsets_topic)) {
      protocol::TopicRecord topic;
      topic.name = offsets_topic;
      topic.topic_id = topic_id;
      delta->replay({topic, 0});
    }
    for (std::int32_t i = 0; i < partitions; ++i) {
      protocol::PartitionRecord record;
      record.partition_id = i;
      record.topic_id = topic_id;
      record.replicas = record.isr = {1, 2};
      record.leader = leader;
      record.leader_epoch = epoch;
      record.partition_epoch = epoch;
      delta->replay({record, 0});
    }
    image_ = delta->finish({Offset(++published_), LeaderEpoch(1), Timestamp(0)});
    publisher.publish(home(), delta);
  }
  Task<void> open_logs(std::int32_t epoch) {
    for (std::int32_t i = 0; i < partitions; ++i) {
      const TopicPartition name{std::string(offsets_topic), PartitionIndex(i)};
      auto partition = table.find(topic_id, PartitionIndex(i));
      auto& log = logs[i];
      if (!log) {
        auto log_settings = std::make_shared<storage::LogSettings>();
        log_settings->compact = true;
        log_settings->delete_old = false;
        log = storage::Log::open(directory, {.name = name,
                                             .directory_name = name.to_string(),
                                             .settings = log_settings,
                                             .topic_id = topic_id,
                                             .clean = false,
                                             .high_watermark = {}});
      }
      const auto leads = co_await log->set_writer_epoch(home(), LeaderEpoch(epoch), true);
      EXPECT_TRUE(leads);
      if (!partition) {
        partition = std::make_shared<replication::Partition>(
            name, topic_id, BrokerId(1), std::make_shared<replication::TopicSettings>(), environment_);
        table.insert(partition);
      }
      set_state(*partition, 1, epoch);
    }
  }
  void set_state(replication::Partition& partition, std::int32_t leader, std::int32_t epoch) {
    replication::PartitionState state;
    state.leader = BrokerId(leader);
    state.leader_epoch = LeaderEpoch(epoch);
    state.replicas = {BrokerId(1), BrokerId(2)};
    state.isr = {BrokerId(1)};
    partition.apply(state, logs[partition.name().partition.value]);
  }

  // With a broker that leads everything, from its start to its stop.
  void run(const std::function<Task<void>(World&)>& story) {
    machine.system().run_until_done([](World& world, const std::function<Task<void>(World&)>& what) -> Task<void> {
      world.publish(1, 1);
      co_await world.open_logs(1);
      co_await world.start();
      co_await what(world);
      co_await world.stop();
    }(*this, story));
  }
  Task<void> start() {
    shards.emplace(environment_, publisher, table, settings);
    co_await shards->start(home());
  }
  Task<void> stop() {
    co_await shards->stop(home());
    shards.reset();
    for (const auto& partition : table.all()) {
      partition->close();
      table.erase(partition);
    }
    for (auto& [index, log] : logs) co_await log->close(home(), false);
    logs.clear();
  }

  template <typename Response, typename Request>
  Task<Response> ask(Request request, std::int16_t version = Request::max_version) {
    const PartitionIndex partition = shards->partition_of(request.group_id);
    groups::Call call = groups::Asked<Request>{std::move(request), version, {"client", "/127.0.0.1"}};
    // Loading takes its time.
    for (int i = 0;; ++i) {
      groups::Answer answer = co_await shards->ask_and_wait(home(), partition, call);
      Response response = std::get<Response>(std::move(answer));
      if (i == 1000 || code_of(response) != ErrorCode::coordinator_load_in_progress) co_return response;
      co_await runtime::sleep_for(home(), 1ms, stop_.token());
    }
  }
  template <typename Response>
  static ErrorCode code_of(const Response& response) {
    if constexpr (requires { response.error_code; }) {
      return static_cast<ErrorCode>(response.error_code);
    } else {
      return static_cast<ErrorCode>(response.topics.at(0).partitions.at(0).error_code);
    }
  }

  Task<ErrorCode> commit(std::string group, std::int64_t offset, std::string metadata = "") {
    protocol::OffsetCommitRequest request;
    request.group_id = std::move(group);
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = offset;
    partition.committed_metadata = std::move(metadata);
    co_return code_of(co_await ask<protocol::OffsetCommitResponse>(std::move(request), 9));
  }
  // Of one partition of "orders", inside a transaction.
  Task<ErrorCode> commit_in_transaction(std::string group, Producer by, std::int64_t offset,
                                        std::optional<std::uint32_t> ends_seen = {}) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = group;
    request.producer_id = by.id;
    request.producer_epoch = by.epoch;
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    topic.partitions.emplace_back().committed_offset = offset;
    groups::Call call = groups::Asked<protocol::TxnOffsetCommitRequest>{std::move(request), 5, {}, ends_seen};
    groups::Answer answer = co_await shards->ask(home(), shards->partition_of(group), std::move(call));
    co_return code_of(std::get<protocol::TxnOffsetCommitResponse>(answer));
  }
  Task<ErrorCode> end_transaction(std::string group, Producer by, groups::TransactionEnd end) {
    groups::Call call = groups::EndTransaction{ProducerId(by.id), ProducerEpoch(by.epoch), end};
    groups::Answer answer = co_await shards->ask(home(), shards->partition_of(group), std::move(call));
    co_return std::get<groups::EndedTransaction>(answer).code;
  }
  Task<std::int64_t> fetch(std::string group, ErrorCode expected = ErrorCode::none) {
    groups::FetchOffsets call;
    call.group.group_id = group;
    auto& topic = call.group.topics->emplace_back();
    topic.name = "orders";
    topic.partition_indexes = {0};
    for (int i = 0;; ++i) {
      groups::Answer answer = co_await shards->ask(home(), shards->partition_of(group), groups::Call(call));
      const auto& fetched = std::get<groups::FetchedOffsets>(answer);
      const auto code = static_cast<ErrorCode>(fetched.error_code);
      if (i < 1000 && code == ErrorCode::coordinator_load_in_progress && code != expected) {
        co_await runtime::sleep_for(home(), 1ms, stop_.token());
        continue;
      }
      EXPECT_EQ(code, expected);
      co_return fetched.topics.empty() ? -2 : fetched.topics.at(0).partitions.at(0).committed_offset;
    }
  }
  protocol::JoinGroupRequest join_request(std::string group) const {
    protocol::JoinGroupRequest request;
    request.group_id = std::move(group);
    request.session_timeout_ms = request.rebalance_timeout_ms = 30'000;
    request.protocol_type = "consumer";
    request.protocols.push_back({.name = "range"});
    return request;
  }
  storage::LogRef log_of(std::string_view group) { return logs[shards->partition_of(group).value]; }
  // All batches of a log, as they lie there.
  Task<std::vector<ByteVector>> batches_of(storage::LogRef log) {
    const storage::ReadRequest request{Offset(0), 1 << 20, true, storage::ReadIsolation::log_end};
    const auto read = co_await log->read(home(), request);
    std::vector<ByteVector> batches;
    if (!read || read->bytes() == 0) co_return batches;
    ByteVector window(read->bytes());
    window.resize(read->data.file->read_at(read->data.offset, window));
    records::BatchWalker walker(window);
    while (walker.next() == records::BatchWalker::Step::entry) batches.push_back(to_vector(walker.entry().bytes()));
    co_return batches;
  }
  Task<void> append_behind_the_back(storage::LogRef log, ByteVector batch) {
    const storage::LeaderAppend how{.epoch = LeaderEpoch(1), .now = Timestamp(1)};
    EXPECT_TRUE(co_await log->append_as_leader(home(), batch, how));
  }

 private:
  static runtime::Environment with_lines(const runtime::Environment& environment, LogSink& lines) {
    return {environment.clock,
            environment.random,
            environment.disk,
            environment.network,
            environment.scheduling,
            environment.reactors,
            lines};
  }

 public:
  Lines lines;

 private:
  runtime::Environment environment_;
  metadata::ImageRef image_ = metadata::Image::empty();
  std::int64_t published_ = 0;
  runtime::StopSource stop_;

 public:
  hosting::testing::Machine& machine;
  storage::LogDirectory directory;
  hosting::MetadataPublisher publisher;
  replication::PartitionTable table;
  std::map<std::int32_t, storage::LogRef> logs;
  GroupShardsSettings settings;
  std::optional<GroupShards> shards;
};

TEST(GroupShardsTest, CommittedOffsetsSurviveACrash) {
  hosting::testing::Machine machine;
  for (std::int64_t life = 0; life < 3; ++life) {
    World world(machine);
    world.run([life](World& w) -> Task<void> {
      for (const char* group : {"a", "b", "c", "d", "e"}) {
        EXPECT_EQ(co_await w.fetch(group), life == 0 ? -1 : life);
        EXPECT_EQ(co_await w.commit(group, life + 1), ErrorCode::none);
        EXPECT_EQ(co_await w.fetch(group), life + 1);
      }
    });
    EXPECT_THAT(world.lines.lines, ::testing::IsEmpty());
  }
}

TEST(GroupShardsTest, ReactorsShareThePartitions) {
  hosting::testing::Machine machine(2);
  World world(machine);
  world.run([](World& w) -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      const std::string group = fmt::format("g{}", i);
      EXPECT_EQ(co_await w.commit(group, i), ErrorCode::none);
      EXPECT_EQ(co_await w.fetch(group), i);
    }
  });
}

TEST(GroupShardsTest, AGroupFormsAndIsThereAfterACrash) {
  hosting::testing::Machine machine;
  std::string member;
  {
    World world(machine);
    world.run([&](World& w) -> Task<void> {
      const auto joined = co_await w.ask<protocol::JoinGroupResponse>(w.join_request("g"), 3);
      EXPECT_EQ(joined.error_code, 0);
      EXPECT_EQ(joined.leader, joined.member_id);
      member = joined.member_id;
      protocol::SyncGroupRequest sync;
      sync.group_id = "g";
      sync.generation_id = 1;
      sync.member_id = member;
      sync.assignments.push_back({.member_id = member, .assignment = ByteVector(3, std::byte{1})});
      const auto synced = co_await w.ask<protocol::SyncGroupResponse>(std::move(sync), 4);
      EXPECT_EQ(synced.error_code, 0);
      EXPECT_EQ(synced.assignment.size(), 3u);
    });
  }
  World world(machine);
  world.run([&](World& w) -> Task<void> {
    protocol::HeartbeatRequest heartbeat;
    heartbeat.group_id = "g";
    heartbeat.generation_id = 1;
    heartbeat.member_id = member;
    EXPECT_EQ(co_await w.fetch("g"), -1);
    EXPECT_EQ((co_await w.ask<protocol::HeartbeatResponse>(heartbeat)).error_code, 0);
    heartbeat.generation_id = 2;
    EXPECT_EQ(World::code_of(co_await w.ask<protocol::HeartbeatResponse>(heartbeat)), ErrorCode::illegal_generation);
  });
}

TEST(GroupShardsTest, WhileTheLogIsNotThereTheGroupIsLoading) {
  hosting::testing::Machine machine;
  World world(machine);
  machine.system().run_until_done([](World& w) -> Task<void> {
    co_await w.start();
    EXPECT_EQ(co_await w.fetch("g", ErrorCode::not_coordinator), -2);  // no topic yet
    w.publish(2, 1);
    EXPECT_EQ(co_await w.fetch("g", ErrorCode::not_coordinator), -2);  // another broker's
    w.publish(1, 2);
    EXPECT_EQ(co_await w.fetch("g", ErrorCode::coordinator_load_in_progress), -2);
    protocol::HeartbeatRequest heartbeat;
    heartbeat.group_id = "g";
    EXPECT_EQ((co_await w.ask<protocol::HeartbeatResponse>(heartbeat)).error_code, 0);  // nobody is late meanwhile
    co_await w.open_logs(2);
    EXPECT_EQ(co_await w.fetch("g"), -1);
    co_await w.stop();
  }(world));
}

TEST(GroupShardsTest, WhoeverWaitsWhenTheLeadIsLostIsToldAndTheNextTermReadsTheLog) {
  hosting::testing::Machine machine;
  World world(machine);
  world.settings.groups.initial_rebalance_delay = 60s;
  world.run([](World& w) -> Task<void> {
    EXPECT_EQ(co_await w.commit("g", 5), ErrorCode::none);
    runtime::TaskGroup waiting(w.home());
    std::vector<ErrorCode> codes;
    for (int i = 0; i < 3; ++i) {
      waiting.start([](World& in, std::vector<ErrorCode>& to) -> Task<void> {
        to.push_back(World::code_of(co_await in.ask<protocol::JoinGroupResponse>(in.join_request("g"), 3)));
      }(w, codes));
    }
    EXPECT_THAT(codes, ::testing::IsEmpty());
    w.publish(2, 2);
    co_await waiting.wait();
    EXPECT_THAT(codes, ::testing::Each(ErrorCode::not_coordinator));
    EXPECT_EQ(co_await w.fetch("g", ErrorCode::not_coordinator), -2);
    w.publish(1, 3);
    co_await w.open_logs(3);
    EXPECT_EQ(co_await w.fetch("g"), 5);
  });
}

ByteVector batch_of(std::string_view key, std::string_view value) {
  records::RecordBatchBuilder builder;
  builder.append({.timestamp = Timestamp(1), .key = as_bytes(key), .value = as_bytes(value)});
  return builder.take();
}

TEST(GroupShardsTest, ABrokenRecordIsReportedWithItsOffsetAndHurtsItsPartitionOnly) {
  hosting::testing::Machine machine;
  std::string other;
  {
    World world(machine);
    world.run([&](World& w) -> Task<void> {
      EXPECT_EQ(co_await w.commit("g", 5), ErrorCode::none);
      for (char c = 'a'; other.empty(); ++c) {
        if (w.shards->partition_of(std::string(1, c)) != w.shards->partition_of("g")) other = c;
      }
      EXPECT_EQ(co_await w.commit(other, 6), ErrorCode::none);
      co_await w.append_behind_the_back(w.log_of("g"), batch_of(std::string_view("\0\1\0\7", 4), "x"));
    });
  }
  World world(machine);
  world.run([&](World& w) -> Task<void> {
    EXPECT_EQ(co_await w.fetch(other), 6);
    EXPECT_EQ(co_await w.fetch("g", ErrorCode::not_coordinator), -2);
    EXPECT_EQ(co_await w.commit(other, 7), ErrorCode::none);
  });
  EXPECT_THAT(world.lines.lines, ::testing::ElementsAre(::testing::AllOf(
                                     ::testing::HasSubstr("Failed to load metadata from __consumer_offsets-"),
                                     ::testing::HasSubstr("at offset 1:"))));
}

TEST(GroupShardsTest, RecordsOfLaterReleasesArePassedOver) {
  hosting::testing::Machine machine;
  {
    World world(machine);
    world.run([&](World& w) -> Task<void> {
      EXPECT_EQ(co_await w.commit("g", 5), ErrorCode::none);
      co_await w.append_behind_the_back(w.log_of("g"), batch_of(std::string_view("\x7f\0", 2), "from the future"));
    });
  }
  World world(machine);
  world.run([&](World& w) -> Task<void> { EXPECT_EQ(co_await w.fetch("g"), 5); });
}

TEST(GroupShardsTest, WhenSomebodyElseAppendsTheLogIsReadAnew) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run([&](World& w) -> Task<void> {
    EXPECT_EQ(co_await w.commit("g", 5), ErrorCode::none);
    co_await w.append_behind_the_back(w.log_of("g"), batch_of(std::string_view("\x7f\0", 2), "x"));
    EXPECT_EQ(co_await w.commit("g", 6), ErrorCode::not_coordinator);  // and may be there all the same
    EXPECT_EQ(co_await w.fetch("g"), 6);
    EXPECT_EQ(co_await w.commit("g", 7), ErrorCode::none);
    EXPECT_EQ(co_await w.fetch("g"), 7);
  });
  EXPECT_THAT(world.lines.lines, ::testing::ElementsAre(::testing::HasSubstr("out of sync with the underlying log")));
}

TEST(GroupShardsTest, WhatComesInOneTurnIsWrittenAsOneBatchUnlessItIsTooLarge) {
  hosting::testing::Machine machine;
  World world(machine);
  world.settings.writer.batch_bytes_max = 20'000;
  world.settings.groups.record_bytes_max = world.settings.writer.record_bytes_max();
  world.run([](World& w) -> Task<void> {
    EXPECT_EQ(co_await w.commit("g", 0), ErrorCode::none);
    runtime::TaskGroup together(w.home());
    const std::string metadata(1000, 'm');
    int done = 0;
    for (int i = 0; i < 100; ++i) {
      together.start([](World& in, std::string text, int& count) -> Task<void> {
        count += co_await in.commit("g", 1, std::move(text)) == ErrorCode::none;
      }(w, metadata, done));
    }
    co_await together.wait();
    EXPECT_EQ(done, 100);
    const auto batches = co_await w.batches_of(w.log_of("g"));
    EXPECT_EQ(batches.size(), 7u);
    for (const ByteVector& batch : batches) EXPECT_LE(batch.size(), 20'000u);
    EXPECT_EQ(w.log_of("g")->log_end(), Offset(101));
    // One request that no batch can hold.
    protocol::OffsetCommitRequest large;
    large.group_id = "g";
    auto& topic = large.topics.emplace_back();
    topic.name = "orders";
    for (int i = 0; i < 30; ++i) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = i;
      partition.committed_metadata = metadata;
    }
    EXPECT_EQ(World::code_of(co_await w.ask<protocol::OffsetCommitResponse>(std::move(large), 9)),
              ErrorCode::unknown_server_error);
    EXPECT_EQ(co_await w.fetch("g"), 1);
  });
}

TEST(GroupShardsTest, OffsetsOfTransactionsCountWhenTheirMarkerIsRead) {
  hosting::testing::Machine machine;
  const auto commit_of = [](std::string group, std::int64_t producer, std::int64_t offset) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = std::move(group);
    request.producer_id = producer;
    request.producer_epoch = 0;
    auto& topic = request.topics.emplace_back();
    topic.name = "orders";
    topic.partitions.emplace_back().committed_offset = offset;
    return request;
  };
  {
    World world(machine);
    world.run([&](World& w) -> Task<void> {
      EXPECT_EQ(co_await w.commit("g", 5), ErrorCode::none);
      EXPECT_EQ(World::code_of(co_await w.ask<protocol::TxnOffsetCommitResponse>(commit_of("g", 1, 6))),
                ErrorCode::none);
      EXPECT_EQ(co_await w.fetch("g"), 5);
      co_await w.append_behind_the_back(
          w.log_of("g"),
          records::end_transaction_batch({}, ProducerId(1), ProducerEpoch(0), {records::ControlRecordType::commit, 0}));
    });
  }
  {
    World world(machine);
    world.run([&](World& w) -> Task<void> {
      EXPECT_EQ(co_await w.fetch("g"), 6);
      EXPECT_EQ(World::code_of(co_await w.ask<protocol::TxnOffsetCommitResponse>(commit_of("g", 2, 7))),
                ErrorCode::none);
      co_await w.append_behind_the_back(
          w.log_of("g"),
          records::end_transaction_batch({}, ProducerId(2), ProducerEpoch(0), {records::ControlRecordType::abort, 0}));
    });
  }
  World world(machine);
  world.run([&](World& w) -> Task<void> { EXPECT_EQ(co_await w.fetch("g"), 6); });
}

TEST(GroupShardsTest, OffsetsOfATransactionCountWhenItsEndIsTold) {
  hosting::testing::Machine machine;
  {
    World world(machine);
    world.run([](World& w) -> Task<void> {
      EXPECT_EQ(co_await w.fetch("g"), -1);
      EXPECT_EQ(co_await w.commit_in_transaction("g", {1, 0}, 6), ErrorCode::none);
      EXPECT_EQ(co_await w.fetch("g"), -1);
      EXPECT_EQ(co_await w.end_transaction("g", {1, 0}, {.commit = true}), ErrorCode::none);
      EXPECT_EQ(co_await w.fetch("g"), 6);
      EXPECT_EQ(co_await w.commit_in_transaction("g", {1, 0}, 7), ErrorCode::none);
      EXPECT_EQ(co_await w.end_transaction("g", {1, 0}, {.commit = false}), ErrorCode::none);
      EXPECT_EQ(co_await w.fetch("g"), 6);
      EXPECT_EQ(w.log_of("g")->last_stable_offset(), Offset(4));
    });
    EXPECT_THAT(world.lines.lines, ::testing::IsEmpty());
  }
  World world(machine);
  world.run([](World& w) -> Task<void> { EXPECT_EQ(co_await w.fetch("g"), 6); });
}

// None of them costs the shard: it serves on, and nothing of theirs is in the log.
TEST(GroupShardsTest, ZombiesAreRefusedBeforeTheirOffsetsAreTaken) {
  hosting::testing::Machine machine;
  World world(machine);
  world.run([](World& w) -> Task<void> {
    EXPECT_EQ(co_await w.fetch("g"), -1);
    // Both in one turn of the loop: the log does not know the first yet.
    auto first = w.commit_in_transaction("g", {1, 5}, 6);
    auto ending = w.end_transaction("g", {1, 6}, {.commit = true, .coordinator_epoch = 3, .transaction_version = 2});
    EXPECT_EQ(co_await std::move(first), ErrorCode::none);
    EXPECT_EQ(co_await std::move(ending), ErrorCode::none);
    const Offset end = w.log_of("g")->log_end();
    EXPECT_EQ(co_await w.commit_in_transaction("g", {1, 5}, 7), ErrorCode::invalid_producer_epoch);
    EXPECT_EQ(co_await w.commit_in_transaction("g", {1, 6}, 7, 0), ErrorCode::invalid_txn_state);
    EXPECT_EQ(co_await w.end_transaction("g", {1, 5}, {.commit = false, .coordinator_epoch = 3}),
              ErrorCode::invalid_producer_epoch);
    EXPECT_EQ(co_await w.end_transaction("g", {1, 6}, {.commit = false, .coordinator_epoch = 2}),
              ErrorCode::transaction_coordinator_fenced);
    EXPECT_EQ(w.log_of("g")->log_end(), end);
    EXPECT_EQ(co_await w.commit_in_transaction("g", {1, 6}, 8, 1), ErrorCode::none);
    EXPECT_EQ(co_await w.fetch("g"), 6);
  });
  EXPECT_THAT(world.lines.lines, ::testing::IsEmpty());
}

}  // namespace
}  // namespace klamm::server
