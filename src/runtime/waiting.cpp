#include "runtime/waiting.h"

#include "base/ensure.h"

namespace klamm::runtime {

namespace {

struct PostedResume {
  explicit PostedResume(Reactor& reactor) : resumption(reactor) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    resumption.wait_for(handle);
    resumption.post();
  }
  void await_resume() const noexcept {}

  Resumption resumption;
};

struct Sleep final : Timer, StopListener {
  Sleep(Reactor& its, MonoTime when, StopToken stop) : StopListener(stop), reactor(its), at(when) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle = waiting;
    reactor.arm(*this, at);
  }
  void await_resume() const {
    if (cancelled) throw Cancelled();
  }
  void fired() override { handle.resume(); }
  void stop_asked() override {
    cancelled = true;
    reactor.disarm(*this);
    handle.resume();
  }

  Reactor& reactor;
  MonoTime at;
  std::coroutine_handle<> handle;
  bool cancelled = false;
};

}  // namespace

Task<void> move_to(Reactor& reactor) {
  if (reactor.is_current()) co_return;
  PostedResume posted(reactor);
  co_await posted;
}

Task<void> yield(Reactor& reactor) {
  PostedResume posted(reactor);
  co_await posted;
}

Task<void> sleep_until(Reactor& reactor, MonoTime at, StopToken stop) {
  stop.check();
  Sleep sleep(reactor, at, stop);
  co_await sleep;
}

// --- Watermark -------------------------------------------------------------------------------------------------------

// Linked until it is reached, timed out or closed; whoever unlinks it (under the lock) decides the result.
struct Watermark::Waiter final : Timer {
  Waiter(Watermark& its, Reactor& reactor, Offset wanted, MonoTime until)
      : watermark(its), resumption(reactor), offset(wanted), deadline(until) {}
  ~Waiter() override {
    const ShortLock::Guard guard(watermark.lock_);
    if (linked) watermark.unlink(*this);
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    resumption.wait_for(handle);
    if (deadline != never) resumption.reactor().arm(*this, deadline);
    const ShortLock::Guard guard(watermark.lock_);
    if (watermark.value() >= offset) {
      result = WaitResult::reached;
      return false;
    }
    if (watermark.closed_) {
      result = WaitResult::closed;
      return false;
    }
    next = watermark.waiters_;
    if (next != nullptr) next->previous = this;
    watermark.waiters_ = this;
    linked = true;
    return true;
  }
  WaitResult await_resume() {
    if (armed()) resumption.reactor().disarm(*this);
    return result;
  }

  void fired() override {
    {
      const ShortLock::Guard guard(watermark.lock_);
      if (!linked) return;  // reached meanwhile: the resumption is on its way
      watermark.unlink(*this);
      result = WaitResult::timed_out;
    }
    resumption.resume_now();
  }

  Watermark& watermark;
  Resumption resumption;
  Offset offset;
  MonoTime deadline;
  WaitResult result = WaitResult::closed;
  bool linked = false;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
};

Watermark::Watermark(Scheduling& scheduling, Offset start) : lock_(scheduling), value_(start.value) {}

Watermark::~Watermark() {
  ENSURE(waiters_ == nullptr);
}

void Watermark::unlink(Waiter& waiter) {
  (waiter.previous != nullptr ? waiter.previous->next : waiters_) = waiter.next;
  if (waiter.next != nullptr) waiter.next->previous = waiter.previous;
  waiter.previous = waiter.next = nullptr;
  waiter.linked = false;
}

void Watermark::advance(Offset to) {
  const ShortLock::Guard guard(lock_);
  if (to.value <= value_.load(std::memory_order_relaxed)) return;
  value_.store(to.value, std::memory_order_release);
  for (Waiter* waiter = waiters_; waiter != nullptr;) {
    Waiter* next = waiter->next;
    if (waiter->offset <= to) {
      unlink(*waiter);
      waiter->result = WaitResult::reached;
      waiter->resumption.post();
    }
    waiter = next;
  }
}

void Watermark::reset(Offset to) {
  const ShortLock::Guard guard(lock_);
  value_.store(to.value, std::memory_order_release);
}

void Watermark::close() {
  const ShortLock::Guard guard(lock_);
  closed_ = true;
  while (waiters_ != nullptr) {
    Waiter& waiter = *waiters_;
    unlink(waiter);
    waiter.result = WaitResult::closed;
    waiter.resumption.post();
  }
}

Task<WaitResult> Watermark::wait(Reactor& reactor, Offset offset, MonoTime deadline) {
  if (value() >= offset) co_return WaitResult::reached;
  Waiter waiter(*this, reactor, offset, deadline);
  co_return co_await waiter;
}

// --- Notice ----------------------------------------------------------------------------------------------------------

struct Notice::Waiter final : Timer {
  Waiter(Notice& its, MonoTime until) : notice(its), deadline(until) {}
  ~Waiter() override { unlink(); }

  bool await_ready() {
    const bool told = std::exchange(notice.kept_, false);
    return told;
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle = waiting;
    next = notice.waiters_;
    if (next != nullptr) next->previous = this;
    notice.waiters_ = this;
    linked = true;
    if (deadline != never) notice.reactor_.arm(*this, deadline);
  }
  void await_resume() const {
    if (cancelled) throw Cancelled();
  }
  void end() {
    unlink();
    if (armed()) notice.reactor_.disarm(*this);
    handle.resume();
  }
  void fired() override { end(); }
  void unlink() {
    if (!linked) return;
    (previous != nullptr ? previous->next : notice.waiters_) = next;
    if (next != nullptr) next->previous = previous;
    previous = next = nullptr;
    linked = false;
  }

  Notice& notice;
  MonoTime deadline;
  std::coroutine_handle<> handle;
  bool linked = false;
  bool cancelled = false;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
};

void Notice::notify() {
  if (waiters_ == nullptr) {
    kept_ = true;
    return;
  }
  // Those that wait now, not those that wait again because of it.
  std::size_t count = 0;
  for (Waiter* waiter = waiters_; waiter != nullptr; waiter = waiter->next) ++count;
  while (count-- > 0 && waiters_ != nullptr) {
    Waiter* last = waiters_;
    while (last->next != nullptr) last = last->next;
    last->end();
  }
}

Task<void> Notice::wait(MonoTime deadline) {
  Waiter waiter(*this, deadline);
  co_await waiter;
}

namespace {

template <typename Waiter>
struct CancelWaiter final : StopListener {
  CancelWaiter(StopToken token, Waiter& its) : StopListener(token), waiter(its) {}
  void stop_asked() override {
    waiter.cancelled = true;
    waiter.end();
  }
  Waiter& waiter;
};

}  // namespace

Task<void> Notice::wait(MonoTime deadline, StopToken stop) {
  stop.check();
  Waiter waiter(*this, deadline);
  CancelWaiter<Waiter> listener(stop, waiter);
  co_await waiter;
}

}  // namespace klamm::runtime
