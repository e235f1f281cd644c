// What this is, and which Kafka it speaks like.
#pragma once

#include <string_view>

namespace klamm {

inline constexpr std::string_view klamm_version = "0.1.0";
inline constexpr std::string_view kafka_version = "4.3.1";

}  // namespace klamm
