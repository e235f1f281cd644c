// What a controller writes first: the bootstrap records into an empty log, or the end of a transaction that its
// predecessor left open. Source of behaviour: org.apache.kafka.controller.ActivationRecordsGenerator.
#pragma once

#include <string>

#include "controller/call.h"
#include "controller/state.h"

namespace klamm::controller {

struct Activation {
  metadata::Records records;
  bool atomic = true;
  std::string message;  // for the log
};

// Throws metadata::BadRecord when the bootstrap names no level that is known, or when a transaction is open at a level
// that has none.
Activation activation_records(const State& state, const Activate& call);

// What stands in a directory and is not supported yet, in a sentence that tells what to do; nothing when all is well. A
// broker must not start on it: rules that are silently not applied would be worse.
std::optional<std::string> unsupported_contents(const metadata::Image& image);

}  // namespace klamm::controller
