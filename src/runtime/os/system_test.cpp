#include "runtime/os/system.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/logger.h"
#include "base/temporary_directory_test.h"
#include "runtime/file_sync.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime::os {
namespace {

using namespace std::chrono_literals;

class SystemTest : public testing::Test {
 protected:
  std::string path(std::string_view name) const { return directory_.path() + "/" + std::string(name); }
  Environment& env() { return system_.environment(); }
  Reactor& home() { return *env().reactors[0]; }
  Reactor& other() { return *env().reactors[1]; }

  NullLogSink log_;
  TemporaryDirectory directory_{"klamm-system"};
  System system_{{.reactors = 2}, log_};
};

TEST_F(SystemTest, ATaskGoesToAnotherReactorAndBack) {
  auto story = [&]() -> Task<int> {
    EXPECT_TRUE(home().is_current());
    auto there = move_to(other());
    co_await std::move(there);
    EXPECT_TRUE(other().is_current());
    auto back = move_to(home());
    co_await std::move(back);
    EXPECT_TRUE(home().is_current());
    co_return 7;
  };
  EXPECT_EQ(system_.run_until_done(story()), 7);
}

TEST_F(SystemTest, WhatThrowsArrives) {
  auto story = []() -> Task<void> {
    throw std::runtime_error("so");
    co_return;
  };
  EXPECT_THROW(system_.run_until_done(story()), std::runtime_error);
}

TEST_F(SystemTest, BlockingWorkRunsElsewhereAndComesBack) {
  auto story = [&]() -> Task<void> {
    auto asking = blocking(home(), [&] { return home().is_current(); });
    EXPECT_FALSE(co_await std::move(asking));
    EXPECT_TRUE(home().is_current());
    auto failing = blocking(home(), []() -> int { throw std::runtime_error("no"); });
    try {
      co_await std::move(failing);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error&) {
    }
  };
  system_.run_until_done(story());
}

// klamm.io.threads=0, the default.
TEST_F(SystemTest, ThreadsForTheDiskAreSeveralWhenNobodySaysHowMany) {
  System system({.reactors = 1, .io_threads = 0}, log_);
  Reactor& reactor = *system.environment().reactors[0];
  std::atomic<int> begun{0};
  std::atomic<bool> all_met{true};
  const auto meet = [&]() -> Task<void> {
    auto meeting = blocking(reactor, [&] {
      ++begun;
      for (int i = 0; i < 1000 && begun < 4; ++i) std::this_thread::sleep_for(5ms);
      if (begun < 4) all_met = false;
    });
    co_await std::move(meeting);
  };
  const auto story = [&]() -> Task<void> {
    TaskGroup tasks(reactor);
    for (int i = 0; i < 4; ++i) tasks.start(meet());
    auto all = tasks.wait();
    co_await std::move(all);
  };
  system.run_until_done(story());
  EXPECT_TRUE(all_met) << "one waits for the other";
}

TEST_F(SystemTest, AWatermarkWakesWhoWaitsForItFromAnotherReactor) {
  Watermark watermark(env().scheduling, Offset(0));
  auto waiting = [&]() -> Task<WaitResult> { return watermark.wait(home(), Offset(10), home().now() + 10s); };
  TaskGroup tasks(home());
  auto advancing = [&]() -> Task<void> {
    auto there = move_to(other());
    co_await std::move(there);
    for (int i = 1; i <= 10; ++i) watermark.advance(Offset(i));
    auto back = move_to(home());
    co_await std::move(back);
  };
  auto story = [&]() -> Task<void> {
    tasks.start(advancing());
    auto reaching = waiting();
    EXPECT_EQ(co_await std::move(reaching), WaitResult::reached);
    auto late = watermark.wait(home(), Offset(11), home().now() + 5ms);
    EXPECT_EQ(co_await std::move(late), WaitResult::timed_out);
    watermark.close();
    auto closed = watermark.wait(home(), Offset(11), never);
    EXPECT_EQ(co_await std::move(closed), WaitResult::closed);
    auto stopping = tasks.stop();
    co_await std::move(stopping);
  };
  system_.run_until_done(story());
}

TEST_F(SystemTest, AStoppedGroupEndsItsSleepers) {
  TaskGroup tasks(home());
  bool cancelled = false;
  auto sleeper = [&]() -> Task<void> {
    try {
      auto sleeping = sleep_for(home(), 1h, tasks.token());
      co_await std::move(sleeping);
    } catch (const Cancelled&) {
      cancelled = true;
      throw;
    }
  };
  auto story = [&]() -> Task<void> {
    tasks.start(sleeper());
    EXPECT_EQ(tasks.running(), 1u);
    auto stopping = tasks.stop();
    co_await std::move(stopping);
  };
  system_.run_until_done(story());
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(tasks.failure(), nullptr) << "being stopped is no failure";
}

// What a client sends comes back, through one accepted connection.
struct Echo final : AcceptEvents, SocketEvents {
  void on_accepted(SocketRef accepted) override {
    socket = std::move(accepted);
    socket->listen_to(this);
    socket->want(true, false);
  }
  void on_readable() override {
    std::byte buffer[4096];
    const IoResult got = socket->read(buffer);
    if (got.status == IoStatus::end || got.status == IoStatus::failed) {
      socket.reset();
      return;
    }
    const Bytes bytes(buffer, got.bytes);
    if (got.status == IoStatus::done) socket->write(std::span(&bytes, 1), false);
  }
  void on_writable() override {}
  SocketRef socket;
};

struct Received final : SocketEvents {
  explicit Received(Reactor& reactor) : notice(reactor) {}
  void on_readable() override { notice.notify(); }
  void on_writable() override {}
  Notice notice;
};

TEST_F(SystemTest, ASocketCarriesBytesBothWays) {
  Echo echo;
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  ASSERT_NE(listener->address().port, 0);
  auto story = [&]() -> Task<void> {
    listener->join(home(), echo);
    auto connecting = env().network.connect(home(), listener->address(), {}, home().now() + 5s);
    SocketRef client = co_await std::move(connecting);
    Received received(home());
    client->listen_to(&received);
    client->want(true, false);
    const Bytes hello = as_bytes("hello");
    EXPECT_EQ(client->write(std::span(&hello, 1), false).bytes, 5u);
    auto answer = received.notice.wait(home().now() + 5s);
    co_await std::move(answer);
    std::byte buffer[16];
    const IoResult got = client->read(buffer);
    EXPECT_EQ(as_text(Bytes(buffer, got.bytes)), "hello");
    EXPECT_EQ(client->read(buffer).status, IoStatus::would_block);
    client.reset();
    listener->leave(home());
  };
  system_.run_until_done(story());
  echo.socket.reset();
}

TEST_F(SystemTest, ARefusedConnectionSaysSo) {
  SocketAddress nobody;
  {
    auto listener = env().network.listen({"127.0.0.1", 0}, {});
    nobody = listener->address();
  }
  auto story = [&]() -> Task<int> {
    try {
      auto connecting = env().network.connect(home(), nobody, {}, home().now() + 5s);
      co_await std::move(connecting);
    } catch (const std::system_error& error) {
      co_return error.code().value();
    }
    co_return 0;
  };
  EXPECT_EQ(system_.run_until_done(story()), ECONNREFUSED);
}

TEST_F(SystemTest, AFileIsReadAsItWasWritten) {
  const FileRef file = env().disk.open(path("a"), OpenMode::create_new);
  const Bytes parts[] = {as_bytes("one "), as_bytes("two "), as_bytes("three")};
  file->write_at(0, parts);
  std::byte buffer[32];
  const std::size_t got = file->read_at(4, buffer);
  EXPECT_EQ(as_text(Bytes(buffer, got)), "two three");
  EXPECT_TRUE(file->resident(0, got));
  file->truncate(3);
  EXPECT_EQ(file->size(), 3u);
  EXPECT_THROW(env().disk.open(path("a"), OpenMode::create_new), DiskError);
  EXPECT_THROW(env().disk.open(path("none"), OpenMode::read), DiskError);
}

TEST_F(SystemTest, MoreFilesThanDescriptorsAreFine) {
  OsDisk disk({.descriptors_max = 16});
  std::vector<FileRef> files;
  for (int i = 0; i < 100; ++i) files.push_back(disk.open(path(fmt::format("f{}", i)), OpenMode::create));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i)
      files[static_cast<std::size_t>(i)]->write_at(static_cast<std::uint64_t>(round), as_bytes(std::to_string(i % 10)));
  }
  EXPECT_LE(disk.open_descriptors(), 16u);
  for (int i = 0; i < 100; ++i) {
    std::byte buffer[3];
    EXPECT_EQ(files[static_cast<std::size_t>(i)]->read_at(0, buffer), 3u);
    EXPECT_EQ(static_cast<char>(buffer[2]), '0' + i % 10);
  }
}

