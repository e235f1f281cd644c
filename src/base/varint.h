// Variable-length integers of the wire and of records: LEB128, signed ones in zigzag form.
// Source of the format: org.apache.kafka.common.utils.ByteUtils.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace klamm {

inline constexpr std::size_t varint_bytes_max = 5;
inline constexpr std::size_t varlong_bytes_max = 10;

constexpr std::uint32_t zigzag(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::int32_t unzigzag(std::uint32_t value) {
  return static_cast<std::int32_t>(value >> 1) ^ -static_cast<std::int32_t>(value & 1);
}
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Bytes that an unsigned value takes.
constexpr std::size_t unsigned_varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) value >>= 7, ++size;
  return size;
}
constexpr std::size_t varint_size(std::int32_t value) {
  return unsigned_varint_size(zigzag(value));
}
constexpr std::size_t varlong_size(std::int64_t value) {
  return unsigned_varint_size(zigzag(value));
}

// Writes to `to`, which has room for the value; returns the bytes written.
constexpr std::size_t store_unsigned_varint(std::byte* to, std::uint64_t value) {
  std::size_t size = 0;
  while (value >= 0x80) {
    to[size++] = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  to[size++] = static_cast<std::byte>(value);
  return size;
}
constexpr std::size_t store_varint(std::byte* to, std::int32_t value) {
  return store_unsigned_varint(to, zigzag(value));
}
constexpr std::size_t store_varlong(std::byte* to, std::int64_t value) {
  return store_unsigned_varint(to, zigzag(value));
}

// The value and how many bytes it took; size 0 when the bytes end inside the value or it is longer than its type
// allows.
template <typename T>
struct Varint {
  T value = 0;
  std::size_t size = 0;
  explicit operator bool() const { return size != 0; }
};

Varint<std::uint32_t> load_unsigned_varint_slow(Bytes from);
Varint<std::uint64_t> load_unsigned_varlong_slow(Bytes from);

inline Varint<std::uint32_t> load_unsigned_varint(Bytes from) {
  if (!from.empty() && static_cast<std::uint8_t>(from[0]) < 0x80) return {static_cast<std::uint8_t>(from[0]), 1};
  return load_unsigned_varint_slow(from);
}
inline Varint<std::uint64_t> load_unsigned_varlong(Bytes from) {
  if (!from.empty() && static_cast<std::uint8_t>(from[0]) < 0x80) return {static_cast<std::uint8_t>(from[0]), 1};
  return load_unsigned_varlong_slow(from);
}
inline Varint<std::int32_t> load_varint(Bytes from) {
  const auto raw = load_unsigned_varint(from);
  return {unzigzag(raw.value), raw.size};
}
inline Varint<std::int64_t> load_varlong(Bytes from) {
  const auto raw = load_unsigned_varlong(from);
  return {unzigzag(raw.value), raw.size};
}

}  // namespace klamm
