#include "runtime/simulation/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "runtime/simulation/disk.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::runtime::simulation {
namespace {

using namespace std::chrono_literals;

// Gives back what it gets, on every reactor of its host.
class Echo final : AcceptEvents {
 public:
  Echo(Environment& environment, std::uint16_t port) : environment_(environment) {
    listener_ = environment.network.listen({"", port}, {});
    for (Reactor* reactor : environment.reactors) listener_->join(*reactor, *this);
  }
  // In order: the reactors leave first.
  void stop() {
    for (Reactor* reactor : environment_.reactors) listener_->leave(*reactor);
    listener_.reset();
    clients_.clear();
  }
  std::size_t clients() const { return clients_.size(); }
  std::size_t gone() const { return gone_; }
  // Before what arrived is read.
  std::function<void()> at_bytes = [] {};

 private:
  struct Client final : SocketEvents {
    Client(Echo& its, SocketRef what) : echo(its), socket(std::move(what)) {
      socket->listen_to(this);
      socket->want(true, false);
    }
    void on_readable() override {
      echo.at_bytes();
      std::byte buffer[256];
      const IoResult got = socket->read(buffer);
      if (got.status == IoStatus::end || got.status == IoStatus::failed) {
        ++echo.gone_;
        socket.reset();
        return;
      }
      if (got.status == IoStatus::done) to_send.insert(to_send.end(), buffer, buffer + got.bytes);
      on_writable();
    }
    void on_writable() override {
      while (!to_send.empty()) {
        const Bytes bytes(to_send);
        const IoResult sent = socket->write(std::span(&bytes, 1), false);
        if (sent.status != IoStatus::done) break;
        to_send.erase(to_send.begin(), to_send.begin() + static_cast<std::ptrdiff_t>(sent.bytes));
      }
      socket->want(true, !to_send.empty());
    }
    Echo& echo;
    SocketRef socket;
    ByteVector to_send;
  };
  void on_accepted(SocketRef socket) override {
    clients_.push_back(std::make_unique<Client>(*this, std::move(socket)));
  }

  Environment& environment_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t gone_ = 0;
};

// A connection as coroutines use it.
class Line final : SocketEvents {
 public:
  Line(Reactor& reactor, SocketRef socket) : socket_(std::move(socket)), notice_(reactor) { socket_->listen_to(this); }

  Task<int> send(std::string text) {
    Bytes left = as_bytes(text);
    while (!left.empty()) {
      const IoResult sent = socket_->write(std::span(&left, 1), false);
      if (sent.status == IoStatus::failed) co_return sent.error;
      left = left.subspan(sent.bytes);
      if (sent.status == IoStatus::done) continue;
      socket_->want(false, true);
      auto waiting = notice_.wait();
      co_await std::move(waiting);
    }
    co_return 0;
  }
  // So many bytes; fewer when the line ends or the deadline is there.
  Task<std::string> receive(std::size_t count, MonoTime deadline = never) {
    std::string text;
    std::byte buffer[100];
    while (text.size() < count) {
      const IoResult got =
          socket_->read(std::span(buffer).first(std::min<std::size_t>(sizeof buffer, count - text.size())));
      status = got;
      if (got.status == IoStatus::done) {
        text += as_text(Bytes(buffer, got.bytes));
        continue;
      }
      if (got.status != IoStatus::would_block) break;
      if (notice_now() >= deadline) break;
      socket_->want(true, false);
      auto waiting = notice_.wait(deadline);
      co_await std::move(waiting);
    }
    co_return text;
  }
  Socket& socket() { return *socket_; }
  IoResult status;
  std::function<MonoTime()> notice_now = [] { return MonoTime{}; };

