// What the fuzz targets share: an input taken apart piece by piece, and checksums made right again, which no mutation
// would ever hit. A target is LLVMFuzzerTestOneInput of its own file; what a target finds ends the process.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/ensure.h"

namespace klamm::fuzz {

// Takes numbers from the front; zeros when nothing is left.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  template <typename T>
  T take() {
    if (rest_.size() < sizeof(T)) {
      rest_ = {};
      return T{};
    }
    const T value = load_big<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  bool take_bit() { return take<std::uint8_t>() & 1; }
  Bytes take_bytes(std::size_t count) {
    const Bytes taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  // With its length, 24 bits, in front.
  Bytes take_sized() {
    const auto high = std::size_t{take<std::uint8_t>()} << 16;
    return take_bytes(high | take<std::uint16_t>());
  }
  Bytes rest() const { return rest_; }
  std::size_t size() const { return rest_.size(); }

 private:
  Bytes rest_;
};

// So that a reading beyond the end is seen: memory of its own, no byte more.
inline ByteVector exact_copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// The compiler may not drop what is read only to see that it can be.
inline void touch(Bytes bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += static_cast<unsigned>(byte);
  asm volatile("" : : "r"(sum));
}

}  // namespace klamm::fuzz
