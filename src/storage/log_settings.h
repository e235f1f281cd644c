// What a Log obeys: the topic-level settings of config/, as values. Shared by all logs of a topic and replaced as a
// whole when one changes. The metadata log has its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>

#include "runtime/clock.h"

namespace klamm::storage {

// The time after an interval; Kafka's "never" (2^63-1 ms) and what else is beyond a century stays never.
inline runtime::MonoTime later(runtime::MonoTime from, std::chrono::milliseconds by) {
  return by > std::chrono::hours(24 * 365 * 100) ? runtime::never : from + by;
}

struct LogSettings {
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds endless = Milliseconds::max();

  std::uint32_t segment_bytes = 1u << 30;                                  // segment.bytes
  Milliseconds segment_ms = std::chrono::days(7);                          // segment.ms
  Milliseconds segment_jitter_ms{0};                                       // segment.jitter.ms
  std::uint32_t segment_index_bytes = 10u << 20;                           // segment.index.bytes
  std::uint32_t index_interval_bytes = 4096;                               // index.interval.bytes
  std::int32_t max_message_bytes = 1048588;                                // max.message.bytes
  std::int64_t retention_bytes = -1;                                       // retention.bytes; -1: no limit
  Milliseconds retention_ms = std::chrono::days(7);                        // retention.ms; negative: no limit
  std::int64_t flush_messages = std::numeric_limits<std::int64_t>::max();  // flush.messages
  Milliseconds flush_ms = endless;                                         // flush.ms
  Milliseconds file_delete_delay_ms = std::chrono::minutes(1);             // file.delete.delay.ms
  Milliseconds max_compaction_lag_ms = endless;  // max.compaction.lag.ms: rolls a compacted log earlier
  bool delete_old = true;                        // cleanup.policy contains "delete"
  bool compact = false;                          // cleanup.policy contains "compact"
  bool preallocate = false;                      // preallocate: reserve a whole segment when it is made

  // Longest time a segment stays active: segment.ms, for compacted logs no longer than max.compaction.lag.ms.
  Milliseconds segment_ms_max() const {
    return compact ? std::max(std::min(segment_ms, max_compaction_lag_ms), Milliseconds(1)) : segment_ms;
  }

  bool operator==(const LogSettings&) const = default;
};
using LogSettingsRef = std::shared_ptr<const LogSettings>;

}  // namespace klamm::storage