 private:
  void on_readable() override { tell(); }
  void on_writable() override { tell(); }
  void tell() {
    socket_->want(false, false);
    notice_.notify();
  }
  SocketRef socket_;
  Notice notice_;
};

struct NetworkWorld {
  explicit NetworkWorld(std::uint64_t seed)
      : world({.seed = seed}), server(world.add_host("server")), client(world.add_host("client")) {
    echo = std::make_unique<Echo>(server.environment(), 9092);
    server.on_death([this] { echo.reset(); });
    client.on_death([this] { line.reset(); });
  }
  ~NetworkWorld() {
    line.reset();
    if (echo) echo->stop();
  }
  Reactor& home() { return *client.environment().reactors[0]; }
  Task<int> connect(Duration patience = 10s) {
    const std::vector<std::string> found = client.environment().network.resolve("server");
    try {
      auto connecting = client.environment().network.connect(home(), {found.at(0), 9092}, {}, home().now() + patience);
      line = std::make_unique<Line>(home(), co_await std::move(connecting));
      line->notice_now = [this] { return home().now(); };
    } catch (const std::system_error& error) {
      co_return error.code().value();
    }
    co_return 0;
  }
  int connected(Duration patience = 10s) { return world.run(client, connect(patience)); }
  std::string echoed(const std::string& text, Duration patience = 1h) {
    auto story = [&]() -> Task<std::string> {
      auto sending = line->send(text);
      co_await std::move(sending);
      auto receiving = line->receive(text.size(), home().now() + patience);
      co_return co_await std::move(receiving);
    };
    return world.run(client, story(), 2h);
  }

  World world;
  Host& server;
  Host& client;
  std::unique_ptr<Echo> echo;
  std::unique_ptr<Line> line;
};

TEST(SimulatedNetworkTest, BytesArriveWholeAndInOrderInPiecesOfAnySize) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += fmt::format("{} ", i);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    NetworkWorld world(seed);
    ASSERT_EQ(world.connected(), 0);
    EXPECT_EQ(world.echoed(text), text) << seed;
    EXPECT_EQ(world.line->socket().peer().to_string(), "10.0.0.1:9092");
  }
}

TEST(SimulatedNetworkTest, NobodyListensThere) {
  NetworkWorld world(1);
  world.echo->stop();
  world.echo.reset();
  EXPECT_EQ(world.connected(), ECONNREFUSED);
}

TEST(SimulatedNetworkTest, AttemptsMayBeRefused) {
  NetworkWorld world(1);
  world.world.wire().temper.refuse_one_in = 2;
  int refused = 0;
  for (int i = 0; i < 40; ++i) refused += world.connected() == ECONNREFUSED ? 1 : 0;
  EXPECT_GT(refused, 5);
  EXPECT_LT(refused, 35);
}

TEST(SimulatedNetworkTest, ACutKeepsBackWhatIsSentUntilItHeals) {
  NetworkWorld world(2);
  ASSERT_EQ(world.connected(), 0);
  world.world.wire().cut(world.server, world.client);
  EXPECT_EQ(world.echoed("hello", 30s), "");
  world.world.wire().heal(world.server, world.client);
  auto receiving = [&]() -> Task<std::string> { return world.line->receive(5); };
  EXPECT_EQ(world.world.run(world.client, receiving()), "hello");
}

TEST(SimulatedNetworkTest, HalfOpenRequestsArriveAndAnswersDoNot) {
  NetworkWorld world(2);
  ASSERT_EQ(world.connected(), 0);
  world.world.wire().cut_one_way(world.server, world.client);
  EXPECT_EQ(world.echoed("hello", 30s), "");
  EXPECT_EQ(world.connected(5s), ETIMEDOUT);
  world.world.wire().heal_all();
  EXPECT_EQ(world.connected(), 0);
  EXPECT_EQ(world.echoed("again"), "again");
}

TEST(SimulatedNetworkTest, APeerThatIsKilledResets) {
  NetworkWorld world(3);
  ASSERT_EQ(world.connected(), 0);
  ASSERT_EQ(world.echoed("x"), "x");
  world.server.crash(Crash::process);
  auto receiving = [&]() -> Task<std::string> { return world.line->receive(1); };
  EXPECT_EQ(world.world.run(world.client, receiving()), "");
  EXPECT_EQ(world.line->status.status, IoStatus::failed);
  EXPECT_EQ(world.line->status.error, ECONNRESET);
  EXPECT_EQ(world.connected(5s), ETIMEDOUT);
}

// How many bytes of the stack below its caller something changed that is not running there any more.
[[gnu::noinline]] std::ptrdiff_t stack_bytes_changed_by(const std::function<void()>& action) {
  std::array<std::byte, 1 << 16> painted;
  std::ranges::fill(painted, std::byte{0x55});
  asm volatile("" : : "r"(painted.data()) : "memory");
  action();
  asm volatile("" : : "r"(painted.data()) : "memory");
  return std::ranges::count_if(painted, [](std::byte byte) { return byte != std::byte{0x55}; });
}