TEST_F(SystemTest, ALockIsTakenOnceAlsoWithinOneProcess) {
  auto lock = env().disk.try_lock(path(".lock"));
  ASSERT_NE(lock, nullptr);
  EXPECT_EQ(env().disk.try_lock(path(".lock")), nullptr);
  lock.reset();
  EXPECT_NE(env().disk.try_lock(path(".lock")), nullptr);
}

TEST_F(SystemTest, ReplacingAFileLeavesNoTrace) {
  env().disk.replace_file(path("c"), as_bytes("old"));
  env().disk.replace_file(path("c"), as_bytes("new"));
  EXPECT_EQ(as_text(env().disk.read_file(path("c"), 100)), "new");
  EXPECT_EQ(env().disk.list(directory_.path()).size(), 1u);
  EXPECT_THROW(env().disk.read_file(path("c"), 2), DiskError);
}

TEST_F(SystemTest, SyncsOfOneTurnGoTogetherAndAllAreAnswered) {
  FileSync sync(home(), env().disk);
  std::vector<FileRef> files;
  for (int i = 0; i < 5; ++i) {
    files.push_back(env().disk.open(path(fmt::format("s{}", i)), OpenMode::create));
    files.back()->write_at(0, as_bytes("x"));
  }
  TaskGroup tasks(home());
  int done = 0;
  auto one = [&](FileRef file) -> Task<void> {
    auto syncing = sync.sync(std::move(file));
    co_await std::move(syncing);
    ++done;
  };
  auto story = [&]() -> Task<void> {
    for (int round = 0; round < 3; ++round) {
      for (const auto& file : files) tasks.start(one(file));
    }
    auto ending = tasks.wait();
    co_await std::move(ending);
  };
  system_.run_until_done(story());
  EXPECT_EQ(done, 15);
}

TEST_F(SystemTest, AnIdleReactorDoesNotWakeUp) {
  auto story = [&]() -> Task<void> {
    TaskGroup tasks(home());
    auto settling = sleep_for(home(), 20ms, tasks.token());
    co_await std::move(settling);
    const auto before = system_.reactor(1).turns();
    auto sleeping = sleep_for(home(), 200ms, tasks.token());
    co_await std::move(sleeping);
    EXPECT_EQ(system_.reactor(1).turns(), before);
  };
  system_.run_until_done(story());
}

}  // namespace
}  // namespace klamm::runtime::os
