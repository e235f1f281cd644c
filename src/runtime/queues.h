// What a reactor is made of, real or simulated: the queue of posted work, the heap of timers, the list of turn-end
// hooks.
#pragma once

#include <atomic>
#include <vector>

#include "runtime/reactor.h"

namespace klamm::runtime {

// Many threads push, one takes. Intrusive, without a lock.
class WorkQueue {
 public:
  // True when the queue was empty: the owner may be asleep.
  bool push(Work& work) {
    Work* head = head_.load(std::memory_order_relaxed);
    do {
      work.next_ = head;
    } while (!head_.compare_exchange_weak(head, &work, std::memory_order_release, std::memory_order_relaxed));
    return head == nullptr;
  }

  // By the owner.
  bool empty() const { return taken_ == nullptr && head_.load(std::memory_order_acquire) == nullptr; }

  // Runs what was pushed before the call, in that order. True when there was any. What is left when one throws stays.
  bool run();
  // Takes it out, if it is there. By the owner.
  bool withdraw(Work& work);
  // Tells all that is queued that it will not run.
  void drop();

 private:
  Work* take_in_order();

  std::atomic<Work*> head_{nullptr};
  Work* taken_ = nullptr;  // in order; the owner's
};

// Jobs for I/O threads in their order; guarded by whoever has it.
class BlockingWorkList {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return count_; }
  void push(BlockingWork& work, Reactor& home);
  BlockingWork& pop();
  // Its block() has ended.
  static void post_completion(BlockingWork& work) { work.home_->post(work.completion_); }

 private:
  BlockingWork* first_ = nullptr;
  BlockingWork* last_ = nullptr;
  std::size_t count_ = 0;
};

// The owner's thread only.
class TimerQueue {
 public:
  void arm(Reactor& reactor, Timer& timer, MonoTime at);
  void disarm(Timer& timer);
  // Fires all that are due. Timers armed meanwhile for a time that is past fire in the next call.
  void fire(MonoTime now);
  MonoTime next() const { return heap_.empty() ? never : heap_.front()->at_; }
  bool empty() const { return heap_.empty(); }

 private:
  bool before(const Timer& a, const Timer& b) const { return a.at_ != b.at_ ? a.at_ < b.at_ : a.order_ < b.order_; }
  void place(Timer* timer, std::size_t slot);
  void up(std::size_t slot);
  void down(std::size_t slot);
  void remove(std::size_t slot);

  std::vector<Timer*> heap_;
  std::uint64_t armed_ = 0;
};

// The owner's thread only.
class TurnEndList {
 public:
  void add(TurnEnd& hook);
  void remove(TurnEnd& hook);
  // Calls all, those too that are added meanwhile.
  void run();
  bool empty() const { return first_ == nullptr; }

 private:
  TurnEnd* first_ = nullptr;
  TurnEnd* last_ = nullptr;
};

}  // namespace klamm::runtime
