#include "coordination/decision.h"

namespace klamm::coordination {

std::uint64_t FreshIds::next() {
  state_ += 0x9e3779b97f4a7c15ull;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
  return mixed ^ (mixed >> 31);
}

std::uint32_t FreshIds::below(std::uint32_t bound) {
  // The upper half of a product: uniform enough for placement, without a division or a loop.
  return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
}

Uuid FreshIds::uuid() {
  for (;;) {
    const std::uint64_t high = next();
    const std::uint64_t low = next();
    if (const auto id = Uuid::from_random(high, low)) return *id;
  }
}

}  // namespace klamm::coordination
