#include "runtime/simulation/reactor.h"

#include <algorithm>

#include "base/ensure.h"
#include "runtime/simulation/host_parts.h"

namespace klamm::runtime::simulation {

SimulatedReactor::SimulatedReactor(World& world, Host& host, ProcessRef process, unsigned index, Clock& clock)
    : world_(world), host_(host), process_(std::move(process)), index_(index), clock_(clock) {}

void SimulatedReactor::call(std::function<void()> action) {
  calls_.push_back(std::move(action));
  wake();
}

void SimulatedReactor::remove(TurnSource& source) {
  const auto found = std::ranges::find(sources_, &source);
  ENSURE(found != sources_.end());
  if (in_turn_) {
    *found = nullptr;
  } else {
    sources_.erase(found);
  }
}

void SimulatedReactor::wake() {
  const Options& options = world_.options();
  const bool late = world_.chance().one_in(options.late_wake_up_one_in);
  const Duration delay = world_.chance().between(Duration(1), late ? options.late_wake_up_max : options.turn_delay_max);
  schedule(world_.now() + delay);
}

void SimulatedReactor::schedule(MonoTime at) {
  if (process_->state != Process::State::alive || in_turn_) return;  // a turn looks by itself, at its end, what is left
  at = std::max(at, busy_until_);
  if (at >= next_turn_) return;
  next_turn_ = at;
  const std::uint64_t number = ++turn_number_;
  world_.schedule(host_, at, [this, number] { turn(number); });
}

void SimulatedReactor::post(Work& work) {
  if (process_->state != Process::State::alive) {
    work.dropped();
    return;
  }
  work_.push(work);
  wake();
}

void SimulatedReactor::arm(Timer& timer, MonoTime at) {
  timers_.arm(*this, timer, at);
  schedule(std::max(at, world_.now() + Duration(1)));
}

void SimulatedReactor::at_turn_end(TurnEnd& hook) {
  hooks_.add(hook);
  wake();
}

void SimulatedReactor::offload(BlockingWork& work) {
  host_.parts_->io.run(work, *this);
}

void SimulatedReactor::turn(std::uint64_t number) {
  if (number != turn_number_) return;
  next_turn_ = never;
  in_turn_ = true;
  world_.current_ = this;
  world_.cost_ = {};
  try {
    run_turn();
  } catch (...) {
    in_turn_ = false;
    world_.current_ = nullptr;
    throw;
  }
  in_turn_ = false;
  world_.current_ = nullptr;
  std::erase(sources_, nullptr);
  busy_until_ = world_.now() + world_.cost_;
  if (!work_.empty() || !calls_.empty() || something_ready()) {
    wake();
  } else if (!timers_.empty()) {
    schedule(std::max(timers_.next(), world_.now() + Duration(1)));
  }
}

void SimulatedReactor::run_turn() {
  run_sources();
  for (std::size_t count = calls_.size(); count > 0 && !calls_.empty(); --count) {
    const std::function<void()> action = std::move(calls_.front());
    calls_.pop_front();
    action();
  }
  work_.run();
  timers_.fire(world_.now());
  hooks_.run();
}

// The kernel tells of ready descriptors in no certain order.
void SimulatedReactor::run_sources() {
  const std::size_t count = sources_.size();
  if (count == 0) return;
  const std::size_t first = world_.chance().below(count);
  for (std::size_t i = 0; i < count; ++i) {
    TurnSource* source = sources_[(first + i) % count];
    if (source != nullptr && source->ready()) source->turn();
  }
}

bool SimulatedReactor::something_ready() const {
  return std::ranges::any_of(sources_, [](const TurnSource* source) { return source->ready(); });
}

void SimulatedReactor::drop() {
  work_.drop();
  calls_.clear();
}

// --- I/O threads -----------------------------------------------------------------------------------------------------

void SimulatedIoThreads::run(BlockingWork& work, SimulatedReactor& home) {
  if (home.process()->state != Process::State::alive) {
    work.dropped();
    return;
  }
  const auto thread = std::ranges::min_element(free_at_);
  const MonoTime at =
      std::max(world_.now(), *thread) + world_.chance().between(Duration(1), world_.options().turn_delay_max);
  *thread = at;
  const std::uint64_t number = ++count_;
  jobs_.push_back({number, &work, &home, static_cast<std::size_t>(thread - free_at_.begin())});
  world_.schedule(host_, at, [this, number] { begin(number); });
}

void SimulatedIoThreads::begin(std::uint64_t number) {
  const Job job = *std::ranges::find(jobs_, number, &Job::number);
  world_.cost_ = {};
  try {
    job.work->block();
  } catch (const HostCrashed&) {
    throw;
  } catch (...) {
    job.work->failure = std::current_exception();
  }
  const MonoTime ends = world_.now() + world_.cost_;
  free_at_[job.thread] = std::max(free_at_[job.thread], ends);
  world_.schedule(host_, ends, [this, number] { end(number); });
}

void SimulatedIoThreads::end(std::uint64_t number) {
  const auto found = std::ranges::find(jobs_, number, &Job::number);
  const Job job = *found;
  job.home->call([this, number] {
    const auto its = std::ranges::find(jobs_, number, &Job::number);
    BlockingWork& work = *its->work;
    jobs_.erase(its);
    work.done();
  });
}

void SimulatedIoThreads::drop() {
  for (const Job& job : std::exchange(jobs_, {})) job.work->dropped();
}

}  // namespace klamm::runtime::simulation
