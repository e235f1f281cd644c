// 128-bit ids as Kafka writes them: topic ids, directory ids, cluster ids. Text form is URL-safe base64 without
// padding, 22 characters (org.apache.kafka.common.Uuid).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace klamm {

struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return high == 0 && low == 0; }

  // "AAAAAAAAAAAAAAAAAAAAAA"
  std::string to_string() const;
  // Nothing unless the text is 22 characters of URL-safe base64 (trailing padding is accepted as Java's decoder does).
  static std::optional<Uuid> parse(std::string_view text);
  // A version 4 id from 128 random bits, never one of the reserved ids and never starting with '-' (KIP-516: a leading
  // dash would read as a flag on a command line); nothing when these bits make such an id: draw again.
  static std::optional<Uuid> from_random(std::uint64_t high_bits, std::uint64_t low_bits);
};

inline constexpr Uuid zero_uuid{0, 0};
// The topic id of __cluster_metadata, and the first of the reserved ids.
inline constexpr Uuid metadata_topic_id{0, 1};

// Directory ids with a meaning of their own: org.apache.kafka.common.DirectoryId.
inline constexpr Uuid directory_unassigned{0, 0};
inline constexpr Uuid directory_lost{0, 1};
inline constexpr Uuid directory_migrating{0, 2};

}  // namespace klamm

template <>
struct std::hash<klamm::Uuid> {
  std::size_t operator()(const klamm::Uuid& id) const noexcept {
    return static_cast<std::size_t>(id.high ^ (id.low * 0x9e3779b97f4a7c15ull));
  }
};
