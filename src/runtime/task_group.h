// Background work with an owner: tasks started here are stopped and awaited before the owner goes. Nothing runs detached.
#pragma once

#include "runtime/reactor.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::runtime {

// Belongs to one reactor: start() and stop() are called there.
class TaskGroup;

}  // namespace klamm::runtime
