// TCP over the kernel's sockets: what runtime/network.h promises, for one epoll reactor.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>

#include "runtime/network.h"
#include "runtime/os/poller.h"

namespace klamm::runtime::os {

class EpollReactor;

class OsSocket final : public Socket, private Poller::Target {
 public:
  // Takes the descriptor over; it is non-blocking.
  OsSocket(EpollReactor& reactor, int descriptor, SocketAddress local, SocketAddress peer);
  ~OsSocket() override;

  // Counts this socket there as long as it is open.
  void count_in(std::shared_ptr<std::atomic<int>> counter);

  void listen_to(SocketEvents* events) override { events_ = events; }
  void want(bool readable, bool writable) override;
  IoResult read(MutableBytes to) override;
  IoResult write(std::span<const Bytes> parts, bool more) override;
  IoResult send_file(File& file, std::uint64_t offset, std::size_t length) override;
  void shut_down_write() override;
  const SocketAddress& peer() const override { return peer_; }
  const SocketAddress& local() const override { return local_; }

 private:
  void ready(std::uint32_t events) override;

  EpollReactor& reactor_;
  int descriptor_;
  std::uint32_t handle_;
  bool* destroyed_ = nullptr;  // told when the socket goes in the middle of ready()
  bool wants_read_ = false;
  bool wants_write_ = false;
  SocketEvents* events_ = nullptr;
  SocketAddress local_;
  SocketAddress peer_;
  std::shared_ptr<std::atomic<int>> counter_;
};

// Addresses of the kernel's form and back. IPv4 addresses in IPv6 form are shown as IPv4.
SocketAddress to_address(const sockaddr_storage& raw);
// Throws std::system_error when the host is no numeric address.
socklen_t from_address(const SocketAddress& address, sockaddr_storage& raw);

// TCP_NODELAY and buffers. BBR is four times slower than cubic between processes of one machine (measured), so with a
// buffer that the kernel sizes it is not used there. `local` may be empty when it is not known yet.
void tune(int descriptor, const SocketOptions& options, const SocketAddress& local, const SocketAddress& peer);

}  // namespace klamm::runtime::os
