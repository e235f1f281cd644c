// The network between simulated hosts. A connection delivers bytes in order and whole, as TCP does, but in pieces of
// any size and after any time; links can be cut in one direction or both, connections reset, attempts refused. The Wire
// belongs to the world; a SimulatedNetwork is what one process sees of it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/network.h"
#include "runtime/simulation/world.h"

namespace klamm::runtime::simulation {

struct NetworkTemper {
  Duration delay_min = std::chrono::microseconds(20);
  Duration delay_max = std::chrono::milliseconds(1);
  std::uint64_t slow_one_in = 100;  // that often a piece takes up to slow_max
  Duration slow_max = std::chrono::milliseconds(50);
  std::uint64_t split_one_in = 4;         // a write is cut into pieces that arrive apart
  std::uint64_t short_read_one_in = 4;    // a read gives less than there is
  std::uint64_t short_write_one_in = 8;   // a write takes less than it could
  std::uint64_t reset_one_in = 0;         // per piece: the connection is reset instead
  std::uint64_t refuse_one_in = 0;        // per attempt
  std::uint64_t phantom_one_in = 0;       // per attempt: the server sees a second connection that says nothing and goes
  std::size_t window_bytes = 128 * 1024;  // sent and not yet read
  Duration dead_after = std::chrono::minutes(15);  // what is sent into nothing for so long fails with ETIMEDOUT
};

struct Connection;
using ConnectionRef = std::shared_ptr<Connection>;
struct ListenerState;
struct Attempt;

class Wire {
 public:
  Wire(World& world, Chance chance);
  ~Wire();

  // --- for stories
  NetworkTemper temper;
  // Nothing passes from one host to the other until healed; what is sent waits. Both directions, or one (half-open).
  void cut(const Host& a, const Host& b);
  void cut_one_way(const Host& from, const Host& to);
  void heal(const Host& a, const Host& b);
  void heal_all();
  // Resets the connections between the two that are open; both ends see it.
  void reset(const Host& a, const Host& b);
  std::size_t open_connections() const;

 private:
  friend class Host;
  friend class SimulatedNetwork;
  friend class SimulatedSocket;
  friend class SimulatedListener;
  friend struct Attempt;

  bool passes(unsigned from, unsigned to) const { return !cuts_.contains({from, to}); }
  Duration delay();
  Host* host_at(const std::string& address, Host& from);

  // A process of the host ended; a new one began: what was sent to the old one meanwhile is answered with a reset.
  void host_died(Host& host, Crash kind);
  void host_started(const Host& host);

  void send(const ConnectionRef& connection, unsigned side, Bytes bytes);
  void send_end(const ConnectionRef& connection, unsigned side, int error);  // 0: end of stream; else a reset
  void push(const ConnectionRef& connection, unsigned side, ByteVector bytes, bool end, int error);
  void schedule_arrival(const ConnectionRef& connection, unsigned side);
  void arrive(const ConnectionRef& connection, unsigned side);
  void fail(Connection& connection, unsigned side, int error);
  void heal_link(unsigned from, unsigned to);
  void resend(const ConnectionRef& connection, unsigned side);

  void try_connect(const std::shared_ptr<Attempt>& attempt);
  void accept(const std::shared_ptr<Attempt>& attempt, ListenerState& listener);
  void hand_over(const std::shared_ptr<ListenerState>& listener);
  void conclude(const std::shared_ptr<Attempt>& attempt, int error, ConnectionRef connection);

  World& world_;
  Chance chance_;
  std::set<std::pair<unsigned, unsigned>> cuts_;  // from, to: numbers of hosts
  std::map<std::uint64_t, std::weak_ptr<Connection>> connections_;
  std::uint64_t connection_count_ = 0;
  std::map<std::pair<unsigned, std::uint16_t>, std::shared_ptr<ListenerState>> listeners_;  // host, port
  std::uint16_t next_port_ = 40000;
};

class SimulatedNetwork final : public Network {
 public:
  SimulatedNetwork(World& world, Host& host, ProcessRef process)
      : world_(world), host_(host), process_(std::move(process)) {}

  std::unique_ptr<Listener> listen(const SocketAddress& address, const SocketOptions& options) override;
  Task<SocketRef> connect(Reactor& reactor, SocketAddress to, SocketOptions options, MonoTime deadline) override;
  std::vector<std::string> resolve(const std::string& host) override;
  std::string canonical_host_name() override { return host_.name(); }

 private:
  World& world_;
  Host& host_;
  ProcessRef process_;
};

}  // namespace klamm::runtime::simulation
