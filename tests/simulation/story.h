// One seed's story: a broker, clients, and what happens to them; then the rules are checked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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
};

StoryOutcome run_story(const StoryOptions& options);

}  // namespace klamm::simulation
