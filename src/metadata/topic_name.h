// Which names a topic may have. Source: org.apache.kafka.common.internals.Topic.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace klamm::metadata {

inline constexpr std::size_t topic_name_length_max = 249;
inline constexpr std::string_view cluster_metadata_topic = "__cluster_metadata";

// Fails with invalid_topic_exception and Kafka's text: "Topic name is invalid: '.' is not allowed".
Result<void> check_topic_name(std::string_view name);
// __consumer_offsets, __transaction_state, __share_group_state
bool is_internal_topic(std::string_view name);

// Names that differ in '.' and '_' only would be one in metrics: they collide.
bool has_collision_characters(std::string_view name);
// With every '.' as '_'.
std::string unified_topic_name(std::string_view name);

}  // namespace klamm::metadata
