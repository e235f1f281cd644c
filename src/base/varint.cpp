#include "base/varint.h"

namespace klamm {

Varint<std::uint32_t> load_unsigned_varint_slow(Bytes from) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < varint_bytes_max && i < from.size(); ++i) {
    const auto next = static_cast<std::uint32_t>(from[i]);
    value |= (next & 0x7f) << (7 * i);
    if (next < 0x80) return {value, i + 1};
  }
  return {};
}

Varint<std::uint64_t> load_unsigned_varlong_slow(Bytes from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < varlong_bytes_max && i < from.size(); ++i) {
    const auto next = static_cast<std::uint64_t>(from[i]);
    value |= (next & 0x7f) << (7 * i);
    if (next < 0x80) return {value, i + 1};
  }
  return {};
}

}  // namespace klamm
