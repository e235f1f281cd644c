#include "cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "base/ensure.h"

namespace klamm::cli {

struct Interrupt::Posted final : runtime::Work {
  Posted(runtime::Reactor& its, std::function<void()> what) : reactor(its), came(std::move(what)) {}

  void run() override {
    if (abandoned) {
      delete this;
      return;
    }
    ran = true;
    signal = number.load();
    came();
  }

  runtime::Reactor& reactor;
  std::function<void()> came;
  int signal = 0;
  bool ran = false;
  bool abandoned = false;
  std::atomic<int> number{0};
};

namespace {

std::atomic<runtime::Work*> waiting{nullptr};
std::atomic<runtime::Reactor*> waiting_on{nullptr};
std::atomic<std::atomic<int>*> came_number{nullptr};

void on_signal(int number) {
  std::atomic<int>* came = came_number.load();
  int none = 0;
  if (came == nullptr || !came->compare_exchange_strong(none, number)) ::_exit(128 + number);
  waiting_on.load()->post(*waiting.load());
}

void handle_with(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(runtime::Reactor& reactor, std::function<void()> came)
    : posted_(new Posted(reactor, std::move(came))) {
  ENSURE(waiting.load() == nullptr);
  waiting.store(posted_);
  waiting_on.store(&reactor);
  came_number.store(&posted_->number);
  std::signal(SIGPIPE, SIG_IGN);
  handle_with(on_signal);
}

Interrupt::~Interrupt() {
  handle_with(SIG_DFL);
  came_number.store(nullptr);
  waiting.store(nullptr);
  if (posted_->number.load() == 0 || posted_->ran) {
    delete posted_;
  } else {
    posted_->abandoned = true;
  }
}

int Interrupt::signal() const {
  return posted_->signal;
}

}  // namespace klamm::cli
