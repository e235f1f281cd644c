#include "server/request_pool.h"

#include "base/ensure.h"

namespace klamm::server {

bool RequestPool::try_charge(std::uint64_t bytes) {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (used + bytes > bytes_max_) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

void RequestPool::release(std::uint64_t bytes) {
  const std::uint64_t before = used_.fetch_sub(bytes, std::memory_order_seq_cst);
  ENSURE(before >= bytes);
  // A little room is not worth waking everybody for: an eighth of the pool is.
  if (waiting_.load(std::memory_order_seq_cst) > 0 && before - bytes <= bytes_max_ - bytes_max_ / 8) wake_waiters();
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
  if (used() <= bytes_max_ - bytes_max_ / 8 && large_owner_.load() == nullptr) wake_waiters();
}

void RequestPool::wake_waiters() {
  for (Waiter* waiter : waiters_) {
    if (!waiter->waiting.exchange(false, std::memory_order_seq_cst)) continue;
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
    waiter->wake();
  }
}

}  // namespace klamm::server
