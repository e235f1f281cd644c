// What coroutines wait on. Each names the reactor to resume on; each has a deadline or a stop.
#pragma once

#include <atomic>
#include <concepts>
#include <coroutine>
#include <functional>

#include "base/types.h"
#include "runtime/lock.h"
#include "runtime/reactor.h"
#include "runtime/task.h"

namespace klamm::runtime {

// Thrown at a wait when what it belongs to is being stopped.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

// Asked once, heard by every wait that was given its token. Any thread may ask; listeners run on their own reactors.
class StopSource;
class StopToken;

// Continues on `reactor`, from wherever it is.
Task<void> move_to(Reactor& reactor);

// Sleeps until the time. Throws Cancelled when `stop` is asked first.
Task<void> sleep_until(Reactor& reactor, MonoTime at, StopToken& stop);

enum class WaitResult : std::uint8_t { reached, timed_out, closed };

// An offset that only grows and that coroutines await (acks=all, long polls, committed replies). advance() may be called
// from any thread; waiters resume on the reactor they named, once per turn. Closing ends every wait.
class Watermark {
 public:
  Watermark(Scheduling& scheduling, Offset start);
  ~Watermark();  // nobody waits any more

  Offset value() const;
  // Never goes back: a smaller value is ignored.
  void advance(Offset to);
  // After a truncation, when nobody may rely on the old value; wakes nobody.
  void reset(Offset to);
  void close();

  // Waits until value() >= offset.
  Task<WaitResult> wait(Reactor& reactor, Offset offset, MonoTime deadline);

 private:
  struct Waiter;
  ShortLock lock_;
  std::atomic<std::int64_t> value_;
  bool closed_ = false;
  Waiter* waiters_ = nullptr;
};

// Runs the function on an I/O thread and gives back what it returned or threw, on `reactor`.
template <std::invocable F>
Task<std::invoke_result_t<F>> blocking(Reactor& reactor, F function);

}  // namespace klamm::runtime
