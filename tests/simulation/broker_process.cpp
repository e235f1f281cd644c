#include "broker_process.h"

#include "config/broker_config.h"
#include "runtime/simulation/disk.h"
#include "runtime/waiting.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

BrokerProcess::BrokerProcess(sim::World& world, sim::Host& host, config::Properties properties, History& history)
    : world_(world), host_(host), properties_(std::move(properties)), history_(history) {
  host_.on_death([this] { died(); });
}

BrokerProcess::~BrokerProcess() {
  host_.on_death({});
  // Whatever still runs ends as in a crash.
  if (tasks_ != nullptr) host_.crash(sim::Crash::process);
  tasks_.reset();
  broker_.reset();
}

void BrokerProcess::crash_next_start(std::uint64_t n, sim::Crash kind) {
  crash_next_start_ = n;
  crash_kind_ = kind;
}

void BrokerProcess::start() {
  ENSURE(state_ == State::down && host_.alive());
  if (const std::uint64_t n = std::exchange(crash_next_start_, 0)) host_.crash_at_disk_call(n, crash_kind_);
  state_ = State::starting;
  ++starts_;
  history_.broker_started();
  runtime::Reactor& home = *host_.environment().reactors.front();
  tasks_ = std::make_unique<runtime::TaskGroup>(home);
  tasks_->start(live());
}

runtime::Task<void> BrokerProcess::live() {
  runtime::Environment& environment = host_.environment();
  auto inside = runtime::yield(*environment.reactors.front());
  co_await std::move(inside);
  try {
    const auto config = config::BrokerConfig::parse(properties_);
    if (!config) throw std::runtime_error(config.error().to_string());
    broker_ = std::make_unique<broker::Broker>(environment, *config, [this](const std::string&) {
      ++halts_;
      host_.crash(sim::Crash::power);
    });
    auto starting = broker_->start();
    co_await std::move(starting);
    state_ = State::serving;
  } catch (const sim::HostCrashed&) {
    throw;
  } catch (const std::exception& failure) {
    // An ordinary failure of a start in the event of a crash looks the same.
    if (!host_.alive()) throw;
    if (disks_fail_) {
      ++halts_;
      host_.crash(sim::Crash::power);
      co_return;
    }
    refusal_ = failure.what();
    host_.crash(sim::Crash::process);
  }
}

void BrokerProcess::stop(bool again) {
  if (state_ != State::serving) return;
  state_ = State::stopping;
  again_ = again;
  tasks_->start(end());
}

runtime::Task<void> BrokerProcess::end() {
  runtime::Reactor& home = *host_.environment().reactors.front();
  auto inside = runtime::yield(home);
  co_await std::move(inside);
  auto stopping = broker_->stop();
  co_await std::move(stopping);
  state_ = State::stopped;
  world_.after(1us, [this] { ended(); });
}

void BrokerProcess::ended() {
  if (state_ != State::stopped) return;  // it died in between
  tasks_.reset();
  broker_.reset();
  state_ = State::down;
  host_.restart();
  replace_machine_ = disks_fail_;
  if (again_) start_later();
}

void BrokerProcess::died() {
  if (host_.last_crash() == sim::Crash::power) history_.power_cut();
  // After a failed sync the page cache holds what the disk does not, and says so to nobody: whoever starts anew on it
  // must not believe it. So the machine goes with the process.
  replace_machine_ = host_.last_crash() == sim::Crash::process && disks_fail_;
  ++deaths_;
  history_.broker_died();
  tasks_.reset();
  broker_.reset();
  state_ = State::down;
  if (!refusal_) start_later();
}

void BrokerProcess::start_later() {
  const runtime::Duration pause = world_.story_chance().between(runtime::Duration(1ms), runtime::Duration(2s));
  world_.after(pause, [this] {
    if (state_ != State::down) return;
    if (!host_.alive()) host_.restart();
    if (std::exchange(replace_machine_, false)) return host_.crash(sim::Crash::power);
    if (auto action = std::exchange(before_start_, {})) action();
    start();
  });
}

}  // namespace klamm::simulation
