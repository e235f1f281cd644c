// What goes wrong in a story: crashes of every kind and at every moment, cuts, pauses, clocks that jump, disks that
// fail.
#pragma once

#include <vector>

#include "broker_process.h"
#include "runtime/simulation/world.h"

namespace klamm::simulation {

class Nemesis {
 public:
  // `power`: it may be cut; else only processes die.
  Nemesis(sim::World& world, BrokerProcess& broker, std::vector<sim::Host*> clients, History& history,
          sim::Chance chance, bool power = true);

  void begin();
  // Nothing more will go wrong, and what did is healed.
  bool over() const { return left_ == 0 && failing_ == 0; }

 private:
  void plan_next();
  void strike();
  sim::Crash some_crash();
  void crash();
  void crash_in_a_call();
  void cut();
  void pause();
  void fail_disk();
  void damage();
  void heal();

  sim::World& world_;
  BrokerProcess& broker_;
  std::vector<sim::Host*> clients_;
  History& history_;
  sim::Chance chance_;
  bool power_;
  unsigned left_ = 0;
  unsigned failing_ = 0;  // disks that are not yet replaced
};

}  // namespace klamm::simulation
