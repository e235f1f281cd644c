#include "records/record_batch_builder.h"

#include <limits>

#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/varint.h"
#include "records/record_batch_view.h"
#include "records/record_parser.h"

namespace klamm::records {

namespace {

constexpr std::int32_t int32_max = std::numeric_limits<std::int32_t>::max();
// Length 5, attributes 1, timestamp 10, offset 5.
constexpr std::size_t record_overhead_max = 21;
// What producers add to the ratio they measured, so that a batch rarely outgrows its limit.
constexpr double ratio_margin = 1.05;

std::int32_t size_of(Bytes bytes) {
  ENSURE(bytes.size() <= static_cast<std::size_t>(int32_max));
  return static_cast<std::int32_t>(bytes.size());
}

std::size_t nullable_size(const std::optional<Bytes>& field) {
  return field ? varint_size(size_of(*field)) + field->size() : varint_size(-1);
}

std::size_t headers_size(std::span<const HeaderView> headers) {
  std::size_t size = varint_size(static_cast<std::int32_t>(headers.size()));
  for (const auto& header : headers)
    size += varint_size(size_of(as_bytes(header.key))) + header.key.size() + nullable_size(header.value);
  return size;
}

std::size_t body_size(std::int32_t offset_delta, std::int64_t timestamp_delta, const RecordFields& fields) {
  return 1 + varlong_size(timestamp_delta) + varint_size(offset_delta) + nullable_size(fields.key) +
         nullable_size(fields.value) + headers_size(fields.headers);
}

// Writes into room that was made before.
class Writer {
 public:
  explicit Writer(std::byte* at) : at_(at) {}

