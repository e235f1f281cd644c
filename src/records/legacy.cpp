#include "records/legacy.h"

#include <zlib.h>

#include "records/batch_walker.h"

namespace klamm::records {

namespace {

// Positions in an entry, which begins with offset and size.
constexpr std::size_t crc_position = 12;
constexpr std::size_t attributes_position = 17;
constexpr std::size_t timestamp_position = 18;
constexpr std::size_t key_size_position_v0 = 18;
constexpr std::size_t key_size_position_v1 = 26;

Error corrupt(std::string message) {
  return {ErrorCode::corrupt_message, std::move(message)};
}
Error invalid(std::string message) {
  return {ErrorCode::invalid_record, std::move(message)};
}

}  // namespace

Result<LegacyEntryView> LegacyEntryView::parse(Bytes entry) {
  const auto too_small = [&] {
    return std::unexpected(
        corrupt(fmt::format("Record is corrupt (crc could not be retrieved as the record is too small, size = {})",
                            entry.size() < log_overhead ? 0 : entry.size() - log_overhead)));
  };
  if (entry.size() < log_overhead + legacy_overhead_v0) return too_small();
  LegacyEntryView view;
  view.bytes_ = entry;
  view.magic_ = load_big<std::int8_t>(entry.data() + magic_position);
  if (view.magic_ < 0 || view.magic_ > 1)
    return std::unexpected(corrupt(fmt::format("Invalid magic found in record: {}", view.magic_)));
  if (view.magic_ == 1 && entry.size() < log_overhead + legacy_overhead_v1) return too_small();

  // A field: its size, negative for null, then so many bytes.
  std::size_t at = view.magic_ == 0 ? key_size_position_v0 : key_size_position_v1;
  const auto field = [&](const std::byte*& data, std::int32_t& size) {
    if (entry.size() - at < 4) return false;
    size = load_big<std::int32_t>(entry.data() + at);
    at += 4;
    data = entry.data() + at;
    if (size < 0) {
      size = -1;
      return true;
    }
    if (static_cast<std::size_t>(size) > entry.size() - at) return false;
    at += static_cast<std::size_t>(size);
    return true;
  };
  if (!field(view.key_, view.key_size_) || !field(view.value_, view.value_size_))
    return std::unexpected(corrupt("Found invalid record structure"));
  return view;
}

Offset LegacyEntryView::offset() const {
  return Offset(load_big<std::int64_t>(bytes_.data()));
}

std::uint32_t LegacyEntryView::crc() const {
  return load_big<std::uint32_t>(bytes_.data() + crc_position);
}

std::int8_t LegacyEntryView::attributes() const {
  return load_big<std::int8_t>(bytes_.data() + attributes_position);
}

CompressionType LegacyEntryView::compression() const {
  return static_cast<CompressionType>(attributes() & batch_attribute::codec_mask);
}

Timestamp LegacyEntryView::timestamp() const {
  return magic_ == 0 ? no_timestamp : Timestamp(load_big<std::int64_t>(bytes_.data() + timestamp_position));
}

TimestampType LegacyEntryView::timestamp_type() const {
  if (magic_ == 0) return TimestampType::none;
  return (attributes() & batch_attribute::log_append_time) ? TimestampType::log_append_time
                                                           : TimestampType::create_time;
}

RecordView LegacyEntryView::record() const {
  RecordView record;
  record.offset = offset();
  record.timestamp = timestamp();
  record.size_bytes = static_cast<std::int32_t>(bytes_.size() - log_overhead);
  record.attributes = attributes();
  record.key_data = key_;
  record.key_size = key_size_;
  record.value_data = value_;
  record.value_size = value_size_;
  return record;
}

std::optional<Bytes> LegacyEntryView::payload() const {
  if (value_size_ < 0) return std::nullopt;
  return Bytes(value_, static_cast<std::size_t>(value_size_));
}

std::uint32_t LegacyEntryView::compute_crc() const {
  // Magic 0 and 1 use the older CRC-32, not Castagnoli's.
  const Bytes covered = bytes_.subspan(magic_position);
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(covered.data()), covered.size()));
}

