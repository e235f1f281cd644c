// A topic's name with a partition's number: how Kafka's files, tools and log lines name a partition ("orders-0").
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace klamm {

struct TopicPartition {
  std::string topic;
  PartitionIndex partition;

  auto operator<=>(const TopicPartition&) const = default;
  // "orders-0"
  std::string to_string() const { return fmt::format("{}-{}", topic, partition.value); }
};

}  // namespace klamm

template <>
struct std::hash<klamm::TopicPartition> {
  std::size_t operator()(const klamm::TopicPartition& tp) const noexcept {
    return std::hash<std::string_view>{}(tp.topic) * 31 + static_cast<std::size_t>(tp.partition.value);
  }
};
