// A log whose end was torn, at every byte of its last 64 KiB: what a crash in the middle of a write leaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace klamm::simulation {

struct TornTails {
  std::uint64_t opened = 0;
  std::vector<std::string> failures;  // the first ten
};

// Opens the log on the simulated disk once for each place of the tear: cut off there, and, of every eighth, filled up
// with zeros, as a file is whose size was stored and whose blocks were not.
TornTails open_torn_tails();

}  // namespace klamm::simulation
