#include "runtime/simulation/chance.h"

#include <bit>

namespace klamm::runtime::simulation {

Chance::Chance(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15u;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Chance::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

// The high half of a product: without a bias that matters here.
std::uint64_t Chance::below(std::uint64_t bound) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

Duration Chance::between(Duration low, Duration high) {
  if (high <= low) return low;
  return Duration(static_cast<std::int64_t>(
      between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
}

}  // namespace klamm::runtime::simulation
