#include "runtime/os/io_threads.h"

#include <signal.h>

namespace klamm::runtime::os {

IoThreads::~IoThreads() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void IoThreads::run(BlockingWork& work, Reactor& home) {
  const std::scoped_lock guard(mutex_);
  jobs_.push(work, home);
  if (idle_ < jobs_.size() && threads_.size() < count_) {
    // The signals of the process are its main thread's; a thread begins with the mask of the one that starts it.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] { loop(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  } else {
    ready_.notify_one();
  }
}

void IoThreads::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    ready_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    BlockingWork& work = jobs_.pop();
    lock.unlock();
    try {
      work.block();
    } catch (...) {
      work.failure = std::current_exception();
    }
    BlockingWorkList::post_completion(work);
    lock.lock();
  }
}

}  // namespace klamm::runtime::os
