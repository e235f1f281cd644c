// Background work with an owner: tasks started here are stopped and awaited before the owner goes. Nothing runs
// detached.
#pragma once

#include <exception>

#include "runtime/reactor.h"
#include "runtime/stop.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::runtime {

// Belongs to one reactor: everything on it is called there.
class TaskGroup {
 public:
  explicit TaskGroup(Reactor& reactor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // Tasks that have not ended are destroyed where they wait: for crashes in simulations; else stop() was awaited.
  ~TaskGroup();

  // Runs until its first wait at once, then goes on by itself. Must not be called after stop().
  void start(Task<void> task);
  // Asks the token, then waits until every task has ended.
  Task<void> stop();
  // Waits until every task has ended, without asking.
  Task<void> wait();

  StopToken token() { return stop_.token(); }
  bool stopping() const { return stop_.asked(); }
  std::size_t running() const { return count_; }
  Reactor& reactor() const { return reactor_; }
  // What the first task that failed threw (Cancelled apart).
  std::exception_ptr failure() const { return failure_; }

 private:
  struct Root;
  Root run(Task<void> task);

  Reactor& reactor_;
  StopSource stop_;
  Notice ended_;
  std::size_t count_ = 0;
  std::exception_ptr failure_;
  struct Link {
    Link* previous = nullptr;
    Link* next = nullptr;
  };
  Link* roots_ = nullptr;
};

}  // namespace klamm::runtime
