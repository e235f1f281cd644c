// Makes batches of magic 2: for producers, for what the broker itself writes, and for batches that must be rewritten.
// Source: org.apache.kafka.common.record.MemoryRecordsBuilder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/types.h"
#include "records/compression.h"
#include "records/record.h"

namespace klamm::records {

struct BatchOptions {
  Offset base_offset{0};
  Compression compression = {};
  TimestampType timestamp_type = TimestampType::create_time;
  // With log_append_time: the batch's maximum timestamp, which readers then show for every record.
  Timestamp log_append_time = no_timestamp;
  ProducerId producer_id = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  std::int32_t base_sequence = no_sequence;
  bool transactional = false;
  bool control = false;
  LeaderEpoch partition_leader_epoch = no_leader_epoch;
  // Takes the place of the base timestamp (KIP-534).
  std::optional<Timestamp> delete_horizon = {};
};

struct RecordFields {
  Timestamp timestamp = no_timestamp;
  std::optional<Bytes> key = {};
  std::optional<Bytes> value = {};
  std::span<const HeaderView> headers = {};
};

// Bytes that a record of these fields takes in a batch, its length prefix included.
std::size_t record_size(std::int32_t offset_delta, std::int64_t timestamp_delta, const RecordFields& fields);
// Bytes that a batch of this one record takes at most, uncompressed: what a producer reserves.
std::size_t batch_size_upper_bound(const RecordFields& fields);

// Records are kept plain and compressed by finish(). Used again with reset(): the buffers stay.
class RecordBatchBuilder {
 public:
  explicit RecordBatchBuilder(BatchOptions options = {});

  void reset(BatchOptions options);
  // At the next offset. The timestamp is not negative, or no_timestamp.
  void append(const RecordFields& fields) { append_at(next_offset(), fields); }
  // Offsets grow, with gaps where compaction left them.
  void append_at(Offset offset, const RecordFields& fields);
  // A record of another batch with its headers as they lie.
  void append_at(Offset offset, const RecordView& record);

  std::int32_t record_count() const { return count_; }
  bool empty() const { return count_ == 0; }
  Offset next_offset() const { return count_ == 0 ? options_.base_offset : last_offset_ + 1; }
  Offset last_offset() const { return last_offset_; }
  Timestamp max_timestamp() const { return max_timestamp_; }
  // The batch as it would be without compression; exactly its size if there is none.
  std::size_t plain_bytes() const { return plain_.size(); }
  // Guess at its size, given how well the batches before compressed (compressed / plain).
  std::size_t estimated_bytes(double ratio) const;
  // plain_bytes() after one more record.
  std::size_t plain_bytes_after(const RecordFields& fields) const;

  // Known late by producers: given when the batch is about to be sent.
  void set_producer_state(ProducerId id, ProducerEpoch epoch, std::int32_t base_sequence, bool transactional);
  // For compaction: the range of offsets stays though its last records went.
  void override_last_offset(Offset last);

  // The finished batch: valid until the builder is used again. At least one record was appended.
  Bytes finish(Compressor& compressor);
  // For batches without compression.
  Bytes finish();
  // The finished batch as bytes of its own.
  ByteVector take(Compressor& compressor);
  ByteVector take();

 private:
  void begin_record(Offset offset, Timestamp timestamp);
  void write_header(ByteVector& batch);

  BatchOptions options_;
  ByteVector plain_;
  ByteVector compressed_;
  std::int32_t count_ = 0;
  Offset last_offset_ = no_offset;
  Timestamp base_timestamp_ = no_timestamp;
  Timestamp max_timestamp_ = no_timestamp;
};

// A batch without records, which compaction leaves to keep a producer's state: 61 bytes.
ByteVector empty_batch(const BatchOptions& options, Offset last_offset, Timestamp max_timestamp);

}  // namespace klamm::records
