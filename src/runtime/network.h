// Sockets, as everything outside runtime/os sees them: non-blocking calls and readiness. A socket belongs to the
// reactor that accepted or connected it and is used on that one only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "runtime/disk.h"
#include "runtime/reactor.h"
#include "runtime/task.h"

namespace klamm::runtime {

struct SocketAddress {
  std::string host;  // numeric: "127.0.0.1", "::1"
  std::uint16_t port = 0;

  bool operator==(const SocketAddress&) const = default;
  // "127.0.0.1:9092", "[::1]:9092"
  std::string to_string() const;
};

enum class IoStatus : std::uint8_t { done, would_block, end, failed };

// done: `bytes` were moved (at least one). end: the peer closed its side. failed: `error` is the errno.
struct IoResult {
  IoStatus status = IoStatus::done;
  std::size_t bytes = 0;
  int error = 0;
};

// Told about readiness, level triggered, only of what was asked for with Socket::want. May destroy the socket.
class SocketEvents {
 public:
  virtual ~SocketEvents() = default;
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
};

class Socket {
 public:
  // Closes. Unsent data in the kernel's buffer is still delivered.
  virtual ~Socket() = default;

  virtual void listen_to(SocketEvents* events) = 0;
  virtual void want(bool readable, bool writable) = 0;
  virtual IoResult read(MutableBytes to) = 0;
  // `more`: bytes follow at once (MSG_MORE); never set it when nothing follows: the kernel then holds back for 200 ms.
  virtual IoResult write(std::span<const Bytes> parts, bool more) = 0;
  // Sends from the file without a copy through user space. The range must be resident, or it blocks the loop.
  virtual IoResult send_file(File& file, std::uint64_t offset, std::size_t length) = 0;
  virtual void shut_down_write() = 0;
  virtual const SocketAddress& peer() const = 0;
  virtual const SocketAddress& local() const = 0;
};
using SocketRef = std::unique_ptr<Socket>;

struct SocketOptions {
  int send_buffer_bytes = -1;  // -1: the system's own tuning
  int receive_buffer_bytes = -1;
  int backlog = 50;
};

// Called on each reactor that listens, for the connections that reactor accepted.
class AcceptEvents {
 public:
  virtual ~AcceptEvents() = default;
  virtual void on_accepted(SocketRef socket) = 0;
};

// Bound and listening; each reactor that shall take connections joins. Destroying it stops listening.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual const SocketAddress& address() const = 0;  // with the port that was really bound
  // On the reactor's own thread. `events` outlives the listener or the matching leave().
  virtual void join(Reactor& reactor, AcceptEvents& events) = 0;
  virtual void leave(Reactor& reactor) = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  // Throws std::system_error (EADDRINUSE, ...). Host "" means every address of both families.
  virtual std::unique_ptr<Listener> listen(const SocketAddress& address, const SocketOptions& options) = 0;
  // Connects on the reactor; throws std::system_error (ECONNREFUSED, ETIMEDOUT at the deadline, ECANCELED).
  virtual Task<SocketRef> connect(Reactor& reactor, SocketAddress to, SocketOptions options, MonoTime deadline) = 0;
  // Numeric addresses of a name, in the resolver's order. Blocks: for offload or tools. Throws std::system_error.
  virtual std::vector<std::string> resolve(const std::string& host) = 0;
  // The canonical name of this machine, which a broker advertises by default (InetAddress.getCanonicalHostName).
  virtual std::string canonical_host_name() = 0;
};

}  // namespace klamm::runtime
