#include "storage/log_directories.h"

#include "storage/meta_properties.h"
#include "storage/partition_metadata.h"
#include "storage/start_test.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

TEST(LogDirectories, MakesMissingOnesAndSpreadsLogsOverThem) {
  Start start;
  EXPECT_TRUE(start.lines.has("Log directory /a not found, creating it."));
  EXPECT_TRUE(start.lines.has("Loading logs from log dirs ArrayBuffer(/a, /b)"));
  EXPECT_TRUE(start.lines.has("No logs found to be loaded in /a"));
  EXPECT_TRUE(start.lines.has("Loaded 0 logs in 0ms"));
  for (int i = 0; i < 4; ++i) start.make("t", i);
  EXPECT_EQ(start.disk.list("/a").size() + start.disk.list("/b").size(), 4u);
  EXPECT_EQ(start.disk.list("/a").size(), 2u);
  EXPECT_EQ(start.text("/a/t-0/partition.metadata"), "version: 0\ntopic_id: AAAAAAAAAAcAAAAAAAAABw");
}

TEST(LogDirectories, WhatIsStillBeingLoadedCountsWhereANewLogLooksForRoom) {
  DiskState stopped;
  {
    Start start({}, {"/a"});
    for (int i = 0; i < 3; ++i) start.make("t", i);
    start.stop();
    stopped = start.disk.state.after_crash(true);
  }
  Start start(std::move(stopped), {"/a", "/b"}, false);
  runtime::TaskGroup asking(start.first);
  const auto load = [&]() -> runtime::Task<void> {
    auto loading = start.directories->load(start.first, start.tasks, start.events);
    co_await std::move(loading);
  };
  const auto make = [&](int partition) -> runtime::Task<void> {
    auto getting = start.directories->get_or_create(start.first, {"u", PartitionIndex(partition)}, {7, 7},
                                                    directory_unassigned, true);
    EXPECT_TRUE(co_await std::move(getting));
  };
  asking.start(load());
  while (!start.directories->is_loading({"t", PartitionIndex(0)})) start.first.turn();
  for (int i = 0; i < 3; ++i) asking.start(make(i));
  start.settle();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(start.find("u", i)->path(), fmt::format("/b/u-{}", i));
  EXPECT_NE(start.find("t"), nullptr);
}

TEST(LogDirectories, LogsMadeTogetherGoToTheDiskTogether) {
  Start start({}, {"/a"});
  start.disk.sync_groups.clear();
  runtime::TaskGroup making(start.first);
  const auto make = [&](int partition) -> runtime::Task<void> {
    auto getting = start.directories->get_or_create(start.first, {"t", PartitionIndex(partition)}, {7, 7},
                                                    directory_unassigned, true);
    EXPECT_TRUE(co_await std::move(getting));
  };
  for (int i = 0; i < 100; ++i) making.start(make(i));
  start.run(making.wait());
  std::size_t files = 0;
  for (const auto group : start.disk.sync_groups) files += group;
  EXPECT_EQ(files, 100u);
  EXPECT_LE(start.disk.sync_groups.size(), 3u) << "one for who came first, one for all who came meanwhile";
  for (int i = 0; i < 100; ++i) {
    const auto& name = start.disk.state.names.at(fmt::format("/a/t-{}/partition.metadata", i));
    EXPECT_EQ(as_text(name->synced), "version: 0\ntopic_id: AAAAAAAAAAcAAAAAAAAABw") << "served before it is on disk";
    EXPECT_EQ(start.find("t", i)->topic_id(), (Uuid{7, 7}));
  }
}

TEST(LogDirectories, ANewLogIsNotThereBeforeItsTopicIdIsOnDisk) {
  for (const auto* const operation : {"sync_data", "rename"}) {
    Start start({}, {"/a"});
    start.disk.before = [&](std::string_view its, const std::string& path) {
      if (its == operation && path == "/a/t-0/partition.metadata.tmp") throw runtime::DiskError(EIO, its, path);
    };
    const auto made = start.create("t");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kafka_storage_error);
    EXPECT_EQ(start.find("t"), nullptr);
    EXPECT_FALSE(start.disk.exists("/a/t-0/00000000000000000000.log"));
    start.settle();
    EXPECT_TRUE(start.events.halted);
  }
}

