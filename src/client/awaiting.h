// Ways for a coroutine to wait for what is told by a callback. All resume in a later turn of the loop, so that nobody
// is resumed in the middle of someone else's work, and all may be destroyed while they wait.
#pragma once

#include <coroutine>
#include <optional>

#include "client/connection.h"
#include "runtime/reactor.h"

namespace klamm::client {

// co_await of the answer of a request given to Connection::send.
class AwaitedAnswer final : public AnswerWaiter, runtime::Timer {
 public:
  explicit AwaitedAnswer(runtime::Reactor& reactor) : reactor_(reactor) {}
  ~AwaitedAnswer() {
    if (armed()) reactor_.disarm(*this);
  }

  void answered(Result<Answer> answer) override {
    answer_.emplace(std::move(answer));
    if (waiting_) reactor_.arm(*this, reactor_.now());
  }

  bool await_ready() const noexcept { return answer_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
  Result<Answer> await_resume() { return std::move(*answer_); }

 private:
  void fired() override { waiting_.resume(); }

  runtime::Reactor& reactor_;
  std::coroutine_handle<> waiting_;
  std::optional<Result<Answer>> answer_;
};

}  // namespace klamm::client
