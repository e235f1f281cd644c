// What the broker's configuration says about groups, read when a decision is made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace klamm::groups {

// group.consumer.migration.policy
enum class MigrationPolicy : std::uint8_t { disabled, upgrade, downgrade, bidirectional };

// A time that a group may have for itself, within the broker's bounds.
struct BoundedTime {
  std::chrono::milliseconds usual;
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
};

struct Settings {
  // Classic groups.
  std::chrono::milliseconds session_timeout_min = std::chrono::seconds(6);      // group.min.session.timeout.ms
  std::chrono::milliseconds session_timeout_max = std::chrono::minutes(30);     // group.max.session.timeout.ms
  std::chrono::milliseconds initial_rebalance_delay = std::chrono::seconds(3);  // group.initial.rebalance.delay.ms
  std::int32_t group_size_max = std::numeric_limits<std::int32_t>::max();       // group.max.size
  std::chrono::milliseconds new_member_join_timeout = std::chrono::minutes(5);

  // Consumer groups (KIP-848).
  // group.consumer.session.timeout.ms, group.consumer.heartbeat.interval.ms, group.consumer.assignment.interval.ms, and
  // their min and max.
  BoundedTime consumer_session_timeout{std::chrono::seconds(45), std::chrono::seconds(45), std::chrono::seconds(60)};
  BoundedTime consumer_heartbeat_interval{std::chrono::seconds(5), std::chrono::seconds(5), std::chrono::seconds(15)};
  BoundedTime consumer_assignment_interval{std::chrono::seconds(1), std::chrono::seconds(0), std::chrono::seconds(15)};
  std::chrono::milliseconds regex_refresh_interval =
      std::chrono::minutes(10);  // group.consumer.regex.refresh.interval.ms
  std::int32_t consumer_group_size_max = std::numeric_limits<std::int32_t>::max();  // group.consumer.max.size
  std::vector<std::string> assignors{"uniform", "range"};                           // group.consumer.assignors
  MigrationPolicy migration_policy = MigrationPolicy::bidirectional;

  // Offsets.
  std::int32_t offset_metadata_bytes_max = 4096;                       // offset.metadata.max.bytes
  std::chrono::milliseconds offsets_retention = std::chrono::days(7);  // offsets.retention.minutes
  std::chrono::milliseconds offsets_retention_check_interval = std::chrono::minutes(10);

  // Bounds of our own: what one group may make this node hold.
  std::size_t pending_members_max = 10'000;           // member ids given out and not yet used, per group
  std::size_t member_metadata_bytes_max = 1'000'000;  // of all protocols of one member, as they are sent
  std::size_t member_bytes_max = 16u << 20;           // what a member takes in memory, as it is counted
  std::size_t record_bytes_max = 1'000'000;           // message.max.bytes of the offsets topic, less its frame
};

}  // namespace klamm::groups
