// The machine as an Environment: reactors on threads, I/O threads, disk, network. cli/ makes one; a test may make
// several.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "runtime/environment.h"
#include "runtime/os/clock.h"
#include "runtime/os/disk.h"
#include "runtime/os/epoll_reactor.h"
#include "runtime/os/network.h"
#include "runtime/task.h"

namespace klamm::runtime::os {

class System {
 public:
  struct Options {
    unsigned reactors = 0;    // 0: one per core
    unsigned io_threads = 2;  // 0: four
    bool io_uring = true;
    std::size_t descriptors_max = 0;
  };

  System(Options options, LogSink& log);
  // The threads have ended: stop() was called and run() returned, or neither was.
  ~System();

  Environment& environment() { return environment_; }
  EpollReactor& reactor(unsigned index) { return *reactors_[index]; }

  // Runs the first reactor on the calling thread and the others on their own, until stop(). May be called again.
  void run();
  // Any thread; the first reactor also from a signal handler.
  void stop();
  // Runs the task on the first reactor, then stops; gives back what it returned or threw. For tools and tests.
  template <typename T>
  T run_until_done(Task<T> task);

 private:
  void run_leftovers();

  struct FreeScheduling final : Scheduling {
    bool refuse_try_lock() override { return false; }
  };

  SystemClock clock_;
  SystemRandom random_;
  OsDisk disk_;
  OsNetwork network_;
  FreeScheduling scheduling_;
  std::unique_ptr<IoThreads> io_;
  std::vector<std::unique_ptr<EpollReactor>> reactors_;
  Environment environment_;
};

namespace detail {

// Runs a task as the first thing on the first reactor and stops the system when it has ended.
template <typename T>
struct MainTask final : Work {
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

  MainTask(System& its, Task<T> what) : system(its), task(std::move(what)), root(go()) {}
  ~MainTask() override { root.handle.destroy(); }

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
    system.stop();
  }
  void run() override { root.handle.resume(); }

  System& system;
  Task<T> task;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  std::exception_ptr failure;
  Root root;
};

}  // namespace detail

template <typename T>
T System::run_until_done(Task<T> task) {
  detail::MainTask<T> main(*this, std::move(task));
  reactors_.front()->post(main);
  run();
  if (main.failure) std::rethrow_exception(main.failure);
  if constexpr (!std::is_void_v<T>) return std::move(*main.value);
}

}  // namespace klamm::runtime::os