Result<void> LegacyEntryView::check() const {
  const auto computed = compute_crc();
  if (computed == crc()) return {};
  return std::unexpected(
      corrupt(fmt::format("Record is corrupt (stored crc = {}, computed crc = {})", crc(), computed)));
}

LegacyRecordReader::LegacyRecordReader(const LegacyEntryView& entry, Decompressor& decompressor)
    : entry_(entry), single_(!entry.is_compressed()) {
  if (single_) return;
  if (auto opened = open(decompressor); !opened) {
    error_ = std::move(opened.error());
    done_ = true;
  }
}

Result<void> LegacyRecordReader::open(Decompressor& decompressor) {
  const auto type = entry_.compression();
  if (!is_known_compression(type))
    return std::unexpected(invalid(fmt::format("Unknown compression type id: {}", static_cast<int>(type))));
  if (type == CompressionType::zstd) {
    return std::unexpected(invalid(
        fmt::format("Invalid wrapper compressionType found in legacy deep record iterator {}", entry_.magic())));
  }
  const auto payload = entry_.payload();
  if (!payload) {
    return std::unexpected(
        invalid(fmt::format("Found invalid compressed record set with null value (magic = {})", entry_.magic())));
  }
  auto& plain = decompressor.scratch();
  plain.clear();
  if (auto done = decompressor.decompress(type, *payload, plain, entry_.magic() == 0); !done)
    return std::unexpected(done.error());
  plain_ = plain;

  const auto last = last_inner_offset(plain_);
  if (!last) return std::unexpected(last.error());
  if (entry_.magic() == 0) return {};
  // Some versions of librdkafka sent wrappers with offset 0, whatever stood inside.
  const std::int64_t outer = entry_.offset().value;
  if (outer == 0) return {};
  if (outer < *last) {
    return std::unexpected(invalid(fmt::format(
        "Found invalid wrapper offset in compressed v1 message set, wrapper offset '{}' is less than the last inner "
        "message offset '{}' and it is not zero.",
        outer, *last)));
  }
  offset_base_ = wrapping_subtract(outer, *last);
  return {};
}

namespace {

// The entry at `position` of the plain message set; empty when the set ends, even inside of an entry, as Kafka reads
// it.
Result<Bytes> inner_entry(Bytes plain, std::size_t position) {
  const Bytes rest = plain.subspan(position);
  if (rest.size() < log_overhead) return Bytes{};
  const auto size = load_big<std::int32_t>(rest.data() + 8);
  if (size < legacy_overhead_v0) {
    return std::unexpected(
        corrupt(fmt::format("Record size is less than the minimum record overhead ({})", legacy_overhead_v0)));
  }
  if (static_cast<std::size_t>(size) > rest.size() - log_overhead) return Bytes{};
  return rest.first(log_overhead + static_cast<std::size_t>(size));
}

}  // namespace

Result<std::int64_t> LegacyRecordReader::last_inner_offset(Bytes plain) const {
  std::optional<std::int64_t> last;
  for (std::size_t position = 0;;) {
    const auto inner = inner_entry(plain, position);
    if (!inner) return std::unexpected(inner.error());
    if (inner->empty()) break;
    last = load_big<std::int64_t>(inner->data());
    position += inner->size();
  }
  if (!last) return std::unexpected(invalid("Found invalid compressed record set with no inner records"));
  return *last;
}

bool LegacyRecordReader::next() {
  if (done_) return false;
  if (single_) {
    record_ = entry_.record();
    message_ = entry_;
    done_ = true;
    return true;
  }
  const auto stop = [this](Error error) {
    error_ = std::move(error);
    done_ = true;
    return false;
  };
  const auto bytes = inner_entry(plain_, position_);
  if (!bytes) return stop(bytes.error());
  if (bytes->empty()) {
    done_ = true;
    return false;
  }
  const auto inner = LegacyEntryView::parse(*bytes);
  if (!inner) return stop(inner.error());
  if (inner->is_compressed()) return stop(invalid("Inner messages must not be compressed"));
  position_ += bytes->size();
  record_ = inner->record();
  message_ = *inner;
  record_.offset = Offset(wrapping_add(record_.offset.value, offset_base_));
  if (magic() == 1 && entry_.timestamp_type() == TimestampType::log_append_time) record_.timestamp = entry_.timestamp();
  return true;
}

}  // namespace klamm::records
