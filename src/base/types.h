// Strong types for what Kafka counts and names with integers. They do not convert into one another; `.value` is the
// bare number for the wire and for files.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

namespace klamm {

template <typename Tag, typename Rep>
struct Strong {
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
};

// A number that can be advanced: offsets.
template <typename Tag>
struct StrongOffset : Strong<Tag, std::int64_t> {
  using Strong<Tag, std::int64_t>::Strong;
  constexpr auto operator<=>(const StrongOffset&) const = default;
  constexpr StrongOffset operator+(std::int64_t by) const { return StrongOffset(this->value + by); }
  constexpr StrongOffset operator-(std::int64_t by) const { return StrongOffset(this->value - by); }
  constexpr std::int64_t operator-(StrongOffset other) const { return this->value - other.value; }
};

// Position of a record in a partition. -1 means "none" where Kafka says so.
using Offset = StrongOffset<struct OffsetTag>;
inline constexpr Offset no_offset{-1};

// Epoch of a partition's leader; -1 when unknown. Of a partition's state (changes with every ISR change). Of a broker
// registration. Of the metadata leader.
using LeaderEpoch = Strong<struct LeaderEpochTag, std::int32_t>;
inline constexpr LeaderEpoch no_leader_epoch{-1};
using PartitionEpoch = Strong<struct PartitionEpochTag, std::int32_t>;
using BrokerEpoch = Strong<struct BrokerEpochTag, std::int64_t>;

using BrokerId = Strong<struct BrokerIdTag, std::int32_t>;
inline constexpr BrokerId no_broker{-1};
using PartitionIndex = Strong<struct PartitionIndexTag, std::int32_t>;

using ProducerId = Strong<struct ProducerIdTag, std::int64_t>;
inline constexpr ProducerId no_producer_id{-1};
using ProducerEpoch = Strong<struct ProducerEpochTag, std::int16_t>;
inline constexpr ProducerEpoch no_producer_epoch{-1};

// Milliseconds since 1970-01-01 UTC, as records, files and the wire have it. -1 means "none".
using Timestamp = StrongOffset<struct TimestampTag>;
inline constexpr Timestamp no_timestamp{-1};

}  // namespace klamm

template <typename Tag, typename Rep>
struct std::hash<klamm::Strong<Tag, Rep>> {
  std::size_t operator()(const klamm::Strong<Tag, Rep>& v) const noexcept { return std::hash<Rep>{}(v.value); }
};
template <typename Tag>
struct std::hash<klamm::StrongOffset<Tag>> {
  std::size_t operator()(const klamm::StrongOffset<Tag>& v) const noexcept {
    return std::hash<std::int64_t>{}(v.value);
  }
};
template <typename Tag, typename Rep>
struct fmt::formatter<klamm::Strong<Tag, Rep>> : fmt::formatter<Rep> {
  template <typename Context>
  auto format(const klamm::Strong<Tag, Rep>& v, Context& context) const {
    return fmt::formatter<Rep>::format(v.value, context);
  }
};
template <typename Tag>
struct fmt::formatter<klamm::StrongOffset<Tag>> : fmt::formatter<std::int64_t> {
  template <typename Context>
  auto format(const klamm::StrongOffset<Tag>& v, Context& context) const {
    return fmt::formatter<std::int64_t>::format(v.value, context);
  }
};
