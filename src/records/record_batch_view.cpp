#include "records/record_batch_view.h"

#include "base/crc32c.h"
#include "base/ensure.h"
#include "records/batch_walker.h"
#include "records/record_parser.h"

namespace klamm::records {

std::string BatchHeader::to_string() const {
  return fmt::format(
      "RecordBatch(magic={}, offsets=[{}, {}], sequence=[{}, {}], partitionLeaderEpoch={}, isTransactional={}, "
      "isControlBatch={}, compression={}, timestampType={}, crc={})",
      magic(), base_offset(), last_offset(), base_sequence(), last_sequence(), partition_leader_epoch(),
      is_transactional(), is_control(), compression_name(compression()), timestamp_type_name(timestamp_type()), crc());
}

Result<RecordBatchView> RecordBatchView::parse(Bytes bytes) {
  if (bytes.size() < batch_overhead) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Record batch is corrupt (the size {} is smaller than the minimum allowed overhead {})",
                            bytes.size(), batch_overhead));
  }
  const auto prefix = EntryPrefix::parse(bytes);
  if (!prefix) return std::unexpected(prefix.error());
  if (prefix->magic != 2)
    return fail(ErrorCode::corrupt_message, fmt::format("Invalid magic found in record: {}", prefix->magic));
  const auto size = static_cast<std::size_t>(prefix->size_bytes);
  if (size < batch_overhead || size > bytes.size()) {
    return fail(ErrorCode::corrupt_message, fmt::format("Record batch is corrupt (its size {} is not within [{}, {}])",
                                                        size, batch_overhead, bytes.size()));
  }
  return RecordBatchView(bytes.first(size));
}

std::uint32_t RecordBatchView::compute_crc() const {
  return crc32c(bytes_.subspan(batch_field::attributes));
}

Result<void> RecordBatchView::check() const {
  if (bytes_.size() < batch_overhead) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Record batch is corrupt (the size {} is smaller than the minimum allowed overhead {})",
                            bytes_.size(), batch_overhead));
  }
  const auto computed = compute_crc();
  if (computed == crc()) return {};
  return fail(ErrorCode::corrupt_message,
              fmt::format("Record is corrupt (stored crc = {}, computed crc = {})", crc(), computed));
}

Result<MutableRecordBatch> MutableRecordBatch::parse(MutableBytes bytes) {
  const auto batch = RecordBatchView::parse(bytes);
  if (!batch) return std::unexpected(batch.error());
  return MutableRecordBatch(bytes.first(batch->bytes().size()));
}

void MutableRecordBatch::set_base_offset(Offset offset) {
  store_big(mutable_.data() + batch_field::base_offset, offset.value);
}

void MutableRecordBatch::set_partition_leader_epoch(LeaderEpoch epoch) {
  store_big(mutable_.data() + batch_field::partition_leader_epoch, epoch.value);
}

void MutableRecordBatch::set_max_timestamp(TimestampType type, Timestamp max) {
  if (timestamp_type() == type && max_timestamp() == max) return;
  constexpr std::int16_t used = 0x7f;
  auto bits = static_cast<std::int16_t>(attributes() & used & ~batch_attribute::log_append_time);
  if (type == TimestampType::log_append_time) bits = static_cast<std::int16_t>(bits | batch_attribute::log_append_time);
  store_big(mutable_.data() + batch_field::attributes, bits);
  store_big(mutable_.data() + batch_field::max_timestamp, max.value);
  update_crc();
}

void MutableRecordBatch::set_producer_state(ProducerId id, ProducerEpoch epoch, std::int32_t sequence,
                                            bool transactional) {
  auto bits = static_cast<std::int16_t>(attributes() & ~batch_attribute::transactional);
  if (transactional) bits = static_cast<std::int16_t>(bits | batch_attribute::transactional);
  store_big(mutable_.data() + batch_field::attributes, bits);
  store_big(mutable_.data() + batch_field::producer_id, id.value);
  store_big(mutable_.data() + batch_field::producer_epoch, epoch.value);
  store_big(mutable_.data() + batch_field::base_sequence, sequence);
  update_crc();
}

void MutableRecordBatch::update_crc() {
  store_big(mutable_.data() + batch_field::crc, compute_crc());
}

RecordCursor::RecordCursor(const RecordBatchView& batch) : RecordCursor(batch, batch.payload()) {
  ENSURE(!batch.is_compressed());
}

RecordCursor::RecordCursor(const BatchHeader& header, Bytes plain_records)
    : at_(plain_records.data()),
      end_(plain_records.data() + plain_records.size()),
      base_offset_(header.base_offset().value),
      base_timestamp_(header.base_timestamp().value),
      log_append_time_(header.max_timestamp().value),
      has_log_append_time_(header.timestamp_type() == TimestampType::log_append_time),
      base_sequence_(header.base_sequence()),
      count_(header.record_count()) {
  if (count_ < 0) stop(fmt::format("Found invalid record count {} in magic v{} batch", count_, header.magic()));
}

bool RecordCursor::stop(std::string message) {
  error_ = Error{ErrorCode::invalid_record, std::move(message)};
  count_ = 0;
  return false;
}

bool RecordCursor::next() {
  if (read_ >= count_) return false;
  RawRecord raw;
  if (!parse_record_fast(at_, end_, raw)) [[unlikely]] {
    RawRecord careful;
    if (auto fault = parse_record({at_, end_}, careful)) return stop(std::move(*fault));
    raw = careful;
  }
  if (++read_ == count_ && raw.end != end_)
    return stop("Incorrect declared batch size, records still remaining in file");
  fill_view(raw, at_, record_);
  record_.offset = Offset(wrapping_add(base_offset_, raw.offset_delta));
  record_.timestamp =
      Timestamp(has_log_append_time_ ? log_append_time_ : wrapping_add(base_timestamp_, raw.timestamp_delta));
  record_.sequence = base_sequence_ >= 0 ? increment_sequence(base_sequence_, raw.offset_delta) : no_sequence;
  at_ = raw.end;
  return true;
}

}  // namespace klamm::records
