#include "storage/log.h"

#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

TEST(Log, AppendsAndReadsBack) {
  LogWorld world;
  const auto log = world.open_leading();
  EXPECT_EQ(world.produced(log, {.count = 3}), Offset(0));
  EXPECT_EQ(world.produced(log, {.count = 2}), Offset(3));
  EXPECT_EQ(log->log_end(), Offset(5));
  EXPECT_EQ(world.offsets_from(log, Offset(0)), (std::vector<std::int64_t>{0, 3}));
  const auto read = world.read(log, Offset(4));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->offsets.log_end, Offset(5));
  const auto bytes = world.bytes_of(*read);
  EXPECT_EQ(records::RecordBatchView(Bytes(bytes)).base_offset(), Offset(3));
  EXPECT_EQ(records::RecordBatchView(Bytes(bytes)).partition_leader_epoch(), LeaderEpoch(0));
}

TEST(Log, ReadsStopWhereTheIsolationSays) {
  LogWorld world;
  const auto log = world.open_leading();
  for (int i = 0; i < 4; ++i) world.produced(log);
  EXPECT_EQ(world.read(log, Offset(0), 1000, true, ReadIsolation::high_watermark)->bytes(), 0u);
  EXPECT_EQ(log->advance_high_watermark(Offset(2)), Offset(2));
  EXPECT_EQ(log->advance_high_watermark(Offset(1)), std::nullopt);
  const auto read = world.read(log, Offset(0), 1000, true, ReadIsolation::high_watermark);
  EXPECT_EQ(read->bytes() * 2, world.read(log, Offset(0))->bytes());
  EXPECT_EQ(world.read(log, Offset(3), 1000, true, ReadIsolation::high_watermark)->bytes(), 0u);
  EXPECT_EQ(world.read(log, Offset(5)).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(log->update_high_watermark(Offset(100)), Offset(4));  // clamped, KAFKA-3978
  EXPECT_EQ(log->update_high_watermark(Offset(-7)), Offset(0));
}

TEST(Log, AnUncontendedAppendIsOneWriteAndATailReadIsNone) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log);
  world.produced(log);
  for (int i = 0; i < 100; ++i) {
    world.disk.calls.clear();
    const auto from = world.produced(log);
    EXPECT_EQ(world.disk.calls["write_at"], 1u);
    EXPECT_EQ(world.disk.calls.size(), 1u);
    world.disk.calls.clear();
    EXPECT_GT(world.read(log, from)->bytes(), 0u);
    EXPECT_TRUE(world.disk.calls.empty());
  }
}

TEST(Log, ASequentialReaderOfOldDataDoesNotSearch) {
  LogWorld world;
  const auto log = world.open_leading();
  for (int i = 0; i < 200; ++i) world.produced(log, {.count = 4, .value_bytes = 4000});
  Offset from(0);
  world.disk.calls.clear();
  std::size_t reads = 0;
  while (from < log->log_end()) {
    const auto read = world.read(log, from, 64 << 10);
    ASSERT_GT(read->bytes(), 0u);
    ASSERT_LE(read->bytes(), 64u << 10);
    ++reads;
    const auto calls = world.disk.calls["read_at"];
    const auto bytes = world.bytes_of(*read);
    world.disk.calls["read_at"] = calls;
    records::BatchWalker walker(bytes);
    while (walker.next() == records::BatchWalker::Step::entry) from = walker.entry().last_offset() + 1;
  }
  EXPECT_GE(reads, 50u);
  EXPECT_LE(world.disk.calls["read_at"], 1u);
}

TEST(Log, AReaderGetsWholeBatchesWithinItsLimitOrTheFirstOne) {
  LogWorld world;
  const auto log = world.open_leading();
  for (int i = 0; i < 20; ++i) world.produced(log, {.value_bytes = 5000});
  EXPECT_EQ(world.read(log, Offset(3), 100, false)->bytes(), 0u);
  const auto one = world.read(log, Offset(3), 100, true);
  EXPECT_GT(one->bytes(), 5000u);
  EXPECT_LT(one->bytes(), 6000u);
  for (std::size_t limit : {6000u, 12000u, 30000u})
    EXPECT_EQ(world.offsets_from(log, Offset(0), limit).size(), 20u) << limit;
}