TEST(LogDirectories, ACleanStopSyncsEachDirectoryOnce) {
  Start start({}, {"/a"});
  for (int i = 0; i < 20; ++i) {
    const auto log = start.make("t", i);
    if (i % 2 == 0) start.fill(log, 1);
  }
  start.settle();
  std::map<std::string, int> syncs;
  start.disk.before = [&](std::string_view its, const std::string& path) {
    if (its == "sync_directory") ++syncs[path];
  };
  start.stop();
  // Beside the logs': three checkpoints and the marker of the clean stop.
  EXPECT_LE(syncs["/a"], 5);
  for (int i = 0; i < 20; ++i) EXPECT_LE(syncs[fmt::format("/a/t-{}", i)], 1) << i;

  Start after(start.disk.state.after_crash(true), {"/a"});
  for (int i = 0; i < 20; ++i) {
    const auto log = after.find("t", i);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->log_end(), Offset(i % 2 == 0 ? 1 : 0));
    EXPECT_EQ(log->topic_id(), (Uuid{7, 7}));
    EXPECT_EQ(log->epochs().size(), i % 2 == 0 ? 1u : 0u);
  }
}

TEST(LogDirectories, AnIdThatIsUsedIsOnDisk) {
  // Whoever wrote it was killed before the name was synced.
  World before;
  before.disk.make_directories("/a");
  before.disk.sync_directory("/");
  const Uuid id{1, 2};
  write_meta_properties(before.disk, "/a", {.cluster_id = "c", .node_id = BrokerId(1), .directory_id = id},
                        Timestamp(0));
  DiskState killed;
  killed.directories = killed.synced_directories = before.disk.state.directories;
  killed.names = before.disk.state.names;
  ASSERT_FALSE(killed.after_crash(true).names.contains("/a/meta.properties"));
  Start start(std::move(killed), {"/a"});
  EXPECT_NE(start.directories->directory_of(id), nullptr);
  EXPECT_TRUE(start.disk.state.after_crash(true).names.contains("/a/meta.properties"));
}

TEST(LogDirectories, ACleanStopIsFoundAtTheNextStart) {
  DiskState stopped;
  {
    Start start;
    start.fill(start.make("t", 0), 5);
    start.fill(start.make("t", 1), 2);
    start.stop();
    EXPECT_EQ(start.text("/a/.kafka_cleanshutdown"), R"({"version":0,"brokerEpoch":17})");
    EXPECT_EQ(start.text("/a/recovery-point-offset-checkpoint"), "0\n1\nt 0 5\n");
    EXPECT_EQ(start.text("/a/replication-offset-checkpoint"), "0\n1\nt 0 5\n");
    EXPECT_EQ(start.text("/a/log-start-offset-checkpoint"), "0\n0\n");
    stopped = start.disk.state.after_crash(true);
  }
  Start start(std::move(stopped), {"/a", "/b"}, false);
  EXPECT_EQ(start.directories->clean_shutdown_broker_epoch(), 17);
  start.load();
  EXPECT_EQ(start.events.ready, (std::vector<std::string>{"t-0", "t-1"}));
  EXPECT_EQ(start.find("t", 0)->log_end(), Offset(5));
  EXPECT_EQ(start.find("t", 0)->high_watermark(), Offset(5));
  EXPECT_EQ(start.find("t", 0)->topic_id(), (Uuid{7, 7}));
  EXPECT_TRUE(start.lines.has("Skipping recovery of 1 logs from /a since clean shutdown file was found"));
  EXPECT_FALSE(start.disk.exists("/a/.kafka_cleanshutdown"));  // KAFKA-10471
  EXPECT_FALSE(start.disk.state.after_crash(true).names.contains("/a/.kafka_cleanshutdown"));
}

