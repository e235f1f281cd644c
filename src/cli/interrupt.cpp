#include "cli/interrupt.h"

#include <csignal>

namespace klamm::cli {

namespace {

// SIGUSR1 ends the waiting thread when nobody interrupts.
sigset_t waited_for() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  return set;
}

}  // namespace

SignalBlock::SignalBlock() {
  const sigset_t set = waited_for();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalBlock::~SignalBlock() {
  const sigset_t set = waited_for();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

struct Interrupt::Posted final : runtime::Work {
  Posted(std::shared_ptr<Shared> its, int number) : shared(std::move(its)), signal(number) {}
  void run() override {
    if (shared->listening) {
      shared->signal = signal;
      shared->came();
    }
    delete this;
  }
  std::shared_ptr<Shared> shared;
  int signal;
};

Interrupt::Interrupt(runtime::Reactor& reactor, std::function<void()> came) : shared_(std::make_shared<Shared>()) {
  shared_->came = std::move(came);
  thread_ = std::thread([&reactor, shared = shared_] {
    const sigset_t set = waited_for();
    int number = 0;
    if (sigwait(&set, &number) != 0 || number == SIGUSR1) return;
    reactor.post(*new Posted(shared, number));
  });
}

Interrupt::~Interrupt() {
  shared_->listening = false;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

}  // namespace klamm::cli
