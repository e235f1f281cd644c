// The boundary means the same on the real machine and on the simulated one: each story here runs on both.
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "base/logger.h"
#include "base/temporary_directory_test.h"
#include "runtime/file_sync.h"
#include "runtime/os/system.h"
#include "runtime/simulation/disk.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime {
namespace {

using namespace std::chrono_literals;

class RealMachine {
 public:
  Environment& environment() { return system_.environment(); }
  std::string directory() const { return directory_.path(); }
  template <typename T>
  T run(Task<T> task) {
    return system_.run_until_done(std::move(task));
  }

 private:
  NullLogSink log_;
  TemporaryDirectory directory_{"klamm-boundary"};
  os::System system_{{.reactors = 2}, log_};
};

class SimulatedMachine {
 public:
  SimulatedMachine() { environment().disk.make_directories(directory()); }
  Environment& environment() { return host_.environment(); }
  std::string directory() const { return "/data"; }
  template <typename T>
  T run(Task<T> task) {
    return world_.run(host_, std::move(task));
  }

 private:
  simulation::World world_{{.seed = 11}};
  simulation::Host& host_ = world_.add_host("broker-1");
};

template <typename Machine>
class BoundaryTest : public testing::Test {
 protected:
  Environment& env() { return machine_.environment(); }
  Disk& disk() { return env().disk; }
  Reactor& home() { return *env().reactors[0]; }
  Reactor& other() { return *env().reactors[1]; }
  std::string path(std::string_view name) const { return machine_.directory() + "/" + std::string(name); }
  template <typename T>
  T run(Task<T> task) {
    return machine_.run(std::move(task));
  }

