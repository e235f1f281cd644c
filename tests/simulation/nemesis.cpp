#include "nemesis.h"

#include <cerrno>

#include "runtime/simulation/disk.h"
#include "runtime/simulation/network.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

Nemesis::Nemesis(sim::World& world, BrokerProcess& broker, std::vector<sim::Host*> clients, History& history,
                 sim::Chance chance, bool power)
    : world_(world), broker_(broker), clients_(std::move(clients)), history_(history), chance_(chance), power_(power) {}

sim::Crash Nemesis::some_crash() {
  const bool process = chance_.one_in(3);
  return process || !power_ ? sim::Crash::process : sim::Crash::power;
}

void Nemesis::begin() {
  left_ = static_cast<unsigned>(chance_.between(4, 10));
  // The first second of a broker's life is as good a time as any.
  if (chance_.one_in(2)) {
    const std::uint64_t n = chance_.between(1, 150);
    broker_.host().crash_at_disk_call(n, some_crash());
  }
  sim::NetworkTemper& temper = world_.wire().temper;
  if (chance_.one_in(3)) temper.reset_one_in = chance_.between(100, 2000);
  if (chance_.one_in(3)) temper.refuse_one_in = chance_.between(2, 10);
  if (chance_.one_in(3)) temper.phantom_one_in = chance_.between(2, 10);
  if (chance_.one_in(2)) temper.delay_max = chance_.between(runtime::Duration(100us), runtime::Duration(20ms));
  plan_next();
}

void Nemesis::plan_next() {
  world_.after(chance_.between(runtime::Duration(50ms), runtime::Duration(4s)), [this] { strike(); });
}

void Nemesis::strike() {
  // No story without two of them.
  switch (broker_.deaths() < 2 ? chance_.below(5) : chance_.below(11)) {
    case 0:
    case 1:
    case 2:
      crash();
      break;
    case 3:
    case 4:
      crash_in_a_call();
      break;
    case 5:
      cut();
      break;
    case 6:
      pause();
      break;
    case 7:
      broker_.stop(true);
      break;
    case 8:
      fail_disk();
      break;
    case 9:
      broker_.before_next_start([this] { damage(); });
      if (chance_.one_in(2)) {
        crash();
      } else {
        broker_.stop(true);
      }
      break;
    default:
      broker_.host().jump_wall(std::chrono::minutes(chance_.one_in(2) ? -30 : 30));
      world_.wire().reset(broker_.host(), *clients_[chance_.below(clients_.size())]);
  }
  if (left_ == 1 && broker_.deaths() < 2) ++left_;
  if (--left_ == 0) {
    ++left_;  // until it is healed
    world_.after(chance_.between(runtime::Duration(1s), runtime::Duration(5s)), [this] { heal(); });
  } else {
    plan_next();
  }
}

void Nemesis::crash() {
  if (!broker_.host().alive()) return;
  broker_.host().crash(some_crash());
  // Sometimes again, in the middle of what the next start does.
  if (!chance_.one_in(3)) return;
  world_.after(runtime::Duration(1),
               [this, n = chance_.between(1, 150)] { broker_.crash_next_start(n, some_crash()); });
}

void Nemesis::crash_in_a_call() {
  if (!broker_.host().alive()) return;
  const std::uint64_t n = chance_.between(1, 100);
  broker_.host().crash_at_disk_call(n, some_crash());
}

void Nemesis::cut() {
  sim::Host& client = *clients_[chance_.below(clients_.size())];
  sim::Host& broker = broker_.host();
  switch (chance_.below(3)) {
    case 0:
      world_.wire().cut(broker, client);
      break;
    case 1:
      world_.wire().cut_one_way(broker, client);
      break;
    default:
      world_.wire().cut_one_way(client, broker);
  }
  world_.after(chance_.between(runtime::Duration(100ms), runtime::Duration(20s)),
               [this, &broker, &client] { world_.wire().heal(broker, client); });
}

void Nemesis::pause() {
  sim::Host& host = chance_.one_in(3) ? *clients_[chance_.below(clients_.size())] : broker_.host();
  host.pause();
  world_.after(chance_.between(runtime::Duration(10ms), runtime::Duration(10s)), [&host] { host.resume(); });
}

// The directory it hits goes offline, or the broker ends; a while later the machine is replaced, disk and all that was
// synced apart: what a failed sync left in memory alone must not be taken for stored.
void Nemesis::fail_disk() {
  if (!broker_.serving() || !power_) return;
  sim::DiskFault fault;
  fault.call = chance_.one_in(2) ? sim::DiskCall::write : sim::DiskCall::sync;
  if (chance_.one_in(4)) fault.call = sim::DiskCall::rename;
  fault.skip = chance_.below(50);
  fault.error = chance_.one_in(2) ? EIO : ENOSPC;
  if (chance_.one_in(3)) {
    fault.error = 0;
    fault.slow = chance_.between(runtime::Duration(100ms), runtime::Duration(5s));
  }
  broker_.host().disk().add_fault(fault);
  broker_.let_disks_fail(true);
  ++failing_;
  world_.after(chance_.between(runtime::Duration(500ms), runtime::Duration(5s)), [this] {
    broker_.host().disk().clear_faults();
    broker_.let_disks_fail(--failing_ > 0);
    if (broker_.host().alive()) broker_.host().crash(sim::Crash::power);
  });
}

// A bit flips in a derived file, or a part of it is zeros: what it said is in the log too.
void Nemesis::damage() {
  sim::SimulatedDisk& disk = broker_.host().disk();
  std::vector<std::string> files;
  for (const std::string& path : disk.files()) {
    if (path.find("__cluster_metadata") != std::string::npos || disk.content(path).empty()) continue;
    if (path.ends_with(".index") || path.ends_with(".timeindex") || path.ends_with(".snapshot")) files.push_back(path);
  }
  for (std::uint64_t i = chance_.between(1, 3); i > 0 && !files.empty(); --i) {
    const std::string& path = files[chance_.below(files.size())];
    const std::uint64_t size = disk.content(path).size();
    const std::uint64_t at = chance_.below(size);
    if (chance_.one_in(2)) {
      disk.flip_bit(path, at, static_cast<unsigned>(chance_.below(8)));
    } else {
      disk.zero(path, at, chance_.between(1, size - at));
    }
    history_.damaged(path);
  }
}

void Nemesis::heal() {
  world_.trace().add(world_.now(), "story", "everything is healed");
  world_.wire().heal_all();
  sim::NetworkTemper& temper = world_.wire().temper;
  temper.reset_one_in = temper.refuse_one_in = temper.phantom_one_in = 0;
  if (failing_ == 0) broker_.host().disk().clear_faults();
  broker_.crash_next_start(0, sim::Crash::power);
  broker_.before_next_start({});
  broker_.host().cancel_crash();
  for (sim::Host* client : clients_) client->resume();
  broker_.host().resume();
  --left_;
}

}  // namespace klamm::simulation
