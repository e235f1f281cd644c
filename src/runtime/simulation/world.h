// A whole cluster in one thread and in virtual time: hosts with reactors, disks and clocks, and the network between
// them. Unmodified code runs on it; everything that may differ between two runs (who goes first, how long things take,
// what fails) comes from one seed.
//
//   World world({.seed = 7});
//   Host& host = world.add_host("broker-1");
//   auto broker = std::make_unique<Thing>(host.environment());
//   host.on_death([&] { broker.reset(); });
//   world.run(host, broker->start());
//   host.crash(Crash::power);                          // calls on_death
//   host.restart();
//   broker = std::make_unique<Thing>(host.environment());
//
// A crash: the host's reactors run nothing any more, its peers see what the kind of crash lets them see, the disk keeps
// what the kind of crash lets it keep; then on_death is called and destroys the objects of the process. What these
// still ask of disk, network and reactors while they go changes nothing (Process::gone).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/environment.h"
#include "runtime/simulation/chance.h"
#include "runtime/simulation/trace.h"
#include "runtime/task.h"

namespace klamm::runtime::simulation {

class World;
class Host;
class SimulatedDisk;
class SimulatedReactor;
class SimulatedIoThreads;
class Wire;

enum class Crash : std::uint8_t {
  process,  // kill -9: the page cache survives, peers get resets
  power,    // the cord is pulled: what was not synced may be gone or torn, peers hear nothing
};

struct Options {
  std::uint64_t seed = 1;
  unsigned reactors = 2;  // of each host
  unsigned io_threads = 2;
  Duration turn_delay_max = std::chrono::microseconds(20);  // from a wake-up to the turn
  unsigned late_wake_up_one_in = 50;                        // that often a wake-up takes up to late_wake_up_max instead
  Duration late_wake_up_max = std::chrono::milliseconds(5);
  unsigned refuse_try_lock_one_in = 8;
  Duration disk_call_max = std::chrono::microseconds(50);  // a call takes up to it
  Duration sync_max = std::chrono::milliseconds(2);
  unsigned not_resident_one_in = 8;         // that often a range has to be loaded first
  unsigned rare_places_one_in = 4;          // so many of the places of Scheduling::chance are live in a seed ...
  unsigned rare_one_in = 8;                 // ... and do it that often
  Timestamp wall_start{1'767'225'600'000};  // 2026-01-01 00:00:00 UTC
  bool keep_trace = false;
};

// Thrown by a disk call at which the host crashes, through whatever was running. Nothing that catches it can do
// anything any more: disk and network are dead already. It looks like an I/O error so that it takes no path of its own.
class HostCrashed final : public DiskError {
 public:
  explicit HostCrashed(std::string_view path);
};

// One life of a host's process, from its start to its end.
class Process {
 public:
  enum class State : std::uint8_t { alive, dying, dead };

  // False while it lives. In the event in which it crashes every call throws HostCrashed; when that is over, calls are
  // those of destructors and do nothing (true).
  bool gone() const;

  State state = State::alive;
  unsigned life = 0;  // counts the starts of the host
};
using ProcessRef = std::shared_ptr<Process>;

class Host {
 public:
  Host(World& world, unsigned number, std::string name);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const { return name_; }
  unsigned number() const { return number_; }
  // "10.0.0.1"; the name resolves to it.
  const std::string& address() const { return address_; }
  // Of the present life: valid until restart().
  Environment& environment();
  SimulatedDisk& disk() { return *disk_; }
  Trace& trace() const;

  // Destroys the objects of the process. Called outside of all events.
  void on_death(std::function<void()> action) { on_death_ = std::move(action); }
  // In the middle of an event it takes effect when that event is over.
  void crash(Crash kind);
  // At the n-th (from 1) disk call from now on that changes something, in the middle of whatever makes it.
  void crash_at_disk_call(std::uint64_t n, Crash kind);
  void cancel_crash();
  // How it died, in on_death.
  Crash last_crash() const { return crash_kind_; }
  // A new life. The objects of the last one are gone: either it crashed, or its owner ended it in order.
  void restart();
  bool alive() const { return process_->state == Process::State::alive; }
  unsigned life() const { return process_->life; }

  // Nothing of it runs until resume(); what the network brings is kept.
  void pause();
  void resume();
  bool paused() const { return paused_; }
  // The wall clock jumps; and from now on runs so much too fast (in parts per million).
  void jump_wall(std::chrono::milliseconds by);
  void drift_wall(std::int64_t parts_per_million);