  Machine machine_;
};

using Machines = testing::Types<RealMachine, SimulatedMachine>;
TYPED_TEST_SUITE(BoundaryTest, Machines);

template <typename F>
int error_of(F action) {
  try {
    action();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

TYPED_TEST(BoundaryTest, FilesAndTheirErrors) {
  Disk& disk = this->disk();
  const std::string a = this->path("a");
  const FileRef file = disk.open(a, OpenMode::create_new);
  const Bytes parts[] = {as_bytes("one "), Bytes{}, as_bytes("two")};
  file->write_at(0, parts);
  file->write_at(10, as_bytes("far"));
  EXPECT_EQ(as_text(disk.read_file(a, 100)), std::string_view("one two\0\0\0far", 13)) << "a hole reads as zeros";
  std::byte buffer[8];
  EXPECT_EQ(file->read_at(13, buffer), 0u);
  EXPECT_EQ(file->read_at(1000, buffer), 0u);
  EXPECT_EQ(file->read_at(11, buffer), 2u);
  file->truncate(3);
  file->truncate(5);
  EXPECT_EQ(as_text(disk.read_file(a, 100)), std::string_view("one\0\0", 5));
  file->reserve(0, 4096);
  EXPECT_EQ(file->size(), 5u);

  EXPECT_EQ(error_of([&] { disk.open(a, OpenMode::create_new); }), EEXIST);
  EXPECT_EQ(error_of([&] { disk.open(this->path("none"), OpenMode::read); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.open(this->path("none"), OpenMode::write); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.open(this->path("none/x"), OpenMode::create); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.open(a + "/x", OpenMode::create); }), ENOTDIR);
  EXPECT_EQ(error_of([&] { disk.open(this->path("."), OpenMode::write); }), EISDIR);
  EXPECT_EQ(error_of([&] { disk.file_size(this->path("none")); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.list(this->path("none")); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.list(a); }), ENOTDIR);
  EXPECT_EQ(error_of([&] { disk.read_file(a, 4); }), EFBIG);
  EXPECT_EQ(error_of([&] { disk.rename(this->path("none"), a); }), ENOENT);
  EXPECT_EQ(error_of([&] { disk.make_directories(a); }), ENOTDIR);
  EXPECT_EQ(error_of([&] { disk.make_directories(a + "/b"); }), ENOTDIR);
  EXPECT_EQ(error_of([&] { disk.remove_file(this->path("none")); }), 0);
  EXPECT_EQ(error_of([&] { disk.remove_tree(this->path("none")); }), 0);
  EXPECT_EQ(error_of([&] { disk.sync_directory(this->path("none")); }), ENOENT);
}

TYPED_TEST(BoundaryTest, DirectoriesAndNames) {
  Disk& disk = this->disk();
  disk.make_directories(this->path("t-0/deep"));
  disk.make_directories(this->path("t-0/deep"));
  disk.open(this->path("t-0/b"), OpenMode::create);
  const FileRef file = disk.open(this->path("t-0/a"), OpenMode::create);
  file->write_at(0, as_bytes("kept"));
  const auto entries = disk.list(this->path("t-0"));
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_TRUE(entries[2].is_directory);
  disk.rename(this->path("t-0"), this->path("t-0.delete"));
  file->renamed(this->path("t-0.delete/a"));
  EXPECT_FALSE(disk.exists(this->path("t-0")));
  EXPECT_TRUE(disk.is_directory(this->path("t-0.delete")));
  disk.rename(this->path("t-0.delete/a"), this->path("t-0.delete/b"));
  file->renamed(this->path("t-0.delete/b"));
  EXPECT_EQ(as_text(disk.read_file(this->path("t-0.delete/b"), 10)), "kept") << "a rename replaces";
  disk.make_directories(this->path("full/x"));
  EXPECT_EQ(error_of([&] { disk.rename(this->path("t-0.delete"), this->path("full")); }), ENOTEMPTY);
  disk.sync_directory(this->path("t-0.delete"));
  disk.remove_tree(this->path("t-0.delete"));
  EXPECT_FALSE(disk.exists(this->path("t-0.delete")));
  EXPECT_EQ(file->size(), 4u) << "an open file outlives its name";
  EXPECT_EQ(disk.absolute("/x//y/"), "/x/y");
}

TYPED_TEST(BoundaryTest, ReplacingAFileLeavesNoTemporaryOne) {
  this->disk().replace_file(this->path("c"), as_bytes("old"));
  this->disk().replace_file(this->path("c"), as_bytes(""));
  this->disk().replace_file(this->path("c"), as_bytes("new"));
  EXPECT_EQ(as_text(this->disk().read_file(this->path("c"), 10)), "new");
  EXPECT_FALSE(this->disk().exists(this->path("c.tmp")));
}

TYPED_TEST(BoundaryTest, ALockIsHeldOnce) {
  auto lock = this->disk().try_lock(this->path(".lock"));
  ASSERT_NE(lock, nullptr);
  EXPECT_EQ(this->disk().try_lock(this->path(".lock")), nullptr);
  lock.reset();
  EXPECT_NE(this->disk().try_lock(this->path(".lock")), nullptr);
}

TYPED_TEST(BoundaryTest, TasksGoBetweenReactorsAndIoThreads) {
  auto story = [&]() -> Task<int> {
    auto there = move_to(this->other());
    co_await std::move(there);
    EXPECT_TRUE(this->other().is_current());
    auto job = blocking(this->other(), [&] {
      EXPECT_FALSE(this->other().is_current());
      return 6;
    });
    const int six = co_await std::move(job);
    EXPECT_TRUE(this->other().is_current());
    auto back = move_to(this->home());
    co_await std::move(back);
    auto failing = blocking(this->home(), [] { throw DiskError(EIO, "read", "x"); });
    try {
      co_await std::move(failing);
      ADD_FAILURE();
    } catch (const DiskError&) {
    }
    co_return six + 1;
  };
  EXPECT_EQ(this->run(story()), 7);
}

TYPED_TEST(BoundaryTest, AWatermarkIsReachedTimedOutOrClosed) {
  Watermark watermark(this->env().scheduling, Offset(0));
  TaskGroup tasks(this->home());
  std::map<int, WaitResult> results;
  auto waits = [&](int number, Offset offset, MonoTime deadline) -> Task<void> {
    auto waiting = watermark.wait(this->home(), offset, deadline);
    results[number] = co_await std::move(waiting);
  };
  auto story = [&]() -> Task<void> {
    tasks.start(waits(1, Offset(5), never));
    tasks.start(waits(2, Offset(6), this->home().now() + 20ms));
    tasks.start(waits(3, Offset(7), never));
    auto there = move_to(this->other());
    co_await std::move(there);
    watermark.advance(Offset(3));
    watermark.advance(Offset(5));
    watermark.advance(Offset(4));
    EXPECT_EQ(watermark.value(), Offset(5));
    auto back = move_to(this->home());
    co_await std::move(back);
    while (results.size() < 2) {
      auto sleeping = sleep_for(this->home(), 1ms, tasks.token());
      co_await std::move(sleeping);
    }
    watermark.close();
    auto all = tasks.wait();
    co_await std::move(all);
  };
  this->run(story());
  EXPECT_EQ(results,
            (std::map<int, WaitResult>{{1, WaitResult::reached}, {2, WaitResult::timed_out}, {3, WaitResult::closed}}));
}

TYPED_TEST(BoundaryTest, AStoppedGroupEndsItsTasksAndKeepsTheFirstFailure) {
  TaskGroup tasks(this->home());
  int cancelled = 0;
  auto sleeper = [&]() -> Task<void> {
    try {
      auto sleeping = sleep_for(this->home(), 1h, tasks.token());
      co_await std::move(sleeping);
    } catch (const Cancelled&) {
      ++cancelled;
      throw;
    }
  };
  auto failing = [&](const char* what) -> Task<void> {
    auto later = yield(this->home());
    co_await std::move(later);
    throw std::runtime_error(what);
  };
  auto story = [&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) tasks.start(sleeper());
    tasks.start(failing("first"));
    tasks.start(failing("second"));
    while (tasks.running() > 3) {
      auto later = yield(this->home());
      co_await std::move(later);
    }
    auto stopping = tasks.stop();
    co_await std::move(stopping);
  };
  this->run(story());
  EXPECT_EQ(cancelled, 3);
  EXPECT_EQ(tasks.running(), 0u);
  try {
    std::rethrow_exception(tasks.failure());
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "first");
  }
}

TYPED_TEST(BoundaryTest, SyncsOfATurnAreOneGroup) {
  FileSync sync(this->home(), this->disk());
  TaskGroup tasks(this->home());
  std::vector<FileRef> files;
  for (int i = 0; i < 5; ++i) {
    files.push_back(this->disk().open(this->path(fmt::format("s{}", i)), OpenMode::create));
    files.back()->write_at(0, as_bytes("x"));
  }
  int done = 0;
  auto one = [&](FileRef file) -> Task<void> {
    auto syncing = sync.sync(std::move(file));
    co_await std::move(syncing);
    ++done;
  };
  auto story = [&]() -> Task<void> {
    for (int round = 0; round < 3; ++round) {
      for (const FileRef& file : files) tasks.start(one(file));
      auto later = yield(this->home());
      co_await std::move(later);
    }
    auto all = tasks.wait();
    co_await std::move(all);
  };
  this->run(story());
  EXPECT_EQ(done, 15);
}

// Reads all there is and sends it back, in whatever pieces it comes.
struct Echo final : AcceptEvents, SocketEvents {
  void on_accepted(SocketRef accepted) override {
    socket = std::move(accepted);
    socket->listen_to(this);
    socket->want(true, false);
  }
  void on_readable() override {
    std::byte buffer[4096];
    const IoResult got = socket->read(buffer);
    if (got.status == IoStatus::end) ended = true;
    if (got.status == IoStatus::done) pending.insert(pending.end(), buffer, buffer + got.bytes);
    if (got.status == IoStatus::failed) socket.reset();
    if (socket != nullptr) flush();
  }
  void on_writable() override { flush(); }
  void flush() {
    while (!pending.empty()) {
      const Bytes bytes(pending);
      const IoResult sent = socket->write(std::span(&bytes, 1), false);
      if (sent.status != IoStatus::done) break;
      pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(sent.bytes));
    }
    socket->want(!ended, !pending.empty());
    if (ended && pending.empty()) socket.reset();
  }
  SocketRef socket;
  ByteVector pending;
  bool ended = false;
};