  void byte(std::uint8_t value) { *at_++ = static_cast<std::byte>(value); }
  void varint(std::int32_t value) { at_ += store_varint(at_, value); }
  void varlong(std::int64_t value) { at_ += store_varlong(at_, value); }
  void bytes(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void nullable(const std::optional<Bytes>& field) {
    varint(field ? size_of(*field) : -1);
    if (field) bytes(*field);
  }
  const std::byte* at() const { return at_; }

 private:
  std::byte* at_;
};

}  // namespace

std::size_t record_size(std::int32_t offset_delta, std::int64_t timestamp_delta, const RecordFields& fields) {
  const std::size_t body = body_size(offset_delta, timestamp_delta, fields);
  return varint_size(static_cast<std::int32_t>(body)) + body;
}

std::size_t batch_size_upper_bound(const RecordFields& fields) {
  return batch_overhead + record_overhead_max + nullable_size(fields.key) + nullable_size(fields.value) +
         headers_size(fields.headers);
}

RecordBatchBuilder::RecordBatchBuilder(BatchOptions options) {
  reset(options);
}

void RecordBatchBuilder::reset(BatchOptions options) {
  options_ = options;
  plain_.resize(batch_overhead);
  count_ = 0;
  last_offset_ = options_.base_offset - 1;
  base_timestamp_ = options_.delete_horizon.value_or(no_timestamp);
  max_timestamp_ = no_timestamp;
}

void RecordBatchBuilder::begin_record(Offset offset, Timestamp timestamp) {
  ENSURE(offset > last_offset_ || (count_ == 0 && offset >= options_.base_offset));
  ENSURE(offset - options_.base_offset <= int32_max && count_ < int32_max);
  if (count_ == 0 && !options_.delete_horizon) base_timestamp_ = timestamp;
  if (timestamp > max_timestamp_) max_timestamp_ = timestamp;
  last_offset_ = offset;
  ++count_;
}

namespace {

struct RecordShape {
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_delta = 0;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::int32_t header_count = 0;
  // Everything behind the length prefix.
  std::size_t body_bytes = 0;
};

// `write_headers` writes what is left of the body.
void append_record(ByteVector& to, const RecordShape& shape, auto write_headers) {
  ENSURE(shape.body_bytes <= static_cast<std::size_t>(int32_max));
  const auto body = static_cast<std::int32_t>(shape.body_bytes);
  const std::size_t at = to.size();
  to.resize(at + varint_size(body) + shape.body_bytes);
  Writer writer(to.data() + at);
  writer.varint(body);
  writer.byte(0);  // attributes: none are defined
  writer.varlong(shape.timestamp_delta);
  writer.varint(shape.offset_delta);
  writer.nullable(shape.key);
  writer.nullable(shape.value);
  writer.varint(shape.header_count);
  write_headers(writer);
  ENSURE(writer.at() == to.data() + to.size());
}

}  // namespace

void RecordBatchBuilder::append_at(Offset offset, const RecordFields& fields) {
  begin_record(offset, fields.timestamp);
  RecordShape shape{.offset_delta = static_cast<std::int32_t>(offset - options_.base_offset),
                    .timestamp_delta = wrapping_subtract(fields.timestamp.value, base_timestamp_.value),
                    .key = fields.key,
                    .value = fields.value,
                    .header_count = static_cast<std::int32_t>(fields.headers.size())};
  shape.body_bytes = body_size(shape.offset_delta, shape.timestamp_delta, fields);
  append_record(plain_, shape, [&fields](Writer& writer) {
    for (const auto& header : fields.headers) {
      writer.varint(size_of(as_bytes(header.key)));
      writer.bytes(as_bytes(header.key));
      writer.nullable(header.value);
    }
  });
}

void RecordBatchBuilder::append_at(Offset offset, const RecordView& record) {
  begin_record(offset, record.timestamp);
  RecordShape shape{.offset_delta = static_cast<std::int32_t>(offset - options_.base_offset),
                    .timestamp_delta = wrapping_subtract(record.timestamp.value, base_timestamp_.value),
                    .key = record.nullable_key(),
                    .value = record.nullable_value(),
                    .header_count = record.headers.size()};
  // The size without headers counts one byte for their number, 0.
  const RecordFields fields{.key = shape.key, .value = shape.value};
  shape.body_bytes = body_size(shape.offset_delta, shape.timestamp_delta, fields) - 1 +
                     varint_size(shape.header_count) + record.headers.bytes().size();
  append_record(plain_, shape, [&record](Writer& writer) { writer.bytes(record.headers.bytes()); });
}

std::size_t RecordBatchBuilder::estimated_bytes(double ratio) const {
  if (options_.compression.type == CompressionType::none) return plain_.size();
  const auto records = static_cast<double>(plain_.size() - batch_overhead);
  return batch_overhead + static_cast<std::size_t>(records * ratio * ratio_margin);
}

std::size_t RecordBatchBuilder::plain_bytes_after(const RecordFields& fields) const {
  const auto offset_delta = static_cast<std::int32_t>(next_offset() - options_.base_offset);
  const std::int64_t timestamp_delta = empty() ? 0 : wrapping_subtract(fields.timestamp.value, base_timestamp_.value);
  return plain_.size() + record_size(offset_delta, timestamp_delta, fields);
}

void RecordBatchBuilder::set_producer_state(ProducerId id, ProducerEpoch epoch, std::int32_t base_sequence,
                                            bool transactional) {
  options_.producer_id = id;
  options_.producer_epoch = epoch;
  options_.base_sequence = base_sequence;
  options_.transactional = transactional;
}

void RecordBatchBuilder::override_last_offset(Offset last) {
  ENSURE(last >= last_offset_ && last - options_.base_offset <= int32_max);
  last_offset_ = last;
}

namespace {

std::int16_t attributes_of(const BatchOptions& options) {
  auto bits = static_cast<std::int16_t>(options.compression.type);
  const auto set = [&bits](bool condition, std::int16_t bit) {
    if (condition) bits = static_cast<std::int16_t>(bits | bit);
  };
  set(options.timestamp_type == TimestampType::log_append_time, batch_attribute::log_append_time);
  set(options.transactional, batch_attribute::transactional);
  set(options.control, batch_attribute::control);
  set(options.delete_horizon.has_value(), batch_attribute::delete_horizon);
  return bits;
}

struct HeaderNumbers {
  std::int32_t last_offset_delta = 0;
  Timestamp base_timestamp;
  Timestamp max_timestamp;
  std::int32_t record_count = 0;
};

// The 61 bytes in front of the records, the checksum last.
void write_batch_header(ByteVector& batch, const BatchOptions& options, const HeaderNumbers& numbers) {
  ENSURE(batch.size() >= batch_overhead && batch.size() <= static_cast<std::size_t>(int32_max));
  std::byte* at = batch.data();
  store_big(at + batch_field::base_offset, options.base_offset.value);
  store_big(at + batch_field::length, static_cast<std::int32_t>(batch.size() - log_overhead));
  store_big(at + batch_field::partition_leader_epoch, options.partition_leader_epoch.value);
  store_big(at + batch_field::magic, std::int8_t{2});
  store_big(at + batch_field::attributes, attributes_of(options));
  store_big(at + batch_field::last_offset_delta, numbers.last_offset_delta);
  store_big(at + batch_field::base_timestamp, numbers.base_timestamp.value);
  store_big(at + batch_field::max_timestamp, numbers.max_timestamp.value);
  store_big(at + batch_field::producer_id, options.producer_id.value);
  store_big(at + batch_field::producer_epoch, options.producer_epoch.value);
  store_big(at + batch_field::base_sequence, options.base_sequence);
  store_big(at + batch_field::record_count, numbers.record_count);
  store_big(at + batch_field::crc, crc32c(Bytes(batch).subspan(batch_field::attributes)));
}

}  // namespace

void RecordBatchBuilder::write_header(ByteVector& batch) {
  ENSURE(count_ > 0);
  const bool append_time = options_.timestamp_type == TimestampType::log_append_time;
  write_batch_header(batch, options_,
                     {.last_offset_delta = static_cast<std::int32_t>(last_offset_ - options_.base_offset),
                      .base_timestamp = base_timestamp_,
                      .max_timestamp = append_time ? options_.log_append_time : max_timestamp_,
                      .record_count = count_});
}

Bytes RecordBatchBuilder::finish(Compressor& compressor) {
  if (options_.compression.type == CompressionType::none) return finish();
  compressed_.resize(batch_overhead);
  compressor.compress(options_.compression, Bytes(plain_).subspan(batch_overhead), compressed_);
  write_header(compressed_);
  return compressed_;
}

Bytes RecordBatchBuilder::finish() {
  ENSURE(options_.compression.type == CompressionType::none);
  write_header(plain_);
  return plain_;
}

ByteVector RecordBatchBuilder::take(Compressor& compressor) {
  if (options_.compression.type == CompressionType::none) return take();
  finish(compressor);
  return std::exchange(compressed_, {});
}

ByteVector RecordBatchBuilder::take() {
  finish();
  ByteVector batch = std::exchange(plain_, {});
  reset(options_);
  return batch;
}

ByteVector empty_batch(const BatchOptions& options, Offset last_offset, Timestamp max_timestamp) {
  ByteVector batch(batch_overhead);
  BatchOptions plain = options;
  plain.compression = {};
  write_batch_header(batch, plain,
                     {.last_offset_delta = static_cast<std::int32_t>(last_offset - options.base_offset),
                      .base_timestamp = options.delete_horizon.value_or(no_timestamp),
                      .max_timestamp = max_timestamp});
  return batch;
}

}  // namespace klamm::records