TEST(Log, SmallBatchesAreFoundFromAnyOffset) {
  LogWorld world({.index_interval_bytes = 256});
  const auto log = world.open_leading();
  for (int i = 0; i < 300; ++i) world.produced(log, {.count = 1 + i % 4});
  for (Offset from(0); from < log->log_end(); from = from + 1) {
    const auto bytes = world.bytes_of(*world.read(log, from, 200));
    const records::RecordBatchView batch{Bytes(bytes)};
    ASSERT_LE(batch.base_offset(), from);
    ASSERT_GE(batch.last_offset(), from);
  }
}

TEST(Log, ColdReadsGoToAnIoThread) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log);
  world.disk.all_resident = false;
  EXPECT_GT(world.read(log, Offset(0))->bytes(), 0u);
  EXPECT_EQ(world.disk.calls["load"], 1u);
}

TEST(Log, OnlyTheCurrentLeaderAppends) {
  LogWorld world;
  const auto log = world.open();
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::not_leader_or_follower);
  world.lead(log, LeaderEpoch(3));
  EXPECT_EQ(world.produced(log), Offset(0));
  world.current = LeaderEpoch(2);
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(world.run(log->set_writer_epoch(world.first, LeaderEpoch(2), true)).error().code,
            ErrorCode::fenced_leader_epoch);
  ASSERT_TRUE(world.run(log->set_writer_epoch(world.first, LeaderEpoch(4), false)));
  world.current = LeaderEpoch(4);
  EXPECT_EQ(world.produce(log).error().code, ErrorCode::not_leader_or_follower);
}

TEST(Log, ANewLeadersEpochIsOnDiskBeforeAnyAppend) {  // KAFKA-7415
  LogWorld world;
  {
    const auto log = world.open_leading(LeaderEpoch(1));
    world.produced(log, {.count = 5});
    world.lead(log, LeaderEpoch(7));
  }
  LogWorld restarted({}, world.disk.state.after_crash(true));
  const auto log = restarted.open(false);
  // The records were not synced; the epochs were, and what lies above the log's end is cut.
  EXPECT_EQ(log->log_end(), Offset(0));
  EXPECT_EQ(world.disk.state.after_crash(true).names.at("/data/orders-0/leader-epoch-checkpoint")->content,
            to_vector(as_bytes("0\n2\n1 0\n7 5\n")));
}

TEST(Log, AResentBatchIsAnsweredWithItsFirstOffsetAndNotWritten) {
  LogWorld world;
  const auto log = world.open_leading();
  const Produce first{.count = 2, .producer = ProducerId(9), .sequence = 0};
  const Produce second{.count = 3, .producer = ProducerId(9), .sequence = 2};
  EXPECT_EQ(world.produced(log, first), Offset(0));
  EXPECT_EQ(world.produced(log, second), Offset(2));
  const auto again = world.produce(log, first);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->first_offset, Offset(0));
  EXPECT_EQ(again->last_offset, Offset(1));
  EXPECT_EQ(log->log_end(), Offset(5));
  EXPECT_EQ(world.produce(log, {.producer = ProducerId(9), .sequence = 9}).error().code,
            ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(log->active_producers().at(0).last_sequence, 4);
}

