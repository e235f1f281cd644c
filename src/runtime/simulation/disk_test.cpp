#include "runtime/simulation/disk.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/waiting.h"

namespace klamm::runtime::simulation {
namespace {

using namespace std::chrono_literals;

// A host whose files are looked at after a crash of it.
struct DiskWorld {
  explicit DiskWorld(std::uint64_t seed) : world({.seed = seed}), host(world.add_host("a")) {
    disk().make_directories("/d");
    disk().sync_directory("/");
  }
  Disk& disk() { return host.environment().disk; }
  void lose_power() {
    host.crash(Crash::power);
    host.restart();
  }
  void kill() {
    host.crash(Crash::process);
    host.restart();
  }
  std::string text(const std::string& path) { return std::string(as_text(host.disk().content(path))); }
  FileRef synced(const std::string& path, std::string_view content) {
    FileRef file = disk().open(path, OpenMode::create);
    file->write_at(0, as_bytes(content));
    file->sync_data();
    disk().sync_directory("/d");
    return file;
  }

  World world;
  Host& host;
};

TEST(SimulatedDiskTest, WhatIsSyncedSurvivesAPowerCut) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    DiskWorld world(seed);
    world.synced("/d/f", "kept for ever");
    world.lose_power();
    EXPECT_EQ(world.text("/d/f"), "kept for ever");
  }
}

TEST(SimulatedDiskTest, AKilledProcessLosesNothing) {
  DiskWorld world(1);
  const FileRef file = world.disk().open("/d/f", OpenMode::create);
  file->write_at(0, as_bytes("not synced"));
  world.kill();
  EXPECT_EQ(world.text("/d/f"), "not synced");
  EXPECT_EQ(world.disk().read_file("/d/f", 100).size(), 10u);
}

TEST(SimulatedDiskTest, WhatIsNotSyncedIsThereOrNotOrInPartBySector) {
  std::set<std::string> ends;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    DiskWorld world(seed);
    const FileRef file = world.synced("/d/f", std::string(1024, 'a'));
    file->write_at(512, as_bytes(std::string(2048, 'b')));
    world.lose_power();
    const std::string left = world.text("/d/f");
    ASSERT_GE(left.size(), 1024u);
    ASSERT_LE(left.size(), 2560u);
    EXPECT_EQ(left.substr(0, 512), std::string(512, 'a')) << "what was not written is as it was";
    std::string shape;
    for (std::size_t at = 512; at < left.size(); at += 512) {
      const std::string sector = left.substr(at, 512);
      EXPECT_EQ(sector, std::string(sector.size(), sector[0])) << "a sector is written as a whole";
      shape += sector[0] == '\0' ? '0' : sector[0];
    }
    ends.insert(shape);
  }
  EXPECT_TRUE(ends.contains("a")) << "nothing of it";
  EXPECT_TRUE(ends.contains("bbbb")) << "all of it";
  EXPECT_TRUE(ends.contains("abbb")) << "the later before the earlier";
  EXPECT_TRUE(ends.contains("b0b0")) << "holes";
}

// How often bytes that one cut took are back after the next, in the place of what was appended since.
int returns(bool told_to_end_there) {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    DiskWorld world(seed);
    world.synced("/d/f", std::string(100, 'a'))->write_at(100, as_bytes(std::string(100, 'x')));
    world.lose_power();
    if (world.text("/d/f") != std::string(100, 'a')) continue;
    const FileRef file = world.disk().open("/d/f", OpenMode::write);
    if (told_to_end_there) file->truncate(100);
    file->write_at(100, as_bytes(std::string(100, 'y')));
    world.lose_power();
    if (world.text("/d/f").contains('x')) ++count;
  }
  return count;
}

TEST(SimulatedDiskTest, WhatACutTookMayComeBackInTheEndsBlockUnlessTheFileWasToldToEndThere) {
  EXPECT_GT(returns(false), 3);
  EXPECT_EQ(returns(true), 0);
}

