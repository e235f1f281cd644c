#include "server/request_pool.h"

#include "base/ensure.h"

namespace klamm::server {

std::uint64_t RequestPool::bytes_max_for(Want want) const {
  switch (want) {
    case Want::large:
      return bytes_max_ - bytes_max_ / 4;
    case Want::ordinary:
      return bytes_max_ - bytes_max_ / 8;
    case Want::small:
      break;
  }
  return bytes_max_;
}

bool RequestPool::try_charge(std::uint64_t bytes, Want want) {
  const std::uint64_t most = bytes_max_for(want);
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (used + bytes > most) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  note_peak(used + bytes);
  return true;
}

void RequestPool::release(std::uint64_t bytes) {
  const std::uint64_t before = used_.fetch_sub(bytes, std::memory_order_seq_cst);
  ENSURE(before >= bytes);
  if (waiting_.load(std::memory_order_seq_cst) > 0 && before - bytes <= room_again_below()) wake_waiters();
  if (before - bytes <= quiet_below() && peak_.load(std::memory_order_relaxed) >= burst_from() &&
      peak_.exchange(0, std::memory_order_relaxed) >= burst_from() && burst_is_over_) {
    burst_is_over_();
  }
}

bool RequestPool::try_own_large(const void* owner) {
  const void* nobody = nullptr;
  return large_owner_.compare_exchange_strong(nobody, owner) || nobody == owner;
}

void RequestPool::disown_large(const void* owner) {
  const void* expected = owner;
  if (large_owner_.compare_exchange_strong(expected, nullptr) && waiting_.load(std::memory_order_seq_cst) > 0)
    wake_waiters();
}

void RequestPool::wait_for_room(Waiter& waiter) {
  if (!waiter.waiting.exchange(true, std::memory_order_seq_cst)) waiting_.fetch_add(1, std::memory_order_seq_cst);
  // Room that appeared between the failed charge and here woke nobody.
  if (used() <= room_again_below() && large_owner_.load() == nullptr) wake_waiters();
}

void RequestPool::wake_waiters() {
  for (Waiter* waiter : waiters_) {
    if (!waiter->waiting.exchange(false, std::memory_order_seq_cst)) continue;
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
    waiter->wake();
  }
}

}  // namespace klamm::server
