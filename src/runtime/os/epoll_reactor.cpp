#include "runtime/os/epoll_reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace klamm::runtime::os {

EpollReactor::EpollReactor(unsigned index, Clock& clock, IoThreads& io)
    : index_(index), clock_(clock), io_(io), now_(clock.now()), wake_up_(*this) {
  event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  event_handle_ = poller_.add(event_, wake_up_);
  poller_.want(event_handle_, EPOLLIN);
}

EpollReactor::~EpollReactor() {
  poller_.remove(event_handle_);
  ::close(event_);
}

void EpollReactor::WakeUp::ready(std::uint32_t) {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(reactor.event_, &count, sizeof count);
}

void EpollReactor::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

// The sleeper sets `asleep_`, then looks at the queue; the poster fills the queue, then looks at `asleep_`: one of the two
// sees the other (both sequentially consistent).
void EpollReactor::post(Work& work) {
  work_.push(work);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) wake();
}

void EpollReactor::stop() {
  stopping_.store(true);
  wake();
}

int EpollReactor::sleep_ms() const {
  const MonoTime next = timers_.next();
  if (next == never) return -1;
  if (next <= now_) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now_).count();
  return static_cast<int>(std::min<std::int64_t>(left, std::int64_t{1} << 30));
}

void EpollReactor::run() {
  thread_.store(std::this_thread::get_id());
  while (!stopping_.load(std::memory_order_relaxed)) {
    now_ = clock_.now();
    poller_.dispatch();
    work_.run();
    timers_.fire(now_);
    hooks_.run();

    int timeout = work_.empty() ? sleep_ms() : 0;
    if (timeout != 0) {
      asleep_.store(true, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (!work_.empty()) timeout = 0;
    }
    poller_.wait(timeout);
    asleep_.store(false, std::memory_order_relaxed);
    turns_.fetch_add(1, std::memory_order_relaxed);
  }
  stopping_.store(false);
  thread_.store({});
}

}  // namespace klamm::runtime::os