TEST(SimulatedNetworkTest, ASocketInWhoseEventItsHostDiedForgetsTheEvent) {
  NetworkWorld world(3);
  ASSERT_EQ(world.connected(), 0);
  world.echo->at_bytes = [&] {
    world.server.crash(Crash::process);
    throw HostCrashed("in an event");
  };
  std::ptrdiff_t changed = -1;
  world.server.on_death([&] { changed = stack_bytes_changed_by([&] { world.echo.reset(); }); });
  EXPECT_EQ(world.echoed("x"), "");
  EXPECT_EQ(changed, 0) << "the socket wrote into a frame that is gone";
}

TEST(SimulatedNetworkTest, APeerWithoutPowerSaysNothingUntilItIsBack) {
  NetworkWorld world(3);
  ASSERT_EQ(world.connected(), 0);
  ASSERT_EQ(world.echoed("x"), "x");
  world.server.crash(Crash::power);
  EXPECT_EQ(world.echoed("hello", 30s), "");
  EXPECT_EQ(world.line->status.status, IoStatus::would_block);
  world.server.restart();
  auto receiving = [&]() -> Task<std::string> { return world.line->receive(1); };
  EXPECT_EQ(world.world.run(world.client, receiving()), "");
  EXPECT_EQ(world.line->status.error, ECONNRESET) << "the new life knows nothing of the connection";
  world.echo = std::make_unique<Echo>(world.server.environment(), 9092);
  ASSERT_EQ(world.connected(), 0);
  EXPECT_EQ(world.echoed("y"), "y");
}

TEST(SimulatedNetworkTest, AClosedEndIsAnEndAfterTheData) {
  NetworkWorld world(4);
  ASSERT_EQ(world.connected(), 0);
  auto story = [&]() -> Task<std::string> {
    auto sending = world.line->send("bye");
    co_await std::move(sending);
    world.line->socket().shut_down_write();
    auto receiving = world.line->receive(100);
    co_return co_await std::move(receiving);
  };
  EXPECT_TRUE(std::string("bye").starts_with(world.world.run(world.client, story())));
  EXPECT_EQ(world.line->status.status, IoStatus::end);
  world.world.run_for(1s);
  EXPECT_EQ(world.echo->gone(), 1u);
}

TEST(SimulatedNetworkTest, AServerSeesPhantoms) {
  NetworkWorld world(4);
  world.world.wire().temper.phantom_one_in = 1;
  ASSERT_EQ(world.connected(), 0);
  EXPECT_EQ(world.echoed("still right"), "still right");
  world.world.run_for(1s);
  EXPECT_EQ(world.echo->clients(), 2u);
  EXPECT_EQ(world.echo->gone(), 1u);
}

TEST(SimulatedNetworkTest, ConnectionsSpreadOverTheReactorsAndAFileIsSent) {
  World world({.seed = 9});
  Host& server = world.add_host("server");
  Host& client = world.add_host("client");
  struct Sender final : AcceptEvents {
    void on_accepted(SocketRef accepted) override {
      sockets.push_back(std::move(accepted));
      EXPECT_EQ(sockets.back()->send_file(*file, 1, 3).status, IoStatus::done);
      EXPECT_EQ(sockets.back()->send_file(*file, 100, 3).error, EIO);
    }
    FileRef file;
    std::vector<SocketRef> sockets;
  } sender[2];
  world.wire().temper.short_write_one_in = 0;
  server.disk().put("/f", as_bytes("abcdef"));
  auto listener = server.environment().network.listen({"", 0}, {});
  for (unsigned i = 0; i < 2; ++i) {
    sender[i].file = server.environment().disk.open("/f", OpenMode::read);
    listener->join(*server.environment().reactors[i], sender[i]);
  }
  Reactor& home = *client.environment().reactors[0];
  auto story = [&]() -> Task<void> {
    for (int i = 0; i < 10; ++i) {
      auto connecting =
          client.environment().network.connect(home, {server.address(), listener->address().port}, {}, never);
      Line line(home, co_await std::move(connecting));
      auto receiving = line.receive(3);
      EXPECT_EQ(co_await std::move(receiving), "bcd");
    }
  };
  world.run(client, story());
  EXPECT_GT(sender[0].sockets.size(), 0u);
  EXPECT_GT(sender[1].sockets.size(), 0u);
  EXPECT_EQ(sender[0].sockets.size() + sender[1].sockets.size(), 10u);
  EXPECT_THROW(server.environment().network.listen({"", listener->address().port}, {}), std::system_error);
  for (Reactor* reactor : server.environment().reactors) listener->leave(*reactor);
}

}  // namespace
}  // namespace klamm::runtime::simulation
