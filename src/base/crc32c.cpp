#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <array>

namespace klamm {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto table = make_table();

}  // namespace

std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  for (const std::byte next : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<std::uint32_t>(next)) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
namespace {

// ISA-L's folding code has a start-up cost: below 256 bytes the plain instruction is faster (measured).
__attribute__((target("sse4.2"))) std::uint32_t crc32c_short(Bytes bytes, std::uint32_t crc) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = crc;
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++at, --left) narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(*at));
  return narrow;
}

}  // namespace
#endif

std::uint32_t crc32c(Bytes bytes, std::uint32_t before) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) {
    if (bytes.size() < 256) return ~crc32c_short(bytes, ~before);
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    std::uint32_t crc = ~before;
    constexpr std::size_t chunk = std::size_t{1} << 30;  // ISA-L takes an int
    std::size_t left = bytes.size();
    while (left > 0) {
      const std::size_t now = left < chunk ? left : chunk;
      crc = crc32_iscsi(data, static_cast<int>(now), crc);
      data += now;
      left -= now;
    }
    return ~crc;
  }
#endif
  return crc32c_portable(bytes, before);
}

}  // namespace klamm
