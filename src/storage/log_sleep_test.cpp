// Empty logs of a clean stop: nothing of them is held but their numbers, until somebody needs more.
#include "storage/log.h"
#include "storage/log_file_names.h"
#include "storage/partition_metadata.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

const Uuid topic{1, 2};

// An empty log that stopped in order, and its directory as the next start finds it.
class Stopped : public LogWorld {
 public:
  Stopped() {
    auto made = open();
    EXPECT_TRUE(made->assign_topic_id(topic));
    close(made);
  }
  LogRef found(bool clean = true, Offset high_watermark = Offset(0)) {
    return Log::open(*directory, {.name = {"orders", PartitionIndex(0)},
                                  .directory_name = "orders-0",
                                  .settings = std::make_shared<LogSettings>(settings),
                                  .topic_id = {},
                                  .clean = clean,
                                  .high_watermark = high_watermark,
                                  .listed = true});
  }
  void close(const LogRef& log) { EXPECT_TRUE(run(log->close(first, true))); }
  void put(std::string_view name, std::string_view content) {
    disk.open(file(name), runtime::OpenMode::create)->write_at(0, as_bytes(content));
  }
};

TEST(LogSleep, AnEmptyLogOfACleanStopSleepsAndAnswersWhatOneThatIsAwakeDoes) {
  Stopped world;
  const auto asleep = world.found();
  const auto awake = world.open();
  ASSERT_TRUE(asleep->sleeps());
  ASSERT_FALSE(awake->sleeps());
  for (const auto& log : {asleep, awake}) {
    EXPECT_EQ(log->topic_id(), topic);
    EXPECT_EQ(log->path(), "/data/orders-0");
    EXPECT_FALSE(log->is_future());
    EXPECT_EQ(log->offsets().log_start, Offset(0));
    EXPECT_EQ(log->offsets().log_end, Offset(0));
    EXPECT_EQ(log->recovery_point(), Offset(0));
    EXPECT_EQ(log->recovery_checkpoint(), Offset(0));
    EXPECT_EQ(log->first_segment_base(), Offset(0));
    EXPECT_EQ(log->segment_count(), 1u);
    EXPECT_EQ(log->size_bytes(), 0u);
    EXPECT_EQ(log->due(), runtime::never);
    EXPECT_FALSE(log->owes_sync());
    EXPECT_EQ(log->latest_epoch(), std::nullopt);
    EXPECT_EQ(log->update_high_watermark(Offset(5)), Offset(0));
    EXPECT_EQ(log->advance_high_watermark(Offset(5)), std::nullopt);
    EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 0u);
    EXPECT_EQ(log->earliest(), (TimestampOffset{.offset = Offset(0)}));
    EXPECT_EQ(log->latest(), (TimestampOffset{.offset = Offset(0)}));

    world.lead(log, LeaderEpoch(3));
    EXPECT_EQ(log->latest_epoch(), LeaderEpoch(3));
    EXPECT_EQ(log->latest(), (TimestampOffset{.offset = Offset(0), .leader_epoch = LeaderEpoch(3)}));
    EXPECT_EQ(log->earliest(), (TimestampOffset{.offset = Offset(0), .leader_epoch = LeaderEpoch(3)}));
    const auto older = world.run(log->set_writer_epoch(world.first, LeaderEpoch(2), true));
    ASSERT_FALSE(older);
    EXPECT_EQ(older.error().code, ErrorCode::fenced_leader_epoch);

    const auto nothing = world.read(log, Offset(0));
    ASSERT_TRUE(nothing);
    EXPECT_EQ(nothing->bytes(), 0u);
    EXPECT_EQ(nothing->data_offset, Offset(0));
    EXPECT_EQ(nothing->offsets.log_end, Offset(0));
  }
  EXPECT_TRUE(asleep->sleeps()) << "none of these needs more than its numbers";
}

TEST(LogSleep, ItWakesForWhoWritesAndKnowsWhatItWasToldAsleep) {
  Stopped world;
  const auto log = world.found();
  world.lead(log, LeaderEpoch(4));
  LogSettings other;
  other.segment_bytes = 4321;
  log->reconfigure(std::make_shared<LogSettings>(other));
  EXPECT_EQ(log->settings()->segment_bytes, 4321u);
  ASSERT_TRUE(log->sleeps());

  EXPECT_EQ(world.produced(log), Offset(0));
  EXPECT_FALSE(log->sleeps());
  EXPECT_EQ(log->topic_id(), topic);
  EXPECT_EQ(log->settings()->segment_bytes, 4321u);
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(4), Offset(0)}}));
  EXPECT_EQ(world.produced(log), Offset(1));
  EXPECT_EQ(world.offsets_from(log, Offset(0)), (std::vector<std::int64_t>{0, 1}));

  // And what was written is a log like any other at the next start.
  world.close(log);
  const auto again = world.found();
  EXPECT_FALSE(again->sleeps());
  EXPECT_EQ(again->log_end(), Offset(2));
  EXPECT_EQ(again->latest_epoch(), LeaderEpoch(4));
}

