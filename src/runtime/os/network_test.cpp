#include "runtime/os/network.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "base/logger.h"
#include "runtime/os/socket.h"
#include "runtime/os/system.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime::os {
namespace {

using namespace std::chrono_literals;

// Keeps what is accepted, and by whom.
struct Keeper final : AcceptEvents {
  void on_accepted(SocketRef socket) override { sockets.push_back(std::move(socket)); }
  std::vector<SocketRef> sockets;
};

struct Told final : SocketEvents {
  explicit Told(Reactor& reactor) : notice(reactor) {}
  void on_readable() override {
    readable = true;
    notice.notify();
  }
  void on_writable() override { notice.notify(); }
  Notice notice;
  bool readable = false;
};

class OsNetworkTest : public testing::Test {
 protected:
  Environment& env() { return system_.environment(); }
  Reactor& reactor(unsigned index) { return *env().reactors[index]; }
  MonoTime soon() { return reactor(0).now() + 10s; }
  Task<void> on_both(std::function<void(unsigned)> action) {
    for (const unsigned index : {1u, 0u}) {
      auto moving = move_to(reactor(index));
      co_await std::move(moving);
      action(index);
    }
  }

  NullLogSink log_;
  System system_{{.reactors = 2}, log_};
  TaskGroup tasks_{*system_.environment().reactors[0]};
};

TEST_F(OsNetworkTest, ConnectionsSpreadOverTheReactors) {
  Keeper keepers[2];
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  std::vector<SocketRef> clients;
  auto story = [&]() -> Task<void> {
    auto joining = on_both([&](unsigned i) { listener->join(reactor(i), keepers[i]); });
    co_await std::move(joining);
    for (int i = 0; i < 20; ++i) {
      auto connecting = env().network.connect(reactor(0), listener->address(), {}, soon());
      clients.push_back(co_await std::move(connecting));
    }
    std::size_t accepted = 0;
    while (accepted < 20) {
      auto sleeping = sleep_for(reactor(0), 1ms, tasks_.token());
      co_await std::move(sleeping);
      accepted = 0;
      auto counting = on_both([&](unsigned i) { accepted += keepers[i].sockets.size(); });
      co_await std::move(counting);
    }
    clients.clear();
    auto leaving = on_both([&](unsigned i) {
      EXPECT_GE(keepers[i].sockets.size(), 8u) << "reactor " << i;
      listener->leave(reactor(i));
      keepers[i].sockets.clear();
    });
    co_await std::move(leaving);
  };
  system_.run_until_done(story());
}

TEST_F(OsNetworkTest, NoDescriptorLeftClosesTheNewcomerAndDoesNotSpin) {
  Keeper keeper;
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  auto connect = [&]() -> Task<SocketRef> {
    return env().network.connect(reactor(0), listener->address(), {}, soon());
  };
  auto until_kept = [&](std::size_t count) -> Task<void> {
    while (keeper.sockets.size() < count) {
      auto waiting = sleep_for(reactor(0), 1ms, tasks_.token());
      co_await std::move(waiting);
    }
  };
  // Closed by the server: what is read is an end or a reset.
  auto until_closed = [&](Socket& client) -> Task<void> {
    Told told(reactor(0));
    client.listen_to(&told);
    client.want(true, false);
    auto closed = told.notice.wait(soon());
    co_await std::move(closed);
    EXPECT_TRUE(told.readable);
    std::byte buffer[8];
    const IoStatus status = client.read(buffer).status;
    EXPECT_TRUE(status == IoStatus::end || status == IoStatus::failed);
    client.want(false, false);
    client.listen_to(nullptr);
  };
  auto story = [&]() -> Task<void> {
    listener->join(reactor(0), keeper);
    // All of it once with descriptors enough. (Sanitizers ask the kernel about objects they see first, and need one for
    // it.)
    auto first = connect();
    SocketRef early = co_await std::move(first);
    auto kept = until_kept(1);
    co_await std::move(kept);
    keeper.sockets.clear();
    auto gone = until_closed(*early);
    co_await std::move(gone);
    early.reset();

    // Room for the client's own end, none for the server's.
    const int next = ::dup(0);
    ::close(next);
    rlimit small = before;
    small.rlim_cur = static_cast<rlim_t>(next) + 1;
    ::setrlimit(RLIMIT_NOFILE, &small);
    auto connecting = connect();
    SocketRef client = co_await std::move(connecting);
    auto shed = until_closed(*client);
    co_await std::move(shed);
    EXPECT_TRUE(keeper.sockets.empty());
    client.reset();
    const auto turns = system_.reactor(0).turns();
    auto sleeping = sleep_for(reactor(0), 300ms, tasks_.token());
    co_await std::move(sleeping);
    EXPECT_LT(system_.reactor(0).turns() - turns, 20u);
    ::setrlimit(RLIMIT_NOFILE, &before);
    auto again = connect();
    client = co_await std::move(again);
    auto served = until_kept(1);
    co_await std::move(served);
    listener->leave(reactor(0));
  };
  system_.run_until_done(story());
  keeper.sockets.clear();
}

// sendfile raises SIGPIPE, whatever the flags of the socket: the process must live.
TEST_F(OsNetworkTest, SendingAFileToAPeerThatIsGoneFails) {
  const std::string path = std::filesystem::temp_directory_path() / fmt::format("klamm-send-{}", ::getpid());
  const FileRef file = env().disk.open(path, OpenMode::create);
  file->write_at(0, ByteVector(100'000, std::byte{1}));
  Keeper keeper;
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  auto story = [&]() -> Task<IoStatus> {
    listener->join(reactor(0), keeper);
    auto connecting = env().network.connect(reactor(0), listener->address(), {}, soon());
    SocketRef client = co_await std::move(connecting);
    while (keeper.sockets.empty()) {
      auto waiting = sleep_for(reactor(0), 1ms, tasks_.token());
      co_await std::move(waiting);
    }
    client.reset();
    IoResult last;
    for (int i = 0; i < 100; ++i) {
      last = keeper.sockets[0]->send_file(*file, 0, 100'000);
      if (last.status == IoStatus::failed) break;
      auto waiting = sleep_for(reactor(0), 1ms, tasks_.token());
      co_await std::move(waiting);
    }
    last = keeper.sockets[0]->send_file(*file, 0, 100'000);
    listener->leave(reactor(0));
    keeper.sockets.clear();
    co_return last.status;
  };
  EXPECT_EQ(system_.run_until_done(story()), IoStatus::failed);
  env().disk.remove_file(path);
}

TEST_F(OsNetworkTest, AFileThatEndsEarlyIsNoEndOfThePeer) {
  const std::string path = std::filesystem::temp_directory_path() / fmt::format("klamm-short-{}", ::getpid());
  const FileRef file = env().disk.open(path, OpenMode::create);
  file->write_at(0, as_bytes("short"));
  Keeper keeper;
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  auto story = [&]() -> Task<void> {
    listener->join(reactor(0), keeper);
    auto connecting = env().network.connect(reactor(0), listener->address(), {}, soon());
    SocketRef client = co_await std::move(connecting);
    EXPECT_EQ(client->send_file(*file, 0, 100).bytes, 5u);
    const IoResult beyond = client->send_file(*file, 5, 95);
    EXPECT_EQ(beyond.status, IoStatus::failed);
    EXPECT_EQ(beyond.error, EIO);
    listener->leave(reactor(0));
  };
  system_.run_until_done(story());
  keeper.sockets.clear();
  env().disk.remove_file(path);
}

// Nobody accepts and the queue is full: the kernel drops what comes.
TEST_F(OsNetworkTest, AConnectEndsAtItsDeadline) {
  auto listener = env().network.listen({"127.0.0.1", 0}, {.backlog = 1});
  std::vector<SocketRef> fill;
  auto story = [&]() -> Task<int> {
    for (int i = 0; i < 10; ++i) {
      try {
        auto connecting = env().network.connect(reactor(0), listener->address(), {}, reactor(0).now() + 100ms);
        fill.push_back(co_await std::move(connecting));
      } catch (const std::system_error& error) {
        co_return error.code().value();
      }
    }
    co_return 0;
  };
  EXPECT_EQ(system_.run_until_done(story()), ETIMEDOUT);
}

TEST_F(OsNetworkTest, EveryAddressMeansBothFamilies) {
  Keeper keeper;
  auto listener = env().network.listen({"", 0}, {});
  const std::uint16_t port = listener->address().port;
  const bool v6 = listener->address().host == "::";
  auto story = [&]() -> Task<void> {
    listener->join(reactor(0), keeper);
    std::vector<std::string> hosts = {"127.0.0.1"};
    if (v6) hosts.push_back("::1");
    std::size_t connected = 0;
    for (const std::string& host : hosts) {
      auto connecting = env().network.connect(reactor(0), {host, port}, {}, soon());
      SocketRef client = co_await std::move(connecting);
      EXPECT_EQ(client->peer(), (SocketAddress{host, port}));
      const std::size_t expected = ++connected;
      for (int i = 0; i < 1000 && keeper.sockets.size() < expected; ++i) {
        auto waiting = sleep_for(reactor(0), 1ms, tasks_.token());
        co_await std::move(waiting);
      }
    }
    EXPECT_EQ(keeper.sockets.size(), hosts.size());
    for (const SocketRef& socket : keeper.sockets)
      EXPECT_FALSE(socket->peer().host.starts_with("::ffff")) << "IPv4 is shown as IPv4";
    listener->leave(reactor(0));
  };
  system_.run_until_done(story());
  keeper.sockets.clear();
}

TEST_F(OsNetworkTest, AnAddressInUseSaysSo) {
  auto listener = env().network.listen({"127.0.0.1", 0}, {});
  try {
    env().network.listen(listener->address(), {});
    ADD_FAILURE();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EADDRINUSE);
  }
}

TEST_F(OsNetworkTest, NamesAreResolved) {
  const auto addresses = env().network.resolve("localhost");
  EXPECT_TRUE(std::ranges::find(addresses, "127.0.0.1") != addresses.end() ||
              std::ranges::find(addresses, "::1") != addresses.end());
  EXPECT_EQ(env().network.resolve("127.0.0.1"), std::vector<std::string>{"127.0.0.1"});
  EXPECT_THROW(env().network.resolve("no.such.host.invalid"), std::system_error);
  EXPECT_FALSE(env().network.canonical_host_name().empty());
}

}  // namespace
}  // namespace klamm::runtime::os
