// A batch of magic 2 where it lies: in a request, in a segment, in a response. Nothing is copied. docs/records.md shows
// the bytes. Source of the format: KIP-98, org.apache.kafka.common.record.DefaultRecordBatch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "records/compression.h"
#include "records/record.h"

namespace klamm::records {

// Every entry of a log, of any magic, begins with its offset (int64) and its size after these twelve bytes (int32).
inline constexpr std::size_t log_overhead = 12;
// Up to here an entry must be read to tell its magic.
inline constexpr std::size_t magic_position = 16;
inline constexpr std::size_t header_up_to_magic = 17;
// A batch without records.
inline constexpr std::size_t batch_overhead = 61;

// Positions of the fields of a batch. The checksum covers everything from `attributes` on: what a leader stamps into
// every batch, base offset and partition leader epoch, lies before it.
namespace batch_field {
inline constexpr std::size_t base_offset = 0;
inline constexpr std::size_t length = 8;
inline constexpr std::size_t partition_leader_epoch = 12;
inline constexpr std::size_t magic = 16;
inline constexpr std::size_t crc = 17;
inline constexpr std::size_t attributes = 21;
inline constexpr std::size_t last_offset_delta = 23;
inline constexpr std::size_t base_timestamp = 27;
inline constexpr std::size_t max_timestamp = 35;
inline constexpr std::size_t producer_id = 43;
inline constexpr std::size_t producer_epoch = 51;
inline constexpr std::size_t base_sequence = 53;
inline constexpr std::size_t record_count = 57;
inline constexpr std::size_t records = 61;
}  // namespace batch_field

// Bits of `attributes`; the other nine are unused.
namespace batch_attribute {
inline constexpr std::int16_t codec_mask = 0x07;
inline constexpr std::int16_t log_append_time = 0x08;
inline constexpr std::int16_t transactional = 0x10;
inline constexpr std::int16_t control = 0x20;
inline constexpr std::int16_t delete_horizon = 0x40;
}  // namespace batch_attribute

// The fixed fields of a batch, read where they lie: 61 bytes suffice. Checks nothing: a batch that was not validated
// can say anything here.
class BatchHeader {
 public:
  // `header` has at least batch_overhead bytes.
  explicit BatchHeader(const std::byte* header) : at_(header) {}

  Offset base_offset() const { return Offset(load<std::int64_t>(batch_field::base_offset)); }
  Offset last_offset() const { return Offset(wrapping_add(base_offset().value, last_offset_delta())); }
  Offset next_offset() const { return Offset(wrapping_add(last_offset().value, 1)); }
  // Bytes of the whole batch, as it says itself.
  std::int64_t size_bytes() const {
    return std::int64_t{load<std::int32_t>(batch_field::length)} + std::int64_t{log_overhead};
  }
  LeaderEpoch partition_leader_epoch() const {
    return LeaderEpoch(load<std::int32_t>(batch_field::partition_leader_epoch));
  }
  std::int8_t magic() const { return load<std::int8_t>(batch_field::magic); }
  std::uint32_t crc() const { return load<std::uint32_t>(batch_field::crc); }
  std::int16_t attributes() const { return load<std::int16_t>(batch_field::attributes); }
  std::int32_t last_offset_delta() const { return load<std::int32_t>(batch_field::last_offset_delta); }
  Timestamp base_timestamp() const { return Timestamp(load<std::int64_t>(batch_field::base_timestamp)); }
  Timestamp max_timestamp() const { return Timestamp(load<std::int64_t>(batch_field::max_timestamp)); }
  ProducerId producer_id() const { return ProducerId(load<std::int64_t>(batch_field::producer_id)); }
  ProducerEpoch producer_epoch() const { return ProducerEpoch(load<std::int16_t>(batch_field::producer_epoch)); }
  std::int32_t base_sequence() const { return load<std::int32_t>(batch_field::base_sequence); }
  std::int32_t record_count() const { return load<std::int32_t>(batch_field::record_count); }

