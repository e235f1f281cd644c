// What a leader checks before it appends, and what it changes. Kafka's answers, in two phases: validate() needs no
// offset and runs outside of the partition's lock; stamp() puts offset, epoch and append time into the batch under it,
// in constant time, because base offset and epoch lie outside of the checksum and a changed timestamp only patches it.
// Source: org.apache.kafka.storage.internals.log.LogValidator, UnifiedLog, ProduceRequest.
//
// Uncompressed batches are always walked. Compressed payloads of ordinary topics pass unopened, on the word of header
// and checksum, as long as nothing is asked that only the records can tell: see ValidationOptions::strict and
// docs/decisions.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "records/compression.h"
#include "records/record_batch_builder.h"
#include "records/record_batch_view.h"

namespace klamm::records {

// Who appends. Coordinators write control batches and batches of several offsets on their own word.
enum class AppendOrigin : std::uint8_t { client, coordinator };

struct ValidationOptions {
  // For messages: "orders-0".
  std::string_view topic;
  PartitionIndex partition;
  AppendOrigin origin = AppendOrigin::client;
  // Version of the Produce request, for its limits and messages; coordinators have none.
  std::int16_t produce_version = 13;
  // The clock now: what timestamps are compared with.
  Timestamp now;
  // message.timestamp.type, message.timestamp.before.max.ms, message.timestamp.after.max.ms
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  // cleanup.policy contains "compact": every record needs a key.
  bool compacted = false;
  // compression.type: nothing for "producer", else what batches are rewritten to when they come otherwise.
  std::optional<Compression> target_compression = {};
  // max.message.bytes
  std::int32_t batch_bytes_max = std::numeric_limits<std::int32_t>::max();
  // klamm.validate.records=strict: every payload is opened.
  bool strict = false;
};

struct RecordError {
  // Index of the record in its batch.
  std::int32_t batch_index = 0;
  std::string message;
  bool operator==(const RecordError&) const = default;
};

// Which of Kafka's BrokerTopicMetrics counts a refusal (InvalidMagicNumberRecordsPerSec, …).
enum class RejectionMetric : std::uint8_t { none, magic, offset, sequence, checksum, no_key };

struct ValidationError {
  ErrorCode code = ErrorCode::invalid_record;
  // Kafka's text: for the log always, for the client only when `message_for_client`.
  std::string message;
  std::vector<RecordError> record_errors;
  bool message_for_client = false;
  // Whether the answer carries the partition's log start offset, or -1 because the log was never asked.
  bool with_log_start_offset = false;
  // The records exceed the decompression limit of this validator: another might take the batch.
  bool opens_to_too_much = false;
  RejectionMetric metric = RejectionMetric::none;
};

// One batch, ready to be stamped and appended. Holds on to the request's bytes, or owns the rewritten ones. Moves only.
struct ValidatedBatch {
  // Exactly the batch. Trailing bytes that make no whole entry were cut, as Kafka does.
  MutableBytes bytes;
  std::int32_t record_count = 0;
  std::int32_t last_offset_delta = 0;
  // With log_append_time: set by stamp(). -1 when no record has one.
  Timestamp max_timestamp = no_timestamp;
  TimestampType timestamp_type = TimestampType::create_time;
  CompressionType source_compression = CompressionType::none;

  ProducerId producer_id = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  std::int32_t base_sequence = no_sequence;
  std::int32_t last_sequence = no_sequence;
  bool transactional = false;
  bool control = false;

  // The payload was decompressed; the bytes are not those that came.
  bool opened = false;
  bool rebuilt = false;

  // Set by stamp(). log_append_time is -1 with create_time.
  Offset base_offset = no_offset;
  Offset last_offset = no_offset;
  Timestamp log_append_time = no_timestamp;

  bool has_producer_id() const { return producer_id > no_producer_id; }
  // Where Kafka's time index points for max_timestamp: the last offset of the batch.
  Offset offset_of_max_timestamp() const { return max_timestamp == no_timestamp ? no_offset : last_offset; }

  ValidatedBatch() = default;
  ValidatedBatch(ValidatedBatch&&) noexcept = default;
  ValidatedBatch& operator=(ValidatedBatch&&) noexcept = default;

  ByteVector storage;
  // What stamp() needs to patch the checksum without reading the records again.
  std::uint32_t crc_factor = 0;
};

// Phase 1. Holds codec contexts and buffers: one per reactor, not to be shared between threads. An uncompressed batch
// that passes allocates nothing.
class ProduceValidator {
 public:
  explicit ProduceValidator(DecompressionLimits limits = {}) : decompressor_(limits) {}

  // `records`: the records of one partition of a request. Null records are invalid_record, given here as empty.
  std::expected<ValidatedBatch, ValidationError> validate(MutableBytes records, const ValidationOptions& options);

 private:
  struct Pass;

  Decompressor decompressor_;
  Compressor compressor_;
  RecordBatchBuilder builder_;
};

struct Stamp {
  Offset base_offset;
  LeaderEpoch leader_epoch;
  // The append time, for topics whose timestamps are the log's.
  Timestamp now;
};

// Phase 2. Constant time, allocates nothing.
void stamp(ValidatedBatch& batch, const Stamp& stamp);

// What the records of one partition say before anything is checked but sizes and magics; Kafka asks it of a whole
// request first, and a failure here (corrupt_message, text for the client) fails every partition of it.
struct ProduceFlags {
  bool transactional = false;
  bool idempotent = false;
  // Of the first transactional batch that has one.
  ProducerId transaction_producer = no_producer_id;
  ProducerEpoch transaction_epoch = no_producer_epoch;
  // A later one has another.
  bool several_transactions = false;
};
Result<ProduceFlags> produce_flags(Bytes records);

}  // namespace klamm::records
