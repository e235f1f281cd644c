#include "metadata/metadata_version.h"

#include <fmt/format.h>

#include <array>

namespace klamm::metadata {
namespace {

struct Row {
  std::string_view name;
  std::string_view release;
  bool changed_metadata;
};

// In the order of the levels, from metadata_level_min on.
constexpr std::array<Row, metadata_level_max - metadata_level_min + 1> rows{{
    {"3.3-IV3", "3.3", true},   //  7 controlled shutdown in registrations
    {"3.4-IV0", "3.4", true},   //  8 migration from ZooKeeper
    {"3.5-IV0", "3.5", false},  //  9 tiered storage
    {"3.5-IV1", "3.5", false},  // 10 replica epoch in Fetch
    {"3.5-IV2", "3.5", true},   // 11 SCRAM
    {"3.6-IV0", "3.6", false},  // 12 no leader epoch bump on ISR shrink
    {"3.6-IV1", "3.6", true},   // 13 metadata transactions
    {"3.6-IV2", "3.6", true},   // 14 delegation tokens
    {"3.7-IV0", "3.7", true},   // 15 controller registration
    {"3.7-IV1", "3.7", false},  // 16
    {"3.7-IV2", "3.7", true},   // 17 directories of replicas
    {"3.7-IV3", "3.7", false},  // 18
    {"3.7-IV4", "3.7", false},  // 19 Fetch 16
    {"3.8-IV0", "3.8", false},  // 20
    {"3.9-IV0", "3.9", false},  // 21 ListOffsets 9
    {"4.0-IV0", "4.0", false},  // 22 group.version 1
    {"4.0-IV1", "4.0", true},   // 23 eligible leader replicas
    {"4.0-IV2", "4.0", false},  // 24 transaction.version 2
    {"4.0-IV3", "4.0", false},  // 25 ListOffsets 10
    {"4.1-IV0", "4.1", false},  // 26 eligible leader replicas by default
    {"4.1-IV1", "4.1", false},  // 27 Fetch 18
    {"4.2-IV0", "4.2", false},  // 28 share groups by default
    {"4.2-IV1", "4.2", false},  // 29 streams groups by default
    {"4.3-IV0", "4.3", true},   // 30 cordoned log directories
    {"4.4-IV0", "4.4", false},  // 31 dead letter queues of share groups
    {"4.4-IV1", "4.4", true},   // 32 CIDR patterns in ACLs
    {"4.4-IV2", "4.4", true},   // 33 controller unregistration
}};

const Row& row_of(std::int16_t level) {
  return rows[static_cast<std::size_t>(level - metadata_level_min)];
}

std::optional<MetadataVersion> find_name(std::string_view name) {
  std::optional<MetadataVersion> release;
  for (std::int16_t level = metadata_level_min; level <= metadata_level_max; ++level) {
    const Row& row = row_of(level);
    if (row.name == name) return metadata_version_of_level(level);
    if (row.release == name && known_metadata_version(level).is_production())
      release = metadata_version_of_level(level);
  }
  return release;
}

std::string names_up_to(MetadataVersion last) {
  std::string text;
  for (std::int16_t level = metadata_level_min; level <= last.level(); ++level) {
    if (!text.empty()) text += ", ";
    text += row_of(level).name;
  }
  return text;
}

}  // namespace

std::string_view MetadataVersion::name() const {
  return row_of(level_).name;
}
std::string_view MetadataVersion::release() const {
  return row_of(level_).release;
}

std::optional<MetadataVersion> metadata_version_of_level(std::int16_t level) {
  if (level < metadata_level_min || level > metadata_level_max) return std::nullopt;
  return MetadataVersion(level);
}

std::string unknown_metadata_level_text(std::int16_t level) {
  return fmt::format("No MetadataVersion with feature level {}. Valid feature levels are from {} to {}.", level,
                     metadata_level_min, metadata_level_max);
}

Result<MetadataVersion> metadata_version_of_name(std::string_view name, bool unstable_enabled) {
  std::string_view key = name;
  const auto first = key.find('.');
  if (first != std::string_view::npos) {
    const auto second = key.find('.', first + 1);
    if (second != std::string_view::npos) key = key.substr(0, second);
  }
  const auto found = find_name(key);
  if (found && (unstable_enabled || found->is_production())) return *found;
  return fail(ErrorCode::invalid_update_version,
              fmt::format("Unknown metadata.version '{}'. Supported metadata.version are: {}", name,
                          names_up_to(unstable_enabled ? metadata_version_latest : metadata_version_production)));
}

bool metadata_changed_between(MetadataVersion a, MetadataVersion b) {
  const auto low = std::min(a.level(), b.level());
  for (auto level = std::max(a.level(), b.level()); level > low; --level) {
    if (row_of(level).changed_metadata) return true;
  }
  return false;
}

}  // namespace klamm::metadata
