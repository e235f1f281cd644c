#include "storage/log.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

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

TEST(LogTruncation, TruncatesToAnyOffsetAndGoesOnThere) {
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

TEST(LogTruncation, ProducerStateNeverSpeaksOfBatchesThatATruncationTook) {  // KAFKA-12153
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

TEST(LogTruncation, AFullTruncationMovesStartEndAndHighWatermarkTogether) {  // KAFKA-9491
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

}  // namespace
}  // namespace klamm::storage::test
