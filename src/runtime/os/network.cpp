#include "runtime/os/network.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include "base/ensure.h"
#include "runtime/os/epoll_reactor.h"
#include "runtime/os/socket.h"

namespace klamm::runtime::os {
namespace {

// Connections taken in one go; more wait for the next turn, so that a storm does not starve those that are there.
constexpr int accepts_per_turn = 64;

[[noreturn]] void fail_with(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

SocketAddress local_address(int descriptor) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&raw), &size) != 0) return {};
  return to_address(raw);
}

// The listening descriptor in the epoll of one reactor.
class Acceptor final : public Poller::Target {
 public:
  Acceptor(EpollReactor& reactor, int descriptor, AcceptEvents& events, const SocketOptions& options)
      : reactor_(reactor), descriptor_(descriptor), events_(events), options_(options) {
    handle_ = reactor_.poller().add(descriptor_, *this);
    reactor_.poller().want(handle_, EPOLLIN | EPOLLEXCLUSIVE);
  }
  ~Acceptor() override { reactor_.poller().remove(handle_); }

  void ready(std::uint32_t) override {
    for (int i = 0; i < accepts_per_turn; ++i) {
      sockaddr_storage raw{};
      socklen_t size = sizeof raw;
      const int descriptor = ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&raw), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EMFILE || errno == ENFILE) shed();
        return;
      }
      SocketAddress peer = to_address(raw);
      tune(descriptor, options_, peer);
      events_.on_accepted(std::make_unique<OsSocket>(reactor_, descriptor, local_address(descriptor), std::move(peer)));
    }
  }

 private:
  // No descriptor left: a waiting connection would wake the loop for ever. A spare one takes it in and closes it.
  void shed() {
    if (spare_ >= 0) ::close(spare_);
    const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0) ::close(descriptor);
    spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  EpollReactor& reactor_;
  int descriptor_;
  AcceptEvents& events_;
  SocketOptions options_;
  std::uint32_t handle_ = 0;
  int spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
};

class OsListener final : public Listener {
 public:
  OsListener(int descriptor, SocketOptions options)
      : descriptor_(descriptor), options_(options), address_(local_address(descriptor)) {}
  ~OsListener() override {
    for (const auto& acceptor : acceptors_) ENSURE(acceptor == nullptr, "a reactor still listens");
    ::close(descriptor_);
  }

  const SocketAddress& address() const override { return address_; }
  void join(Reactor& reactor, AcceptEvents& events) override {
    const std::scoped_lock guard(mutex_);
    auto& its = slot(reactor);
    ENSURE(its == nullptr);
    its = std::make_unique<Acceptor>(static_cast<EpollReactor&>(reactor), descriptor_, events, options_);
  }
  void leave(Reactor& reactor) override {
    const std::scoped_lock guard(mutex_);
    slot(reactor).reset();
  }

 private:
  std::unique_ptr<Acceptor>& slot(Reactor& reactor) {
    if (acceptors_.size() <= reactor.index()) acceptors_.resize(reactor.index() + 1);
    return acceptors_[reactor.index()];
  }

  int descriptor_;
  SocketOptions options_;
  SocketAddress address_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // by index of the reactor
};

// A descriptor that is closed unless somebody takes it.
struct Descriptor {
  explicit Descriptor(int its) : value(its) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int take() { return std::exchange(value, -1); }
  int value;
};

// Waits until the descriptor is writable or the deadline is there.
struct Connected final : Poller::Target, Timer {
  Connected(EpollReactor& its, int descriptor, MonoTime until) : reactor(its), deadline(until) {
    handle = reactor.poller().add(descriptor, *this);
  }
  ~Connected() override { reactor.poller().remove(handle); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> its) {
    waiting = its;
    reactor.poller().want(handle, EPOLLOUT);
    if (deadline != never) reactor.arm(*this, deadline);
  }
  bool await_resume() const { return in_time; }
  void ready(std::uint32_t) override {
    in_time = true;
    reactor.poller().want(handle, 0);
    reactor.disarm(*this);
    waiting.resume();
  }
  void fired() override {
    reactor.poller().want(handle, 0);
    waiting.resume();
  }

  EpollReactor& reactor;
  MonoTime deadline;
  std::uint32_t handle = 0;
  std::coroutine_handle<> waiting;
  bool in_time = false;
};

}  // namespace

std::unique_ptr<Listener> OsNetwork::listen(const SocketAddress& address, const SocketOptions& options) {
  const bool any = address.host.empty();
  sockaddr_storage raw{};
  socklen_t size = from_address({any ? "::" : address.host, address.port}, raw);
  int descriptor = ::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0 && any) {  // a machine without IPv6
    size = from_address({"0.0.0.0", address.port}, raw);
    descriptor = ::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (descriptor < 0) fail_with(errno, "socket");
  Descriptor owned(descriptor);
  const int on = 1;
  const int off = 0;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (raw.ss_family == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
  // The window that a connection announces comes from the listening socket.
  if (options.receive_buffer_bytes > 0) {
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof options.receive_buffer_bytes);
  }
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&raw), size) != 0) fail_with(errno, "bind " + address.to_string());
  if (::listen(descriptor, std::max(options.backlog, 1)) != 0) fail_with(errno, "listen " + address.to_string());
  return std::make_unique<OsListener>(owned.take(), options);
}

Task<SocketRef> OsNetwork::connect(Reactor& reactor, SocketAddress to, SocketOptions options, MonoTime deadline) {
  auto& epoll = static_cast<EpollReactor&>(reactor);
  sockaddr_storage raw{};
  const socklen_t size = from_address(to, raw);
  Descriptor owned(::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (owned.value < 0) fail_with(errno, "socket");
  tune(owned.value, options, to);
  if (::connect(owned.value, reinterpret_cast<const sockaddr*>(&raw), size) != 0) {
    if (errno != EINPROGRESS) fail_with(errno, "connect " + to.to_string());
    Connected connected(epoll, owned.value, deadline);
    if (!co_await connected) fail_with(ETIMEDOUT, "connect " + to.to_string());
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(owned.value, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) fail_with(error, "connect " + to.to_string());
  }
  SocketAddress local = local_address(owned.value);
  co_return std::make_unique<OsSocket>(epoll, owned.take(), std::move(local), std::move(to));
}

std::vector<std::string> OsNetwork::resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (result != 0) {
    const int error = result == EAI_SYSTEM ? errno : result == EAI_AGAIN ? EAGAIN : EHOSTUNREACH;
    throw std::system_error(error, std::generic_category(), host + ": " + ::gai_strerror(result));
  }
  std::vector<std::string> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    sockaddr_storage raw{};
    std::memcpy(&raw, at->ai_addr, at->ai_addrlen);
    std::string address = to_address(raw).host;
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(std::move(address));
  }
  ::freeaddrinfo(found);
  return addresses;
}

std::string OsNetwork::canonical_host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  addrinfo hints{};
  hints.ai_flags = AI_CANONNAME;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return name;
  std::string canonical = found->ai_canonname != nullptr ? found->ai_canonname : name;
  ::freeaddrinfo(found);
  return canonical;
}

}  // namespace klamm::runtime::os
