// What a topic's configuration means to its partitions here: the part the log obeys, and the part the leader checks
// appends by. One value per topic, shared by its partitions and replaced as a whole when a key changes.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "records/compression.h"
#include "records/validator.h"
#include "storage/log_settings.h"

namespace klamm::replication {

struct TopicSettings {
  storage::LogSettingsRef log = std::make_shared<storage::LogSettings>();
  std::int32_t min_insync_replicas = 1;                                             // min.insync.replicas
  records::TimestampType timestamp_type = records::TimestampType::create_time;      // message.timestamp.type
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms = 3'600'000;                                  // message.timestamp.after.max.ms
  std::optional<records::Compression> target_compression;  // compression.type other than "producer"
  bool validate_strictly = false;                          // klamm.validate.records=strict
};
using TopicSettingsRef = std::shared_ptr<const TopicSettings>;

}  // namespace klamm::replication
