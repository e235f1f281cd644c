#include "runtime/os/io_threads.h"

#include <signal.h>

#include "runtime/task.h"

namespace klamm::runtime::os {
namespace {

struct Completion final : Work {
  explicit Completion(BlockingWork& its) : work(its) {}
  void run() override {
    BlockingWork& ended = work;
    delete this;
    ended.done();
  }
  void dropped() noexcept override {
    BlockingWork& ended = work;
    delete this;
    ended.dropped();
  }
  BlockingWork& work;

  static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
  static void operator delete(void* completion, std::size_t size) noexcept { detail::free_frame(completion, size); }
};

}  // namespace

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
  jobs_.push_back({&work, &home});
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
    const Job job = jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    try {
      job.work->block();
    } catch (...) {
      job.work->failure = std::current_exception();
    }
    job.home->post(*new Completion(*job.work));
    lock.lock();
  }
}

}  // namespace klamm::runtime::os