TEST(LogDirectories, ACrashIsRecoveredFromInTheBackground) {
  DiskState killed;
  {
    Start start;
    start.fill(start.make("t", 0), 5);
    killed = start.disk.state.after_crash(false);
  }
  Start start(std::move(killed), {"/a", "/b"}, false);
  EXPECT_EQ(start.directories->clean_shutdown_broker_epoch(), std::nullopt);
  auto loading = [&]() -> runtime::Task<void> {
    auto load = start.directories->load(start.first, start.tasks, start.events);
    co_await std::move(load);
  };
  start.tasks.start(loading());
  while (!start.directories->is_loading({"t", PartitionIndex(0)})) start.first.turn();
  start.first.hold_blocking = true;
  start.settle();
  EXPECT_FALSE(start.directories->loaded());
  EXPECT_EQ(start.create("t", 0).error().code, ErrorCode::not_leader_or_follower);
  start.first.hold_blocking = false;
  start.settle();
  EXPECT_TRUE(start.directories->loaded());
  EXPECT_EQ(start.find("t")->log_end(), Offset(5));
  EXPECT_TRUE(start.lines.has("Recovering 1 logs from /a since no clean shutdown file was found"));
  EXPECT_TRUE(start.lines.has("Loaded 1 logs in 0ms (unclean log dirs = ArrayBuffer(/a))"));
}

TEST(LogDirectories, AStopDuringRecoveryEnds) {
  DiskState killed;
  {
    Start start({}, {"/a"});
    start.fill(start.make("t", 0));
    killed = start.disk.state.after_crash(false);
  }
  Start start(std::move(killed), {"/a"}, false);
  auto loading = [&]() -> runtime::Task<void> {
    auto load = start.directories->load(start.first, start.tasks, start.events);
    co_await std::move(load);
  };
  start.tasks.start(loading());
  while (!start.directories->is_loading({"t", PartitionIndex(0)})) start.first.turn();
  start.first.hold_blocking = true;
  start.settle();
  auto stopping = start.tasks.stop();
  runtime::TaskGroup stopper(start.first);
  auto stop_all = [](runtime::Task<void> task) -> runtime::Task<void> { co_await std::move(task); };
  stopper.start(stop_all(std::move(stopping)));
  start.first.hold_blocking = false;
  start.settle();
  EXPECT_EQ(stopper.running(), 0u);
}

TEST(LogDirectories, ALockedOneIsRefusedInKafkasWords) {
  Start start;
  LogDirectories second(start.environment, {.paths = {"/c", "/b"}});
  try {
    second.lock();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "Failed to acquire lock on file .lock in /b. A Kafka instance in another process or thread is using "
                 "this directory.");
  }
  LogDirectories third(start.environment, {.paths = {"/c"}});
  third.lock();  // what the refused start had locked is free again
  LogDirectories twice(start.environment, {.paths = {"/d", "/d"}});
  EXPECT_THROW(twice.lock(), std::runtime_error);
}

TEST(LogDirectories, NothingIsOpenedBeforeAllLocksAreHeld) {
  Start first({}, {"/a"});
  std::vector<std::string> opened;
  first.disk.before = [&](std::string_view operation, const std::string& path) {
    opened.push_back(std::string(operation) + " " + path);
  };
  LogDirectories second(first.environment, {.paths = {"/a"}});
  EXPECT_THROW(second.lock(), std::runtime_error);
  EXPECT_TRUE(opened.empty()) << opened.front();
}

TEST(LogDirectories, ForeignDirectoriesStopTheStart) {
  for (const auto& [name, message] : std::map<std::string, std::string>{
           {"backup",
            "Found directory /a/backup, 'backup' is not in the form of topic-partition or "
            "topic-partition.uniqueId-delete"},
           {"t-0", "Duplicate log directories for t-0 are found in both /b/t-0 and /a/t-0. It is likely because"}}) {
    DiskState state;
    state.directories = {"/", "/a", "/b", "/a/" + name, "/b/t-0"};
    Start start(std::move(state), {"/a", "/b"}, false);
    try {
      start.load();
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_TRUE(std::string_view(error.what()).starts_with(message)) << error.what();
    }
  }
}

