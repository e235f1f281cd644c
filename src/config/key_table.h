// The words in which the tables of keys_*.cpp are written. For those files only.
#pragma once

#include "config/keys.h"

namespace klamm::config {

using enum Importance;
using enum Update;
using enum Effect;

inline constexpr bool internal = true;
inline constexpr Validator quorum_voters{.kind = Validator::Kind::quorum_voters};
inline constexpr Validator quorum_servers{.kind = Validator::Kind::quorum_servers};
inline constexpr Validator throttled_replicas{.kind = Validator::Kind::throttled_replicas};
inline constexpr Validator offset_reset{.kind = Validator::Kind::offset_reset};
inline constexpr Validator share_acquire_mode{.kind = Validator::Kind::share_acquire_mode};
inline constexpr Validator share_offset_reset{.kind = Validator::Kind::share_offset_reset};

// Whose key it is; a key that differs between clients has a row for each.
inline constexpr std::uint8_t producer = 1;
inline constexpr std::uint8_t consumer = 2;
inline constexpr std::uint8_t admin = 4;
inline constexpr std::uint8_t everyone = producer | consumer | admin;
struct ClientKey {
  std::uint8_t clients;
  Key key;
};

std::span<const Key> topic_table();
std::span<const Key> group_override_table();
std::span<const Key> client_metrics_table();
std::span<const Key> client_quota_table();
std::span<const Key> ip_quota_table();
std::span<const ClientKey> client_table();
std::span<const ClientKey> client_security_table();

}  // namespace klamm::config
