// Time and chance, as everything outside runtime/os sees them.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/types.h"

namespace klamm::runtime {

// Time that only grows; its zero means nothing. Deadlines and durations are measured with it.
struct Monotonic {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
using MonoTime = Monotonic::time_point;
using Duration = std::chrono::nanoseconds;
inline constexpr MonoTime never = MonoTime::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  // The wall clock, which people and NTP set back and forth: only for what is stored or shown.
  virtual Timestamp wall() const = 0;
};

// Callable from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

}  // namespace klamm::runtime
