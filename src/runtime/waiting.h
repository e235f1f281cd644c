// What coroutines wait on. Each names the reactor to resume on; each has a deadline or a stop.
#pragma once

#include <atomic>
#include <concepts>
#include <coroutine>
#include <functional>
#include <new>
#include <optional>
#include <type_traits>

#include "base/types.h"
#include "runtime/lock.h"
#include "runtime/reactor.h"
#include "runtime/stop.h"
#include "runtime/task.h"

namespace klamm::runtime {

// Resumes a suspended coroutine on a reactor, from any thread. Lives in the waiting coroutine, which may be destroyed
// while the resumption is on its way.
class Resumption final : private Work {
 public:
  explicit Resumption(Reactor& reactor) : reactor_(reactor) {}
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;
  // On the reactor. A thread that may still call post() is kept out by the caller's own lock.
  ~Resumption() override {
    if (posted_) reactor_.withdraw(*this);
  }

  Reactor& reactor() const { return reactor_; }
  void wait_for(std::coroutine_handle<> handle) { handle_ = handle; }
  // Once per wait.
  void post() {
    posted_ = true;
    reactor_.post(*this);
  }
  // On the reactor: at once, instead of post().
  void resume_now() { handle_.resume(); }

 private:
  void run() override {
    posted_ = false;
    handle_.resume();
  }
  void dropped() noexcept override { posted_ = false; }

  Reactor& reactor_;
  std::coroutine_handle<> handle_;
  bool posted_ = false;
};

// Continues on `reactor`, from wherever it is; at once when it is there.
Task<void> move_to(Reactor& reactor);

// Lets everything else that is due run first.
Task<void> yield(Reactor& reactor);

// Sleeps until the time. Throws Cancelled when the stop is asked first.
Task<void> sleep_until(Reactor& reactor, MonoTime at, StopToken stop);
inline Task<void> sleep_for(Reactor& reactor, Duration duration, StopToken stop) {
  return sleep_until(reactor, reactor.now() + duration, stop);
}

enum class WaitResult : std::uint8_t { reached, timed_out, closed };

// An offset that only grows and that coroutines await (acks=all, long polls, committed replies). advance() may be
// called from any thread; waiters resume on the reactor they named. Closing ends every wait.
class Watermark {
 public:
  Watermark(Scheduling& scheduling, Offset start);
  ~Watermark();  // nobody waits any more

  Offset value() const { return Offset(value_.load(std::memory_order_acquire)); }
  // Never goes back: a smaller value is ignored.
  void advance(Offset to);
  // After a truncation, when nobody may rely on the old value; wakes nobody.
  void reset(Offset to);
  void close();

  // Waits until value() >= offset.
  Task<WaitResult> wait(Reactor& reactor, Offset offset, MonoTime deadline);

 private:
  struct Waiter;
  void unlink(Waiter& waiter);

  ShortLock lock_;
  std::atomic<std::int64_t> value_;
  bool closed_ = false;
  Waiter* waiters_ = nullptr;
};

// Coroutines of one reactor wait until somebody calls notify() there: "look again". A notify without waiters is kept
// for the next one.
class Notice {
 public:
  explicit Notice(Reactor& reactor) : reactor_(reactor) {}
  // On the reactor. Wakes all that wait.
  void notify();
  Task<void> wait(MonoTime deadline = never);
  // As above; throws Cancelled when the stop is asked first.
  Task<void> wait(MonoTime deadline, StopToken stop);

 private:
  struct Waiter;
  Reactor& reactor_;
  bool kept_ = false;
  Waiter* waiters_ = nullptr;
};

namespace detail {

// A function on its way to an I/O thread and back. Frees itself when its waiter is gone.
template <typename F>
struct BlockingJob final : BlockingWork {
  using Value = std::invoke_result_t<F>;
  using Kept = std::conditional_t<std::is_void_v<Value>, bool, Value>;

  explicit BlockingJob(F f) : function(std::move(f)) {}

  void block() override {
    if constexpr (std::is_void_v<Value>) {
      function();
      value = true;
    } else {
      value.emplace(function());
    }
  }
  void done() override {
    finished = true;
    if (abandoned) {
      delete this;
    } else {
      waiter.resume();
    }
  }
  void dropped() noexcept override {
    finished = true;
    if (abandoned) delete this;
  }

  F function;
  std::optional<Kept> value;
  std::coroutine_handle<> waiter;
  bool finished = false;
  bool abandoned = false;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* job, std::size_t size) noexcept { free_frame(job, size); }
};

template <typename F>
struct BlockingWait {
  BlockingWait(Reactor& its, F f) : reactor(its), job(new BlockingJob<F>(std::move(f))) {}
  BlockingWait(const BlockingWait&) = delete;
  BlockingWait& operator=(const BlockingWait&) = delete;
  ~BlockingWait() {
    if (!started || job->finished) {
      delete job;
    } else {
      job->abandoned = true;
    }
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    job->waiter = handle;
    started = true;
    reactor.offload(*job);
  }
  typename BlockingJob<F>::Value await_resume() {
    if (job->failure) std::rethrow_exception(job->failure);
    ENSURE(job->value.has_value());
    if constexpr (!std::is_void_v<typename BlockingJob<F>::Value>) return std::move(*job->value);
  }

  Reactor& reactor;
  BlockingJob<F>* job;
  bool started = false;
};

}  // namespace detail

// Runs the function on an I/O thread and gives back what it returned or threw, on `reactor`, which is the caller's.
// When the waiting coroutine is destroyed meanwhile, the function still ends: it refers to nothing of the coroutine's
// then.
template <std::invocable F>
Task<std::invoke_result_t<F>> blocking(Reactor& reactor, F function) {
  detail::BlockingWait<F> wait(reactor, std::move(function));
  co_return co_await wait;
}

}  // namespace klamm::runtime
