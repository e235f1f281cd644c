// The levels of metadata.version that Kafka 4.4 knows, and what each of them allows: which records may be written, and
// at which version. Source: org.apache.kafka.server.common.MetadataVersion.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace klamm::metadata {

// A level between metadata_level_min and metadata_level_max; made by metadata_version_of_level or _of_name only.
class MetadataVersion {
 public:
  constexpr std::int16_t level() const { return level_; }
  // "4.3-IV0"
  std::string_view name() const;
  // "4.3"
  std::string_view release() const;
  constexpr auto operator<=>(const MetadataVersion&) const = default;

  // A level beyond this one may still change; new directories are not formatted with it unless asked to.
  constexpr bool is_production() const { return level_ <= 30; }
  constexpr bool supports_migration() const { return level_ >= 8; }
  constexpr bool supports_scram() const { return level_ >= 11; }
  // Before KAFKA-15021 a smaller ISR had to raise the leader epoch.
  constexpr bool bumps_leader_epoch_on_isr_shrink() const { return level_ < 12; }
  constexpr bool supports_transactions() const { return level_ >= 13; }
  constexpr bool supports_delegation_tokens() const { return level_ >= 14; }
  constexpr bool supports_controller_registration() const { return level_ >= 15; }
  constexpr bool supports_directory_assignment() const { return level_ >= 17; }
  constexpr bool supports_elr() const { return level_ >= 23; }
  constexpr bool supports_cordoned_directories() const { return level_ >= 30; }
  constexpr bool supports_controller_unregistration() const { return level_ >= 33; }

  constexpr std::int16_t register_broker_record_version() const {
    return supports_cordoned_directories() ? 4 : supports_directory_assignment() ? 3 : supports_migration() ? 2 : 1;
  }
  // Of PartitionRecord and of PartitionChangeRecord.
  constexpr std::int16_t partition_record_version() const {
    return supports_elr() ? 2 : supports_directory_assignment() ? 1 : 0;
  }
  // The versions one broker speaks to another.
  constexpr std::int16_t fetch_request_version() const {
    return level_ >= 27 ? 18 : level_ >= 21 ? 17 : level_ >= 19 ? 16 : level_ >= 10 ? 15 : level_ >= 9 ? 14 : 13;
  }
  constexpr std::int16_t list_offsets_request_version() const {
    return level_ >= 29 ? 11 : level_ >= 25 ? 10 : level_ >= 21 ? 9 : level_ >= 9 ? 8 : 7;
  }

 private:
  friend std::optional<MetadataVersion> metadata_version_of_level(std::int16_t level);
  friend constexpr MetadataVersion known_metadata_version(std::int16_t level);
  constexpr explicit MetadataVersion(std::int16_t level) : level_(level) {}
  std::int16_t level_;
};

inline constexpr std::int16_t metadata_level_min = 7;
inline constexpr std::int16_t metadata_level_max = 33;

// For constants: a level that is known to exist.
constexpr MetadataVersion known_metadata_version(std::int16_t level) {
  return MetadataVersion(level);
}
inline constexpr MetadataVersion metadata_version_min = known_metadata_version(metadata_level_min);
// What a fresh directory is formatted with.
inline constexpr MetadataVersion metadata_version_production = known_metadata_version(30);
inline constexpr MetadataVersion metadata_version_latest = known_metadata_version(metadata_level_max);

std::optional<MetadataVersion> metadata_version_of_level(std::int16_t level);
// "No MetadataVersion with feature level 6. Valid feature levels are from 7 to 33."
std::string unknown_metadata_level_text(std::int16_t level);

// "4.3", "4.3-IV0" or "4.3.1" (the first two parts count): a release stands for its highest production level. Fails
// with invalid_update_version and Kafka's text, which lists what there is.
Result<MetadataVersion> metadata_version_of_name(std::string_view name, bool unstable_enabled);

// True when a change between the two levels changes what records look like, so that a downgrade loses something.
bool metadata_changed_between(MetadataVersion a, MetadataVersion b);

}  // namespace klamm::metadata
