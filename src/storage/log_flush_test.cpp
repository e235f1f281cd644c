#include "storage/log.h"
#include "storage/partition_metadata.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

TEST(LogFlush, AppendsThatFindTheTurnTakenAreWrittenTogetherByItsHolder) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log, {.count = 2});
  runtime::TaskGroup group(world.first);
  std::vector<Offset> offsets(40);
  ASSERT_TRUE(world.run(log->flush_all(world.first)));  // the epoch is on disk, and no write of the appends
  // A truncation holds the turn while its file operations wait for an I/O thread.
  world.first.hold_blocking = true;
  auto holding = [&]() -> runtime::Task<void> {
    auto truncating = log->truncate_to(world.first, Offset(2));
    EXPECT_FALSE(*co_await std::move(truncating));
  };
  group.start(holding());
  auto one = [&](int i) -> runtime::Task<void> {
    auto producing =
        world.producing(log, i % 2 ? static_cast<runtime::Reactor&>(world.first) : world.second, {.count = 2});
    offsets[static_cast<std::size_t>(i)] = (co_await std::move(producing))->first_offset;
  };
  for (int i = 0; i < 40; ++i) group.start(one(i));
  world.settle();
  EXPECT_EQ(log->log_end(), Offset(2));
  world.disk.calls.clear();
  world.first.hold_blocking = false;
  world.settle();
  EXPECT_EQ(group.running(), 0u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(offsets[static_cast<std::size_t>(i)], Offset(2 + 2 * i));
  EXPECT_EQ(world.disk.calls["write_at"], 1u);
  EXPECT_EQ(world.offsets_from(log, Offset(0)).size(), 41u);
}

TEST(LogFlush, AppendsOfTwoReactorsNeitherGetLostNorMixedUnderRefusedLocks) {
  for (int seed = 0; seed < 20; ++seed) {
    LogWorld world({.segment_bytes = 2000});
    for (int i = 0; i < seed; ++i) world.scheduling.random.next();
    const auto log = world.open_leading();
    world.scheduling.refuse = true;
    runtime::TaskGroup group(world.first);
    std::vector<std::int64_t> seen;
    auto writer = [&](runtime::Reactor& reactor, int producer) -> runtime::Task<void> {
      for (int i = 0; i < 30; ++i) {
        auto producing = world.producing(log, reactor, {.producer = ProducerId(producer), .sequence = i});
        const auto result = co_await std::move(producing);
        EXPECT_TRUE(result) << result.error().message;
        seen.push_back(result->first_offset.value);
      }
    };
    group.start(writer(world.first, 1));
    group.start(writer(world.second, 2));
    group.start(writer(world.second, 3));
    world.settle();
    EXPECT_EQ(group.running(), 0u);
    std::ranges::sort(seen);
    for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<std::int64_t>(i));
    EXPECT_EQ(world.offsets_from(log, Offset(0)).size(), 90u);
  }
}

// --- durability ----------------------------------------------------------------------------------------------------

TEST(LogFlush, OneSyncServesAllThatWait) {
  LogWorld world({.flush_messages = 1});
  const auto log = world.open_leading();
  world.produced(log);
  ASSERT_TRUE(world.run(log->flush_all(world.first)));  // names and the epoch are on disk
  runtime::TaskGroup group(world.first);
  auto durable = [&]() -> runtime::Task<void> {
    auto producing = world.producing(log, world.first, {});
    const auto result = co_await std::move(producing);
    EXPECT_TRUE(result->needs_sync);
    auto syncing = log->synced(world.first, result->last_offset + 1);
    EXPECT_TRUE(co_await std::move(syncing));
    EXPECT_GE(log->recovery_point(), result->last_offset + 1);
  };
  world.disk.calls.clear();
  for (int i = 0; i < 16; ++i) group.start(durable());
  world.settle();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_EQ(world.disk.calls["sync_data"], 1u);
  LogWorld restarted({}, world.disk.state.after_crash(true));
  EXPECT_EQ(restarted.open(false)->log_end(), Offset(17));
}