 private:
  friend class World;
  friend class SimulatedReactor;
  friend class SimulatedIoThreads;
  friend class SimulatedDisk;
  friend class Wire;
  struct Parts;  // what a life consists of

  void start();
  void died();

  World& world_;
  unsigned number_;
  std::string name_;
  std::string address_;
  ProcessRef process_;
  std::unique_ptr<SimulatedDisk> disk_;
  std::unique_ptr<Parts> parts_;
  std::function<void()> on_death_;
  Crash crash_kind_ = Crash::process;
  bool paused_ = false;
  std::vector<std::function<void()>> held_;  // while paused

  MonoTime wall_from_{};
  Timestamp wall_at_;
  std::int64_t drift_ = 0;
  Timestamp wall() const;
};

class World {
 public:
  explicit World(Options options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Host& add_host(std::string name);
  Host& host(std::string_view name);
  Wire& wire() { return *wire_; }
  const Options& options() const { return options_; }
  Trace& trace() { return trace_; }
  MonoTime now() const { return now_; }
  // For the story itself: workloads and who crashes when. Goes its own way, so that a story that asks more does not
  // change what disks and networks do.
  Chance& story_chance() { return story_chance_; }

  // Calls it at the time, outside of every host. For what happens to hosts: crashes, cuts, jumps.
  void at(MonoTime time, std::function<void()> action);
  void after(Duration delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

  // The next event; false when nothing will ever happen again.
  bool step();
  void run_until(MonoTime time);
  void run_for(Duration duration) { run_until(now_ + duration); }
  // Until the condition holds (true) or the time is over (false).
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // Runs a task on a reactor of the host until it ends; gives back what it returned or threw. Throws std::runtime_error
  // when the host dies meanwhile, and when the task does not end within the limit.
  template <typename T>
  T run(Host& host, Task<T> task, Duration limit = std::chrono::hours(1), unsigned reactor = 0);

 private:
  friend class Host;
  friend class SimulatedReactor;
  friend class SimulatedIoThreads;
  friend class SimulatedDisk;
  friend class SimulatedFile;
  friend class ProcessDisk;
  friend class SimulatedNetwork;
  friend class Wire;

  struct Event {
    MonoTime at;
    std::uint64_t chance;  // who goes first at one time is the seed's choice
    std::uint64_t number;
    std::function<void()> action;
    bool operator>(const Event& other) const;
  };
  struct RunState;

  Chance& chance() { return chance_; }
  // An event of the host's present life: not run when that is over, kept while the host is paused.
  void schedule(Host& host, MonoTime time, std::function<void()> action);
  void execute(const std::function<void()>& action);
  void bury();
  // `started` is posted to the reactor; false when it did not end in time.
  bool run_work(Host& host, unsigned reactor, Work& work, const bool& ended, Duration limit);

  Options options_;
  Chance chance_;
  Chance story_chance_;
  Trace trace_;
  MonoTime now_{};
  std::vector<Event> events_;  // a heap
  std::uint64_t event_count_ = 0;
  bool in_event_ = false;
  std::unique_ptr<Wire> wire_;
  std::vector<std::unique_ptr<Host>> hosts_;

  // Of the event that runs: whose reactor, and what its disk calls cost.
  SimulatedReactor* current_ = nullptr;
  Duration cost_{};
};

namespace detail {

// Runs a task as posted work and remembers how it ended.
template <typename T>
struct StoryTask final : Work {
  struct Root {
    struct promise_type {
      Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() noexcept { ENSURE(false); }
    };
    std::coroutine_handle<promise_type> handle;
  };

  explicit StoryTask(Task<T> what) : task(std::move(what)), root(go()) {}
  ~StoryTask() override { root.handle.destroy(); }

  Root go() {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(task);
        value = true;
      } else {
        value.emplace(co_await std::move(task));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    ended = true;
  }
  void run() override { root.handle.resume(); }

  Task<T> task;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  std::exception_ptr failure;
  bool ended = false;
  Root root;
};

}  // namespace detail

template <typename T>
T World::run(Host& host, Task<T> task, Duration limit, unsigned reactor) {
  detail::StoryTask<T> story(std::move(task));
  const bool in_time = run_work(host, reactor, story, story.ended, limit);
  if (!in_time) throw std::runtime_error(host.alive() ? "the task did not end in time" : "the host died meanwhile");
  if (story.failure) std::rethrow_exception(story.failure);
  if constexpr (!std::is_void_v<T>) return std::move(*story.value);
}

}  // namespace klamm::runtime::simulation