TEST(Log, ProducersAreRememberedAcrossACleanRestartAndACrash) {
  for (const bool clean : {true, false}) {
    LogWorld world;
    {
      const auto log = world.open_leading();
      world.produced(log, {.count = 2, .producer = ProducerId(9), .sequence = 0});
      if (clean) ASSERT_TRUE(world.run(log->close(world.first, true)));
    }
    LogWorld restarted({}, world.disk.state.after_crash(false));
    const auto log = restarted.open(clean, clean ? Offset(2) : Offset(0));
    restarted.lead(log, LeaderEpoch(1));
    EXPECT_EQ(restarted.produce(log, {.producer = ProducerId(9), .sequence = 7}).error().code,
              ErrorCode::out_of_order_sequence_number);
    const auto again = restarted.produce(log, {.count = 2, .producer = ProducerId(9), .sequence = 0});
    EXPECT_TRUE(again->duplicate) << clean;
    EXPECT_EQ(restarted.produced(log, {.producer = ProducerId(9), .sequence = 2}), Offset(2));
  }
}

TEST(Log, BatchesTheBrokerMadeAreStampedAndAppendedTogether) {
  LogWorld world;
  const auto log = world.open_leading(LeaderEpoch(4));
  world.produced(log);
  auto two = world.batch({.count = 2});
  append_bytes(two, world.batch({.count = 3}));
  const auto appended = world.append(log, two);
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->first_offset, Offset(1));
  EXPECT_EQ(appended->last_offset, Offset(5));
  EXPECT_EQ(world.offsets_from(log, Offset(0)), (std::vector<std::int64_t>{0, 1, 3}));
  EXPECT_FALSE(world.append(log, ByteVector(70)));
  EXPECT_EQ(log->log_end(), Offset(6));
}

TEST(Log, TooLargeBatchesAreRefusedInKafkasWords) {
  LogWorld world({.segment_bytes = 1000, .max_message_bytes = 2000});
  const auto log = world.open_leading();
  const auto refused = world.produce(log, {.value_bytes = 1500});
  EXPECT_EQ(refused.error().code, ErrorCode::record_list_too_large);
  EXPECT_TRUE(refused.error().message.ends_with(
      "bytes in append to partition orders-0, which exceeds the maximum configured segment size of 1000."));
  world.settings.segment_bytes = 10000;
  log->reconfigure(std::make_shared<LogSettings>(world.settings));
  EXPECT_EQ(world.append(log, world.batch({.value_bytes = 3000})).error().code, ErrorCode::message_too_large);
  EXPECT_EQ(world.produced(log, {.value_bytes = 1500}), Offset(0));
}

// --- contention ----------------------------------------------------------------------------------------------------

TEST(Log, AppendsThatFindTheTurnTakenAreWrittenTogetherByItsHolder) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log, {.count = 2});
  runtime::TaskGroup group(world.first);
  std::vector<Offset> offsets(40);
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

