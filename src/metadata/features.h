// The features of a cluster: which levels this version knows, which ones a fresh directory gets, what depends on what.
// Source: org.apache.kafka.server.common.Feature and the *Version classes beside it, at 4.4.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "metadata/metadata_version.h"

namespace klamm::metadata {

inline constexpr std::string_view metadata_version_feature = "metadata.version";
inline constexpr std::string_view kraft_version_feature = "kraft.version";
inline constexpr std::string_view transaction_version_feature = "transaction.version";
inline constexpr std::string_view group_version_feature = "group.version";
inline constexpr std::string_view elr_version_feature = "eligible.leader.replicas.version";
inline constexpr std::string_view share_version_feature = "share.version";
inline constexpr std::string_view streams_version_feature = "streams.version";

// One level of a feature: a directory formatted at `default_from` or later gets it by itself.
struct FeatureLevel {
  std::int16_t level;
  std::int16_t default_from;                   // level of metadata.version
  std::int16_t requires_metadata_version = 0;  // 0: nothing beyond the minimum
};

// A feature other than metadata.version.
struct Feature {
  std::string_view name;
  std::span<const FeatureLevel> levels;  // ascending, from 0
  std::int16_t latest_production;

  std::int16_t min_level() const { return levels.front().level; }
  std::int16_t max_level() const { return levels.back().level; }
  std::int16_t default_level(MetadataVersion version) const;
  // Nothing when there is no such level, or when it is not stable and `unstable_enabled` is false.
  const FeatureLevel* find_level(std::int16_t level, bool unstable_enabled) const;
};

// In the order in which Kafka lists them.
std::span<const Feature> features();
const Feature* find_feature(std::string_view name);

struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = 0;
  bool contains(std::int16_t level) const { return min <= level && level <= max; }
  bool operator==(const VersionRange&) const = default;
};

// What a node of this version supports, metadata.version and kraft.version included: what it registers with and what
// ApiVersions answers.
const std::map<std::string, VersionRange, std::less<>>& supported_features();

// Checks that `levels` (metadata.version included) carry what `feature` at `level` depends on; the text is Kafka's.
Result<void> check_feature_dependencies(const Feature& feature, const FeatureLevel& level,
                                        const std::map<std::string, std::int16_t>& levels);

}  // namespace klamm::metadata