TEST(LogDirectories, GarbageInCheckpointsCostsALongerRecoveryOnly) {  // KAFKA-1758
  DiskState killed;
  {
    Start start({}, {"/a"});
    start.fill(start.make("t", 0), 4);
    start.stop();
    killed = start.disk.state.after_crash(false);
    killed.names.erase("/a/.kafka_cleanshutdown");
  }
  for (const auto* name :
       {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint"}) {
    for (const auto* garbage : {"x", "0\n5\n", "0\n1\nt zero 4\n", "7\n0\n"}) {
      auto state = killed.after_crash(false);
      state.names.at(std::string("/a/") + name)->content = to_vector(as_bytes(garbage));
      Start start(std::move(state), {"/a"});
      EXPECT_EQ(start.find("t")->log_end(), Offset(4));
      EXPECT_TRUE(start.lines.has(fmt::format("Error occurred while reading {} file of directory /a", name)));
    }
  }
}

TEST(LogDirectories, ARemovedTopicIsRenamedAndGoesLaterAndLeavesNoNumbersBehind) {
  Start start({}, {"/a"});
  start.fill(start.make("t", 0), 4);
  start.fill(start.make("u", 0), 1);
  start.disk.state.names["/a/cleaner-offset-checkpoint"] = std::make_shared<DiskState::Node>();
  start.disk.content("/a/cleaner-offset-checkpoint") = to_vector(as_bytes("0\n2\nt 0 3\nu 0 1\n"));
  start.pass(61s);
  EXPECT_EQ(start.text("/a/replication-offset-checkpoint"), "0\n2\nt 0 4\nu 0 1\n");
  const auto held = start.find("t");
  ASSERT_TRUE(start.run(start.directories->remove(start.first, {"t", PartitionIndex(0)})));
  EXPECT_EQ(start.find("t"), nullptr);
  EXPECT_EQ(start.text("/a/replication-offset-checkpoint"), "0\n1\nu 0 1\n");
  EXPECT_EQ(start.text("/a/recovery-point-offset-checkpoint"), "0\n1\nu 0 0\n");
  EXPECT_EQ(start.text("/a/cleaner-offset-checkpoint"), "0\n1\nu 0 1\n");
  EXPECT_TRUE(held->path().ends_with("-delete"));
  EXPECT_FALSE(
      start.run(held->read(start.first, {.from = Offset(0), .bytes_max = 100, .isolation = ReadIsolation::log_end})));
  EXPECT_TRUE(start.disk.is_directory(held->path()));
  // Another incarnation at once.
  const auto again = start.make("t", 0, {8, 8});
  EXPECT_EQ(again->log_end(), Offset(0));
  start.pass(61s);
  EXPECT_FALSE(start.disk.is_directory(held->path()));
  EXPECT_TRUE(start.lines.has(fmt::format("Deleted log for partition t-0 in {}.", held->path())));
  EXPECT_TRUE(start.disk.is_directory("/a/t-0"));
  EXPECT_TRUE(start.run(start.directories->remove(start.first, {"nobody", PartitionIndex(0)})));
}

TEST(LogDirectories, HalfRemovedAndStrayLogsAreHandledAsFound) {
  DiskState stopped;
  {
    Start start({}, {"/a"});
    for (const auto* topic : {"keep", "gone", "moved"}) start.fill(start.make(topic));
    ASSERT_TRUE(start.run(start.directories->remove(start.first, {"gone", PartitionIndex(0)})));
    start.stop();
    stopped = start.disk.state.after_crash(true);
  }
  Start start(std::move(stopped), {"/a"}, false);
  start.events.stray = {"moved"};
  start.load();
  EXPECT_EQ(start.events.ready, (std::vector<std::string>{"keep-0"}));
  EXPECT_EQ(start.find("moved"), nullptr);
  bool stray = false;
  bool doomed = false;
  for (const auto& entry : start.disk.list("/a")) {
    stray |= entry.name.starts_with("moved-0.") && entry.name.ends_with("-stray");
    doomed |= entry.name.ends_with("-delete");
  }
  EXPECT_TRUE(stray);
  EXPECT_TRUE(doomed);
  start.pass(61s);
  for (const auto& entry : start.disk.list("/a")) EXPECT_FALSE(entry.name.ends_with("-delete"));
}

TEST(LogDirectories, ALogWhoseTopicWasDeletedWhileItsDiskWasAwayDoesNotStandInTheWayOfANewTopicOfThatName) {
  DiskState stopped;
  {
    Start start;
    start.fill(start.make("t", 0, {7, 7}));
    start.disk.state.directories.insert("/b/t-0");
    start.disk.state.synced_directories.insert("/b/t-0");
    write_partition_metadata(start.disk, "/b/t-0", {8, 8});
    start.stop();
    stopped = start.disk.state.after_crash(false);
  }
  Start start(std::move(stopped), {"/a", "/b"}, false);
  start.events.stray_ids = {{7, 7}};
  start.load();
  EXPECT_EQ(start.events.ready, (std::vector<std::string>{"t-0"}));
  EXPECT_EQ(start.find("t")->path(), "/b/t-0");
  EXPECT_TRUE(start.directories->loaded());
  EXPECT_FALSE(start.disk.is_directory("/a/t-0"));
  const auto entries = start.disk.list("/a");
  EXPECT_TRUE(std::ranges::any_of(entries, [](const auto& entry) { return entry.name.ends_with("-stray"); }));
}

TEST(LogDirectories, TheFirstErrorTakesADirectoryOfflineAndTheOthersServeOn) {
  Start start;
  const auto on_a = start.make("t", 0);
  const auto on_b = start.make("t", 1);
  start.fill(on_a);
  start.fill(on_b);
  start.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "write_at" && path.starts_with("/a/")) throw runtime::DiskError(EIO, "pwritev", path);
  };
  auto bytes = ByteVector();
  {
    records::RecordBatchBuilder builder;
    builder.append({.timestamp = start.clock.time, .key = {}, .value = {}});
    bytes = builder.take();
  }
  auto failing = start.run(
      on_a->append_as_leader(start.first, MutableBytes(bytes), {.epoch = LeaderEpoch(0), .now = start.clock.time}));
  EXPECT_EQ(failing.error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(start.events.failed, (std::vector<std::string>{"/a"}));
  EXPECT_FALSE(start.events.halted);
  EXPECT_TRUE(start.lines.has("Stopping serving logs in dir /a"));
  EXPECT_TRUE(
      start.lines.has("Logs for partitions t-0 are offline and logs for future partitions  are offline due to failure "
                      "on log directory /a"));
  EXPECT_EQ(start.find("t", 0), nullptr);
  EXPECT_NE(start.find("t", 1), nullptr);
  // Where it may be on the dead disk, no empty one is made instead; a new one goes where there is a disk.
  EXPECT_EQ(start.create("t", 0, {7, 7}, directory_unassigned, false).error().code, ErrorCode::kafka_storage_error);
  EXPECT_TRUE(start.make("u", 0)->path().starts_with("/b/"));
  start.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "write_at") throw runtime::DiskError(ENOSPC, "pwritev", path);
  };
  EXPECT_FALSE(start.run(
      on_b->append_as_leader(start.first, MutableBytes(bytes), {.epoch = LeaderEpoch(0), .now = start.clock.time})));
  EXPECT_TRUE(start.events.halted);
  EXPECT_TRUE(start.lines.has("Shutdown broker because all log dirs in /a, /b have failed"));
}

