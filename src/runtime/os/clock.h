// The machine's clock and randomness.
#pragma once

#include "runtime/clock.h"

namespace klamm::runtime::os {

class SystemClock final : public Clock {
 public:
  MonoTime now() const override;
  Timestamp wall() const override;
};

// getrandom, read in blocks.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

}  // namespace klamm::runtime::os
