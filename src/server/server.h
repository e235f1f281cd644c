// The network side of a broker: binds the listeners, takes connections on every reactor, and runs their requests
// through the API table. Source of behaviour: kafka.network.SocketServer.
//
// Life: construct, bind(), later start() (the addresses are taken before the logs are looked at, connections are taken
// when the metadata is there), then stop(). All on the first reactor of the environment. Everything handed over
// outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/logger.h"
#include "runtime/environment.h"
#include "runtime/task.h"
#include "server/api_table.h"
#include "server/connection_limits.h"
#include "server/quotas.h"

namespace klamm::server {

struct ListenerSettings {
  std::string name;                // "PLAINTEXT": upper case, as in `listeners`
  runtime::SocketAddress address;  // host "" or "0.0.0.0": all addresses
  ListenerScope scope = ListenerScope::broker;
  bool inter_broker = false;  // not held back by max.connections when there are other listeners
};

struct ServerSettings {
  std::vector<ListenerSettings> listeners;
  runtime::SocketOptions socket;                               // socket.{send,receive}.buffer.bytes, backlog
  std::int32_t request_bytes_max = 100 * 1024 * 1024;          // socket.request.max.bytes
  std::uint64_t request_pool_bytes = std::uint64_t{64} << 20;  // queued.max.request.bytes; -1 there: this default
  runtime::Duration idle_max = std::chrono::minutes(10);       // connections.max.idle.ms; negative: never
  ServerLimits limits;
  std::uint32_t trace_requests = 0;        // klamm.trace.requests
  std::function<void()> after_burst = {};  // as in RequestPool
};

// what(): "Socket server failed to bind to localhost:9092: Address already in use."
class BindFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Server {
 public:
  // `apis` may be filled until start(); `quotas` may be null.
  Server(runtime::Environment& environment, ServerSettings settings, const ApiTable& apis, Logger log,
         Quotas* quotas = nullptr);
  ~Server();  // stopped, or never started

  // Binds all listeners, or none: throws BindFailed.
  void bind();
  // The addresses that were really bound, in the order of the settings.
  std::vector<runtime::SocketAddress> addresses() const;

  // Begins to take connections, on every reactor.
  runtime::Task<void> start();
  // Takes new limits over. Any reactor.
  void set_limits(ServerLimits limits);
  // Takes no new connections and no new requests, lets what is in flight be answered (no longer than to the deadline),
  // closes all. Long polls are answered with what there is.
  runtime::Task<void> stop(runtime::MonoTime deadline);

  // Any thread.
  std::size_t connection_count() const;
  std::uint64_t request_pool_used() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace klamm::server
