#include "runtime/task_group.h"

namespace klamm::runtime {

// The outermost coroutine of a task: starts at once, notes how the task ended, frees itself.
struct TaskGroup::Root {
  struct promise_type : Link {
    // The parameters of run(): the group and its task.
    promise_type(TaskGroup& its, Task<void>&) : group(its) {
      next = group.roots_;
      if (next != nullptr) next->previous = this;
      group.roots_ = this;
      ++group.count_;
    }
    ~promise_type() {
      (previous != nullptr ? previous->next : group.roots_) = next;
      if (next != nullptr) next->previous = previous;
      // Whoever waits may end the group: nothing of it is touched afterwards.
      if (--group.count_ == 0) group.ended_.notify();
    }
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { ENSURE(false, "a task's root does not throw"); }

    static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { detail::free_frame(frame, size); }

    TaskGroup& group;
  };
};

TaskGroup::TaskGroup(Reactor& reactor) : reactor_(reactor), ended_(reactor) {}

TaskGroup::~TaskGroup() {
  while (roots_ != nullptr) {
    auto& promise = static_cast<Root::promise_type&>(*roots_);
    std::coroutine_handle<Root::promise_type>::from_promise(promise).destroy();
  }
}

TaskGroup::Root TaskGroup::run(Task<void> task) {
  try {
    // Moved into this scope, so that nothing of the task is left when the group hears of its end.
    Task<void> mine = std::move(task);
    co_await std::move(mine);
  } catch (const Cancelled&) {
    // That is how tasks end when they are stopped.
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

void TaskGroup::start(Task<void> task) {
  ENSURE(!stop_.asked());
  run(std::move(task));
}

Task<void> TaskGroup::wait() {
  while (count_ > 0) {
    auto ended = ended_.wait();
    co_await std::move(ended);
  }
}

Task<void> TaskGroup::stop() {
  stop_.ask();
  auto all = wait();
  co_await std::move(all);
}

}  // namespace klamm::runtime
