// The real loop. One turn: events of sockets, due timers, posted work, turn-end hooks (again while the hooks post
// work), one wake-up for each other reactor that was given something, then sleep. It makes no system call but
// epoll_wait by itself, and none at all to be woken while it is awake.
#pragma once

#include <atomic>
#include <vector>

#include "runtime/os/clock.h"
#include "runtime/os/io_threads.h"
#include "runtime/os/poller.h"
#include "runtime/queues.h"
#include "runtime/reactor.h"

namespace klamm::runtime::os {

class EpollReactor final : public Reactor {
 public:
  EpollReactor(unsigned index, Clock& clock, IoThreads& io);
  ~EpollReactor() override;

  // Timers fire to the microsecond instead of the millisecond: more wake-ups, for who paces something.
  void set_precise_timers() { precise_timers_ = true; }
  // Runs turns on the calling thread until stop().
  void run();
  // Any thread, also a signal handler: run() returns after the turn it is in.
  void stop();
  // Runs what is still posted, when run() has returned; true when there was any.
  bool run_leftovers();

  Poller& poller() { return poller_; }
  // How often epoll_wait returned: what an idle reactor must not do.
  std::uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }

  unsigned index() const override { return index_; }
  MonoTime now() const override { return now_; }
  Clock& clock() override { return clock_; }
  void post(Work& work) override;
  bool withdraw(Work& work) override { return work_.withdraw(work); }
  void arm(Timer& timer, MonoTime at) override { timers_.arm(*this, timer, at); }
  void disarm(Timer& timer) override { timers_.disarm(timer); }
  void at_turn_end(TurnEnd& hook) override { hooks_.add(hook); }
  void offload(BlockingWork& work) override { io_.run(work, *this); }
  bool is_current() const override { return current_ == this; }

 private:
  struct WakeUp final : Poller::Target {
    explicit WakeUp(EpollReactor& its) : reactor(its) {}
    void ready(std::uint32_t events) override;
    EpollReactor& reactor;
  };
  void wake();
  void wake_if_asleep();
  void turn();
  void run_work_and_hooks();
  void wake_others();
  int sleep_ms() const;

  unsigned index_;
  bool precise_timers_ = false;
  Clock& clock_;
  IoThreads& io_;
  Poller poller_;
  WorkQueue work_;
  TimerQueue timers_;
  TurnEndList hooks_;
  MonoTime now_;
  int event_ = -1;
  std::uint32_t event_handle_ = 0;
  WakeUp wake_up_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};
  std::vector<EpollReactor*> given_;  // who was given work in this turn
  static thread_local EpollReactor* current_;
  std::atomic<std::uint64_t> turns_{0};
};

}  // namespace klamm::runtime::os