TEST(SimulatedDiskTest, NamesOfAnUnsyncedDirectoryMayGo) {
  std::set<std::string> ends;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    DiskWorld world(seed);
    world.synced("/d/old", "1");
    const FileRef made = world.disk().open("/d/new", OpenMode::create_new);
    made->write_at(0, as_bytes("2"));
    made->sync_data();
    world.disk().rename("/d/old", "/d/renamed");
    world.disk().remove_file("/d/new");
    world.lose_power();
    std::string shape;
    for (const auto& entry : world.disk().list("/d")) shape += entry.name + " ";
    ends.insert(shape);
  }
  EXPECT_EQ(ends, (std::set<std::string>{"old ", "new old ", "new renamed ", "renamed "}))
      << "the changes of a directory survive up to some point, each as a whole";
}

TEST(SimulatedDiskTest, DurableDirectoriesSurviveAlsoWhenAKilledProcessBeganThem) {
  for (std::uint64_t crash_at = 1; crash_at <= 8; ++crash_at) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      DiskWorld world(seed);
      world.host.crash_at_disk_call(crash_at, Crash::process);
      try {
        world.disk().make_durable_directories("/d/e/f");
      } catch (const HostCrashed&) {
      }
      world.host.cancel_crash();
      if (!world.host.alive()) world.host.restart();
      world.disk().make_durable_directories("/d/e/f");
      world.lose_power();
      EXPECT_TRUE(world.disk().is_directory("/d/e/f"));
    }
  }
}

TEST(SimulatedDiskTest, AReplacedFileIsTheOldOneOrTheNewOne) {
  std::set<std::string> ends;
  for (std::uint64_t crash_at = 1; crash_at <= 8; ++crash_at) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      DiskWorld world(seed);
      world.disk().replace_file("/d/f", as_bytes("old"));
      world.host.crash_at_disk_call(crash_at, Crash::power);
      bool returned = false;
      try {
        world.disk().replace_file("/d/f", as_bytes("new"));
        returned = true;
      } catch (const HostCrashed&) {
      }
      if (world.host.alive()) world.host.crash(Crash::power);
      world.host.restart();
      const std::string left = world.text("/d/f");
      if (returned) EXPECT_EQ(left, "new");
      ends.insert(left);
    }
  }
  EXPECT_EQ(ends, (std::set<std::string>{"old", "new"}));
}

TEST(SimulatedDiskTest, TheNthCallFailsAndAWriteMayHaveWrittenAPart) {
  DiskWorld world(7);
  const FileRef file = world.synced("/d/f.log", "0123");
  world.host.disk().add_fault({.call = DiskCall::write, .path_part = ".log", .skip = 1, .error = ENOSPC});
  file->write_at(4, as_bytes("4567"));
  try {
    file->write_at(8, as_bytes("89"));
    ADD_FAILURE() << "the second write is the one that fails";
  } catch (const DiskError& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
    EXPECT_EQ(error.path(), "/d/f.log");
  }
  EXPECT_TRUE(std::string("0123456789").starts_with(world.text("/d/f.log")));
  EXPECT_GE(world.text("/d/f.log").size(), 8u);
  file->write_at(8, as_bytes("89"));
}

TEST(SimulatedDiskTest, AFailedSyncIsFinal) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DiskWorld world(seed);
    const FileRef file = world.synced("/d/f", "old");
    file->write_at(0, as_bytes("new"));
    world.host.disk().add_fault({.call = DiskCall::sync, .error = EIO});
    EXPECT_THROW(file->sync_data(), DiskError);
    file->sync_data();  // goes well, and writes nothing
    EXPECT_EQ(world.text("/d/f"), "new") << "as read before the power goes";
    world.lose_power();
    EXPECT_EQ(world.text("/d/f"), "old");
  }
}

TEST(SimulatedDiskTest, AFullDiskTakesWhatFits) {
  DiskWorld world(1);
  world.host.disk().set_capacity(10);
  const FileRef file = world.disk().open("/d/f", OpenMode::create);
  file->write_at(0, as_bytes("0123456"));
  EXPECT_EQ(world.disk().free_bytes("/d"), 3u);
  EXPECT_THROW(file->write_at(7, as_bytes("789abc")), DiskError);
  EXPECT_EQ(world.text("/d/f"), "0123456789");
  file->write_at(0, as_bytes("x"));
  file->truncate(5);
  file->write_at(5, as_bytes("56789"));
  EXPECT_EQ(world.text("/d/f"), "x123456789");
}

