#include "runtime/os/system.h"

#include <malloc.h>
#include <signal.h>

#include <algorithm>

namespace klamm::runtime::os {

namespace {

// By itself glibc's allocator keeps what was large once: each freed block raises the bound from which the next ones go
// back to the kernel, up to 32 MiB, and what a thread may keep to twice that. A broker that opened a large batch once
// would hold a hundred megabytes from then on.
void give_large_blocks_back() {
  constexpr int large_block_bytes = 512 << 10;
  constexpr int kept_bytes = 4 << 20;
  ::mallopt(M_MMAP_THRESHOLD, large_block_bytes);
  ::mallopt(M_TRIM_THRESHOLD, kept_bytes);
}

// They wait for the disk more than they compute, and a file system commits for all that wait at a time. Not more on
// larger machines: each may hold an opened batch of 32 MiB.
constexpr unsigned io_threads_by_default = 4;

}  // namespace

System::System(Options options, LogSink& log)
    : disk_({.descriptors_max = options.descriptors_max, .io_uring = options.io_uring}),
      io_(std::make_unique<IoThreads>(options.io_threads != 0 ? options.io_threads : io_threads_by_default)),
      environment_{clock_, random_, disk_, network_, scheduling_, {}, log} {
  give_large_blocks_back();
  const unsigned count = options.reactors != 0 ? options.reactors : std::max(std::thread::hardware_concurrency(), 1u);
  for (unsigned i = 0; i < count; ++i) {
    reactors_.push_back(std::make_unique<EpollReactor>(i, clock_, *io_));
    environment_.reactors.push_back(reactors_.back().get());
  }
}

// What is being done on I/O threads ends first: it posts to the reactors.
System::~System() {
  io_.reset();
}

namespace {

// sendfile into a connection that is gone raises SIGPIPE, and no flag prevents it: the calling thread does not take it
// while it runs a reactor. (A process that ignores it anyway does not notice.)
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutPipeSignal() {
    const timespec none{};
    while (::sigtimedwait(&pipe_, nullptr, &none) > 0) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
};

}  // namespace

void System::run() {
  const WithoutPipeSignal guard;
  // The signals of the process are its main thread's.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < reactors_.size(); ++i) threads.emplace_back([this, i] { reactors_[i]->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  reactors_.front()->run();
  for (std::thread& thread : threads) thread.join();
  run_leftovers();
}

// A reactor that stopped first may have been given something by one that stopped later.
void System::run_leftovers() {
  constexpr int rounds_max = 1000;
  bool any = true;
  for (int round = 0; any && round < rounds_max; ++round) {
    any = false;
    for (const auto& reactor : reactors_) any |= reactor->run_leftovers();
  }
}

void System::stop() {
  for (const auto& reactor : reactors_) reactor->stop();
}

}  // namespace klamm::runtime::os
