#include "base/uuid.h"

#include "base/bytes.h"

namespace klamm {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string Uuid::to_string() const {
  std::byte raw[16];
  store_big(raw, high);
  store_big(raw + 8, low);
  std::string text;
  text.reserve(22);
  std::uint32_t pending = 0;
  int bits = 0;
  for (const std::byte next : raw) {
    pending = (pending << 8) | static_cast<std::uint32_t>(next);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(alphabet[(pending >> bits) & 63]);
    }
  }
  text.push_back(alphabet[(pending << (6 - bits)) & 63]);
  return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() == 24 && text.ends_with("==")) text.remove_suffix(2);
  if (text.size() != 22) return std::nullopt;
  std::byte raw[17] = {};
  std::size_t filled = 0;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char next : text) {
    const auto value = alphabet.find(next);
    if (value == std::string_view::npos) return std::nullopt;
    pending = (pending << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8 && filled < 16) {
      bits -= 8;
      raw[filled++] = static_cast<std::byte>(pending >> bits);
    }
  }
  return Uuid{load_big<std::uint64_t>(raw), load_big<std::uint64_t>(raw + 8)};
}

std::optional<Uuid> Uuid::from_random(std::uint64_t high_bits, std::uint64_t low_bits) {
  const Uuid id{(high_bits & ~0xf000ull) | 0x4000ull, (low_bits & ~(3ull << 62)) | (2ull << 62)};
  const bool reserved = id.high == 0 && id.low < 100;
  const bool leading_dash = (id.high >> 58) == 62;
  if (reserved || leading_dash) return std::nullopt;
  return id;
}

}  // namespace klamm
