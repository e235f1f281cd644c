// What a topic's configuration means: its own keys over the broker's. A value; made anew when a key changes.
// Source of behaviour: org.apache.kafka.storage.internals.log.LogConfig.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/broker_config.h"

namespace klamm::config {

enum class MessageTimestampType : std::uint8_t { create_time, log_append_time };
// What a broker makes of batches: leaves them as the producer sent them, or compresses them itself.
enum class BrokerCompression : std::uint8_t { producer, uncompressed, gzip, snappy, lz4, zstd };

struct TopicConfig {
  // The defaults below are those of a broker on which nothing is set.
  std::int32_t segment_bytes = 1 << 30;
  std::optional<std::int32_t> internal_segment_bytes;  // for tests: no lower bound
  Milliseconds segment_ms = std::chrono::days(7);
  Milliseconds segment_jitter_ms{0};
  std::int32_t segment_index_bytes = 10 << 20;
  std::int64_t flush_messages = INT64_MAX;
  Milliseconds flush_ms = Milliseconds::max();
  std::int64_t retention_bytes = -1;                 // negative: no limit
  Milliseconds retention_ms = std::chrono::days(7);  // -1: no limit
  std::int32_t max_message_bytes = 1048588;
  std::int32_t index_interval_bytes = 4096;
  Milliseconds delete_retention_ms = std::chrono::days(1);
  Milliseconds min_compaction_lag_ms{0};
  Milliseconds max_compaction_lag_ms = Milliseconds::max();
  Milliseconds file_delete_delay_ms = std::chrono::minutes(1);
  double min_cleanable_dirty_ratio = 0.5;
  bool compact = false;
  bool delete_old = true;  // neither: kept forever
  bool unclean_leader_election_enable = false;
  std::int32_t min_insync_replicas = 1;
  BrokerCompression compression_type = BrokerCompression::producer;
  std::int32_t compression_gzip_level = -1;
  std::int32_t compression_lz4_level = 9;
  std::int32_t compression_zstd_level = 3;
  bool preallocate = false;
  MessageTimestampType message_timestamp_type = MessageTimestampType::create_time;
  Milliseconds message_timestamp_before_max_ms = Milliseconds::max();
  Milliseconds message_timestamp_after_max_ms = std::chrono::hours(1);
  List leader_replication_throttled_replicas;
  List follower_replication_throttled_replicas;
  bool remote_storage_enable = false;
  Milliseconds local_retention_ms{-2};  // -2: as retention.ms
  std::int64_t local_retention_bytes = -2;
  bool remote_log_copy_disable = false;
  bool remote_log_delete_on_disable = false;

  std::int32_t effective_segment_bytes() const { return internal_segment_bytes.value_or(segment_bytes); }

  bool operator==(const TopicConfig&) const = default;
};

// `overrides` are the topic's own keys. Keys that are not known (of a newer release) are left alone.
Checked<TopicConfig> topic_config(const BrokerConfig& broker, const Properties& overrides);
// Every topic key's value under `overrides`.
Checked<ConfigValues> topic_values(const BrokerConfig& broker, const Properties& overrides);

// Keys to values as a request has them; no value is null.
using NullableProperties = std::map<std::string, std::optional<std::string>, std::less<>>;

// Whether a topic may have these overrides, all of them together; `existing` is what it had before. The error texts are
// those of CreateTopics and AlterConfigs. Source: ControllerConfigurationValidator, LogConfig.validate.
Checked<void> validate_topic_overrides(const BrokerConfig& broker, const Properties& existing,
                                       const NullableProperties& overrides);
// The same for a group's overrides and for a client metrics subscription's keys.
Checked<void> validate_group_overrides(const BrokerConfig& broker, const NullableProperties& overrides);
Checked<void> validate_client_metrics(std::string_view subscription, const NullableProperties& keys);

}  // namespace klamm::config
