// A lock for a few dozen nanoseconds of work: partition state, queues. Never held across a wait or a sleep.
// try_lock and the moment after it pass through Scheduling, so that a simulation can refuse or reorder them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace klamm::runtime {

// Scheduling points of the boundary. The real one never refuses.
class Scheduling {
 public:
  virtual ~Scheduling() = default;
  virtual bool refuse_try_lock() = 0;
  // Somebody found a ShortLock held and is about to sleep: impossible where there is one thread only.
  virtual void about_to_sleep() {}
  // A named place where something rare but allowed may be done (a buffer cut short, a cache missed). The real one:
  // never.
  virtual bool chance(std::string_view /*place*/) { return false; }
};

class ShortLock {
 public:
  // Holds the lock for a scope.
  class Guard {
   public:
    explicit Guard(ShortLock& lock) : lock_(lock) { lock_.lock(); }
    ~Guard() { lock_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    ShortLock& lock_;
  };

  explicit ShortLock(Scheduling& scheduling) : scheduling_(scheduling) {}
  ShortLock(const ShortLock&) = delete;
  ShortLock& operator=(const ShortLock&) = delete;

  bool try_lock();
  // Spins a little, then yields the processor in a futex wait.
  void lock();
  void unlock();

 private:
  Scheduling& scheduling_;
  std::atomic<std::uint32_t> state_{0};  // 0 free, 1 held, 2 held and somebody sleeps
};

}  // namespace klamm::runtime