TEST(Log, AppendsOfTwoReactorsNeitherGetLostNorMixedUnderRefusedLocks) {
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

TEST(Log, OneSyncServesAllThatWait) {
  LogWorld world({.flush_messages = 1});
  const auto log = world.open_leading();
  world.settle();
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
  EXPECT_EQ(restarted.open(false)->log_end(), Offset(16));
}

TEST(Log, AnAckWaitsForTheDiskExactlyWhenItsAppendReachesFlushMessages) {
  LogWorld world({.flush_messages = 3});
  const auto log = world.open_leading();
  EXPECT_FALSE(world.produce(log)->needs_sync);
  EXPECT_FALSE(world.produce(log)->needs_sync);
  EXPECT_TRUE(world.produce(log)->needs_sync);
  ASSERT_TRUE(world.run(log->synced(world.first, Offset(3))));
  EXPECT_EQ(log->recovery_point(), Offset(3));
  EXPECT_FALSE(world.produce(log)->needs_sync);
}

TEST(Log, FlushMsSyncsLaterAndDelaysNoAck) {
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

TEST(Log, ASyncOverATruncationSaysNothingOfTheRecordsThatCameAfterIt) {
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

TEST(Log, AFailedSyncIsFinal) {
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

TEST(Log, AFailedWriteFencesTheLogAtOnceAndIsCutOff) {  // KAFKA-10778, ENOSPC
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

TEST(Log, RollsWhenASegmentIsFull) {
  LogWorld world({.segment_bytes = 300});
  const auto log = world.open_leading();
  for (int i = 0; i < 9; ++i) world.produced(log);  // 92 bytes each
  EXPECT_EQ(log->segment_count(), 3u);
  EXPECT_TRUE(world.files().contains("00000000000000000003.log"));
  EXPECT_TRUE(world.files().contains("00000000000000000006.snapshot"));
  EXPECT_EQ(world.offsets_from(log, Offset(0)).size(), 9u);
  world.settle();
  EXPECT_EQ(log->recovery_point(), Offset(6));  // the old ones were synced behind the roll
  EXPECT_TRUE(world.lines.has("Rolled new log segment at offset 3 in 0 ms."));
  LogWorld restarted({.segment_bytes = 300}, world.disk.state.after_crash(true));
  EXPECT_EQ(restarted.open(false, Offset(6))->log_end(), Offset(6));
}

TEST(Log, RollsByTheTimestampsOfItsRecords) {
  LogWorld world({.segment_ms = 1000ms});
  const auto log = world.open_leading();
  world.produced(log, {.timestamp = Timestamp(5000)});
  world.produced(log, {.timestamp = Timestamp(6000)});
  EXPECT_EQ(log->segment_count(), 1u);
  world.produced(log, {.timestamp = Timestamp(6001)});
  EXPECT_EQ(log->segment_count(), 2u);
}

TEST(Log, RollsByTheClockWithoutTimestampsAndEarlierByJitter) {
  LogWorld world({.segment_ms = 1000ms, .segment_jitter_ms = 1000ms});
  const auto log = world.open_leading();
  world.produced(log, {.timestamp = Timestamp(0)});
  world.produced(log, {.timestamp = Timestamp(999)});
  EXPECT_EQ(log->segment_count(), 2u);
}

TEST(Log, RollsWhenItsIndexIsFullAndWhenAnOffsetIsTooFar) {
  LogWorld world({.segment_index_bytes = 24, .index_interval_bytes = 1});
  const auto log = world.open_leading();
  for (int i = 0; i < 5; ++i) world.produced(log);
  EXPECT_EQ(log->segment_count(), 3u);
  ASSERT_TRUE(world.run(log->set_writer_epoch(world.first, LeaderEpoch(1), false)));
  world.current = LeaderEpoch(1);
  ASSERT_TRUE(world.follow(log, world.stamped({}, Offset(std::int64_t{1} << 32), LeaderEpoch(1))));  // KAFKA-5413
  EXPECT_TRUE(world.files().contains("00000000004294967296.log"));
  EXPECT_EQ(world.offsets_from(log, Offset(5)), (std::vector<std::int64_t>{std::int64_t{1} << 32}));
}

TEST(Log, HotLogsReserveAheadWithinOnePercentOfWhatIsFreeAndGiveBackAtTheRoll) {
  LogWorld world({.segment_bytes = 20 << 20});
  const auto log = world.open_leading();
  for (int i = 0; i < 30; ++i) world.produced(log, {.value_bytes = 500000});
  EXPECT_GT(world.disk.calls["reserve"], 0u);
  EXPECT_GT(world.disk.calls["start_write_back"], 0u);
  EXPECT_EQ(world.disk.calls["truncate"], 0u);
  ASSERT_TRUE(world.run(log->roll(world.first)));
  EXPECT_EQ(world.disk.calls["truncate"], 1u);
  world.disk.calls.clear();
  world.disk.free = 100 << 20;
  for (int i = 0; i < 20; ++i) world.produced(log, {.value_bytes = 500000});
  EXPECT_EQ(world.disk.calls["reserve"], 0u);
}

// --- follower ------------------------------------------------------------------------------------------------------

class FollowerLog : public LogWorld, public testing::Test {
 protected:
  void SetUp() override {
    log = open();
    ASSERT_TRUE(run(log->set_writer_epoch(first, LeaderEpoch(5), false)));
    current = LeaderEpoch(5);
  }
  LogRef log;
};

TEST_F(FollowerLog, KeepsOffsetsAndEpochs) {
  auto batches = stamped({.count = 2}, Offset(10), LeaderEpoch(3));
  append_bytes(batches, stamped({.count = 2}, Offset(15), LeaderEpoch(4)));
  const auto appended = follow(log, batches);
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->first_offset, Offset(10));
  EXPECT_EQ(log->log_end(), Offset(17));
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(3), Offset(10)}, {LeaderEpoch(4), Offset(15)}}));
  EXPECT_EQ(bytes_of(*read(log, Offset(10))), batches);
}

