#include "runtime/queues.h"

#include "base/ensure.h"

namespace klamm::runtime {

Work* WorkQueue::take_in_order() {
  Work* newest = head_.exchange(nullptr, std::memory_order_acquire);
  Work* first = nullptr;
  while (newest != nullptr) {
    Work* older = newest->next_;
    newest->next_ = first;
    first = newest;
    newest = older;
  }
  return first;
}

bool WorkQueue::run() {
  if (taken_ == nullptr) taken_ = take_in_order();
  if (taken_ == nullptr) return false;
  while (taken_ != nullptr) {
    Work* work = taken_;
    taken_ = work->next_;  // run() may post it again, or destroy it
    work->run();
  }
  return true;
}

bool WorkQueue::withdraw(Work& work) {
  // What was pushed since comes behind what was taken.
  Work** end = &taken_;
  while (*end != nullptr) end = &(*end)->next_;
  *end = take_in_order();
  for (Work** at = &taken_; *at != nullptr; at = &(*at)->next_) {
    if (*at != &work) continue;
    *at = work.next_;
    return true;
  }
  return false;
}

void BlockingWorkList::push(BlockingWork& work, Reactor& home) {
  work.home_ = &home;
  work.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &work;
  last_ = &work;
  ++count_;
}

BlockingWork& BlockingWorkList::pop() {
  BlockingWork& work = *first_;
  first_ = work.next_;
  if (first_ == nullptr) last_ = nullptr;
  --count_;
  return work;
}

void WorkQueue::drop() {
  for (Work* list : {taken_, take_in_order()}) {
    while (list != nullptr) {
      Work* work = list;
      list = work->next_;
      work->dropped();
    }
  }
  taken_ = nullptr;
}

Timer::~Timer() {
  if (reactor_ != nullptr) reactor_->disarm(*this);
}

void TimerQueue::arm(Reactor& reactor, Timer& timer, MonoTime at) {
  if (timer.reactor_ != nullptr) remove(timer.slot_);
  timer.reactor_ = &reactor;
  timer.at_ = at;
  timer.order_ = ++armed_;
  heap_.push_back(&timer);
  timer.slot_ = heap_.size() - 1;
  up(timer.slot_);
}

void TimerQueue::disarm(Timer& timer) {
  if (timer.reactor_ == nullptr) return;
  remove(timer.slot_);
  timer.reactor_ = nullptr;
}

void TimerQueue::fire(MonoTime now) {
  const std::uint64_t armed_before = armed_;
  while (!heap_.empty() && heap_.front()->at_ <= now && heap_.front()->order_ <= armed_before) {
    Timer& timer = *heap_.front();
    disarm(timer);
    timer.fired();
  }
}

void TimerQueue::place(Timer* timer, std::size_t slot) {
  heap_[slot] = timer;
  timer->slot_ = slot;
}

void TimerQueue::up(std::size_t slot) {
  Timer* timer = heap_[slot];
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / 2;
    if (!before(*timer, *heap_[parent])) break;
    place(heap_[parent], slot);
    slot = parent;
  }
  place(timer, slot);
}

void TimerQueue::down(std::size_t slot) {
  Timer* timer = heap_[slot];
  for (;;) {
    std::size_t child = 2 * slot + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (!before(*heap_[child], *timer)) break;
    place(heap_[child], slot);
    slot = child;
  }
  place(timer, slot);
}

void TimerQueue::remove(std::size_t slot) {
  ENSURE(slot < heap_.size());
  Timer* last = heap_.back();
  heap_.pop_back();
  if (slot == heap_.size()) return;
  place(last, slot);
  up(slot);
  down(last->slot_);
}

TurnEnd::~TurnEnd() {
  if (list_ != nullptr) list_->remove(*this);
}

void TurnEndList::add(TurnEnd& hook) {
  if (hook.list_ != nullptr) return;
  hook.list_ = this;
  hook.previous_ = last_;
  hook.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &hook;
  last_ = &hook;
}

void TurnEndList::remove(TurnEnd& hook) {
  (hook.previous_ != nullptr ? hook.previous_->next_ : first_) = hook.next_;
  (hook.next_ != nullptr ? hook.next_->previous_ : last_) = hook.previous_;
  hook.list_ = nullptr;
  hook.previous_ = hook.next_ = nullptr;
}

void TurnEndList::run() {
  while (first_ != nullptr) {
    TurnEnd& hook = *first_;
    remove(hook);
    hook.turn_ended();
  }
}

}  // namespace klamm::runtime
