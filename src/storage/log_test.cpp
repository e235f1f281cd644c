#include "storage/log.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

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

// After power cuts on ext4 a batch that was lost stood in place of the one that was appended there: it may have lain
// behind the end, in the same block.
TEST(Log, RecoveryTellsTheFileSystemWhereTheEndIs) {
  LogWorld world;
  world.produced(world.open_leading(), {.count = 3});
  LogWorld restarted({}, world.disk.state.after_crash(false));
  std::vector<std::string> truncated;
  restarted.disk.before = [&](std::string_view operation, const std::string& path) {
    if (operation == "truncate" && path.ends_with(".log")) truncated.push_back(path);
  };
  EXPECT_EQ(restarted.open(false)->log_end(), Offset(3));
  EXPECT_EQ(truncated, std::vector<std::string>{"/data/orders-0/00000000000000000000.log"});
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

TEST(Log, ANewLeadersEpochIsKnownBeforeAnyAppendAndOnDiskWithTheFirst) {  // KAFKA-7415
  LogWorld world;
  {
    const auto log = world.open_leading(LeaderEpoch(1));
    world.produced(log, {.count = 5});
    ASSERT_TRUE(world.run(log->flush_all(world.first)));
    world.lead(log, LeaderEpoch(7));
    EXPECT_EQ(log->end_offset_of_epoch(LeaderEpoch(4)),
              (EpochEndOffset{.leader_epoch = LeaderEpoch(1), .end_offset = Offset(5)}));
    EXPECT_EQ(log->latest_epoch(), LeaderEpoch(7));
    const auto file = [&] {
      return world.disk.state.after_crash(true).names.at("/data/orders-0/leader-epoch-checkpoint")->content;
    };
    EXPECT_EQ(file(), to_vector(as_bytes("0\n1\n1 0\n")));
    world.current = LeaderEpoch(7);
    world.produced(log);
    ASSERT_TRUE(world.run(log->flush_all(world.first)));
    EXPECT_EQ(file(), to_vector(as_bytes("0\n2\n1 0\n7 5\n")));
  }
  LogWorld restarted({}, world.disk.state.after_crash(true));
  const auto log = restarted.open(false);
  EXPECT_EQ(log->log_end(), Offset(6));
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(7), Offset(5)}}));
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
