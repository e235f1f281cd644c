// One seed's story: a broker, clients, and what happens to them; then the rules are checked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/simulation/world.h"

namespace klamm::simulation {

struct StoryOptions {
  std::uint64_t seed = 1;
  std::function<void(std::string_view line)> trace = {};
};

struct StoryOutcome {
  std::vector<std::string> failures;
  std::uint64_t trace_hash = 0;
  std::uint64_t trace_lines = 0;
  std::size_t operations = 0;
  std::size_t acknowledged = 0;
  std::size_t reads = 0;
  std::size_t allowed_duplicates = 0;  // docs/simulation.md, R6
  unsigned starts = 0;
  unsigned crashes = 0;
  unsigned power_cuts = 0;
  double virtual_seconds = 0;
  // Of stories of groups and transactions.
  std::size_t committed = 0;  // transactions
  std::size_t commits = 0;    // of offsets, outside of transactions
  std::size_t late = 0;       // requests that came when nobody thought of them any more
  std::size_t anomalies = 0;  // docs/simulation.md, KAFKA-17754
};

// How the world of a seed behaves.
runtime::simulation::Options world_options(std::uint64_t seed);

StoryOutcome run_story(const StoryOptions& options);

}  // namespace klamm::simulation
