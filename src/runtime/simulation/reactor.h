// A reactor of a simulated host. A turn is one event of the world: sockets that are ready, posted work, due timers, the
// turn-end hooks, in the order of the real one. Between two turns of a reactor those of others may run.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "runtime/queues.h"
#include "runtime/simulation/world.h"

namespace klamm::runtime::simulation {

// What is asked in each turn whether it has something to say: sockets.
class TurnSource {
 public:
  virtual ~TurnSource() = default;
  virtual bool ready() const = 0;
  virtual void turn() = 0;
};

class SimulatedReactor final : public Reactor {
 public:
  SimulatedReactor(World& world, Host& host, ProcessRef process, unsigned index, Clock& clock);

  Host& host() { return host_; }
  const ProcessRef& process() const { return process_; }
  // Something to do in the next turn, before posted work.
  void call(std::function<void()> action);
  void add(TurnSource& source) { sources_.push_back(&source); }
  void remove(TurnSource& source);
  // There may be something to do: a turn follows soon, or late when the seed says so.
  void wake();
  // The process died: tells the queued work.
  void drop();

  unsigned index() const override { return index_; }
  MonoTime now() const override { return world_.now(); }
  Clock& clock() override { return clock_; }
  void post(Work& work) override;
  bool withdraw(Work& work) override { return work_.withdraw(work); }
  void arm(Timer& timer, MonoTime at) override;
  void disarm(Timer& timer) override { timers_.disarm(timer); }
  void at_turn_end(TurnEnd& hook) override;
  void offload(BlockingWork& work) override;
  bool is_current() const override { return world_.current_ == this; }

 private:
  void schedule(MonoTime at);
  void turn(std::uint64_t number);
  void run_turn();
  void run_sources();
  bool something_ready() const;

  World& world_;
  Host& host_;
  ProcessRef process_;
  unsigned index_;
  Clock& clock_;
  WorkQueue work_;
  TimerQueue timers_;
  TurnEndList hooks_;
  std::deque<std::function<void()>> calls_;
  std::vector<TurnSource*> sources_;  // null: removed in this turn
  bool in_turn_ = false;
  MonoTime next_turn_ = never;
  std::uint64_t turn_number_ = 0;  // of the scheduled turn; others that were scheduled before are void
  MonoTime busy_until_{};          // blocking calls of the last turn took that long
};

// The I/O threads of a host: so many jobs at a time, each at one instant of virtual time and as long as its disk calls.
class SimulatedIoThreads {
 public:
  SimulatedIoThreads(World& world, Host& host, unsigned count) : world_(world), host_(host), free_at_(count) {}
  void run(BlockingWork& work, SimulatedReactor& home);
  void drop();

 private:
  void begin(std::uint64_t number);
  void end(std::uint64_t number);

  struct Job {
    std::uint64_t number;
    BlockingWork* work;
    SimulatedReactor* home;
    std::size_t thread;
  };
  World& world_;
  Host& host_;
  std::vector<MonoTime> free_at_;
  std::vector<Job> jobs_;
  std::uint64_t count_ = 0;
};

}  // namespace klamm::runtime::simulation
