#include "runtime/simulation/network.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/ensure.h"
#include "runtime/simulation/wire.h"

namespace klamm::runtime::simulation {
namespace {

constexpr Duration knock_again = std::chrono::seconds(1);  // a SYN that was lost is sent again
constexpr std::size_t piece_bytes = 16 * 1024;

[[noreturn]] void fail_with(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

bool is_loopback(const std::string& address) {
  return address == "127.0.0.1" || address == "::1";
}

}  // namespace

Wire::Wire(World& world, Chance chance) : world_(world), chance_(chance) {}
Wire::~Wire() = default;

Duration Wire::delay() {
  return chance_.between(temper.delay_min, chance_.one_in(temper.slow_one_in) ? temper.slow_max : temper.delay_max);
}

Host* Wire::host_at(const std::string& address, Host& from) {
  if (is_loopback(address)) return &from;
  for (const auto& host : world_.hosts_) {
    if (host->address() == address) return host.get();
  }
  return nullptr;
}

// --- cuts ------------------------------------------------------------------------------------------------------------

void Wire::cut_one_way(const Host& from, const Host& to) {
  world_.trace().add(world_.now(), "network", "cut {} to {}", from.name(), to.name());
  cuts_.insert({from.number(), to.number()});
}

void Wire::cut(const Host& a, const Host& b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void Wire::heal(const Host& a, const Host& b) {
  world_.trace().add(world_.now(), "network", "heal {} and {}", a.name(), b.name());
  heal_link(a.number(), b.number());
  heal_link(b.number(), a.number());
}

void Wire::heal_all() {
  for (const auto& [from, to] : std::set(cuts_)) {
    world_.trace().add(world_.now(), "network", "heal {} to {}", from, to);
    heal_link(from, to);
  }
}

void Wire::heal_link(unsigned from, unsigned to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& [number, weak] : std::map(connections_)) {
    const ConnectionRef connection = weak.lock();
    if (connection == nullptr) continue;
    for (const unsigned side : {0u, 1u}) {
      if (connection->ends[side].host->number() != from || connection->ends[1 - side].host->number() != to) continue;
      resend(connection, side);
    }
  }
}

// What stopped at a cut or at a host without power is tried again.
void Wire::resend(const ConnectionRef& connection, unsigned side) {
  auto& flight = connection->flights[side];
  if (!std::exchange(flight.stalled, false) || flight.pieces.empty()) return;
  flight.pieces.front().at = world_.now() + delay();
  schedule_arrival(connection, side);
}

void Wire::host_started(const Host& host) {
  for (const auto& [number, weak] : std::map(connections_)) {
    const ConnectionRef connection = weak.lock();
    if (connection == nullptr) continue;
    for (const unsigned side : {0u, 1u}) {
      if (connection->ends[1 - side].host == &host) resend(connection, side);
    }
  }
}

void Wire::reset(const Host& a, const Host& b) {
  world_.trace().add(world_.now(), "network", "reset between {} and {}", a.name(), b.name());
  for (const auto& [number, weak] : std::map(connections_)) {
    const ConnectionRef connection = weak.lock();
    if (connection == nullptr) continue;
    const Host* first = connection->ends[0].host;
    const Host* second = connection->ends[1].host;
    if ((first != &a || second != &b) && (first != &b || second != &a)) continue;
    fail(*connection, 0, ECONNRESET);
    fail(*connection, 1, ECONNRESET);
  }
}

std::size_t Wire::open_connections() const {
  std::size_t count = 0;
  for (const auto& [number, weak] : connections_) {
    const ConnectionRef connection = weak.lock();
    if (connection != nullptr && !connection->ends[0].closed && !connection->ends[1].closed) ++count;
  }
  return count;
}

// --- bytes -----------------------------------------------------------------------------------------------------------

void Wire::fail(Connection& connection, unsigned side, int error) {
  End& end = connection.ends[side];
  if (end.error != 0 || end.closed) return;
  end.error = error;
  end.arrived.clear();
  end.read = 0;
  if (end.socket != nullptr) end.socket->look();
}

void Wire::send(const ConnectionRef& connection, unsigned side, Bytes bytes) {
  world_.trace().add(world_.now(), connection->ends[side].host->name(), "connection {} sends {}", connection->number,
                     bytes.size());
  if (chance_.one_in(temper.reset_one_in)) {
    world_.trace().add(world_.now(), "network", "connection {} is reset", connection->number);
    fail(*connection, 0, ECONNRESET);
    fail(*connection, 1, ECONNRESET);
    return;
  }
  while (!bytes.empty()) {
    std::size_t count = std::min(bytes.size(), piece_bytes);
    if (count > 1 && chance_.one_in(temper.split_one_in)) count = static_cast<std::size_t>(chance_.between(1, count));
    push(connection, side, to_vector(bytes.first(count)), false, 0);
    bytes = bytes.subspan(count);
  }
}

void Wire::send_end(const ConnectionRef& connection, unsigned side, int error) {
  push(connection, side, {}, true, error);
}

void Wire::push(const ConnectionRef& connection, unsigned side, ByteVector bytes, bool end, int error) {
  auto& flight = connection->flights[side];
  MonoTime at = world_.now() + delay();
  if (!flight.pieces.empty()) at = std::max(at, flight.pieces.back().at);
  flight.bytes += bytes.size();
  flight.pieces.push_back({std::move(bytes), end, error, at});
  if (!flight.stalled) schedule_arrival(connection, side);
}

void Wire::schedule_arrival(const ConnectionRef& connection, unsigned side) {
  auto& flight = connection->flights[side];
  if (flight.scheduled || flight.pieces.empty()) return;
  flight.scheduled = true;
  world_.at(std::max(flight.pieces.front().at, world_.now()), [this, connection, side] { arrive(connection, side); });
}

void Wire::arrive(const ConnectionRef& connection, unsigned side) {
  auto& flight = connection->flights[side];
  flight.scheduled = false;
  if (flight.pieces.empty()) return;
  End& from = connection->ends[side];
  End& to = connection->ends[1 - side];
  const bool nobody = to.process->state != Process::State::alive;
  if (!passes(from.host->number(), to.host->number()) || (nobody && !to.host->alive())) {
    // Nothing answers: it is sent again and again, until the sender gives up.
    flight.stalled = true;
    const std::uint64_t stall = ++flight.stalls;
    world_.at(world_.now() + temper.dead_after, [this, connection, side, stall] {
      const auto& its = connection->flights[side];
      if (its.stalled && its.stalls == stall) fail(*connection, side, ETIMEDOUT);
    });
    return;
  }
  if (nobody) {
    // Another life of the host knows nothing of the connection.
    flight.pieces.clear();
    flight.bytes = 0;
    if (passes(to.host->number(), from.host->number())) fail(*connection, side, ECONNRESET);
    return;
  }
  Piece piece = std::move(flight.pieces.front());
  flight.pieces.pop_front();
  flight.bytes -= piece.bytes.size();
  if (to.closed && !piece.bytes.empty()) {
    fail(*connection, side, ECONNRESET);  // sent to somebody who has gone
  } else if (piece.error != 0) {
    fail(*connection, 1 - side, piece.error);
  } else if (!to.closed && to.error == 0) {
    to.arrived.insert(to.arrived.end(), piece.bytes.begin(), piece.bytes.end());
    if (piece.end) to.ended = true;
    if (to.socket != nullptr) to.socket->look();
  }
  schedule_arrival(connection, side);
}

void Wire::host_died(Host& host, Crash kind) {
  for (auto& [key, listener] : listeners_) {
    if (key.first == host.number()) listener->closed = true;
  }
  std::erase_if(listeners_, [&](const auto& entry) { return entry.first.first == host.number(); });
  std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
  for (const auto& [number, weak] : std::map(connections_)) {
    const ConnectionRef connection = weak.lock();
    if (connection == nullptr) continue;
    for (const unsigned side : {0u, 1u}) {
      End& end = connection->ends[side];
      if (end.host != &host || end.closed || end.process->state == Process::State::alive) continue;
      end.closed = true;
      // The kernel ends what its process leaves. Without power nobody does.
      if (kind == Crash::process && connection->ends[1 - side].host != &host) send_end(connection, side, ECONNRESET);
    }
  }
}

// --- connecting ------------------------------------------------------------------------------------------------------

void Wire::conclude(const std::shared_ptr<Attempt>& attempt, int error, ConnectionRef connection) {
  if (attempt->concluded) return;
  attempt->concluded = true;
  if (error != 0) {
    world_.trace().add(world_.now(), "network", "no connection from {} to {}: error {}", attempt->from->name(),
                       attempt->target.to_string(), error);
  }
  if (attempt->abandoned || attempt->reactor->process()->state != Process::State::alive) return;
  attempt->error = error;
  attempt->connection = std::move(connection);
  attempt->reactor->call([attempt] {
    if (!attempt->abandoned) attempt->resume();
  });
}

// The first packet is on its way; one that is lost is sent again.
void Wire::try_connect(const std::shared_ptr<Attempt>& attempt) {
  world_.at(world_.now() + delay(), [this, attempt] {
    if (attempt->concluded || attempt->abandoned) return;
    const unsigned from = attempt->from->number();
    const unsigned to = attempt->to->number();
    if (!passes(from, to) || !passes(to, from) || !attempt->to->alive()) {
      world_.after(knock_again, [this, attempt] { try_connect(attempt); });
      return;
    }
    const auto listener = listeners_.find({to, attempt->target.port});
    const bool refused = listener == listeners_.end() || chance_.one_in(temper.refuse_one_in);
    if (!refused) {
      accept(attempt, *listener->second);
      return;
    }
    world_.at(world_.now() + delay(), [this, attempt] { conclude(attempt, ECONNREFUSED, nullptr); });
  });
}

void Wire::accept(const std::shared_ptr<Attempt>& attempt, ListenerState& listener) {
  const auto make = [&] {
    auto connection = std::make_shared<Connection>();
    connection->number = ++connection_count_;
    connections_[connection->number] = connection;
    End& client = connection->ends[0];
    client.host = attempt->from;
    client.process = attempt->reactor->process();
    const bool loopback = is_loopback(attempt->target.host);
    client.address = {loopback ? "127.0.0.1" : attempt->from->address(), next_port_};
    next_port_ = next_port_ == 59999 ? std::uint16_t{40000} : static_cast<std::uint16_t>(next_port_ + 1);
    End& server = connection->ends[1];
    server.host = attempt->to;
    server.process = listener.process;
    server.address = {loopback ? "127.0.0.1" : attempt->to->address(), attempt->target.port};
    return connection;
  };
  const auto state = listeners_.at({attempt->to->number(), attempt->target.port});
  const ConnectionRef connection = make();
  world_.trace().add(world_.now(), "network", "connection {} from {} to {}:{}", connection->number,
                     attempt->from->name(), attempt->to->name(), attempt->target.port);
  listener.waiting.push_back(connection);
  if (chance_.one_in(temper.phantom_one_in)) {
    const ConnectionRef phantom = make();
    listener.waiting.push_back(phantom);
    world_.at(world_.now() + delay(), [this, phantom] {
      phantom->ends[0].closed = true;
      send_end(phantom, 0, 0);
    });
  }
  hand_over(state);
  world_.at(world_.now() + delay(), [this, attempt, connection] { conclude(attempt, 0, connection); });
}

// Each waiting connection goes to one of the reactors that listen, whichever is first.
void Wire::hand_over(const std::shared_ptr<ListenerState>& listener) {
  for (std::size_t i = 0; i < listener->waiting.size() && !listener->joined.empty(); ++i) {
    SimulatedReactor* reactor = listener->joined[chance_.below(listener->joined.size())].reactor;
    reactor->call([this, listener, reactor] {
      const auto found = std::ranges::find(listener->joined, reactor, &ListenerState::Joined::reactor);
      if (found == listener->joined.end() || listener->waiting.empty()) return;
      ConnectionRef connection = std::move(listener->waiting.front());
      listener->waiting.pop_front();
      found->events->on_accepted(std::make_unique<SimulatedSocket>(world_, *reactor, std::move(connection), 1));
    });
  }
}

// --- one process's view ----------------------------------------------------------------------------------------------

class SimulatedListener final : public Listener {
 public:
  SimulatedListener(World& world, std::shared_ptr<ListenerState> state) : world_(world), state_(std::move(state)) {}
  ~SimulatedListener() override {
    if (state_->process->state != Process::State::alive) return;
    ENSURE(state_->joined.empty(), "a reactor still listens");
    state_->closed = true;
    world_.wire().listeners_.erase({state_->host->number(), state_->address.port});
    for (const ConnectionRef& connection : state_->waiting) {
      connection->ends[1].closed = true;
      world_.wire().send_end(connection, 1, ECONNRESET);
    }
  }

