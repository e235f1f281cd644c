#include "storage/log.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

TEST(LogRoll, RollsWhenASegmentIsFull) {
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

TEST(LogRoll, RollsByTheTimestampsOfItsRecords) {
  LogWorld world({.segment_ms = 1000ms});
  const auto log = world.open_leading();
  world.produced(log, {.timestamp = Timestamp(5000)});
  world.produced(log, {.timestamp = Timestamp(6000)});
  EXPECT_EQ(log->segment_count(), 1u);
  world.produced(log, {.timestamp = Timestamp(6001)});
  EXPECT_EQ(log->segment_count(), 2u);
}

TEST(LogRoll, RollsByTheClockWithoutTimestampsAndEarlierByJitter) {
  LogWorld world({.segment_ms = 1000ms, .segment_jitter_ms = 1000ms});
  const auto log = world.open_leading();
  world.produced(log, {.timestamp = Timestamp(0)});
  world.produced(log, {.timestamp = Timestamp(999)});
  EXPECT_EQ(log->segment_count(), 2u);
}

TEST(LogRoll, RollsWhenItsIndexIsFullAndWhenAnOffsetIsTooFar) {
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

TEST(LogRoll, HotLogsReserveAheadWithinOnePercentOfWhatIsFreeAndGiveBackAtTheRoll) {
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

}  // namespace
}  // namespace klamm::storage::test
