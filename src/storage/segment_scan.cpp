#include "storage/segment_scan.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/plant.h"
#include "records/control_record.h"

namespace klamm::storage {

using records::BatchHeader;
using records::EntryPrefix;

namespace {

constexpr std::size_t scan_buffer_bytes = std::size_t{1} << 20;
// Where a message of magic 1 has its timestamp.
constexpr std::size_t legacy_timestamp = 18;

// `header`: what there is of it, at least the prefix.
BatchAt batch_of(const EntryPrefix& prefix, Bytes header, std::uint64_t position) {
  BatchAt batch{.first = prefix.offset,
                .last = prefix.offset,
                .position = position,
                .size = static_cast<std::uint64_t>(prefix.size_bytes)};
  if (prefix.magic >= 2) {
    const BatchHeader fields(header.data());
    batch.last = fields.last_offset();
    batch.max_timestamp = fields.max_timestamp();
    batch.epoch = fields.partition_leader_epoch();
  } else if (prefix.magic == 1) {
    batch.max_timestamp = Timestamp(load_big<std::int64_t>(header.data() + legacy_timestamp));
  }
  return batch;
}

std::size_t header_bytes_of(std::int8_t magic) {
  return magic >= 2 ? records::batch_overhead : magic == 1 ? legacy_timestamp + 8 : records::header_up_to_magic;
}

}  // namespace

Bytes HeaderWalk::peek(std::size_t wanted) {
  if (position_ < window_at_ || position_ + wanted > window_at_ + window_bytes_) {
    // Small batches come many to a window; of large ones only the header is wanted.
    const auto room = stride_ > window_.size() ? records::batch_overhead : window_.size();
    const auto bytes = std::min<std::uint64_t>(std::max(room, wanted), end_ - position_);
    window_bytes_ = file_.read_at(position_, MutableBytes(window_).first(bytes));
    window_at_ = position_;
  }
  const auto skip = position_ - window_at_;
  return Bytes(window_).first(window_bytes_).subspan(std::min<std::uint64_t>(skip, window_bytes_));
}

Result<std::optional<BatchAt>> HeaderWalk::next() {
  if (end_ <= position_ || end_ - position_ < records::header_up_to_magic) return std::optional<BatchAt>();
  auto header = peek(records::header_up_to_magic);
  if (header.size() < records::header_up_to_magic) return std::optional<BatchAt>();
  const auto prefix = EntryPrefix::parse(header);
  if (!prefix) return std::unexpected(prefix.error());
  if (static_cast<std::uint64_t>(prefix->size_bytes) > end_ - position_) return std::optional<BatchAt>();
  const auto wanted = header_bytes_of(prefix->magic);
  if (static_cast<std::uint64_t>(prefix->size_bytes) < wanted) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Record batch of {} bytes at {} in {} has no room for its header", prefix->size_bytes,
                            position_, file_.path()));
  }
  if (header.size() < wanted) header = peek(wanted);
  if (header.size() < wanted) return std::optional<BatchAt>();
  const auto batch = batch_of(*prefix, header, position_);
  position_ += batch.size;
  stride_ = batch.size;
  return std::optional(batch);
}

Result<std::optional<BatchAt>> find_batch(runtime::File& file, std::uint64_t from, std::uint64_t end, Offset target) {
  HeaderWalk walk(file, from, end);
  while (true) {
    auto batch = walk.next();
    if (!batch || !*batch || (*batch)->last >= target) return batch;
  }
}

Result<std::optional<ProducerAppend>> producer_append_of(const records::RecordBatchView& batch) {
  if (!batch.has_producer_id()) return std::optional<ProducerAppend>();
  ProducerAppend append{.id = batch.producer_id(),
                        .epoch = batch.producer_epoch(),
                        .base_sequence = batch.base_sequence(),
                        .last_sequence = batch.last_sequence(),
                        .base_offset = batch.base_offset(),
                        .last_offset = batch.last_offset(),
                        .max_timestamp = batch.max_timestamp(),
                        .transactional = batch.is_transactional(),
                        .control = batch.is_control(),
                        .marker = {}};
  if (append.control && batch.record_count() > 0) {
    if (batch.is_compressed()) return fail(ErrorCode::invalid_record, "Compressed control batch");
    records::RecordCursor cursor(batch);
    if (!cursor.next()) return cursor.ok() ? fail(ErrorCode::invalid_record) : std::unexpected(cursor.error());
    const auto marker = records::parse_end_transaction_marker(cursor.record());
    if (!marker) return std::unexpected(marker.error());
    append.marker = *marker;
    append.marker_timestamp = cursor.record().timestamp;
  }
  return std::optional(append);
}

