#include "records/batch_walker.h"

namespace klamm::records {

namespace {

// The oldest format has the smallest entries; what each magic needs at least is checked when the entry is opened.
constexpr std::int32_t entry_size_min = legacy_overhead_v0;
constexpr std::int8_t newest_magic = 2;

}  // namespace

Result<EntryPrefix> EntryPrefix::parse(Bytes prefix, std::int32_t entry_bytes_max) {
  const auto size = load_big<std::int32_t>(prefix.data() + 8);
  if (size < entry_size_min) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Record size {} is less than the minimum record overhead ({})", size, entry_size_min));
  }
  if (size > entry_bytes_max) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Record size {} exceeds the largest allowable message size ({}).", size, entry_bytes_max));
  }
  const auto magic = load_big<std::int8_t>(prefix.data() + magic_position);
  if (magic < 0 || magic > newest_magic)
    return fail(ErrorCode::corrupt_message, fmt::format("Invalid magic found in record: {}", magic));
  return EntryPrefix{Offset(load_big<std::int64_t>(prefix.data())), std::int64_t{size} + std::int64_t{log_overhead},
                     magic};
}

Result<void> EntryView::check() const {
  if (is_batch()) return batch().check();
  const auto entry = legacy();
  if (!entry) return std::unexpected(entry.error());
  return entry->check();
}

namespace {

// Fields of older entries that lie at fixed positions; the size was checked with the prefix (magic 0) or here (magic
// 1).
std::int8_t legacy_attributes(Bytes entry) {
  return load_big<std::int8_t>(entry.data() + magic_position + 1);
}

}  // namespace

Offset EntryView::first_known_offset() const {
  return Offset(load_big<std::int64_t>(bytes_.data()));
}

Offset EntryView::last_offset() const {
  return is_batch() ? batch().last_offset() : first_known_offset();
}

Timestamp EntryView::max_timestamp() const {
  if (is_batch()) return batch().max_timestamp();
  if (magic_ == 0 || bytes_.size() < log_overhead + legacy_overhead_v1) return no_timestamp;
  return Timestamp(load_big<std::int64_t>(bytes_.data() + magic_position + 2));
}

TimestampType EntryView::timestamp_type() const {
  if (is_batch()) return batch().timestamp_type();
  if (magic_ == 0) return TimestampType::none;
  return (legacy_attributes(bytes_) & batch_attribute::log_append_time) ? TimestampType::log_append_time
                                                                        : TimestampType::create_time;
}

CompressionType EntryView::compression() const {
  if (is_batch()) return batch().compression();
  return static_cast<CompressionType>(legacy_attributes(bytes_) & batch_attribute::codec_mask);
}

LeaderEpoch EntryView::partition_leader_epoch() const {
  return is_batch() ? batch().partition_leader_epoch() : no_leader_epoch;
}

ProducerId EntryView::producer_id() const {
  return is_batch() ? batch().producer_id() : no_producer_id;
}

bool EntryView::is_transactional() const {
  return is_batch() && batch().is_transactional();
}

bool EntryView::is_control() const {
  return is_batch() && batch().is_control();
}

BatchWalker::Step BatchWalker::next() {
  position_ = next_;
  const Bytes rest = range_.subspan(position_);
  if (rest.empty()) return Step::end;
  wanted_ = header_up_to_magic;
  if (rest.size() < log_overhead) return Step::partial;
  // A size that cannot be is corrupt even where the magic is not there yet.
  std::byte prefix_bytes[header_up_to_magic] = {};
  std::memcpy(prefix_bytes, rest.data(), std::min(rest.size(), header_up_to_magic));
  const auto prefix = EntryPrefix::parse(prefix_bytes, entry_bytes_max_);
  if (!prefix) {
    error_ = prefix.error();
    return Step::corrupt;
  }
  if (rest.size() < header_up_to_magic) return Step::partial;
  wanted_ = static_cast<std::size_t>(prefix->size_bytes);
  if (rest.size() < wanted_) return Step::partial;
  entry_ = EntryView(rest.first(wanted_), prefix->magic);
  next_ = position_ + wanted_;
  return Step::entry;
}

}  // namespace klamm::records
