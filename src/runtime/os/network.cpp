#include "runtime/os/network.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
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

class Acceptor;

// What the reactors that listen share. Kept by connections on their way, which may outlive the listener.
struct Shared {
  Shared(int its, SocketOptions with);
  ~Shared();
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const int descriptor;  // the listener's: closed with it
  const SocketOptions options;
  const SocketAddress address;
  std::mutex mutex;
  std::vector<std::unique_ptr<Acceptor>> acceptors;  // by index of the reactor; null where nobody listens
};
using SharedRef = std::shared_ptr<Shared>;

// The listening descriptor in the epoll of one reactor. The kernel wakes whoever went to sleep last, so that one
// reactor would get most connections; one that has more of them than another hands the new one over.
class Acceptor final : public Poller::Target, private Timer {
 public:
  Acceptor(EpollReactor& reactor, SharedRef shared, AcceptEvents& events)
      : reactor_(reactor), shared_(std::move(shared)), events_(events) {
    handle_ = reactor_.poller().add(shared_->descriptor, *this);
    watch();
  }
  ~Acceptor() override {
    reactor_.poller().remove(handle_);
    if (spare_ >= 0) ::close(spare_);
  }

  EpollReactor& reactor() { return reactor_; }
  void ready(std::uint32_t) override;
  void take(int descriptor, SocketAddress peer);

  // Connections that it was given and that are open. Any thread reads it.
  std::shared_ptr<std::atomic<int>> open = std::make_shared<std::atomic<int>>(0);

 private:
  void watch() { reactor_.poller().want(handle_, EPOLLIN | EPOLLEXCLUSIVE); }
  void fired() override { watch(); }
  void shed();
  void rest();
  void give(int descriptor, SocketAddress peer);

  EpollReactor& reactor_;
  SharedRef shared_;
  AcceptEvents& events_;
  std::uint32_t handle_ = 0;
  int spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
};

Shared::Shared(int its, SocketOptions with) : descriptor(its), options(with), address(local_address(its)) {}
Shared::~Shared() = default;

// A connection on its way to the reactor that shall have it.
struct HandOver final : Work {
  HandOver(SharedRef its, unsigned index, int accepted, SocketAddress from)
      : shared(std::move(its)), reactor(index), descriptor(accepted), peer(std::move(from)) {}

  void run() override {
    const std::unique_ptr<HandOver> self(this);
    Acceptor* acceptor = nullptr;
    {
      // It leaves on its own reactor, where this runs: what is there now stays until this ends.
      const std::scoped_lock guard(shared->mutex);
      if (reactor < shared->acceptors.size()) acceptor = shared->acceptors[reactor].get();
    }
    if (acceptor == nullptr) {
      ::close(descriptor);
      return;
    }
    acceptor->open->fetch_sub(1, std::memory_order_relaxed);  // counted while it was on its way
    acceptor->take(descriptor, std::move(peer));
  }
  void dropped() noexcept override {
    ::close(descriptor);
    delete this;
  }

  SharedRef shared;
  unsigned reactor;
  int descriptor;
  SocketAddress peer;
};

void Acceptor::ready(std::uint32_t) {
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    const int descriptor =
        ::accept4(shared_->descriptor, reinterpret_cast<sockaddr*>(&raw), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      give(descriptor, to_address(raw));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE) {
      shed();
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
      rest();  // no memory: the connection stays, and would wake the loop at once again
    }
    return;
  }
}

// No descriptor left: a waiting connection would wake the loop for ever. A spare one takes it in and closes it.
void Acceptor::shed() {
  if (spare_ >= 0) ::close(spare_);
  const int descriptor = ::accept4(shared_->descriptor, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor >= 0) ::close(descriptor);
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || spare_ < 0) rest();
}

void Acceptor::rest() {
  reactor_.poller().want(handle_, 0);
  reactor_.arm(*this, reactor_.now() + std::chrono::milliseconds(100));
}

void Acceptor::give(int descriptor, SocketAddress peer) {
  const Acceptor* fewest = this;
  int count = open->load(std::memory_order_relaxed);
  {
    const std::scoped_lock guard(shared_->mutex);
    for (const auto& other : shared_->acceptors) {
      if (other == nullptr || other->open->load(std::memory_order_relaxed) >= count) continue;
      count = other->open->load(std::memory_order_relaxed);
      fewest = other.get();
    }
    if (fewest != this) {
      fewest->open->fetch_add(1, std::memory_order_relaxed);
      auto* handing = new HandOver(shared_, fewest->reactor_.index(), descriptor, std::move(peer));
      fewest->reactor_.post(*handing);
      return;
    }
  }
  take(descriptor, std::move(peer));
}

void Acceptor::take(int descriptor, SocketAddress peer) {
  SocketAddress local = local_address(descriptor);
  tune(descriptor, shared_->options, local, peer);
  auto socket = std::make_unique<OsSocket>(reactor_, descriptor, std::move(local), std::move(peer));
  socket->count_in(open);
  events_.on_accepted(std::move(socket));
}

class OsListener final : public Listener {
 public:
  OsListener(int descriptor, SocketOptions options) : shared_(std::make_shared<Shared>(descriptor, options)) {}
  ~OsListener() override {
    for (const auto& acceptor : shared_->acceptors) ENSURE(acceptor == nullptr, "a reactor still listens");
    ::close(shared_->descriptor);
  }

  const SocketAddress& address() const override { return shared_->address; }
  void join(Reactor& reactor, AcceptEvents& events) override {
    auto acceptor = std::make_unique<Acceptor>(static_cast<EpollReactor&>(reactor), shared_, events);
    const std::scoped_lock guard(shared_->mutex);
    auto& acceptors = shared_->acceptors;
    if (acceptors.size() <= reactor.index()) acceptors.resize(reactor.index() + 1);
    ENSURE(acceptors[reactor.index()] == nullptr);
    acceptors[reactor.index()] = std::move(acceptor);
  }
  void leave(Reactor& reactor) override {
    std::unique_ptr<Acceptor> acceptor;
    const std::scoped_lock guard(shared_->mutex);
    if (reactor.index() < shared_->acceptors.size()) acceptor = std::move(shared_->acceptors[reactor.index()]);
  }

 private:
  SharedRef shared_;
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
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&raw), size) != 0)
    fail_with(errno, "bind " + address.to_string());
  if (::listen(descriptor, std::max(options.backlog, 1)) != 0) fail_with(errno, "listen " + address.to_string());
  return std::make_unique<OsListener>(owned.take(), options);
}

Task<SocketRef> OsNetwork::connect(Reactor& reactor, SocketAddress to, SocketOptions options, MonoTime deadline) {
  auto& epoll = static_cast<EpollReactor&>(reactor);
  sockaddr_storage raw{};
  const socklen_t size = from_address(to, raw);
  Descriptor owned(::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (owned.value < 0) fail_with(errno, "socket");
  tune(owned.value, options, {}, to);
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
  // RFC 6761, 6.3: this name is the loopback, whether or not /etc/hosts or a name server knows it.
  if (result != 0 && ::strcasecmp(host.c_str(), "localhost") == 0) return {"127.0.0.1"};
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
