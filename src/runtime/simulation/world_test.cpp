#include "runtime/simulation/world.h"

#include <gtest/gtest.h>

#include "runtime/file_sync.h"
#include "runtime/simulation/disk.h"
#include "runtime/simulation/network.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime::simulation {
namespace {

using namespace std::chrono_literals;

TEST(WorldTest, TimePassesOnlyWhereSomebodyWaits) {
  World world({.seed = 1});
  Host& host = world.add_host("a");
  Reactor& home = *host.environment().reactors[0];
  TaskGroup tasks(home);
  auto story = [&]() -> Task<Duration> {
    const MonoTime before = home.now();
    auto sleeping = sleep_for(home, 24h, tasks.token());
    co_await std::move(sleeping);
    co_return home.now() - before;
  };
  const Duration slept = world.run(host, story(), 48h);
  EXPECT_GE(slept, 24h);
  EXPECT_LE(slept, 24h + 10ms) << "late by a late wake-up at most";
}

TEST(WorldTest, WhatThrowsArrives) {
  World world({.seed = 1});
  Host& host = world.add_host("a");
  auto story = []() -> Task<void> {
    throw std::logic_error("so");
    co_return;
  };
  EXPECT_THROW(world.run(host, story()), std::logic_error);
}

TEST(WorldTest, ATaskThatWaitsForWhatNeverComesIsToldSo) {
  World world({.seed = 1});
  Host& host = world.add_host("a");
  Notice notice(*host.environment().reactors[0]);
  auto story = [&]() -> Task<void> { return notice.wait(); };
  EXPECT_THROW(world.run(host, story()), std::runtime_error);
}

TEST(WorldTest, PostedWorkKeepsItsOrderAndSeedsChooseWhoIsFirst) {
  struct Note final : Work {
    void run() override { order->push_back(name); }
    std::string* order = nullptr;
    char name = ' ';
  };
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world({.seed = seed});
    Host& host = world.add_host("a");
    std::string order;
    Note notes[4];
    for (int i = 0; i < 4; ++i) {
      notes[i].order = &order;
      notes[i].name = static_cast<char>('a' + i);
      host.environment().reactors[static_cast<std::size_t>(i / 2)]->post(notes[i]);
    }
    world.run_for(1s);
    ASSERT_EQ(order.size(), 4u);
    EXPECT_LT(order.find('a'), order.find('b'));
    EXPECT_LT(order.find('c'), order.find('d'));
    ++seen[order];
  }
  EXPECT_GT(seen["abcd"], 0);
  EXPECT_GT(seen["cdab"], 0);
}

