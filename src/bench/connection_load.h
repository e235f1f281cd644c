// Connections rather than requests: how fast they are made, and what many idle ones cost.
#pragma once

#include "bench/plan.h"
#include "bench/target.h"
#include "runtime/environment.h"
#include "runtime/task.h"

namespace klamm::bench {

// plan.connections at a time connect, ask for the API versions, and go, over and over. A report's request is one life.
runtime::Task<void> run_connect(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                                const Target& target, Report& report, Moments moments);

// Opens plan.connections, each of which asks for the API versions once, and keeps them for the duration.
// What is counted begins when the last one is there.
runtime::Task<void> run_idle(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                             const Target& target, Report& report, Moments moments);

}  // namespace klamm::bench