TEST(LogSleep, ANameAWriterOrAReaderBehindTheEndWakesIt) {
  Stopped world;
  auto log = world.found();
  const auto behind = world.read(log, Offset(7));
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code, ErrorCode::offset_out_of_range);
  EXPECT_FALSE(log->sleeps());

  log = world.found();
  world.lead(log, LeaderEpoch(0));
  const auto stale = world.run(log->set_writer_epoch(world.first, LeaderEpoch(1), false));
  ASSERT_TRUE(stale);
  const auto refused = world.produce(log);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_leader_or_follower) << "it follows since";

  log = world.found();
  log->rename_directory("orders-0.0123456789abcdef0123456789abcdef-delete");
  EXPECT_EQ(log->path(), "/data/orders-0.0123456789abcdef0123456789abcdef-delete");
}

TEST(LogSleep, WhatWasClosedAsleepStaysClosed) {
  Stopped world;
  const auto log = world.found();
  world.lead(log);
  const auto before = world.disk.calls;
  world.close(log);
  EXPECT_EQ(world.disk.calls, before) << "there is nothing to bring to disk";
  const auto after = world.produce(log);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::not_leader_or_follower);
  const auto leading = world.run(log->set_writer_epoch(world.first, LeaderEpoch(9), true));
  ASSERT_FALSE(leading);
  EXPECT_EQ(leading.error().code, ErrorCode::not_leader_or_follower);
}

TEST(LogSleep, ADirectoryThatFailedAnswersForItsSleepers) {
  Stopped world;
  const auto log = world.found();
  [[maybe_unused]] const auto error =
      world.directory->failed("test", runtime::DiskError(EIO, "write", "/data/other-0"));
  const auto read = world.read(log, Offset(0));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kafka_storage_error);
  const auto leading = world.run(log->set_writer_epoch(world.first, LeaderEpoch(9), true));
  ASSERT_FALSE(leading);
  EXPECT_EQ(leading.error().code, ErrorCode::kafka_storage_error);
}

TEST(LogSleep, WhateverSaysMoreThanEmptyIsLoaded) {
  struct Case {
    std::string_view what;
    std::function<void(Stopped&)> change;
    bool clean = true;
    Offset high_watermark{0};
  };
  const std::vector<Case> cases{
      {"an unclean stop", [](Stopped&) {}, false},
      {"a high watermark above the end", [](Stopped&) {}, true, Offset(3)},
      {"bytes in the log", [](Stopped& world) { world.put("00000000000000000000.log", "x"); }},
      {"entries in the offset index",
       [](Stopped& world) { world.put("00000000000000000000.index", std::string(8, '\1')); }},
      {"entries in the time index",
       [](Stopped& world) { world.put("00000000000000000000.timeindex", std::string(12, '\1')); }},
      {"leader epochs", [](Stopped& world) { world.put(leader_epoch_checkpoint_name, "0\n1\n2 0\n"); }},
      {"a snapshot of producers", [](Stopped& world) { world.put("00000000000000000007.snapshot", "x"); }},
      {"another segment", [](Stopped& world) { world.put("00000000000000000005.log", ""); }},
      {"a deletion that was begun", [](Stopped& world) { world.put("00000000000000000000.log.deleted", ""); }},
      {"a compaction that was begun", [](Stopped& world) { world.put("00000000000000000000.log.cleaned", ""); }},
      {"no index", [](Stopped& world) { world.disk.remove_file(world.file("00000000000000000000.index")); }},
      {"no topic id", [](Stopped& world) { world.disk.remove_file(world.file(partition_metadata_name)); }},
      {"a topic id that is none", [](Stopped& world) { world.put(partition_metadata_name, "version: x"); }},
  };
  for (const auto& each : cases) {
    Stopped world;
    each.change(world);
    EXPECT_FALSE(world.found(each.clean, each.high_watermark)->sleeps()) << each.what;
  }
}

}  // namespace
}  // namespace klamm::storage::test
