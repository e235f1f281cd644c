// CRC-32C is linear: when a few bytes at a known distance from the end change, the new checksum follows from the old
// one and the changed bytes, whatever stands behind them. A leader that stamps its time into a batch of a megabyte so
// needs tens of nanoseconds under the partition's lock instead of reading the batch again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace klamm::records {

// What `bytes_behind` bytes do to the bytes before them: x^(8 * bytes_behind) modulo the polynomial.
std::uint32_t crc32c_shift_factor(std::size_t bytes_behind);

// The checksum of (after + rest), given `crc` of (before + rest) and crc32c_shift_factor(rest.size()). `before` and
// `after` are of one size.
std::uint32_t patch_crc32c(std::uint32_t crc, std::uint32_t shift_factor, Bytes before, Bytes after);

}  // namespace klamm::records