TEST(WorldTest, TryLocksAreRefusedNowAndThen) {
  World world({.seed = 3});
  Host& host = world.add_host("a");
  ShortLock lock(host.environment().scheduling);
  int refused = 0;
  for (int i = 0; i < 800; ++i) {
    if (lock.try_lock()) {
      lock.unlock();
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 200);
}

TEST(WorldTest, APausedHostDoesNothingUntilItIsResumed) {
  World world({.seed = 5});
  Host& host = world.add_host("a");
  Reactor& home = *host.environment().reactors[0];
  TaskGroup tasks(home);
  int ticks = 0;
  auto ticking = [&]() -> Task<void> {
    for (;;) {
      auto sleeping = sleep_for(home, 10ms, tasks.token());
      co_await std::move(sleeping);
      ++ticks;
    }
  };
  tasks.start(ticking());
  world.run_for(1s);
  EXPECT_GT(ticks, 50);
  host.pause();
  world.run_for(20ms);
  const int before = ticks;
  world.run_for(10s);
  EXPECT_EQ(ticks, before);
  host.resume();
  world.run_for(1s);
  EXPECT_GT(ticks, before + 50);
}

TEST(WorldTest, TheWallClockJumpsWithoutTheOther) {
  World world({.seed = 5});
  Host& host = world.add_host("a");
  const Clock& clock = host.environment().clock;
  const Timestamp wall = clock.wall();
  world.run_for(10s);
  EXPECT_EQ(clock.wall() - wall, 10'000);
  const MonoTime mono = clock.now();
  host.jump_wall(-1h);
  EXPECT_EQ(clock.wall() - wall, 10'000 - 3'600'000);
  EXPECT_EQ(clock.now(), mono);
  host.drift_wall(100'000);  // a tenth too fast
  world.run_for(10s);
  EXPECT_EQ(clock.wall() - wall, 21'000 - 3'600'000);
}

// A process that writes and syncs for ever, as an object with an owner.
struct Writer {
  explicit Writer(Environment& environment)
      : home(*environment.reactors[0]), sync(home, environment.disk), tasks(home) {
    environment.disk.make_directories("/data");
    file = environment.disk.open("/data/log", OpenMode::create);
    environment.disk.sync_directory("/data");
    environment.disk.sync_directory("/");
    size = file->size();
    tasks.start(write());
  }
  Task<void> write() {
    for (;;) {
      file->write_at(size, as_bytes("0123456789"));
      size += 10;
      auto syncing = sync.sync(file);
      co_await std::move(syncing);
      synced = size;
      auto sleeping = sleep_for(home, 1ms, tasks.token());
      co_await std::move(sleeping);
    }
  }
  Reactor& home;
  FileSync sync;
  FileRef file;
  std::uint64_t size = 0;
  std::uint64_t synced = 0;
  TaskGroup tasks;
};

TEST(WorldTest, ACrashedHostRunsNothingAndKeepsWhatWasSynced) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.seed = seed});
    Host& host = world.add_host("a");
    std::unique_ptr<Writer> writer;
    std::uint64_t synced = 0;
    host.on_death([&] {
      if (writer != nullptr) synced = writer->synced;
      writer.reset();
    });
    for (int life = 1; life <= 5; ++life) {
      const Crash kind = life % 2 == 0 ? Crash::process : Crash::power;
      host.crash_at_disk_call(world.story_chance().between(1, 60), kind);
      try {
        writer = std::make_unique<Writer>(host.environment());
      } catch (const HostCrashed&) {
        // In the middle of the start; nobody owns anything yet.
      }
      if (!host.alive()) writer.reset();  // it died before it had an owner
      if (writer != nullptr) ASSERT_TRUE(world.run_until([&] { return !host.alive(); }, 10s)) << seed;
      ASSERT_FALSE(host.alive());
      ASSERT_EQ(writer, nullptr);
      const auto before = host.disk().files();
      world.run_for(1s);
      EXPECT_EQ(host.disk().files(), before);
      if (synced > 0) EXPECT_GE(host.disk().content("/data/log").size(), synced) << "seed " << seed << " life " << life;
      host.restart();
      EXPECT_EQ(host.life(), static_cast<unsigned>(life) + 1);
    }
  }
}

// The same story under one seed is the same to the last event, whether its trace is kept or not.
struct Told {
  std::uint64_t hash;
  std::uint64_t lines;
  std::string text;
};

Told tell(std::uint64_t seed, bool keep) {
  World world({.seed = seed, .keep_trace = keep});
  Host& host = world.add_host("a");
  std::unique_ptr<Writer> writer;
  host.on_death([&] { writer.reset(); });
  for (int life = 0; life < 3; ++life) {
    writer = std::make_unique<Writer>(host.environment());
    world.run_for(world.story_chance().between(Duration(1ms), Duration(100ms)));
    host.crash(Crash::power);
    host.restart();
  }
  return {world.trace().hash(), world.trace().lines(), world.trace().text()};
}

TEST(WorldTest, OneSeedHasOneTrace) {
  const Told first = tell(11, true);
  const Told again = tell(11, true);
  const Told silent = tell(11, false);
  const Told other = tell(12, true);
  EXPECT_EQ(first.text, again.text);
  EXPECT_GT(first.lines, 100u);
  EXPECT_EQ(first.hash, silent.hash);
  EXPECT_EQ(first.lines, silent.lines);
  EXPECT_EQ(silent.text, "");
  EXPECT_NE(first.hash, other.hash);
}

TEST(WorldTest, RarePlacesAreLiveInSomeSeedsOnly) {
  int live = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world({.seed = seed});
    Scheduling& scheduling = world.add_host("a").environment().scheduling;
    bool happened = false;
    for (int i = 0; i < 200; ++i) happened |= scheduling.chance("somewhere");
    live += happened ? 1 : 0;
  }
  EXPECT_GT(live, 2);
  EXPECT_LT(live, 30);
}

}  // namespace
}  // namespace klamm::runtime::simulation