  const SocketAddress& address() const override { return state_->address; }
  void join(Reactor& reactor, AcceptEvents& events) override {
    if (state_->process->gone()) return;
    state_->joined.push_back({static_cast<SimulatedReactor*>(&reactor), &events});
    world_.wire().hand_over(state_);
  }
  void leave(Reactor& reactor) override {
    std::erase_if(state_->joined, [&](const auto& joined) { return joined.reactor == &reactor; });
    if (!state_->process->gone()) world_.wire().hand_over(state_);
  }

 private:
  World& world_;
  std::shared_ptr<ListenerState> state_;
};

std::unique_ptr<Listener> SimulatedNetwork::listen(const SocketAddress& address, const SocketOptions&) {
  if (process_->gone()) fail_with(EBADF, "listen");
  Wire& wire = world_.wire();
  auto state = std::make_shared<ListenerState>();
  state->host = &host_;
  state->process = process_;
  state->address = {address.host.empty() ? "0.0.0.0" : address.host, address.port};
  while (state->address.port == 0 ||
         (address.port == 0 && wire.listeners_.contains({host_.number(), state->address.port}))) {
    state->address.port = wire.next_port_++;
  }
  if (wire.listeners_.contains({host_.number(), state->address.port}))
    fail_with(EADDRINUSE, "bind " + state->address.to_string());
  wire.listeners_[{host_.number(), state->address.port}] = state;
  return std::make_unique<SimulatedListener>(world_, state);
}

namespace {

struct AttemptWait {
  explicit AttemptWait(std::shared_ptr<Attempt> its) : attempt(std::move(its)) {}
  AttemptWait(const AttemptWait&) = delete;
  AttemptWait& operator=(const AttemptWait&) = delete;
  ~AttemptWait() { attempt->abandoned = true; }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    attempt->resume = [handle] { handle.resume(); };
  }
  void await_resume() const noexcept {}
  std::shared_ptr<Attempt> attempt;
};

}  // namespace

Task<SocketRef> SimulatedNetwork::connect(Reactor& reactor, SocketAddress to, SocketOptions, MonoTime deadline) {
  if (process_->gone()) fail_with(EBADF, "connect");
  Wire& wire = world_.wire();
  auto attempt = std::make_shared<Attempt>();
  attempt->wire = &wire;
  attempt->from = &host_;
  attempt->to = wire.host_at(to.host, host_);
  attempt->reactor = static_cast<SimulatedReactor*>(&reactor);
  attempt->target = to;
  if (attempt->to == nullptr) fail_with(EHOSTUNREACH, "connect " + to.to_string());
  wire.try_connect(attempt);
  const MonoTime gives_up = std::min(deadline, world_.now() + std::chrono::minutes(2));
  world_.at(gives_up, [&wire, attempt] { wire.conclude(attempt, ETIMEDOUT, nullptr); });
  AttemptWait wait(attempt);
  co_await wait;
  if (attempt->error != 0) fail_with(attempt->error, "connect " + to.to_string());
  co_return std::make_unique<SimulatedSocket>(world_, *attempt->reactor, attempt->connection, 0);
}

std::vector<std::string> SimulatedNetwork::resolve(const std::string& host) {
  if (host == "localhost") return {"127.0.0.1"};
  for (const auto& its : world_.hosts_) {
    if (its->name() == host || its->address() == host) return {its->address()};
  }
  if (is_loopback(host)) return {host};
  fail_with(EHOSTUNREACH, host + ": Name or service not known");
}

}  // namespace klamm::runtime::simulation