TEST(LogFlush, AnAckWaitsForTheDiskExactlyWhenItsAppendReachesFlushMessages) {
  LogWorld world({.flush_messages = 3});
  const auto log = world.open_leading();
  EXPECT_FALSE(world.produce(log)->needs_sync);
  EXPECT_FALSE(world.produce(log)->needs_sync);
  EXPECT_TRUE(world.produce(log)->needs_sync);
  ASSERT_TRUE(world.run(log->synced(world.first, Offset(3))));
  EXPECT_EQ(log->recovery_point(), Offset(3));
  EXPECT_FALSE(world.produce(log)->needs_sync);
}

TEST(LogFlush, FlushMsSyncsLaterAndDelaysNoAck) {
  LogWorld world({.flush_ms = 1000ms});
  const auto log = world.open_leading();
  EXPECT_EQ(log->due(), runtime::never);
  EXPECT_FALSE(world.produce(log)->needs_sync);
  EXPECT_EQ(log->due(), world.clock.mono + 1000ms);
  EXPECT_EQ(world.upkeep_calls, 1);
  world.clock.pass(1000ms);
  world.run(log->upkeep(world.first));
  EXPECT_EQ(log->recovery_point(), Offset(1));
  EXPECT_EQ(log->due(), runtime::never);
}

TEST(LogFlush, ASyncOverATruncationSaysNothingOfTheRecordsThatCameAfterIt) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log, {.count = 4});
  runtime::TaskGroup group(world.first);
  auto syncing = [&]() -> runtime::Task<void> {
    auto flushing = log->flush_all(world.first);
    EXPECT_TRUE(co_await std::move(flushing));
  };
  group.start(syncing());
  bool truncated = false;
  world.disk.before = [&](std::string_view operation, const std::string& path) {
    // While the file is on its way to the disk, its end is replaced.
    if (operation != "sync_data" || !path.ends_with(".log") || std::exchange(truncated, true)) return;
    auto truncating = [&]() -> runtime::Task<void> {
      auto cut = log->truncate_to(world.second, Offset(0));
      EXPECT_TRUE(*co_await std::move(cut));
      auto producing = world.producing(log, world.second, {.count = 4});
      EXPECT_TRUE(co_await std::move(producing));
    };
    runtime::TaskGroup other(world.second);
    other.start(truncating());
    while (other.running() > 0) world.second.turn();
    world.first.hold_blocking = world.second.hold_blocking = true;  // the next sync comes later
  };
  world.settle();
  EXPECT_TRUE(truncated);
  EXPECT_EQ(log->log_end(), Offset(4));
  EXPECT_EQ(log->recovery_point(), Offset(0));
  world.first.hold_blocking = world.second.hold_blocking = false;
  world.settle();
  EXPECT_EQ(log->recovery_point(), Offset(4));
}

TEST(LogFlush, AFailedSyncIsFinal) {
  LogWorld world({.flush_messages = 1});
  const auto log = world.open_leading();
  world.produced(log);
  world.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "sync_data") throw runtime::DiskError(EIO, "fdatasync", path);
  };
  EXPECT_EQ(world.run(log->synced(world.first, Offset(1))).error().code, ErrorCode::kafka_storage_error);
  world.disk.before = {};
  EXPECT_TRUE(world.directory->offline());
  EXPECT_EQ(world.run(log->synced(world.first, Offset(1))).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(world.read(log, Offset(0)).error().code, ErrorCode::kafka_storage_error);
}

TEST(LogFlush, AFailedWriteFencesTheLogAtOnceAndIsCutOff) {  // KAFKA-10778, ENOSPC
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log);
  const auto size = world.disk.content(world.file("00000000000000000000.log")).size();
  bool failed = false;
  world.disk.before = [&](std::string_view operation, const std::string& path) {
    if (operation != "write_at" || std::exchange(failed, true)) return;
    append_bytes(world.disk.content(path), as_bytes("half of a batch"));
    throw runtime::DiskError(ENOSPC, "pwritev", path);
  };
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(log->log_end(), Offset(1));
  EXPECT_EQ(world.disk.content(world.file("00000000000000000000.log")).size(), size);
  EXPECT_TRUE(world.lines.has("Error while appending records to orders-0 in dir /data"));
  LogWorld restarted({}, world.disk.state.after_crash(false));
  EXPECT_EQ(restarted.open(false)->log_end(), Offset(1));
}

// --- rolling -------------------------------------------------------------------------------------------------------

