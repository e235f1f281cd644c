// The loop that everything runs on: one per core, each turn reads what is there, runs what was posted, fires timers,
// then calls the turn-end hooks (one send per connection, one wake-up per other core, one group of syncs), then sleeps.
// The real one (runtime/os) is epoll; the simulated one is a queue of events in virtual time under a seed.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>

#include "runtime/clock.h"
#include "runtime/disk.h"

namespace klamm::runtime {

class Reactor;

// Something to run once on a reactor. Intrusive: posting allocates nothing. May be posted again once run() was entered.
class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;
  // Instead of run(), when the reactor ends (a crash in a simulation) before it came to it: what owns itself frees
  // itself.
  virtual void dropped() noexcept {}

 private:
  friend class WorkQueue;
  Work* next_ = nullptr;
};

// Fires once at or after its time, on the reactor it was armed on. Destroying or disarming an armed timer is fine.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();
  virtual void fired() = 0;
  bool armed() const { return reactor_ != nullptr; }

 private:
  friend class TimerQueue;
  Reactor* reactor_ = nullptr;
  MonoTime at_{};
  std::uint64_t order_ = 0;  // of arming: timers of one time fire in it
  std::size_t slot_ = 0;     // in the heap
};

class TurnEndList;

// Called once at the end of the turn in which it was requested. Destroying one that is requested is fine.
class TurnEnd {
 public:
  TurnEnd() = default;
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;
  virtual ~TurnEnd();
  virtual void turn_ended() = 0;

 private:
  friend class TurnEndList;
  TurnEndList* list_ = nullptr;
  TurnEnd* previous_ = nullptr;
  TurnEnd* next_ = nullptr;
};

// Runs `block()` on an I/O thread, then `done()` on the reactor that offloaded it. `block` may throw: done() then finds
// it in `failure`.
class BlockingWork {
 public:
  BlockingWork() = default;
  BlockingWork(const BlockingWork&) = delete;
  BlockingWork& operator=(const BlockingWork&) = delete;
  virtual ~BlockingWork() = default;
  virtual void block() = 0;
  virtual void done() = 0;
  // Instead of done(), when the reactor ends before.
  virtual void dropped() noexcept {}
  std::exception_ptr failure;

 private:
  friend class BlockingWorkList;
  // What the I/O thread posts when it is through.
  struct Completion final : Work {
    explicit Completion(BlockingWork& its) : work(its) {}
    void run() override { work.done(); }
    void dropped() noexcept override { work.dropped(); }
    BlockingWork& work;
  };
  Completion completion_{*this};
  Reactor* home_ = nullptr;
  BlockingWork* next_ = nullptr;
};

// Only `post`, `now` and `index` may be called from another thread.
class Reactor {
 public:
  virtual ~Reactor() = default;

  virtual unsigned index() const = 0;
  // Cached once per turn on the real one: good for timeouts, not for measuring.
  virtual MonoTime now() const = 0;
  virtual Clock& clock() = 0;

  // Any thread. Runs in the order of posting, in a later turn (or later in this one).
  virtual void post(Work& work) = 0;
  // Takes posted work back, if it was not run yet: true then. On the reactor; slow, for work that goes before its time.
  virtual bool withdraw(Work& work) = 0;
  virtual void arm(Timer& timer, MonoTime at) = 0;
  virtual void disarm(Timer& timer) = 0;
  virtual void at_turn_end(TurnEnd& hook) = 0;
  virtual void offload(BlockingWork& work) = 0;
  // Is the caller on this reactor's thread?
  virtual bool is_current() const = 0;
};

}  // namespace klamm::runtime
