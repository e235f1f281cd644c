#include "runtime/simulation/world.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "base/ensure.h"
#include "runtime/simulation/host_parts.h"

namespace klamm::runtime::simulation {

HostCrashed::HostCrashed(std::string_view path) : DiskError(EIO, "crash", path) {}

bool Process::gone() const {
  if (state == State::dying) throw HostCrashed("");
  return state == State::dead;
}

// --- what a host gives to its process --------------------------------------------------------------------------------

void HostScheduling::about_to_sleep() {
  ENSURE(false, "a ShortLock is held across a wait");
}

// Whether a place is live in this world, and then whether it does it now.
bool HostScheduling::chance(std::string_view place) {
  Hash hash;
  hash.add(place);
  const bool live =
      options_.rare_places_one_in != 0 && Chance(hash.value() ^ options_.seed).below(options_.rare_places_one_in) == 0;
  return live && chance_.one_in(options_.rare_one_in);
}

void HostLog::write(std::string_view logger, LogLevel level, std::string_view message) {
  world_.trace().add(world_.now(), name_, "log {} {} ({})", log_level_name(level), message, logger);
}

Host::Parts::Parts(World& world, Host& host, ProcessRef process)
    : clock(world, [&host] { return host.wall(); }),
      random(world.chance().fork()),
      scheduling(world.chance().fork(), world.options()),
      log(world, host.name()),
      io(world, host, world.options().io_threads),
      disk(host.disk(), process),
      network(world, host, process),
      environment{clock, random, disk, network, scheduling, {}, log} {
  for (unsigned i = 0; i < world.options().reactors; ++i) {
    reactors.push_back(std::make_unique<SimulatedReactor>(world, host, process, i, clock));
    environment.reactors.push_back(reactors.back().get());
  }
}

// --- hosts -----------------------------------------------------------------------------------------------------------

Host::Host(World& world, unsigned number, std::string name)
    : world_(world),
      number_(number),
      name_(std::move(name)),
      address_(fmt::format("10.0.{}.{}", number / 250, number % 250 + 1)),
      disk_(std::make_unique<SimulatedDisk>(world, *this, world.chance().fork())),
      wall_at_(world.options().wall_start) {
  start();
}

Host::~Host() = default;

void Host::start() {
  const unsigned life = process_ != nullptr ? process_->life + 1 : 1;
  process_ = std::make_shared<Process>();
  process_->life = life;
  parts_ = std::make_unique<Parts>(world_, *this, process_);
  world_.trace().add(world_.now(), name_, "start {}", life);
}

Environment& Host::environment() {
  return parts_->environment;
}

Trace& Host::trace() const {
  return world_.trace_;
}

void Host::crash(Crash kind) {
  if (process_->state != Process::State::alive) return;
  process_->state = Process::State::dying;
  crash_kind_ = kind;
  world_.trace().add(world_.now(), name_, "crash {}", kind == Crash::power ? "power" : "process");
  if (!world_.in_event_) world_.bury();
}

void Host::crash_at_disk_call(std::uint64_t n, Crash kind) {
  crash_kind_ = kind;
  disk_->crash_at(n);
}

void Host::cancel_crash() {
  disk_->crash_at(0);
}

void Host::died() {
  process_->state = Process::State::dead;
  held_.clear();
  paused_ = false;
  for (const auto& reactor : parts_->reactors) reactor->drop();
  parts_->io.drop();
  world_.wire().host_died(*this, crash_kind_);
  disk_->crash(crash_kind_);
  if (on_death_) on_death_();
}

void Host::restart() {
  ENSURE(!world_.in_event_, "a host is restarted outside of all events");
  if (process_->state == Process::State::alive) {
    // Its owner ended it in order.
    process_->state = Process::State::dead;
    for (const auto& reactor : parts_->reactors) reactor->drop();
    parts_->io.drop();
    world_.wire().host_died(*this, Crash::process);
    disk_->crash(Crash::process);
  }
  start();
  world_.wire().host_started(*this);
}

void Host::pause() {
  if (paused_) return;
  world_.trace().add(world_.now(), name_, "pause");
  paused_ = true;
}

void Host::resume() {
  if (!paused_) return;
  world_.trace().add(world_.now(), name_, "resume");
  paused_ = false;
  for (auto& action : std::exchange(held_, {})) world_.schedule(*this, world_.now(), std::move(action));
}

Timestamp Host::wall() const {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(world_.now() - wall_from_).count();
  return wall_at_ + passed + passed * drift_ / 1'000'000;
}

void Host::jump_wall(std::chrono::milliseconds by) {
  world_.trace().add(world_.now(), name_, "the wall clock jumps by {} ms", by.count());
  wall_at_ = wall() + by.count();
  wall_from_ = world_.now();
}

void Host::drift_wall(std::int64_t parts_per_million) {
  wall_at_ = wall();
  wall_from_ = world_.now();
  drift_ = parts_per_million;
}

// --- the world -------------------------------------------------------------------------------------------------------

bool World::Event::operator>(const Event& other) const {
  return std::tie(at, chance, number) > std::tie(other.at, other.chance, other.number);
}

World::World(Options options)
    : options_(options),
      chance_(options.seed),
      story_chance_(options.seed ^ 0x5741'4c54'4552u),
      wire_(std::make_unique<Wire>(*this, chance_.fork())) {
  if (options.keep_trace) trace_.keep();
}

World::~World() = default;

Host& World::add_host(std::string name) {
  hosts_.push_back(std::make_unique<Host>(*this, static_cast<unsigned>(hosts_.size()), std::move(name)));
  return *hosts_.back();
}

Host& World::host(std::string_view name) {
  const auto found = std::ranges::find_if(hosts_, [&](const auto& host) { return host->name() == name; });
  ENSURE(found != hosts_.end(), name);
  return **found;
}

void World::at(MonoTime time, std::function<void()> action) {
  events_.push_back({std::max(time, now_), chance_.next(), ++event_count_, std::move(action)});
  std::ranges::push_heap(events_, std::greater());
}

void World::schedule(Host& host, MonoTime time, std::function<void()> action) {
  at(time, [&host, process = host.process_, action = std::move(action)] {
    if (process->state != Process::State::alive) return;
    if (host.paused_) {
      host.held_.push_back(action);
      return;
    }
    host.world_.execute(action);
  });
}

// An event of a host. What is thrown at a crash has unwound it; the rest is for bury().
void World::execute(const std::function<void()>& action) {
  in_event_ = true;
  try {
    action();
  } catch (const HostCrashed&) {
  } catch (...) {
    in_event_ = false;
    throw;
  }
  in_event_ = false;
}

// Hosts that crashed in the event that just ended.
void World::bury() {
  for (const auto& host : hosts_) {
    if (host->process_->state == Process::State::dying) host->died();
  }
}

bool World::step() {
  if (events_.empty()) return false;
  std::ranges::pop_heap(events_, std::greater());
  const Event event = std::move(events_.back());
  events_.pop_back();
  now_ = event.at;
  event.action();
  bury();
  return true;
}

void World::run_until(MonoTime time) {
  while (!events_.empty() && events_.front().at <= time) step();
  now_ = std::max(now_, time);
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const MonoTime end = now_ + limit;
  while (!condition()) {
    if (events_.empty() || events_.front().at > end) return false;
    step();
  }
  return true;
}

bool World::run_work(Host& host, unsigned reactor, Work& work, const bool& ended, Duration limit) {
  const ProcessRef process = host.process_;
  host.parts_->reactors[reactor]->post(work);
  return run_until([&] { return ended || process->state != Process::State::alive; }, limit) && ended;
}

}  // namespace klamm::runtime::simulation
