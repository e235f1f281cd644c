#include "base/bytes.h"

namespace klamm {

std::string to_hex(Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte next : bytes) {
    text.push_back(digits[static_cast<unsigned>(next) >> 4]);
    text.push_back(digits[static_cast<unsigned>(next) & 15]);
  }
  return text;
}

}  // namespace klamm