TEST_F(FollowerLog, TakesNothingOfALaterLeader) {
  auto batches = stamped({}, Offset(0), LeaderEpoch(5));
  append_bytes(batches, stamped({}, Offset(1), LeaderEpoch(6)));
  EXPECT_TRUE(follow(log, batches));
  EXPECT_EQ(log->log_end(), Offset(1));
}

TEST_F(FollowerLog, RefusesCorruptAndOldBatchesAndDropsACutOne) {  // KAFKA-4384
  auto broken = stamped({}, Offset(0), LeaderEpoch(5));
  broken.back() ^= std::byte{1};
  EXPECT_EQ(follow(log, broken).error().code, ErrorCode::corrupt_message);
  auto batches = stamped({}, Offset(0), LeaderEpoch(5));
  append_bytes(batches, Bytes(stamped({}, Offset(1), LeaderEpoch(5))).first(50));
  EXPECT_TRUE(follow(log, batches));
  EXPECT_EQ(log->log_end(), Offset(1));
  EXPECT_EQ(follow(log, stamped({}, Offset(0), LeaderEpoch(5))).error().code, ErrorCode::offset_out_of_range);
  EXPECT_FALSE(directory->offline());
}

TEST_F(FollowerLog, RollsBetweenTheBatchesOfOneAppend) {
  settings.segment_bytes = 200;
  log->reconfigure(std::make_shared<LogSettings>(settings));
  ByteVector batches;
  for (int i = 0; i < 6; ++i) append_bytes(batches, stamped({}, Offset(i), LeaderEpoch(5)));
  EXPECT_TRUE(follow(log, batches));
  EXPECT_EQ(log->segment_count(), 3u);
  EXPECT_EQ(offsets_from(log, Offset(0)).size(), 6u);
}

TEST_F(FollowerLog, DoesNotAppendAsLeader) {
  EXPECT_EQ(produce(log).error().code, ErrorCode::not_leader_or_follower);
}

// --- truncation ----------------------------------------------------------------------------------------------------

TEST(Log, TruncatesToAnyOffsetAndGoesOnThere) {
  for (int to = 0; to <= 12; ++to) {
    LogWorld world({.segment_bytes = 400, .index_interval_bytes = 1});
    const auto log = world.open_leading(LeaderEpoch(1));
    for (int i = 0; i < 6; ++i) world.produced(log, {.count = 2, .producer = ProducerId(1), .sequence = 2 * i});
    world.lead(log, LeaderEpoch(2));
    log->update_high_watermark(Offset(12));
    EXPECT_EQ(*world.run(log->truncate_to(world.first, Offset(to))), to < 12);
    EXPECT_EQ(log->log_end(), Offset(to));
    EXPECT_LE(log->high_watermark(), Offset(to));
    EXPECT_EQ(log->latest_epoch(), to > 0 ? std::optional(LeaderEpoch(1)) : std::nullopt) << to;
    EXPECT_EQ(world.offsets_from(log, Offset(0)).size(), static_cast<std::size_t>(to / 2)) << to;
    const auto next = world.produce(log, {.producer = ProducerId(1), .sequence = to / 2 * 2});
    ASSERT_TRUE(next) << to << next.error().message;
    EXPECT_EQ(next->first_offset, Offset(to));
    // The deleted files go later.
    world.clock.pass(61s);
    world.run(log->upkeep(world.first));
    for (const auto& name : world.files()) EXPECT_FALSE(name.ends_with(".deleted")) << name;
    EXPECT_EQ(world.offsets_from(log, Offset(0)).size(), static_cast<std::size_t>(to / 2 + 1)) << to;
  }
}