TEST(LogDirectories, OneAddedOrTakenAwayBetweenStarts) {
  DiskState stopped;
  {
    Start start({}, {"/a", "/b"});
    start.fill(start.make("t", 0));
    start.fill(start.make("t", 1));
    start.stop();
    stopped = start.disk.state.after_crash(true);
  }
  Start less(stopped.after_crash(true), {"/a"});
  EXPECT_NE(less.find("t", 0), nullptr);
  EXPECT_EQ(less.find("t", 1), nullptr);
  Start more(std::move(stopped), {"/b", "/c", "/a"});
  EXPECT_EQ(more.events.ready.size(), 2u);
  EXPECT_TRUE(more.make("u", 0)->path().starts_with("/c/"));
}

TEST(LogDirectories, AnAbsentDiskIsOfflineNotEmpty) {
  DiskState state;
  state.names["/b"] = std::make_shared<DiskState::Node>();  // a file where a directory should be
  state.directories = {"/", "/a"};
  Start start(std::move(state));
  EXPECT_TRUE(start.lines.has("Failed to create or validate data directory /b"));
  EXPECT_EQ(start.events.failed, (std::vector<std::string>{"/b"}));
  EXPECT_EQ(start.create("t", 0, {7, 7}, directory_unassigned, false).error().code, ErrorCode::kafka_storage_error);
  Start alone({}, {"/c"}, false);
  LogDirectories none(start.environment, {.paths = {"/b"}});
  EXPECT_THROW(none.lock(), std::runtime_error);
}

