// SIGINT and SIGTERM for a tool that runs until it is told to stop: they wake a coroutine instead of ending the
// process.
#pragma once

#include <functional>

#include "runtime/reactor.h"

namespace klamm::cli {

// One at a time in a process: a signal handler reaches it.
class Interrupt {
 public:
  // `came` is called on the reactor, once, for the first signal; a second one ends the process.
  Interrupt(runtime::Reactor& reactor, std::function<void()> came);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The number of the signal that came; 0 before.
  int signal() const;

 private:
  struct Posted;
  // What is posted may stand in the reactor's queue when this goes: then it frees itself.
  Posted* posted_;
};

}  // namespace klamm::cli
