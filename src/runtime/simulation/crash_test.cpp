// Stories of programs that crash at any moment, and of what their objects may still do.
#include <gtest/gtest.h>

#include "runtime/file_sync.h"
#include "runtime/simulation/disk.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime::simulation {
namespace {

using namespace std::chrono_literals;

// A small program: appends numbers to a file from two reactors, syncs now and then.
struct Program {
  explicit Program(Environment& its) : env(its), tasks(*its.reactors[0]), sync(*its.reactors[0], its.disk) {}

  Task<void> start() {
    env.disk.make_directories("/data");
    file = env.disk.open("/data/log", OpenMode::create);
    env.disk.sync_directory("/data");
    env.disk.sync_directory("/");
    tasks.start(write());
    co_return;
  }
  // Recovery: what is not the number that belongs there is cut off.
  std::uint64_t whole_bytes() {
    std::uint64_t at = 0;
    std::byte bytes[8];
    while (file->read_at(at, bytes) == 8 && load_big<std::uint64_t>(bytes) == at / 8) at += 8;
    file->truncate(at);
    return at;
  }
  Task<void> write() {
    Reactor& home = *env.reactors[0];
    Reactor& other = *env.reactors[1];
    for (std::uint64_t at = whole_bytes();; at += 8) {
      auto there = move_to(other);
      co_await std::move(there);
      std::byte bytes[8];
      store_big<std::uint64_t>(bytes, at / 8);
      file->write_at(at, Bytes(bytes));
      auto back = move_to(home);
      co_await std::move(back);
      if (env.random.next() % 4 == 0) {
        auto syncing = sync.sync(file);
        co_await std::move(syncing);
        acked = at + 8;
      }
      auto sleeping = sleep_for(home, 1ms, tasks.token());
      co_await std::move(sleeping);
    }
  }

  Environment& env;
  TaskGroup tasks;
  FileSync sync;
  FileRef file;
  std::uint64_t acked = 0;
};

struct Outcome {
  std::uint64_t hash;
  std::uint64_t lines;
  std::uint64_t acked;
  std::string text;
};

Outcome run_story(std::uint64_t seed, bool keep = false) {
  World world({.seed = seed, .keep_trace = keep});
  Host& host = world.add_host("broker-1");
  std::uint64_t acked = 0;
  std::unique_ptr<Program> program;
  const auto check = [&] {
    const ByteVector content = host.disk().content("/data/log");
    EXPECT_GE(content.size(), acked) << "what was synced is there, seed " << seed;
    for (std::uint64_t at = 0; at < acked; at += 8) {
      EXPECT_EQ(load_big<std::uint64_t>(content.data() + at), at / 8) << "seed " << seed;
    }
  };
  for (int life = 0; life < 4; ++life) {
    program = std::make_unique<Program>(host.environment());
    host.on_death([&] {
      acked = std::max(acked, program->acked);
      program.reset();
    });
    if (life == 2) host.crash_at_disk_call(40, Crash::power);
    world.run(host, program->start());
    world.run_for(world.story_chance().between(10ms, 200ms));
    if (host.alive()) host.crash(world.story_chance().one_in(2) ? Crash::power : Crash::process);
    EXPECT_EQ(program, nullptr);
    check();
    host.restart();
  }
  return {world.trace().hash(), world.trace().lines(), acked, world.trace().text()};
}

struct Machine {
  explicit Machine(std::uint64_t seed = 1) : world({.seed = seed}), host(world.add_host("a")) {}
  Disk& disk() { return host.environment().disk; }
  void power_cut() {
    host.crash(Crash::power);
    host.restart();
  }
  std::string text(const std::string& path) { return std::string(as_text(host.disk().content(path))); }
  World world;
  Host& host;
};

TEST(CrashTest, OneSeedHasOneTraceAndAnotherSeedAnother) {
  const Outcome first = run_story(7, true);
  const Outcome again = run_story(7, true);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.text, again.text);
  EXPECT_GT(first.lines, 50u);
  EXPECT_GT(first.acked, 0u);
  EXPECT_NE(first.hash, run_story(8).hash);
}

TEST(CrashTest, WhatWasSyncedSurvivesEveryCrash) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) run_story(seed);
}