TEST(Log, ProducerStateNeverSpeaksOfBatchesThatATruncationTook) {  // KAFKA-12153
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log, {.producer = ProducerId(1), .sequence = 0});
  world.produced(log, {.producer = ProducerId(1), .sequence = 1});
  ASSERT_TRUE(world.run(log->truncate_to(world.first, Offset(1))));
  const auto again = world.produce(log, {.producer = ProducerId(1), .sequence = 1});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->duplicate);
  EXPECT_EQ(again->first_offset, Offset(1));
}

TEST(Log, AFullTruncationMovesStartEndAndHighWatermarkTogether) {  // KAFKA-9491
  LogWorld world({.segment_bytes = 300});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  log->update_high_watermark(Offset(8));
  ASSERT_TRUE(world.run(log->truncate_fully_and_start_at(world.first, Offset(100))));
  const auto offsets = log->offsets();
  EXPECT_EQ(offsets.log_start, Offset(100));
  EXPECT_EQ(offsets.high_watermark, Offset(100));
  EXPECT_EQ(offsets.log_end, Offset(100));
  EXPECT_TRUE(log->epochs().empty());
  EXPECT_EQ(log->segment_count(), 1u);
  world.lead(log, LeaderEpoch(9));
  EXPECT_EQ(world.produced(log), Offset(100));
  ASSERT_TRUE(world.run(log->truncate_fully_and_start_at(world.first, Offset(100))));
  EXPECT_EQ(log->log_end(), Offset(100));
  EXPECT_EQ(world.produced(log), Offset(100));
}

// --- transactions --------------------------------------------------------------------------------------------------

TEST(Log, ReadCommittedStopsAtTheFirstOpenTransactionAndKnowsTheAbortedOnes) {
  LogWorld world;
  const auto log = world.open_leading();
  const auto marker = [&](int producer, records::ControlRecordType type) {
    return world.append(log, records::end_transaction_batch({}, ProducerId(producer), ProducerEpoch(0), {type, 0}));
  };
  world.append(log, world.batch({.count = 2, .producer = ProducerId(1), .transactional = true}));  // 0..1
  world.append(log, world.batch({.count = 1, .producer = ProducerId(2), .transactional = true}));  // 2
  ASSERT_TRUE(marker(1, records::ControlRecordType::abort));                                       // 3
  log->update_high_watermark(Offset(4));
  EXPECT_EQ(log->last_stable_offset(), Offset(2));
  ASSERT_TRUE(marker(2, records::ControlRecordType::commit));  // 4
  EXPECT_EQ(log->last_stable_offset(), Offset(2));             // the marker is not below the high watermark
  log->update_high_watermark(Offset(5));
  EXPECT_EQ(log->last_stable_offset(), Offset(5));
  const auto read = world.read(log, Offset(0), 1 << 20, true, ReadIsolation::last_stable);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->aborted, (std::vector<AbortedTransaction>{{ProducerId(1), Offset(0)}}));
  EXPECT_TRUE(world.files().contains("00000000000000000000.txnindex"));

  LogWorld restarted({}, world.disk.state.after_crash(false));
  const auto again = restarted.open(false);
  EXPECT_EQ(restarted.disk.content(restarted.file("00000000000000000000.txnindex")),
            world.disk.content(world.file("00000000000000000000.txnindex")));
  again->update_high_watermark(Offset(5));
  EXPECT_EQ(again->last_stable_offset(), Offset(5));
}

