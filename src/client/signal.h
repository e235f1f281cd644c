// Lets coroutines of one reactor wait until something they look at may have changed. Who waits looks again after each
// wake-up: another one may have been faster. Not for other threads.
#pragma once

#include <coroutine>

#include "base/ensure.h"
#include "runtime/reactor.h"

namespace klamm::client {

class Signal {
 public:
  explicit Signal(runtime::Reactor& reactor) : reactor_(reactor) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { ENSURE(first_ == nullptr, "somebody still waits"); }

  // Wakes all who wait now, in the order in which they came, in a later turn of the loop.
  void notify() {
    while (first_ != nullptr) {
      Wait& wait = *first_;
      wait.unlink();
      wait.woken_ = true;
      reactor_.arm(wait, reactor_.now());
    }
  }

  // Suspended in a coroutine's frame; destroying it there ends the wait.
  class Wait final : public runtime::Timer {
   public:
    Wait(Signal& signal, runtime::MonoTime deadline)
        : signal_(&signal), reactor_(signal.reactor_), deadline_(deadline) {}
    ~Wait() override {
      if (signal_ != nullptr && linked_) unlink();
    }

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      waiting_ = waiting;
      link();
      if (deadline_ != runtime::never) reactor_.arm(*this, deadline_);
    }
    // False at the deadline.
    bool await_resume() const noexcept { return woken_; }

    void fired() override {
      if (linked_) unlink();
      waiting_.resume();
    }

   private:
    friend class Signal;
    void link() {
      previous_ = signal_->last_;
      (previous_ != nullptr ? previous_->next_ : signal_->first_) = this;
      signal_->last_ = this;
      linked_ = true;
    }
    void unlink() {
      (previous_ != nullptr ? previous_->next_ : signal_->first_) = next_;
      (next_ != nullptr ? next_->previous_ : signal_->last_) = previous_;
      previous_ = next_ = nullptr;
      linked_ = false;
      if (armed()) reactor_.disarm(*this);
    }

    Signal* signal_;
    runtime::Reactor& reactor_;
    runtime::MonoTime deadline_;
    std::coroutine_handle<> waiting_;
    Wait* previous_ = nullptr;
    Wait* next_ = nullptr;
    bool linked_ = false;
    bool woken_ = false;
  };

  // co_await signal.wait(deadline): true when notified, false at the deadline. runtime::never waits for ever.
  Wait wait(runtime::MonoTime deadline) { return {*this, deadline}; }

 private:
  runtime::Reactor& reactor_;
  Wait* first_ = nullptr;
  Wait* last_ = nullptr;
};

}  // namespace klamm::client