TEST(LogDirectories, DirectoriesHaveIdsAndTakeWhatIsAssignedToThem) {
  DiskState state;
  state.directories = {"/", "/a", "/b"};
  for (const auto& [path, id] : std::map<std::string, Uuid>{{"/a", {1, 10}}, {"/b", {1, 11}}}) {
    state.names[path + "/meta.properties"] = std::make_shared<DiskState::Node>();
    state.names[path + "/meta.properties"]->content = to_vector(as_bytes(meta_properties_text(
        {.version = 1, .cluster_id = "c", .node_id = BrokerId(1), .directory_id = id}, Timestamp(0))));
  }
  Start start(std::move(state));
  EXPECT_EQ(start.directories->directory_of({1, 11})->path(), "/b");
  EXPECT_EQ(start.directories->meta_properties(*start.directories->directory_of({1, 10}))->cluster_id, "c");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(start.make("t", i, {7, 7}, {1, 11})->path().starts_with("/b/"));
  EXPECT_EQ(start.create("t", 9, {7, 7}, {1, 99}).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(start.create("t", 0, {7, 8}).error().code, ErrorCode::inconsistent_topic_id);
}

TEST(LogDirectories, CheckpointsAreWrittenWhenSomethingMovedAndNothingWakesAnIdleOne) {
  Start start({}, {"/a"});
  start.settle();
  EXPECT_EQ(start.first.next_timer(), runtime::never);
  start.fill(start.make("t", 0), 4);
  start.settle();
  const auto began = start.clock.mono;
  EXPECT_EQ(start.first.next_timer(), began + 5s);
  start.pass(5s);
  EXPECT_EQ(start.text("/a/replication-offset-checkpoint"), "0\n1\nt 0 4\n");
  EXPECT_FALSE(start.disk.exists("/a/recovery-point-offset-checkpoint"));
  ASSERT_TRUE(start.run(start.find("t")->synced(start.first, Offset(4))));
  start.pass(60s);
  // One less than what is on disk: the active segment's indexes are not, and it may be rolled meanwhile.
  EXPECT_EQ(start.text("/a/recovery-point-offset-checkpoint"), "0\n1\nt 0 3\n");
  start.disk.calls.clear();
  start.pass(120s);
  EXPECT_TRUE(start.disk.calls.empty());
  EXPECT_GE(start.first.next_timer(), start.clock.mono + 60s);  // retention, every five minutes
}

TEST(LogDirectories, RetentionRunsByItself) {
  Start start({}, {"/a"}, false);
  start.events.settings.retention_ms = 60'000ms;
  start.load();
  start.fill(start.make("t", 0), 4);
  start.pass(10min);
  EXPECT_EQ(start.find("t")->log_start(), Offset(4));
  EXPECT_EQ(start.text("/a/log-start-offset-checkpoint"), "0\n0\n");  // the segments say it themselves
  for (const auto& entry : start.disk.list("/a/t-0")) EXPECT_FALSE(entry.name.ends_with(".deleted")) << entry.name;
}

TEST(LogDirectories, FlushMsRunsByItself) {
  Start start({}, {"/a"}, false);
  start.events.settings.flush_ms = 200ms;
  start.load();
  start.fill(start.make("t", 0), 4);
  EXPECT_EQ(start.find("t")->recovery_point(), Offset(0));
  start.pass(200ms);
  EXPECT_EQ(start.find("t")->recovery_point(), Offset(4));
}

TEST(LogDirectories, WhatAKilledBrokerHadNotSyncedIsOnDiskBeforeAnybodySeesItWhenFlushMessagesSaysSo) {
  for (const bool each_message : {true, false}) {
    DiskState killed;
    {
      Start start({}, {"/a"});
      start.fill(start.make("t", 0), 5);  // nobody waited for the disk
      killed = start.disk.state.after_crash(false);
      killed.names.at("/a/t-0/00000000000000000000.log")->synced.clear();
    }
    Start start(std::move(killed), {"/a"}, false);
    if (each_message) start.events.settings.flush_messages = 1;
    start.load();
    EXPECT_EQ(start.events.ready, std::vector<std::string>{"t-0"});
    EXPECT_EQ(start.find("t")->log_end(), Offset(5));
    EXPECT_EQ(start.find("t")->recovery_point(), Offset(each_message ? 5 : 0));
    const auto left = start.disk.state.after_crash(true);
    const auto& file = left.names.at("/a/t-0/00000000000000000000.log");
    EXPECT_EQ(file->content.empty(), !each_message);
  }
}

TEST(LogDirectories, ACreationIsAskedForTwiceAtOnceAndMadeOnce) {
  Start start({}, {"/a"});
  runtime::TaskGroup group(start.first);
  std::vector<LogRef> made;
  auto one = [&](runtime::Reactor& reactor) -> runtime::Task<void> {
    auto creating =
        start.directories->get_or_create(reactor, {"t", PartitionIndex(0)}, {7, 7}, directory_unassigned, true);
    const auto result = co_await std::move(creating);
    EXPECT_TRUE(reactor.is_current());
    made.push_back(*result);
  };
  group.start(one(start.first));
  group.start(one(start.first));
  start.settle();
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0], made[1]);
}