  // Can be a codec that does not exist: is_known_compression().
  CompressionType compression() const {
    return static_cast<CompressionType>(attributes() & batch_attribute::codec_mask);
  }
  bool is_compressed() const { return compression() != CompressionType::none; }
  TimestampType timestamp_type() const {
    return (attributes() & batch_attribute::log_append_time) ? TimestampType::log_append_time
                                                             : TimestampType::create_time;
  }
  bool is_transactional() const { return attributes() & batch_attribute::transactional; }
  bool is_control() const { return attributes() & batch_attribute::control; }
  bool has_producer_id() const { return producer_id() > no_producer_id; }
  std::int32_t last_sequence() const {
    return base_sequence() == no_sequence ? no_sequence : increment_sequence(base_sequence(), last_offset_delta());
  }
  // When tombstones and markers of this batch may be removed (KIP-534); base_timestamp() holds it then.
  std::optional<Timestamp> delete_horizon() const {
    return (attributes() & batch_attribute::delete_horizon) ? std::optional(base_timestamp()) : std::nullopt;
  }
  // "RecordBatch(magic=2, offsets=[0, 3], …)", as Kafka's logs show a batch.
  std::string to_string() const;

 protected:
  template <typename T>
  T load(std::size_t position) const {
    return load_big<T>(at_ + position);
  }

  const std::byte* at_;
};

// A whole batch.
class RecordBatchView : public BatchHeader {
 public:
  // The batch at the beginning of `bytes`, which may go on after it. Checks size and magic: corrupt_message when the
  // bytes do not hold a whole batch of magic 2. The checksum is a question of its own.
  static Result<RecordBatchView> parse(Bytes bytes);
  // `batch` is known to hold exactly one batch.
  explicit RecordBatchView(Bytes batch) : BatchHeader(batch.data()), bytes_(batch) {}

  Bytes bytes() const { return bytes_; }
  // The records, compressed if is_compressed().
  Bytes payload() const { return bytes_.subspan(batch_field::records); }

  std::uint32_t compute_crc() const;
  bool crc_matches() const { return crc() == compute_crc(); }
  // corrupt_message, with Kafka's text, unless the checksum matches.
  Result<void> check() const;

 private:
  Bytes bytes_;
};

// A batch that may be changed where it lies.
class MutableRecordBatch : public RecordBatchView {
 public:
  // `batch` is known to hold exactly one batch.
  explicit MutableRecordBatch(MutableBytes batch) : RecordBatchView(batch), mutable_(batch) {}
  static Result<MutableRecordBatch> parse(MutableBytes bytes);

  // Outside of the checksum.
  void set_base_offset(Offset offset);
  void set_last_offset(Offset offset) { set_base_offset(offset - last_offset_delta()); }
  void set_partition_leader_epoch(LeaderEpoch epoch);
  // Inside of it: the checksum is computed anew, unless nothing changes. Unused attribute bits are cleared, as Kafka
  // does.
  void set_max_timestamp(TimestampType type, Timestamp max);
  void set_producer_state(ProducerId id, ProducerEpoch epoch, std::int32_t base_sequence, bool transactional);

 private:
  void update_crc();

  MutableBytes mutable_;
};

// Walks plain records, those of an uncompressed batch or of a payload that was decompressed as a whole. Every record is
// checked: its length, its fields, its headers; after the last one that nothing remains. A lie ends the walk with
// invalid_record and Kafka's text.
//   for (RecordCursor cursor(batch); cursor.next();) use(cursor.record());
class RecordCursor {
 public:
  // The batch is not compressed (else: RecordReader).
  explicit RecordCursor(const RecordBatchView& batch);
  RecordCursor(const BatchHeader& header, Bytes plain_records);

  // False at the end and at an error.
  bool next();
  const RecordView& record() const { return record_; }
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }
  // Records walked so far.
  std::int32_t index() const { return read_; }

 private:
  bool stop(std::string message);

  const std::byte* at_;
  const std::byte* end_;
  std::int64_t base_offset_;
  std::int64_t base_timestamp_;
  std::int64_t log_append_time_;
  bool has_log_append_time_;
  std::int32_t base_sequence_;
  std::int32_t count_;
  std::int32_t read_ = 0;
  RecordView record_;
  std::optional<Error> error_;
};

}  // namespace klamm::records
