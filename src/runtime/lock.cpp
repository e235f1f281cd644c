#include "runtime/lock.h"

namespace klamm::runtime {

namespace {
// About the time that a holder needs; then sleeping is cheaper than burning the core it may wait for.
constexpr int spins_max = 200;
}  // namespace

bool ShortLock::try_lock() {
  if (scheduling_.refuse_try_lock()) return false;
  std::uint32_t free = 0;
  return state_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed);
}

void ShortLock::lock() {
  for (int i = 0; i < spins_max; ++i) {
    std::uint32_t free = 0;
    if (state_.compare_exchange_weak(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
  }
  scheduling_.about_to_sleep();
  while (state_.exchange(2, std::memory_order_acquire) != 0) state_.wait(2, std::memory_order_relaxed);
}

void ShortLock::unlock() {
  if (state_.exchange(0, std::memory_order_release) == 2) state_.notify_one();
}

}  // namespace klamm::runtime
