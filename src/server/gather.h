// Runs several tasks side by side on one reactor and waits for all of them. Takes no memory of its own.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <span>

#include "base/ensure.h"
#include "runtime/task.h"

namespace klamm::server {

// Each task runs until its first wait when it is added. What a task throws comes out of the wait. Lives in the
// coroutine that waits; tasks that have not ended are destroyed with it.
class Gather {
 public:
  // `room`: for as many tasks as will be added.
  explicit Gather(std::span<std::coroutine_handle<>> room) : running_(room) {}
  Gather(const Gather&) = delete;
  Gather& operator=(const Gather&) = delete;
  ~Gather() {
    for (const auto handle : running_)
      if (handle) handle.destroy();
  }

  void add(runtime::Task<void> task) {
    ENSURE(count_ < running_.size());
    const auto handle = run(*this, count_, std::move(task)).handle;
    running_[count_++] = handle;
    ++pending_;
    handle.resume();
  }

  auto operator co_await() {
    struct Awaiter {
      Gather& gather;
      bool await_ready() const { return gather.pending_ == 0; }
      void await_suspend(std::coroutine_handle<> handle) { gather.waiting_ = handle; }
      void await_resume() const {
        if (gather.failure_) std::rethrow_exception(gather.failure_);
      }
    };
    return Awaiter{*this};
  }

 private:
  struct Root {
    struct promise_type {
      Gather& gather;
      std::size_t index;
      promise_type(Gather& owner, std::size_t at, runtime::Task<void>&) : gather(owner), index(at) {}

      Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      struct Ended {
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
          Gather& owner = ended.promise().gather;
          owner.running_[ended.promise().index] = nullptr;
          ended.destroy();
          if (--owner.pending_ == 0 && owner.waiting_) owner.waiting_.resume();
        }
        void await_resume() const noexcept {}
      };
      Ended final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { gather.failure_ = std::current_exception(); }

      static void* operator new(std::size_t size) { return runtime::detail::allocate_frame(size); }
      static void operator delete(void* frame, std::size_t size) noexcept { runtime::detail::free_frame(frame, size); }
    };
    std::coroutine_handle<promise_type> handle;
  };

  static Root run(Gather&, std::size_t, runtime::Task<void> task) { co_await std::move(task); }

  std::span<std::coroutine_handle<>> running_;
  std::size_t count_ = 0;
  std::size_t pending_ = 0;
  std::coroutine_handle<> waiting_;
  std::exception_ptr failure_;
};

}  // namespace klamm::server
