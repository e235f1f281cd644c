// How bytes leave and enter a connection: plain TCP hands memory and file ranges to the kernel as they are; an
// encrypting transport reads, encrypts and has a handshake. Handlers never know which.
#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "runtime/network.h"

namespace klamm::server {

// A piece of a response: memory, or a range of a file (which its owner keeps alive).
struct OutputSlice {
  Bytes memory;
  runtime::File* file = nullptr;
  std::uint64_t offset = 0;
  std::size_t length = 0;  // of a file range

  std::size_t size() const { return file ? length : memory.size(); }
};

// What the transport must be woken for before it can go on.
struct TransportWants {
  bool readable = false;
  bool writable = false;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Called until it is done, before anything else is read or sent: each time the socket is ready for what wants() says.
  // A failure closes the connection.
  enum class Handshake : std::uint8_t { done, more, failed };
  virtual Handshake handshake() = 0;
  virtual runtime::IoResult read(MutableBytes to) = 0;
  // Sends the slices in order as far as it gets. `bytes` of the result counts what was taken, also when the status says
  // that more would block.
  virtual runtime::IoResult send(std::span<const OutputSlice> slices) = 0;
  // Of the handshake, and of a read or send that would block: TLS may have to write to read.
  virtual TransportWants wants(TransportWants of_connection) const = 0;
  // Bytes that were received and are not read yet without the socket being readable.
  virtual bool has_buffered_input() const = 0;
  virtual void shut_down_write() = 0;
};

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(runtime::Socket& socket) : socket_(socket) {}

  Handshake handshake() override { return Handshake::done; }
  runtime::IoResult read(MutableBytes to) override { return socket_.read(to); }
  runtime::IoResult send(std::span<const OutputSlice> slices) override;
  TransportWants wants(TransportWants of_connection) const override { return of_connection; }
  bool has_buffered_input() const override { return false; }
  void shut_down_write() override { socket_.shut_down_write(); }

 private:
  runtime::Socket& socket_;
};

}  // namespace klamm::server
