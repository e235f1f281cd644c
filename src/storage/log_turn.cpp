// The writer's turn: one at a time changes the log. Who comes meanwhile queues; who ends its turn writes the appends
// that queued (merged), and hands the turn to the first that wants it for something else.
#include "base/ensure.h"
#include "storage/log_state.h"

namespace klamm::storage {

using runtime::ShortLock;

namespace {

// A holder does not write for others for ever: then the next in the queue goes on, on its own reactor.
constexpr std::size_t appends_per_release = 64;

}  // namespace

TurnWaiter::~TurnWaiter() {
  if (!queued_) return;
  // Only when the waiting coroutine is destroyed, at a shutdown.
  const ShortLock::Guard guard(state_.lock);
  TurnWaiter* previous = nullptr;
  for (TurnWaiter* waiter = state_.first_waiter; waiter != nullptr; previous = waiter, waiter = waiter->next_) {
    if (waiter != this) continue;
    (previous ? previous->next_ : state_.first_waiter) = next_;
    if (state_.last_waiter == this) state_.last_waiter = previous;
    return;
  }
}

bool TurnWaiter::await_ready() {
  const ShortLock::Guard guard(state_.lock);
  if (state_.turn_taken) return false;
  refused_ = state_.environment.scheduling.refuse_try_lock();
  if (refused_) return false;
  state_.turn_taken = true;
  return holds_ = true;
}

bool TurnWaiter::await_suspend(std::coroutine_handle<> handle) {
  resumption_.wait_for(handle);
  const ShortLock::Guard guard(state_.lock);
  if (!state_.turn_taken) {
    state_.turn_taken = true;
    holds_ = true;
    if (!refused_) return false;
    // A simulation said that somebody else was there: then the turn comes later.
    resumption_.post();
    return true;
  }
  queued_ = true;
  next_ = nullptr;
  (state_.last_waiter ? state_.last_waiter->next_ : state_.first_waiter) = this;
  state_.last_waiter = this;
  return true;
}

TurnGuard::~TurnGuard() {
  state_.release_turn();
}

// The waiter holds the turn from now on and goes on where it waits.
void Log::State::hand_over(TurnWaiter& waiter) {
  waiter.holds_ = true;
  waiter.resumption_.post();
}

void Log::State::release_turn() {
  std::array<TurnWaiter*, appends_per_release> taken;
  std::array<PendingAppend*, appends_per_release> appends;
  std::size_t count = 0;
  {
    const ShortLock::Guard guard(lock);
    ENSURE(turn_taken);
    while (first_waiter != nullptr && first_waiter->append_ != nullptr && count < appends_per_release) {
      taken[count] = first_waiter;
      appends[count++] = first_waiter->append_;
      first_waiter->queued_ = false;
      first_waiter = first_waiter->next_;
    }
    if (first_waiter == nullptr) last_waiter = nullptr;
    if (count == 0 && first_waiter == nullptr) {
      turn_taken = false;
      return;
    }
  }
  run_appends(std::span(appends).first(count));
  for (std::size_t i = 0; i < count; ++i) taken[i]->resumption_.post();

  TurnWaiter* next = nullptr;
  {
    const ShortLock::Guard guard(lock);
    next = first_waiter;
    if (next == nullptr) {
      turn_taken = false;
      return;
    }
    first_waiter = next->next_;
    if (first_waiter == nullptr) last_waiter = nullptr;
    next->queued_ = false;
  }
  hand_over(*next);
}

}  // namespace klamm::storage
