#include "metadata/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace klamm::metadata {
namespace {

constexpr FeatureLevel kraft_levels[] = {{0, 7}, {1, 21}};
constexpr FeatureLevel transaction_levels[] = {{0, 7}, {1, 24}, {2, 24}};
constexpr FeatureLevel group_levels[] = {{0, 7}, {1, 22}};
constexpr FeatureLevel elr_levels[] = {{0, 7}, {1, 26, 23}};
constexpr FeatureLevel share_levels[] = {{0, 7}, {1, 28}, {2, 31}};
constexpr FeatureLevel streams_levels[] = {{0, 7}, {1, 29}};

constexpr Feature table[] = {
    {kraft_version_feature, kraft_levels, 1}, {transaction_version_feature, transaction_levels, 2},
    {group_version_feature, group_levels, 1}, {elr_version_feature, elr_levels, 1},
    {share_version_feature, share_levels, 1}, {streams_version_feature, streams_levels, 1},
};

}  // namespace

std::int16_t Feature::default_level(MetadataVersion version) const {
  std::int16_t level = levels.front().level;
  for (const FeatureLevel& candidate : levels) {
    if (candidate.default_from > version.level()) break;
    level = candidate.level;
  }
  return level;
}

const FeatureLevel* Feature::find_level(std::int16_t level, bool unstable_enabled) const {
  if (!unstable_enabled && level > latest_production) return nullptr;
  const auto found = std::ranges::find(levels, level, &FeatureLevel::level);
  return found == levels.end() ? nullptr : &*found;
}

std::span<const Feature> features() {
  return table;
}

const Feature* find_feature(std::string_view name) {
  const auto* found = std::ranges::find(table, name, &Feature::name);
  return found == std::end(table) ? nullptr : found;
}

const std::map<std::string, VersionRange, std::less<>>& supported_features() {
  static const auto supported = [] {
    std::map<std::string, VersionRange, std::less<>> ranges;
    ranges.emplace(metadata_version_feature, VersionRange{metadata_level_min, metadata_level_max});
    for (const Feature& feature : table) {
      ranges.emplace(feature.name, VersionRange{feature.min_level(), feature.max_level()});
    }
    return ranges;
  }();
  return supported;
}

Result<void> check_feature_dependencies(const Feature& feature, const FeatureLevel& level,
                                        const std::map<std::string, std::int16_t>& levels) {
  const auto metadata = levels.find(std::string(metadata_version_feature));
  if (level.level >= 1 && (metadata == levels.end() || metadata->second < metadata_level_min)) {
    return fail(ErrorCode::invalid_update_version,
                fmt::format("{} could not be set to {} because it depends on metadata.version={} ({})", feature.name,
                            level.level, metadata_level_min, metadata_version_min.name()));
  }
  if (level.requires_metadata_version != 0 &&
      (metadata == levels.end() || metadata->second < level.requires_metadata_version)) {
    return fail(ErrorCode::invalid_update_version,
                fmt::format("{} could not be set to {} because it depends on metadata.version level {}", feature.name,
                            level.level, level.requires_metadata_version));
  }
  return {};
}

}  // namespace klamm::metadata