TEST(SimulatedDiskTest, DamageIsSeenAndKept) {
  DiskWorld world(1);
  world.synced("/d/f", "abcdef");
  world.host.disk().flip_bit("/d/f", 0, 1);
  world.host.disk().zero("/d/f", 4, 2);
  EXPECT_EQ(world.text("/d/f"), std::string("ccd", 0) + "cbcd" + std::string(2, '\0'));
  world.lose_power();
  EXPECT_EQ(world.text("/d/f"), "cbcd" + std::string(2, '\0'));
}

TEST(SimulatedDiskTest, ALockGoesWithItsOwner) {
  DiskWorld world(1);
  auto lock = world.disk().try_lock("/d/.lock");
  ASSERT_NE(lock, nullptr);
  EXPECT_EQ(world.disk().try_lock("/d/.lock"), nullptr);
  world.kill();
  auto next = world.disk().try_lock("/d/.lock");
  ASSERT_NE(next, nullptr) << "a crash frees it";
  lock.reset();
  EXPECT_EQ(world.disk().try_lock("/d/.lock"), nullptr) << "the dead owner's going changes nothing";
  next.reset();
  EXPECT_NE(world.disk().try_lock("/d/.lock"), nullptr);
}

TEST(SimulatedDiskTest, ASyncOfTheFileSystemKeepsFilesAndNamesOfAllDirectories) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DiskWorld world(seed);
    const auto lock = world.disk().try_lock("/d/.lock");
    world.disk().make_directories("/d/e");
    world.disk().open("/d/e/f", OpenMode::create)->write_at(0, as_bytes("in one go"));
    world.disk().open("/d/g", OpenMode::create)->write_at(0, as_bytes("old"));
    world.disk().rename("/d/g", "/d/h");
    lock->sync_file_system();
    world.lose_power();
    EXPECT_EQ(world.text("/d/e/f"), "in one go");
    EXPECT_EQ(world.text("/d/h"), "old");
    EXPECT_FALSE(world.disk().exists("/d/g"));
  }
}

TEST(SimulatedDiskTest, WhatAFailedSyncOfTheFileSystemLostIsLost) {
  DiskWorld world(1);
  const auto lock = world.disk().try_lock("/d/.lock");
  world.synced("/d/f", "old");
  world.disk().open("/d/f", OpenMode::write)->write_at(0, as_bytes("new"));
  world.host.disk().add_fault({.call = DiskCall::sync, .path_part = "/d/f", .error = EIO});
  EXPECT_THROW(lock->sync_file_system(), DiskError);
  lock->sync_file_system();
  EXPECT_EQ(world.host.disk().synced_content("/d/f"),
            std::optional(ByteVector(as_bytes("old").begin(), as_bytes("old").end())));
}

TEST(SimulatedDiskTest, ADeadProcessChangesNothing) {
  DiskWorld world(1);
  const FileRef file = world.synced("/d/f", "as it was");
  Disk& disk = world.disk();
  world.host.crash(Crash::process);
  file->write_at(0, as_bytes("never"));
  file->truncate(0);
  disk.remove_file("/d/f");
  disk.make_directories("/d/e");
  disk.rename("/d/f", "/d/g");
  EXPECT_EQ(world.text("/d/f"), "as it was");
  EXPECT_EQ(world.host.disk().files(), (std::vector<std::string>{"/d/f"}));
}

TEST(SimulatedDiskTest, ColdRangesHaveToBeLoaded) {
  DiskWorld world(1);
  const FileRef file = world.synced("/d/f", "abc");
  int cold = 0;
  for (int i = 0; i < 80; ++i) cold += file->resident(0, 3) ? 0 : 1;
  EXPECT_GT(cold, 2);
  EXPECT_LT(cold, 40);
  file->load(0, 3);
  for (int i = 0; i < 80; ++i) EXPECT_TRUE(file->resident(0, 3));
}

TEST(SimulatedDiskTest, SlowCallsHoldTheReactorUp) {
  DiskWorld world(1);
  Reactor& home = *world.host.environment().reactors[0];
  const FileRef file = world.synced("/d/f", "abc");
  world.host.disk().add_fault({.call = DiskCall::write, .slow = 3s});
  auto story = [&]() -> Task<Duration> {
    const MonoTime before = home.now();
    file->write_at(0, as_bytes("x"));
    auto others = yield(home);
    co_await std::move(others);
    co_return home.now() - before;
  };
  EXPECT_GE(world.world.run(world.host, story()), 3s);
}

}  // namespace
}  // namespace klamm::runtime::simulation
