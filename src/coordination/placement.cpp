#include "coordination/placement.h"

#include <cstddef>
#include <limits>

#include "base/ensure.h"

namespace klamm::coordination {
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

template <typename Use>
void each_unit(std::string_view utf8, Use use) {
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t point = next_code_point(utf8, at);
    if (point < 0x10000) {
      use(static_cast<char16_t>(point));
    } else {
      use(static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10)));
      use(static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF)));
    }
  }
}

}  // namespace

std::u16string java_text(std::string_view utf8) {
  std::u16string text;
  text.reserve(utf8.size());
  each_unit(utf8, [&](char16_t unit) { text.push_back(unit); });
  return text;
}

std::int32_t java_string_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  each_unit(utf8, [&](char16_t unit) { hash = hash * 31 + unit; });
  return static_cast<std::int32_t>(hash);
}

PartitionIndex partition_for(std::string_view id, std::int32_t partitions) {
  ENSURE(partitions > 0);
  const std::int32_t hash = java_string_hash(id);
  const std::int32_t positive = hash == std::numeric_limits<std::int32_t>::min() ? 0 : hash < 0 ? -hash : hash;
  return PartitionIndex(positive % partitions);
}

}  // namespace klamm::coordination
