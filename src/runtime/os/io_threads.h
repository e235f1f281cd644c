// The threads that may block: cold reads, fsync, unlink, recovery, name look-ups. They start when first needed.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/queues.h"

namespace klamm::runtime::os {

class IoThreads {
 public:
  explicit IoThreads(unsigned count) : count_(count) {}
  // Waits for what was begun.
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  // Runs work.block() on a thread, then posts to `home`, where work.done() is called. Any thread.
  void run(BlockingWork& work, Reactor& home);

 private:
  void loop();

  unsigned count_;
  std::mutex mutex_;
  std::condition_variable ready_;
  BlockingWorkList jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

}  // namespace klamm::runtime::os
