// What one life of a simulated host consists of.
#pragma once

#include <memory>
#include <vector>

#include "runtime/simulation/disk.h"
#include "runtime/simulation/network.h"
#include "runtime/simulation/reactor.h"
#include "runtime/simulation/world.h"

namespace klamm::runtime::simulation {

class HostClock final : public Clock {
 public:
  HostClock(World& world, std::function<Timestamp()> wall) : world_(world), wall_(std::move(wall)) {}
  MonoTime now() const override { return world_.now(); }
  Timestamp wall() const override { return wall_(); }

 private:
  World& world_;
  std::function<Timestamp()> wall_;
};

class HostRandom final : public Random {
 public:
  explicit HostRandom(Chance chance) : chance_(chance) {}
  std::uint64_t next() override { return chance_.next(); }

 private:
  Chance chance_;
};

class HostScheduling final : public Scheduling {
 public:
  HostScheduling(Chance chance, const Options& options) : chance_(chance), options_(options) {}
  bool refuse_try_lock() override { return chance_.one_in(options_.refuse_try_lock_one_in); }
  void about_to_sleep() override;
  bool chance(std::string_view place) override;

 private:
  Chance chance_;
  const Options& options_;
};

class HostLog final : public LogSink {
 public:
  HostLog(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  bool enabled(std::string_view, LogLevel level) const override { return level >= LogLevel::info; }
  void write(std::string_view logger, LogLevel level, std::string_view message) override;

 private:
  World& world_;
  std::string name_;
};

struct Host::Parts {
  Parts(World& world, Host& host, ProcessRef process);

  HostClock clock;
  HostRandom random;
  HostScheduling scheduling;
  HostLog log;
  SimulatedIoThreads io;
  ProcessDisk disk;
  SimulatedNetwork network;
  std::vector<std::unique_ptr<SimulatedReactor>> reactors;
  Environment environment;
};

}  // namespace klamm::runtime::simulation