// Found by a rename that answered ENOSPC while the broker stopped: the reactor ran work whose owner was gone.
TEST(LogDirectories, ADirectoryThatFailsAtTheVeryEndLeavesNothingForTheReactor) {
  Start start;
  start.fill(start.make("t"));
  start.run(start.tasks.stop());
  start.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "rename" && path.starts_with("/b/")) throw runtime::DiskError(ENOSPC, "rename", path);
  };
  start.run(start.directories->stop(start.first, 17));
  start.directories->directories()[0]->failed("Error while stopping", runtime::DiskError(EIO, "rename", "/a"));
  start.directories.reset();
  start.events.failed.clear();
  start.settle();
  EXPECT_TRUE(start.events.failed.empty());
}

TEST(LogDirectories, RemovalsSideBySideShareTheWritingOfCheckpoints) {
  Start start({}, {"/a"});
  constexpr int count = 20;
  for (int i = 0; i <= count; ++i) {
    start.fill(start.make("t", i));
    ASSERT_TRUE(start.run(start.find("t", i)->flush_all(start.first)));
  }
  start.pass(120s);  // all are in the checkpoints
  EXPECT_EQ(start.text("/a/recovery-point-offset-checkpoint").substr(0, 4), "0\n21");
  std::map<std::string, int> written;
  start.disk.before = [&](std::string_view operation, const std::string& path) {
    if (operation == "rename") ++written[path];
  };
  runtime::TaskGroup group(start.first);
  auto one = [&](int partition) -> runtime::Task<void> {
    auto removing = start.directories->remove(start.first, {"t", PartitionIndex(partition)});
    EXPECT_TRUE(co_await std::move(removing));
    // Whoever makes a log of that name now must not find the numbers of this one.
    for (const auto* file : {"recovery-point-offset-checkpoint", "replication-offset-checkpoint"}) {
      EXPECT_EQ(start.text(fmt::format("/a/{}", file)).find(fmt::format("\nt {} ", partition)), std::string::npos);
    }
  };
  for (int i = 0; i < count; ++i) group.start(one(i));
  start.settle();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_LE(written["/a/recovery-point-offset-checkpoint.tmp"], 3);
  EXPECT_EQ(start.text("/a/recovery-point-offset-checkpoint").substr(0, 4), "0\n1\n");
}

TEST(LogDirectories, WhatHasLittleToRecoverDoesNotWaitForWhatHasMuch) {
  DiskState killed;
  {
    Start start({}, {"/a"});
    const auto large = start.make("a");
    start.fill(large, 1);
    const std::string value(700'000, 'v');
    for (int i = 0; i < 2; ++i) {
      records::RecordBatchBuilder builder;
      builder.append({.timestamp = start.clock.time, .key = {}, .value = as_bytes(value)});
      auto bytes = builder.take();
      ASSERT_TRUE(start.run(large->append_as_leader(start.first, MutableBytes(bytes),
                                                    {.epoch = LeaderEpoch(0), .now = start.clock.time})));
    }
    for (int i = 0; i < 20; ++i) start.fill(start.make("b", i), 2);
    killed = start.disk.state.after_crash(false);
  }
  Start start(std::move(killed), {"/a"});
  ASSERT_EQ(start.events.ready.size(), 21u);
  EXPECT_EQ(start.events.ready.back(), "a-0");
  EXPECT_EQ(start.find("a")->log_end(), Offset(3));
  EXPECT_EQ(start.find("b", 19)->log_end(), Offset(2));
}

}  // namespace
}  // namespace klamm::storage::test
