// SIGINT and SIGTERM for a tool that runs until it is told to stop: they wake a coroutine instead of ending the
// process.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "runtime/reactor.h"

namespace klamm::cli {

// Made before other threads of the process are, so that all of them inherit the blocked signals.
class SignalBlock {
 public:
  SignalBlock();
  ~SignalBlock();
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;
};

// Waits for the signals on a thread of its own and tells on the reactor, where it lives.
class Interrupt {
 public:
  Interrupt(runtime::Reactor& reactor, std::function<void()> came);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The number of the signal that came; 0 before.
  int signal() const { return shared_->signal; }

 private:
  // Outlives both the interrupt and what is posted.
  struct Shared {
    int signal = 0;
    bool listening = true;
    std::function<void()> came;
  };
  struct Posted;

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace klamm::cli
