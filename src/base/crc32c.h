// CRC-32C (Castagnoli) as java.util.zip.CRC32C computes it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace klamm {

// The checksum of `bytes`, or, given the checksum of what came before, of both together.
std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0);

// The table-driven form, for machines without the instructions and as the oracle of the tests.
std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t before = 0);

}  // namespace klamm
