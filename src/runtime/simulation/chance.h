// What a seed decides. The same seed and the same questions in the same order give the same answers on every machine.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/clock.h"

namespace klamm::runtime::simulation {

// xoshiro256**, seeded by splitmix64.
class Chance {
 public:
  explicit Chance(std::uint64_t seed);

  std::uint64_t next();
  // In [0, bound); 0 for a bound of 0.
  std::uint64_t below(std::uint64_t bound);
  // Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  Duration between(Duration low, Duration high);
  // True once in so many times; never for 0.
  bool one_in(std::uint64_t times) { return times != 0 && below(times) == 0; }
  // Another source that goes its own way from here.
  Chance fork() { return Chance(next()); }

 private:
  std::uint64_t state_[4];
};

// FNV-1a, for hashes that are the same everywhere.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace klamm::runtime::simulation
