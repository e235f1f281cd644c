// What a broker, a client or a tool needs of the outside world, in one hand. The members outlive whoever is given it.
#pragma once

#include <vector>

#include "base/logger.h"
#include "runtime/clock.h"
#include "runtime/disk.h"
#include "runtime/lock.h"
#include "runtime/network.h"
#include "runtime/reactor.h"

namespace klamm::runtime {

struct Environment {
  Clock& clock;
  Random& random;
  Disk& disk;
  Network& network;
  Scheduling& scheduling;
  std::vector<Reactor*> reactors;  // at least one
  LogSink& log;
};

}  // namespace klamm::runtime