TEST(Log, AnOpenTransactionHoldsTheLastStableOffsetAfterARestart) {
  for (const bool clean : {true, false}) {
    LogWorld world;
    {
      const auto log = world.open_leading();
      world.produced(log);
      world.append(log, world.batch({.producer = ProducerId(1), .transactional = true}));
      world.produced(log);
      if (clean) ASSERT_TRUE(world.run(log->close(world.first, true)));
    }
    LogWorld restarted({}, world.disk.state.after_crash(false));
    const auto log = restarted.open(clean, clean ? Offset(3) : Offset(0));
    log->update_high_watermark(Offset(3));
    EXPECT_EQ(log->last_stable_offset(), Offset(1)) << clean;
  }
}

TEST(Log, AFailedTransactionIndexKeepsTheOffsetsAndFreezesTheLastStableOffset) {  // KAFKA-7866
  LogWorld world;
  const auto log = world.open_leading();
  world.append(log, world.batch({.producer = ProducerId(1), .transactional = true}));
  world.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "write_at" && path.ends_with(".txnindex")) throw runtime::DiskError(EIO, "pwritev", path);
  };
  const auto ended = world.append(
      log, records::end_transaction_batch({}, ProducerId(1), ProducerEpoch(0), {records::ControlRecordType::abort, 0}));
  EXPECT_EQ(ended.error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(log->log_end(), Offset(2));
  log->update_high_watermark(Offset(2));
  EXPECT_EQ(log->last_stable_offset(), Offset(0));
}

// --- look-ups ------------------------------------------------------------------------------------------------------

TEST(Log, FindsOffsetsByTimeAsAScanWould) {
  for (const auto interval : {1u, 4096u}) {
    LogWorld world({.segment_bytes = 700, .index_interval_bytes = interval});
    const auto log = world.open_leading();
    const std::int64_t times[] = {100, 200, 150, 300, 300, 250, 400, 100, 500, 450};
    for (const auto time : times) world.produced(log, {.count = 2, .timestamp = Timestamp(time)});
    for (const bool restarted : {false, true}) {
      if (restarted) ASSERT_TRUE(world.run(log->close(world.first, true)));
      const auto asked = restarted ? world.open() : log;
      for (std::int64_t at = 90; at < 510; at += 5) {
        std::optional<Offset> expected;
        for (std::size_t i = 0; i < std::size(times) * 2 && !expected; ++i) {
          if (times[i / 2] + static_cast<std::int64_t>(i % 2) >= at) expected = Offset(static_cast<std::int64_t>(i));
        }
        const auto found = world.run(asked->find_timestamp(world.first, Timestamp(at)));
        ASSERT_TRUE(found);
        ASSERT_EQ(found->has_value(), expected.has_value()) << at;
        if (expected) EXPECT_EQ((*found)->offset, *expected) << at;
      }
      const auto max = world.run(asked->find_max_timestamp(world.first));
      EXPECT_EQ(**max, (TimestampOffset{Timestamp(501), Offset(17), LeaderEpoch(0)}));
    }
  }
}

TEST(Log, AnEmptyLogHasNoTimes) {
  LogWorld world;
  const auto log = world.open_leading(LeaderEpoch(2));
  EXPECT_FALSE(*world.run(log->find_timestamp(world.first, Timestamp(0))));
  EXPECT_FALSE(*world.run(log->find_max_timestamp(world.first)));
  EXPECT_EQ(log->earliest(), (TimestampOffset{no_timestamp, Offset(0), LeaderEpoch(2)}));
  EXPECT_EQ(log->latest(), (TimestampOffset{no_timestamp, Offset(0), LeaderEpoch(2)}));
}

TEST(Log, AnswersWhereAnEpochEnded) {
  LogWorld world;
  const auto log = world.open_leading(LeaderEpoch(1));
  world.produced(log, {.count = 3});
  world.lead(log, LeaderEpoch(4));
  world.produced(log, {.count = 2});
  EXPECT_EQ(log->end_offset_of_epoch(LeaderEpoch(2)), (EpochEndOffset{LeaderEpoch(1), Offset(3)}));
  EXPECT_EQ(log->end_offset_of_epoch(LeaderEpoch(4)), (EpochEndOffset{LeaderEpoch(4), Offset(5)}));
}

}  // namespace
}  // namespace klamm::storage::test
