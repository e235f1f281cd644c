// In which order Java's hash tables give back what is in them. Kafka's assignors and records go through such tables, so
// that the order decides who gets the odd partition, and how the bytes of a record stand; those who would have the same
// go the same way. Entries that fall into one bucket stay as they were.
// Source: java.util.HashMap; Uuid.hashCode, String.hashCode, Integer.hashCode.
#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "coordination/placement.h"

namespace klamm::groups {

// The size of a table that grew to so many entries, and of one made as a copy of a collection of so many.
inline std::size_t java_table_grown(std::size_t entries) {
  std::size_t size = 16;
  while (entries > size / 4 * 3) size *= 2;
  return size;
}
inline std::size_t java_table_copied(std::size_t entries) {
  const auto wanted = static_cast<std::size_t>(static_cast<float>(entries) / 0.75F) + 1;
  return std::bit_ceil(std::max<std::size_t>(wanted, 16));
}

inline std::uint32_t java_hash(std::string_view text) {
  return static_cast<std::uint32_t>(coordination::java_string_hash(text));
}
inline std::uint32_t java_hash(Uuid id) {
  const std::uint64_t both = id.high ^ id.low;
  return static_cast<std::uint32_t>(both >> 32) ^ static_cast<std::uint32_t>(both);
}
inline std::uint32_t java_hash(std::int32_t number) {
  return static_cast<std::uint32_t>(number);
}

// `key` takes an entry to what is hashed.
template <typename T, typename Key>
void sort_as_java(std::vector<T>& entries, std::size_t table, Key key) {
  struct Placed {
    std::size_t bucket;
    std::size_t place;
    auto operator<=>(const Placed&) const = default;
  };
  std::vector<Placed> order;
  order.reserve(entries.size());
  for (const T& entry : entries) {
    const std::uint32_t hash = java_hash(key(entry));
    order.push_back({(hash ^ (hash >> 16)) & (table - 1), order.size()});
  }
  std::ranges::sort(order);
  std::vector<T> sorted;
  sorted.reserve(entries.size());
  for (const Placed& each : order) sorted.push_back(std::move(entries[each.place]));
  entries = std::move(sorted);
}
template <typename T>
void sort_as_java(std::vector<T>& entries, std::size_t table) {
  sort_as_java(entries, table, [](const T& entry) { return entry; });
}

}  // namespace klamm::groups
