#include "runtime/os/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "runtime/os/disk.h"
#include "runtime/os/epoll_reactor.h"

namespace klamm::runtime::os {
namespace {

constexpr std::size_t parts_max = 64;

IoResult result_of(ssize_t moved) {
  if (moved >= 0) return {IoStatus::done, static_cast<std::size_t>(moved), 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {IoStatus::would_block, 0, 0};
  return {IoStatus::failed, 0, errno};
}

}  // namespace

SocketAddress to_address(const sockaddr_storage& raw) {
  char text[INET6_ADDRSTRLEN] = {};
  if (raw.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(raw);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(raw);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return {text, ntohs(v6.sin6_port)};
}

socklen_t from_address(const SocketAddress& address, sockaddr_storage& raw) {
  raw = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(raw);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(raw);
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    return sizeof v6;
  }
  throw std::system_error(EINVAL, std::generic_category(), "not a numeric address: " + address.host);
}

void tune(int descriptor, const SocketOptions& options, const SocketAddress& local, const SocketAddress& peer) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.send_buffer_bytes > 0) {
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof options.send_buffer_bytes);
  }
  if (options.receive_buffer_bytes > 0) {
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof options.receive_buffer_bytes);
  }
  const bool near = peer.host.starts_with("127.") || peer.host == "::1" || peer.host == local.host;
  if (!near || options.send_buffer_bytes > 0) return;
  char name[16] = {};
  socklen_t size = sizeof name;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0 || std::string_view(name) != "bbr")
    return;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
}

OsSocket::OsSocket(EpollReactor& reactor, int descriptor, SocketAddress local, SocketAddress peer)
    : reactor_(reactor),
      descriptor_(descriptor),
      handle_(reactor.poller().add(descriptor, *this)),
      local_(std::move(local)),
      peer_(std::move(peer)) {}

OsSocket::~OsSocket() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  reactor_.poller().remove(handle_);
  ::close(descriptor_);
  if (counter_ != nullptr) counter_->fetch_sub(1, std::memory_order_relaxed);
}

void OsSocket::count_in(std::shared_ptr<std::atomic<int>> counter) {
  counter_ = std::move(counter);
  counter_->fetch_add(1, std::memory_order_relaxed);
}

void OsSocket::want(bool readable, bool writable) {
  wants_read_ = readable;
  wants_write_ = writable;
  reactor_.poller().want(handle_, (readable ? static_cast<std::uint32_t>(EPOLLIN) : 0u) |
                                      (writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0u));
}

void OsSocket::ready(std::uint32_t events) {
  bool destroyed = false;
  bool* outer = std::exchange(destroyed_, &destroyed);
  // A hang-up or an error is found by whoever reads or writes next.
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (events_ != nullptr && wants_read_ && ((events & EPOLLIN) != 0 || broken)) events_->on_readable();
  if (!destroyed && events_ != nullptr && wants_write_ && ((events & EPOLLOUT) != 0 || broken)) events_->on_writable();
  if (destroyed) {
    if (outer != nullptr) *outer = true;
    return;
  }
  destroyed_ = outer;
}

IoResult OsSocket::read(MutableBytes to) {
  const ssize_t got = ::recv(descriptor_, to.data(), to.size(), 0);
  if (got == 0 && !to.empty()) return {IoStatus::end, 0, 0};
  return result_of(got);
}

IoResult OsSocket::write(std::span<const Bytes> parts, bool more) {
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  if (parts.size() == 1) return result_of(::send(descriptor_, parts[0].data(), parts[0].size(), flags));
  std::array<iovec, parts_max> vectors;
  const std::size_t count = std::min(parts.size(), parts_max);
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return result_of(::sendmsg(descriptor_, &message, flags | (count < parts.size() ? MSG_MORE : 0)));
}

IoResult OsSocket::send_file(File& file, std::uint64_t offset, std::size_t length) {
  const OsFile::Pin pin(static_cast<OsFile&>(file));
  auto at = static_cast<off_t>(offset);
  const ssize_t sent = ::sendfile(descriptor_, pin.descriptor(), &at, length);
  // The file ends before the range: it was truncated under the reader. That is no end of the peer.
  if (sent == 0 && length > 0) return {IoStatus::failed, 0, EIO};
  return result_of(sent);
}

void OsSocket::shut_down_write() {
  ::shutdown(descriptor_, SHUT_WR);
}

}  // namespace klamm::runtime::os
