#include "groups/placement.h"

#include <cstddef>
#include <limits>

#include "base/ensure.h"

namespace klamm::groups {
namespace {

constexpr char32_t replacement = 0xFFFD;

// Reads one code point and moves on; a broken sequence gives the replacement for its first byte.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const std::size_t extra = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < extra) return replacement;
  char32_t point = first & (0x3Fu >> extra);
  for (std::size_t i = 0; i < extra; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return replacement;
    point = (point << 6) | (byte(at + i) & 0x3Fu);
  }
  const bool overlong = (extra == 2 && point < 0x800) || (extra == 3 && point < 0x10000);
  if (overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return replacement;
  at += extra;
  return point;
}

}  // namespace

std::int32_t java_string_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  const auto add = [&](char32_t unit) { hash = hash * 31 + static_cast<std::uint32_t>(unit); };
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t point = next_code_point(utf8, at);
    if (point < 0x10000) {
      add(point);
    } else {
      add(0xD800 + ((point - 0x10000) >> 10));
      add(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return static_cast<std::int32_t>(hash);
}

PartitionIndex partition_for(std::string_view group_id, std::int32_t partitions) {
  ENSURE(partitions > 0);
  const std::int32_t hash = java_string_hash(group_id);
  const std::int32_t positive = hash == std::numeric_limits<std::int32_t>::min() ? 0 : hash < 0 ? -hash : hash;
  return PartitionIndex(positive % partitions);
}

}  // namespace klamm::groups