// Everything a process has under way when it dies: what it destroys afterwards runs nothing and changes nothing.
TEST(CrashTest, ADeadProcessChangesNothing) {
  World world({});
  Host& host = world.add_host("a");
  Environment& env = host.environment();
  Reactor& home = *env.reactors[0];
  struct Busy {
    explicit Busy(Environment& its)
        : env(its), watermark(its.scheduling, Offset(0)), sync(*its.reactors[0], its.disk), tasks(*its.reactors[0]) {}
    ~Busy() {
      // A destructor that tries to leave something behind.
      env.disk.make_directories("/late");
      if (file) file->write_at(0, as_bytes("late"));
      EXPECT_FALSE(env.disk.exists("/f"));
    }
    Environment& env;
    Watermark watermark;
    FileSync sync;
    FileRef file;
    TaskGroup tasks;
  };
  auto busy = std::make_unique<Busy>(env);
  int ended = 0;
  auto waits = [&](Task<void> inner) -> Task<void> {
    co_await std::move(inner);
    ++ended;
  };
  auto waiting = [](Busy& its, Reactor& reactor) -> Task<void> {
    auto wait = its.watermark.wait(reactor, Offset(5), never);
    co_await std::move(wait);
  };
  auto story = [&]() -> Task<void> {
    busy->file = env.disk.open("/f", OpenMode::create);
    busy->tasks.start(waits(sleep_for(home, 1h, busy->tasks.token())));
    busy->tasks.start(waits(waiting(*busy, home)));
    busy->tasks.start(waits(busy->sync.sync(busy->file)));
    busy->tasks.start(waits(move_to(*env.reactors[1])));
    busy->tasks.start(waits(yield(home)));
    auto inner = [&]() -> Task<void> {
      auto job = blocking(home, [&] { env.disk.make_directories("/job"); });
      co_await std::move(job);
    };
    busy->tasks.start(waits(inner()));
    busy->watermark.advance(Offset(5));  // the resumption is posted and will not come
    co_return;
  };
  host.on_death([&] { busy.reset(); });
  world.run(host, story());
  const int before = ended;
  host.crash(Crash::process);
  EXPECT_EQ(busy, nullptr);
  world.run_for(10s);
  EXPECT_EQ(ended, before);
  EXPECT_EQ(host.disk().files(), std::vector<std::string>{"/f"}) << "the page cache of a killed process survives";
  EXPECT_TRUE(host.disk().content("/f").empty());
  host.restart();
  EXPECT_FALSE(host.environment().disk.exists("/late"));
}

TEST(CrashTest, ACrashInTheMiddleOfACallUnwindsIt) {
  World world({});
  Host& host = world.add_host("a");
  Environment& env = host.environment();
  bool went_on = false;
  auto story = [&]() -> Task<void> {
    auto job = blocking(*env.reactors[0], [&] {
      for (int i = 0; i < 10; ++i) env.disk.make_directories(fmt::format("/d{}", i));
      went_on = true;
    });
    co_await std::move(job);
    went_on = true;
  };
  host.crash_at_disk_call(4, Crash::process);
  EXPECT_THROW(world.run(host, story()), std::runtime_error);
  EXPECT_FALSE(host.alive());
  EXPECT_FALSE(went_on);
  host.restart();
  EXPECT_TRUE(host.environment().disk.exists("/d2"));
  EXPECT_FALSE(host.environment().disk.exists("/d3"));
}

TEST(CrashTest, AReplacedFileIsOldOrNewAtEveryCrash) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (std::uint64_t call = 1; call <= 8; ++call) {
      Machine machine(seed);
      machine.disk().replace_file("/c", as_bytes("old content"));
      machine.host.crash_at_disk_call(call, Crash::power);
      auto story = [](Disk& disk) -> Task<void> {
        disk.replace_file("/c", as_bytes("new content!"));
        co_return;
      };
      bool done = true;
      try {
        machine.world.run(machine.host, story(machine.disk()));
      } catch (const std::runtime_error&) {
        done = false;
      }
      if (machine.host.alive()) machine.host.crash(Crash::power);
      machine.host.restart();
      const std::string left = machine.text("/c");
      EXPECT_TRUE(left == "new content!" || (!done && left == "old content"))
          << left << " seed " << seed << " call " << call;
    }
  }
}

TEST(CrashTest, ReactorsOfAHostTakeTurnsInAnyOrder) {
  // Two reactors advance one number; who is first differs between seeds.
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.seed = seed});
    Host& host = world.add_host("a");
    Environment& env = host.environment();
    TaskGroup tasks(*env.reactors[0]);
    std::string order;
    auto one = [&](unsigned index) -> Task<void> {
      for (int i = 0; i < 3; ++i) {
        auto there = move_to(*env.reactors[index]);
        co_await std::move(there);
        EXPECT_TRUE(env.reactors[index]->is_current());
        order += std::to_string(index);
        auto next = yield(*env.reactors[index]);
        co_await std::move(next);
      }
      auto back = move_to(*env.reactors[0]);
      co_await std::move(back);
    };
    auto story = [&]() -> Task<void> {
      tasks.start(one(0));
      tasks.start(one(1));
      auto all = tasks.wait();
      co_await std::move(all);
    };
    world.run(host, story());
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 3u);
}

using CrashDeathTest = testing::Test;

TEST_F(CrashDeathTest, ALockHeldAcrossAWaitIsABug) {
  World world({});
  ShortLock lock(world.add_host("a").environment().scheduling);
  lock.lock();
  EXPECT_DEATH(lock.lock(), "held across a wait");
  lock.unlock();
}

}  // namespace
}  // namespace klamm::runtime::simulation