// A log is made without waiting for the disk: what its names, its topic id and its leader's epoch lack is synced with
// the first record somebody waits for, and a power cut before that leaves something that opens.
TEST(LogFlush, APowerCutAtAnyMomentOfALogsFirstStepsLosesNothingThatWasAcknowledged) {
  const Uuid id{7, 9};
  const auto opening = [&](bool clean) {
    return LogOpening{.name = {"orders", PartitionIndex(0)},
                      .directory_name = "orders-0",
                      .settings = std::make_shared<LogSettings>(LogSettings{.flush_messages = 1}),
                      .topic_id = id,
                      .clean = clean};
  };
  struct Moment {
    DiskState left;
    Offset acknowledged;
  };
  std::vector<Moment> moments;
  LogWorld world({.flush_messages = 1});
  Offset acknowledged(0);
  const auto look = [&] { moments.push_back({world.disk.state.after_crash(true), acknowledged}); };
  world.disk.before = [&](std::string_view, const std::string&) { look(); };
  const auto log = Log::open(*world.directory, opening(true));
  for (int epoch = 3; epoch < 6; ++epoch) {
    world.lead(log, LeaderEpoch(epoch));
    look();
    if (epoch == 4) continue;  // led and nothing written
    const auto offset = world.produced(log);
    ASSERT_TRUE(world.run(log->synced(world.first, offset + 1)));
    acknowledged = offset + 1;
    look();
  }
  ASSERT_EQ(acknowledged, Offset(2));
  const auto names_of = [](const DiskState& state) { return state.names.size(); };
  EXPECT_EQ(names_of(moments.front().left), 0u);

  for (auto& moment : moments) {
    const bool was_there = moment.left.directories.contains("/data/orders-0");
    if (moment.acknowledged > Offset(0)) {
      EXPECT_TRUE(was_there);
      EXPECT_EQ(as_text(moment.left.names.at("/data/orders-0/partition.metadata")->content),
                partition_metadata_text(id));
    }
    LogWorld restarted({.flush_messages = 1}, moment.left);
    const auto again = Log::open(*restarted.directory, opening(!was_there));
    EXPECT_EQ(again->topic_id(), id);
    EXPECT_GE(again->log_end(), moment.acknowledged);
    std::vector<EpochEntry> expected;
    if (again->log_end() > Offset(0)) expected.push_back({LeaderEpoch(3), Offset(0)});
    if (again->log_end() > Offset(1)) expected.push_back({LeaderEpoch(5), Offset(1)});
    EXPECT_EQ(again->epochs(), expected);
    restarted.lead(again, LeaderEpoch(8));
    const auto next = restarted.produced(again);
    ASSERT_TRUE(restarted.run(again->synced(restarted.first, next + 1)));
    EXPECT_EQ(again->epochs().back(), (EpochEntry{LeaderEpoch(8), next}));
  }
}

TEST(LogFlush, AnEpochWhoseFileWasNeverWrittenIsFoundInTheRecordsOfAKilledBroker) {
  LogWorld world;
  const auto log = world.open_leading(LeaderEpoch(2));
  world.produced(log, {.count = 3});
  world.lead(log, LeaderEpoch(6));
  world.produced(log);
  const auto killed = world.disk.state.after_crash(false);
  EXPECT_FALSE(killed.names.contains("/data/orders-0/leader-epoch-checkpoint"));
  LogWorld restarted({}, killed);
  const auto again = restarted.open(false);
  EXPECT_EQ(again->log_end(), Offset(4));
  EXPECT_EQ(again->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(2), Offset(0)}, {LeaderEpoch(6), Offset(3)}}));
}

TEST(LogFlush, WhatAnAppendStillWaitsForIsNotShown) {
  LogWorld world({.flush_messages = 2});
  const auto log = world.open_leading();
  world.produced(log);
  EXPECT_EQ(log->shown_end(), Offset(1));  // one record may be lost
  world.first.hold_blocking = true;
  world.produced(log);
  EXPECT_EQ(log->shown_end(), Offset(0));
  world.first.hold_blocking = false;
  ASSERT_TRUE(world.run(log->synced(world.first, Offset(2))));
  EXPECT_EQ(log->shown_end(), Offset(2));
}

}  // namespace
}  // namespace klamm::storage::test
