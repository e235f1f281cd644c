#include "records/crc_patch.h"

#include <array>

#include "base/crc32c.h"
#include "base/ensure.h"

namespace klamm::records {

namespace {

// Bit 31 is the coefficient of x^0, as the checksum itself is stored.
constexpr std::uint32_t polynomial = 0x82f63b78;
constexpr std::uint32_t one = std::uint32_t{1} << 31;

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = one; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b & 1) ? (b >> 1) ^ polynomial : b >> 1;
  }
  return product;
}

// x^(2^k): sizes below 2^40 bytes are 2^43 bits.
constexpr auto powers = [] {
  std::array<std::uint32_t, 43> table{};
  table[0] = one >> 1;
  for (std::size_t k = 1; k < table.size(); ++k) table[k] = multiply(table[k - 1], table[k - 1]);
  return table;
}();

}  // namespace

std::uint32_t crc32c_shift_factor(std::size_t bytes_behind) {
  std::uint32_t factor = one;
  std::size_t k = 3;
  for (; bytes_behind != 0; bytes_behind >>= 1, ++k) {
    ENSURE(k < powers.size());
    if (bytes_behind & 1) factor = multiply(powers[k], factor);
  }
  return factor;
}

std::uint32_t patch_crc32c(std::uint32_t crc, std::uint32_t shift_factor, Bytes before, Bytes after) {
  ENSURE(before.size() == after.size());
  return crc ^ multiply(shift_factor, crc32c(before) ^ crc32c(after));
}

}  // namespace klamm::records
