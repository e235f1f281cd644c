// A broker on a simulated host: starts, dies, is started again, as often as the story wants.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.h"
#include "config/properties.h"
#include "history.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"

namespace klamm::simulation {

namespace sim = runtime::simulation;

class BrokerProcess {
 public:
  enum class State : std::uint8_t { down, starting, serving, stopping, stopped };

  // After each death the host is started again, a moment later.
  BrokerProcess(sim::World& world, sim::Host& host, config::Properties properties, History& history);
  ~BrokerProcess();

  sim::Host& host() { return host_; }
  State state() const { return state_; }
  bool serving() const { return state_ == State::serving; }
  broker::Broker& broker() { return *broker_; }
  unsigned starts() const { return starts_; }
  unsigned deaths() const { return deaths_; }
  // What the start said when it refused; the story has failed then.
  const std::optional<std::string>& refusal() const { return refusal_; }
  // How often the broker ended by itself, because a disk failed.
  unsigned halts() const { return halts_; }

  // The next start crashes at its n-th disk call that changes something; 0: it does not.
  void crash_next_start(std::uint64_t n, sim::Crash kind);
  // Called once, before the next start, while nothing runs.
  void before_next_start(std::function<void()> action) { before_start_ = std::move(action); }
  // While disks fail, a broker may refuse to start.
  void let_disks_fail(bool failing) { disks_fail_ = failing; }

  // Outside of all events.
  void start();
  // Stops it in order. When it has stopped and `again`, it is started anew, a moment later.
  void stop(bool again);

 private:
  runtime::Task<void> live();
  runtime::Task<void> end();
  void died();
  void ended();
  void start_later();

  sim::World& world_;
  sim::Host& host_;
  config::Properties properties_;
  History& history_;
  State state_ = State::down;
  unsigned starts_ = 0;
  unsigned halts_ = 0;
  unsigned deaths_ = 0;
  bool again_ = false;
  bool disks_fail_ = false;
  bool replace_machine_ = false;
  std::function<void()> before_start_;
  std::uint64_t crash_next_start_ = 0;
  sim::Crash crash_kind_ = sim::Crash::process;
  std::optional<std::string> refusal_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<runtime::TaskGroup> tasks_;
};

}  // namespace klamm::simulation
