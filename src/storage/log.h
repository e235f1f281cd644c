// One partition on one broker: an ordered list of segments and what is derived from them (indexes, leader epochs,
// producer state). Nothing above sees segments. File names and formats are Kafka's (docs/formats.md).
// Source of behaviour: org.apache.kafka.storage.internals.log.{UnifiedLog,LocalLog,LogLoader,ProducerStateManager}.
//
// Callable from any reactor. State is under one short lock; an append that meets a held lock queues itself and is written
// by the holder, merged into one write. The first failed write or sync fences the log: every later append and read
// answers KAFKA_STORAGE_ERROR, and the directory is told (LogDirectory::failed).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "config/topic_config.h"
#include "records/validator.h"
#include "runtime/environment.h"
#include "runtime/waiting.h"
#include "storage/leader_epochs.h"
#include "storage/producer_state.h"

namespace klamm::storage {

class LogDirectory;

// All the numbers a fetch answers with, taken at one moment (KAFKA-9835, KAFKA-9807, KAFKA-7104).
struct LogOffsets {
  Offset log_start;
  Offset local_log_start;   // the two differ once segments live in remote storage
  Offset last_stable;       // reads with read_committed stop here
  Offset high_watermark;    // ordinary reads stop here
  Offset log_end;
};

struct AppendResult {
  Offset first_offset = no_offset;      // of a duplicate: where the first copy went
  Offset last_offset = no_offset;
  Timestamp log_append_time = no_timestamp;  // -1 with CreateTime
  Offset log_start = no_offset;
  bool duplicate = false;               // an idempotent resend: nothing was written
  bool needs_sync = false;              // flush.messages reached: the answer waits for Log::synced
  std::vector<records::RecordError> record_errors;
};

enum class ReadIsolation : std::uint8_t { log_end, high_watermark, last_stable };

struct ReadRequest {
  Offset from;
  std::size_t bytes_max = 0;
  bool at_least_one_batch = false;      // give the first batch whole though it is larger than bytes_max
  ReadIsolation isolation = ReadIsolation::high_watermark;
};

struct AbortedTransaction {
  ProducerId producer_id;
  Offset first_offset;
};

// Whole batches as they stand in the files; `from` may lie inside the first one.
struct ReadResult {
  LogOffsets offsets;
  std::vector<runtime::FileSlice> slices;
  std::size_t bytes = 0;
  std::vector<AbortedTransaction> aborted;  // read_committed only
};

struct TimestampOffset {
  Timestamp timestamp;
  Offset offset;
  LeaderEpoch leader_epoch;
};

struct EpochEndOffset {
  LeaderEpoch leader_epoch;  // the largest known epoch <= the one asked for; -1 when there is none
  Offset end_offset;
};

class Log;
using LogRef = std::shared_ptr<Log>;

}  // namespace klamm::storage