struct Told final : SocketEvents {
  explicit Told(Reactor& reactor) : notice(reactor) {}
  void on_readable() override { notice.notify(); }
  void on_writable() override { notice.notify(); }
  Notice notice;
};

TYPED_TEST(BoundaryTest, AMegabyteGoesThereAndBackAndEnds) {
  Echo echo;
  auto listener = this->env().network.listen({"127.0.0.1", 0}, {});
  ByteVector sent(1 << 20);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::byte>(i * 7 + i / 251);
  auto story = [&]() -> Task<ByteVector> {
    listener->join(this->home(), echo);
    auto connecting = this->env().network.connect(this->home(), listener->address(), {}, this->home().now() + 10s);
    SocketRef client = co_await std::move(connecting);
    EXPECT_EQ(client->peer(), listener->address());
    Told told(this->home());
    client->listen_to(&told);
    ByteVector received;
    std::size_t written = 0;
    for (bool open = true; open;) {
      client->want(true, written < sent.size());
      auto waiting = told.notice.wait(this->home().now() + 60s);
      co_await std::move(waiting);
      if (written < sent.size()) {
        const Bytes parts[] = {Bytes(sent).subspan(written, (sent.size() - written) / 2),
                               Bytes(sent).subspan(written + (sent.size() - written) / 2)};
        const IoResult result = client->write(parts, false);
        if (result.status == IoStatus::done) written += result.bytes;
        if (written == sent.size()) client->shut_down_write();
      }
      std::byte buffer[65536];
      const IoResult got = client->read(buffer);
      if (got.status == IoStatus::done) received.insert(received.end(), buffer, buffer + got.bytes);
      if (got.status == IoStatus::end || got.status == IoStatus::failed) open = false;
    }
    listener->leave(this->home());
    co_return received;
  };
  EXPECT_EQ(this->run(story()), sent);
  EXPECT_EQ(echo.socket, nullptr);
}