// --- SegmentScan ---------------------------------------------------------------------------------------------------

SegmentScan::SegmentScan(runtime::File& file, std::uint64_t from, std::uint64_t end)
    : file_(file),
      position_(from),
      end_(end),
      buffer_(std::min<std::uint64_t>(scan_buffer_bytes, end - std::min(from, end))) {}

SegmentScan::Step SegmentScan::corrupt(std::string why) {
  why_ = std::move(why);
  return Step::corrupt;
}

// The bytes from position_ on: `wanted` of them, unless the file ends first.
Bytes SegmentScan::load(std::size_t wanted) {
  if (position_ < buffer_at_ || position_ + wanted > buffer_at_ + buffer_bytes_) {
    if (buffer_.size() < wanted) buffer_.resize(wanted);
    const auto bytes = std::min<std::uint64_t>(buffer_.size(), end_ - position_);
    buffer_bytes_ = file_.read_at(position_, MutableBytes(buffer_).first(bytes));
    buffer_at_ = position_;
  }
  const auto there = Bytes(buffer_).first(buffer_bytes_).subspan(position_ - buffer_at_);
  return there.first(std::min(there.size(), wanted));
}

// A batch larger than the buffer is read once, for its checksum; nothing else in it is needed.
bool SegmentScan::large_batch_matches(const BatchHeader& header, std::uint64_t size) {
  const auto expected = header.crc();
  std::uint32_t crc = 0;
  for (std::uint64_t at = records::batch_field::attributes; at < size;) {
    const auto bytes = std::min<std::uint64_t>(buffer_.size(), size - at);
    buffer_at_ = buffer_bytes_ = 0;
    if (file_.read_at(position_ + at, MutableBytes(buffer_).first(bytes)) != bytes) return false;
    crc = crc32c(Bytes(buffer_).first(bytes), crc);
    at += bytes;
  }
  return crc == expected;
}

SegmentScan::Step SegmentScan::next() {
  producer_.reset();
  if (position_ >= end_) return Step::end;
  auto bytes = load(records::header_up_to_magic);
  if (bytes.size() < records::header_up_to_magic) return corrupt(fmt::format("{} bytes are no batch", bytes.size()));
  const auto prefix = EntryPrefix::parse(bytes);
  if (!prefix) return corrupt(prefix.error().message);
  const auto size = static_cast<std::uint64_t>(prefix->size_bytes);
  if (size > end_ - position_) return corrupt(fmt::format("batch of {} bytes is cut after {}", size, end_ - position_));
  magic_ = prefix->magic;
  const auto header_bytes = header_bytes_of(magic_);
  if (size < header_bytes) return corrupt(fmt::format("batch of {} bytes has no room for its header", size));

  bytes = load(header_bytes);
  if (bytes.size() < header_bytes) return corrupt("the file ends inside of a header");
  batch_ = batch_of(*prefix, bytes, position_);
  if (magic_ >= 2 && size > buffer_.size() && !BatchHeader(bytes.data()).is_control()) {
    std::array<std::byte, records::batch_overhead> header{};
    std::ranges::copy(bytes, header.begin());
    if (!large_batch_matches(BatchHeader(header.data()), size)) return corrupt("the checksum does not match");
    // Not a control batch: the header says all that is asked.
    if (auto append = producer_append_of(records::RecordBatchView(Bytes(header)))) producer_ = *append;
  } else {
    bytes = load(size);
    if (bytes.size() < size) return corrupt("the file ends inside of a batch");
    const records::EntryView entry(bytes, magic_);
    if (const auto ok = entry.check(); !ok && !planted(Plant::torn_tail)) return corrupt(ok.error().message);
    if (entry.is_batch()) {
      auto append = producer_append_of(entry.batch());
      if (!append) return corrupt(append.error().message);
      producer_ = *append;
    }
  }
  if (batch_.first < Offset(0) || batch_.last < batch_.first) return corrupt("the offsets of a batch are no range");
  position_ += size;
  return Step::batch;
}

}  // namespace klamm::storage
