// The end of many logs: written one by one, brought to disk together.
#include "storage/start_test.h"

namespace klamm::storage::test {
namespace {

constexpr int many = 100;

// What the disk was asked for between two looks.
class Syncs {
 public:
  explicit Syncs(MemoryDisk& disk) : disk_(disk) {
    disk.before = [this](std::string_view its, const std::string& path) {
      if (its == "sync_data" || its == "sync_directory") own += path.starts_with("/a/t-");
      if (its == "sync_file_system") {
        ++together;
        EXPECT_FALSE(disk_.exists("/a/.kafka_cleanshutdown")) << "the marker says that all is on disk already";
      }
    };
  }
  ~Syncs() { disk_.before = {}; }

  int own = 0;  // of logs, their directories and what is in them
  int together = 0;

 private:
  MemoryDisk& disk_;
};

void expect_records(Start& start, int logs) {
  for (int i = 0; i < logs; ++i) {
    const auto log = start.find("t", i);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->log_end(), Offset(2)) << i;
    EXPECT_EQ(log->recovery_point(), Offset(2)) << i;
    EXPECT_EQ(log->epochs().size(), 1u) << i;
  }
}

TEST(LogClose, ManyLogsGoToTheDiskWithOneSyncOfTheirFileSystem) {
  Start start({}, {"/a"});
  for (int i = 0; i < many; ++i) start.fill(start.make("t", i), 2);
  start.settle();
  Syncs syncs(start.disk);
  start.stop();
  EXPECT_EQ(syncs.together, 1);
  EXPECT_EQ(syncs.own, 0);

  Start after(start.disk.state.after_crash(true), {"/a"});
  EXPECT_TRUE(after.lines.has("since clean shutdown file was found"));
  expect_records(after, many);
}

TEST(LogClose, AFewLogsSyncTheirOwnFiles) {
  Start start({}, {"/a"});
  for (int i = 0; i < 3; ++i) start.fill(start.make("t", i), 2);
  start.settle();
  Syncs syncs(start.disk);
  start.stop();
  EXPECT_EQ(syncs.together, 0) << "a busy file system would make them wait";
  EXPECT_GT(syncs.own, 0);
}

TEST(LogClose, LogsOfAnotherFileSystemSyncTheirOwnFiles) {
  Start start({}, {"/a"});
  for (int i = 0; i < many; ++i) start.fill(start.make("t", i), 2);
  start.settle();
  start.disk.elsewhere.insert("/a/t-77");
  Syncs syncs(start.disk);
  start.stop();
  EXPECT_EQ(syncs.together, 0);
  Start after(start.disk.state.after_crash(true), {"/a"});
  expect_records(after, many);
}

TEST(LogClose, WhoOwesNothingIsClosedWithoutATripToAnIoThread) {
  LogWorld world;
  const auto written = world.open_leading();
  world.produced(written);
  ASSERT_TRUE(world.run(written->close(world.first, true)));
  const auto found = world.open();
  world.lead(found, LeaderEpoch(1));
  EXPECT_FALSE(found->has_unsynced());
  world.first.hold_blocking = true;
  EXPECT_TRUE(world.run(found->close(world.first, true)));
  world.first.hold_blocking = false;
  EXPECT_EQ(found->recovery_checkpoint(), Offset(1));
}

TEST(LogClose, LogsThatNobodyTouchedWaitForNoSync) {
  DiskState stopped;
  {
    Start start({}, {"/a"});
    for (int i = 0; i < many; ++i) start.make("t", i);
    start.stop();
    stopped = start.disk.state.after_crash(true);
  }
  Start start(std::move(stopped), {"/a"});
  Syncs syncs(start.disk);
  start.stop();
  EXPECT_EQ(syncs.together, 0);
  EXPECT_EQ(syncs.own, 0);
}

TEST(LogClose, AFileSystemThatLostSomethingIsNoCleanStop) {
  Start start({}, {"/a"});
  for (int i = 0; i < many; ++i) start.fill(start.make("t", i), 2);
  start.settle();
  start.disk.before = [&](std::string_view its, const std::string& path) {
    if (its == "sync_file_system") throw runtime::DiskError(EIO, "syncfs", path);
  };
  start.stop();
  start.disk.before = {};
  start.settle();
  EXPECT_FALSE(start.disk.exists("/a/.kafka_cleanshutdown"));
  EXPECT_TRUE(start.directories->directories().front()->offline());
  for (const auto& [name, text] : start.disk.state.names) {
    if (name != "/a/recovery-point-offset-checkpoint") continue;
    EXPECT_EQ(as_text(text->content).find("t 0 2"), std::string_view::npos) << "not known to be on disk";
  }
}

TEST(LogClose, ACrashWhileTheyAreWrittenIsRecoveredFrom) {
  // Power is lost after each so many operations of the stop.
  for (int survived = 0; survived < 1500; survived += 37) {
    Start start({}, {"/a"});
    for (int i = 0; i < many; ++i) start.fill(start.make("t", i), 2);
    start.settle();
    for (int i = 0; i < many; i += 2) ASSERT_TRUE(start.run(start.find("t", i)->flush_all(start.first)));
    int left = survived;
    DiskState crashed;
    bool cut = false;
    start.disk.before = [&](std::string_view, const std::string&) {
      if (left-- != 0) return;
      crashed = start.disk.state.after_crash(true);
      cut = true;
    };
    start.stop();
    start.disk.before = {};
    if (!cut) break;
    Start after(std::move(crashed), {"/a"});
    for (int i = 0; i < many; i += 2) {
      ASSERT_NE(after.find("t", i), nullptr) << survived;
      EXPECT_EQ(after.find("t", i)->log_end(), Offset(2)) << survived << ": it was synced before the stop";
    }
  }
}

}  // namespace
}  // namespace klamm::storage::test
