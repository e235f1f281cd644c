// How many connections there may be: in all, per listener, per address, and how fast they may come. One for a process.
// Source of behaviour: kafka.network.ConnectionQuotas.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/clock.h"
#include "runtime/lock.h"

namespace klamm::server {

// What may change while the server runs.
struct ServerLimits {
  std::int32_t max_connections = INT32_MAX;                                   // max.connections
  std::int32_t max_connections_per_ip = INT32_MAX;                            // max.connections.per.ip
  std::map<std::string, std::int32_t> max_connections_per_ip_overrides;       // by numeric address
  std::int32_t max_connection_creation_rate = INT32_MAX;                      // a second
  std::map<std::string, std::int32_t> listener_max_connections;               // by listener name
  std::map<std::string, std::int32_t> listener_max_connection_creation_rate;  // by listener name, a second
};

// Callable from every reactor.
class ConnectionLimits {
 public:
  struct ListenerTraits {
    std::string name;
    bool inter_broker = false;  // not held back by max.connections when there are other listeners
  };

  ConnectionLimits(runtime::Scheduling& scheduling, std::vector<ListenerTraits> listeners, ServerLimits limits);

  void set(ServerLimits limits);

  enum class Verdict : std::uint8_t {
    admitted,       // counted: leave() when it ends
    address_full,   // close it
    wait_for_slot,  // somebody must leave first
    wait_for_time,  // not before `not_before`
  };
  struct Answer {
    Verdict verdict;
    runtime::MonoTime not_before{};
    std::int32_t address_limit = 0;
  };
  Answer admit(std::size_t listener, const std::string& address, runtime::MonoTime now);
  void leave(std::size_t listener, const std::string& address);

  // An exempt listener filled the broker beyond max.connections: somebody on this one must go.
  bool must_shed(std::size_t listener) const;
  std::size_t count() const;

 private:
  // Lets `rate` a second pass, saved up for at most a second.
  struct Gate {
    double tokens = 0;
    runtime::MonoTime at{};
  };
  struct ListenerState {
    ListenerTraits traits;
    std::int32_t connections = 0;
    std::int32_t connections_max = INT32_MAX;
    std::int32_t rate = INT32_MAX;
    Gate gate;
  };

  void set_locked(ServerLimits limits);
  bool exempt(const ListenerState& listener) const { return listener.traits.inter_broker && listeners_.size() > 1; }
  static runtime::Duration wait_of(Gate& gate, std::int32_t rate, runtime::MonoTime now);
  static void take(Gate& gate, std::int32_t rate);

  mutable runtime::ShortLock lock_;
  ServerLimits limits_;
  std::vector<ListenerState> listeners_;
  std::map<std::string, std::int32_t> by_address_;
  std::int32_t total_ = 0;
  Gate gate_;
};

}  // namespace klamm::server