TYPED_TEST(BoundaryTest, AFileIsSentAsItIs) {
  struct Keeper final : AcceptEvents {
    void on_accepted(SocketRef accepted) override { socket = std::move(accepted); }
    SocketRef socket;
  } keeper;
  auto listener = this->env().network.listen({"127.0.0.1", 0}, {});
  const FileRef file = this->disk().open(this->path("f"), OpenMode::create);
  file->write_at(0, as_bytes("0123456789"));
  auto story = [&]() -> Task<std::string> {
    listener->join(this->home(), keeper);
    auto connecting = this->env().network.connect(this->home(), listener->address(), {}, this->home().now() + 10s);
    SocketRef client = co_await std::move(connecting);
    std::uint64_t offset = 2;
    while (offset < 8) offset += client->send_file(*file, offset, static_cast<std::size_t>(8 - offset)).bytes;
    client->shut_down_write();
    std::string received;
    for (;;) {
      auto later = yield(this->home());
      co_await std::move(later);
      if (keeper.socket == nullptr) continue;
      std::byte buffer[16];
      const IoResult got = keeper.socket->read(buffer);
      if (got.status == IoStatus::end) break;
      received += as_text(Bytes(buffer, got.bytes));
    }
    listener->leave(this->home());
    keeper.socket.reset();
    co_return received;
  };
  EXPECT_EQ(this->run(story()), "234567");
}

TYPED_TEST(BoundaryTest, NobodyListens) {
  SocketAddress nobody;
  {
    auto listener = this->env().network.listen({"127.0.0.1", 0}, {});
    nobody = listener->address();
    EXPECT_EQ(error_of([&] { this->env().network.listen(nobody, {}); }), EADDRINUSE);
  }
  auto story = [&]() -> Task<int> {
    try {
      auto connecting = this->env().network.connect(this->home(), nobody, {}, this->home().now() + 10s);
      co_await std::move(connecting);
    } catch (const std::system_error& error) {
      co_return error.code().value();
    }
    co_return 0;
  };
  EXPECT_EQ(this->run(story()), ECONNREFUSED);
}

// A coroutine that is destroyed while its resumption stands in the queue is not resumed, and nothing is left of it.
TYPED_TEST(BoundaryTest, ADestroyedWaiterIsNotResumed) {
  auto story = [&]() -> Task<void> {
    Watermark watermark(this->env().scheduling, Offset(0));
    bool resumed = false;
    auto waits = [&]() -> Task<void> {
      auto waiting = watermark.wait(this->home(), Offset(1), never);
      co_await std::move(waiting);
      resumed = true;
    };
    {
      TaskGroup tasks(this->home());
      tasks.start(waits());
      watermark.advance(Offset(1));
    }
    for (int i = 0; i < 5; ++i) {
      auto later = yield(this->home());
      co_await std::move(later);
    }
    EXPECT_FALSE(resumed);
  };
  this->run(story());
}

}  // namespace
}  // namespace klamm::runtime
