// Views of memory and big-endian loads and stores: the wire and every file of Kafka are big-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace klamm {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteVector to_vector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}
inline bool same_bytes(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

namespace detail {
template <typename T>
constexpr T swap_to_big(T value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}
}  // namespace detail

// Reads a big-endian integer. The caller has checked that sizeof(T) bytes are there.
template <typename T>
  requires std::is_integral_v<T>
T load_big(const std::byte* from) {
  std::make_unsigned_t<T> raw;
  std::memcpy(&raw, from, sizeof raw);
  return static_cast<T>(detail::swap_to_big(raw));
}

// Writes a big-endian integer. The caller has made room for sizeof(T) bytes.
template <typename T>
  requires std::is_integral_v<T>
void store_big(std::byte* to, T value) {
  const auto raw = detail::swap_to_big(static_cast<std::make_unsigned_t<T>>(value));
  std::memcpy(to, &raw, sizeof raw);
}

template <typename T>
void append_big(ByteVector& to, T value) {
  std::byte raw[sizeof(T)];
  store_big(raw, value);
  to.insert(to.end(), raw, raw + sizeof raw);
}

inline void append_bytes(ByteVector& to, Bytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// "0a1b…", for messages and tests.
std::string to_hex(Bytes bytes);

}  // namespace klamm
