#include "runtime/os/epoll_reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/ensure.h"

namespace klamm::runtime::os {

thread_local EpollReactor* EpollReactor::current_ = nullptr;

EpollReactor::EpollReactor(unsigned index, Clock& clock, IoThreads& io)
    : index_(index), clock_(clock), io_(io), now_(clock.now()), wake_up_(*this) {
  event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  event_handle_ = poller_.add(event_, wake_up_);
  poller_.want(event_handle_, EPOLLIN);
}

EpollReactor::~EpollReactor() {
  work_.drop();
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

// The sleeper sets `asleep_`, then looks at the queue; the poster fills the queue, then looks at `asleep_`: one of the
// two sees the other (both sequentially consistent).
void EpollReactor::wake_if_asleep() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) wake();
}

// What another reactor posts is seen at once by one that is awake; one that sleeps is woken at the end of the poster's
// turn, once for all that it was given.
void EpollReactor::post(Work& work) {
  work_.push(work);
  if (current_ == this) return;
  if (current_ == nullptr) {
    wake_if_asleep();
  } else if (std::ranges::find(current_->given_, this) == current_->given_.end()) {
    current_->given_.push_back(this);
  }
}

void EpollReactor::wake_others() {
  for (EpollReactor* other : given_) other->wake_if_asleep();
  given_.clear();
}

void EpollReactor::stop() {
  stopping_.store(true);
  wake();
}

// A deadline is never missed by the time that the turn took, so the clock is read again where one is set.
int EpollReactor::sleep_ms() const {
  const MonoTime next = timers_.next();
  if (next == never) return -1;
  const MonoTime now = clock_.now();
  if (next <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  return static_cast<int>(std::min<std::int64_t>(left, std::int64_t{1} << 30));
}

// What the hooks post still belongs to the turn, within a bound: sockets have to be looked at again some time.
void EpollReactor::run_work_and_hooks() {
  constexpr int rounds_max = 8;
  for (int round = 0; round < rounds_max; ++round) {
    work_.run();
    hooks_.run();
    if (work_.empty()) return;
  }
}

void EpollReactor::turn() {
  now_ = clock_.now();
  poller_.dispatch();
  timers_.fire(now_);
  run_work_and_hooks();
  wake_others();
}

void EpollReactor::run() {
  ENSURE(current_ == nullptr, "a reactor runs inside another");
  current_ = this;
  while (!stopping_.load(std::memory_order_relaxed)) {
    turn();
    int timeout = work_.empty() ? sleep_ms() : 0;
    if (timeout != 0) {
      asleep_.store(true, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (!work_.empty()) timeout = 0;
    }
    if (timeout > 0 && precise_timers_)
      poller_.wait_precisely(std::max(timers_.next() - clock_.now(), MonoTime::duration(0)));
    else
      poller_.wait(timeout);
    asleep_.store(false, std::memory_order_relaxed);
    turns_.fetch_add(1, std::memory_order_relaxed);
  }
  stopping_.store(false);
  current_ = nullptr;
}

bool EpollReactor::run_leftovers() {
  if (work_.empty() && hooks_.empty()) return false;
  ENSURE(current_ == nullptr);
  current_ = this;
  work_.run();
  hooks_.run();
  given_.clear();  // whoever they are, they do not run: their leftovers are run as these are
  current_ = nullptr;
  return true;
}

}  // namespace klamm::runtime::os
