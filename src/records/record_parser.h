// Takes one record of magic 2 apart. Two ways to the same result: parse_record_fast() takes what ordinary records look
// like with one bounds check for the varints, and gives up on anything else; parse_record() checks every byte and says
// what is wrong. Both are used together: fast first, then the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/varint.h"
#include "records/record.h"

namespace klamm::records {

struct RawRecord {
  const std::byte* key = nullptr;
  const std::byte* value = nullptr;
  const std::byte* headers = nullptr;
  const std::byte* end = nullptr;
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t key_size = -1;
  std::int32_t value_size = -1;
  std::int32_t header_count = 0;
  std::int8_t attributes = 0;
};

namespace detail {

// One to four bytes, all of which may be read; nullptr when the value goes on.
[[gnu::always_inline]] inline const std::byte* short_varint(const std::byte* at, std::uint32_t& value) {
  const auto b0 = static_cast<std::uint32_t>(at[0]);
  if (b0 < 0x80) [[likely]] {
    value = b0;
    return at + 1;
  }
  const auto b1 = static_cast<std::uint32_t>(at[1]);
  if (b1 < 0x80) [[likely]] {
    value = (b0 & 0x7f) | b1 << 7;
    return at + 2;
  }
  const auto b2 = static_cast<std::uint32_t>(at[2]);
  if (b2 < 0x80) {
    value = (b0 & 0x7f) | (b1 & 0x7f) << 7 | b2 << 14;
    return at + 3;
  }
  const auto b3 = static_cast<std::uint32_t>(at[3]);
  if (b3 < 0x80) {
    value = (b0 & 0x7f) | (b1 & 0x7f) << 7 | (b2 & 0x7f) << 14 | b3 << 21;
    return at + 4;
  }
  return nullptr;
}

// Headers up to `record_end`, sizes of up to four bytes; nullptr for anything else.
inline const std::byte* short_headers(const std::byte* at, const std::byte* record_end, const std::byte* end,
                                      std::int32_t count) {
  std::uint32_t raw = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    if (end - at < 4 || !(at = short_varint(at, raw))) return nullptr;
    const std::int32_t key_size = unzigzag(raw);
    if (key_size < 0 || key_size > record_end - at) return nullptr;
    at += key_size;
    if (end - at < 4 || !(at = short_varint(at, raw))) return nullptr;
    const std::int32_t value_size = std::max(unzigzag(raw), 0);
    if (value_size > record_end - at) return nullptr;
    at += value_size;
  }
  return at == record_end ? at : nullptr;
}

}  // namespace detail

// The record at `at`, which ends before `end`: the byte after it, or nullptr when it is broken or unusual (varints
// above 2^27, more than 63 headers, the last few bytes of a batch): ask parse_record() then. Inlined by force: a record
// that lives in registers is the difference between four nanoseconds and nine.
[[gnu::always_inline]] inline const std::byte* parse_record_fast(const std::byte* at, const std::byte* end,
                                                                 RawRecord& record) {
  // Length, attributes, timestamp, offset, key size: at most 4 bytes each here. Then key, value size (4), value, count
  // (1).
  constexpr std::ptrdiff_t slack = 4 + 1 + 4 + 4 + 4;
  if (end - at < slack) return nullptr;
  std::uint32_t raw = 0;
  at = detail::short_varint(at, raw);
  if (!at) return nullptr;
  const std::int32_t size = unzigzag(raw);
  if (size < 0 || size > end - at) return nullptr;
  const std::byte* record_end = at + size;

  record.attributes = static_cast<std::int8_t>(*at++);
  if (!(at = detail::short_varint(at, raw))) return nullptr;
  record.timestamp_delta = unzigzag(raw);
  if (!(at = detail::short_varint(at, raw))) return nullptr;
  record.offset_delta = unzigzag(raw);

  if (!(at = detail::short_varint(at, raw))) return nullptr;
  record.key_size = unzigzag(raw);
  record.key = at;
  if (record.key_size > 0) {
    if (record.key_size > record_end - at) return nullptr;
    at += record.key_size;
  }
  if (end - at < 4 || !(at = detail::short_varint(at, raw))) return nullptr;
  record.value_size = unzigzag(raw);
  record.value = at;
  if (record.value_size > 0) {
    if (record.value_size > record_end - at) return nullptr;
    at += record.value_size;
  }
  if (record_end - at < 1) return nullptr;
  record.header_count = unzigzag(static_cast<std::uint32_t>(*at));
  record.headers = at + 1;
  // Almost every record ends in a zero: no headers.
  if (record_end - at != 1 || record.header_count != 0) {
    constexpr auto one_byte = std::byte{0x80};
    if (*at >= one_byte || !detail::short_headers(at + 1, record_end, end, record.header_count)) return nullptr;
    if (record.header_count < 0) return nullptr;
  }
  record.end = record_end;
  return record_end;
}

// Nothing when the record is in order; else Kafka's text for what is wrong with it.
std::optional<std::string> parse_record(Bytes from, RawRecord& record);

// The record as its readers see it; the caller sets offset, timestamp and sequence.
inline void fill_view(const RawRecord& raw, const std::byte* begin, RecordView& view) {
  view.attributes = raw.attributes;
  view.size_bytes = static_cast<std::int32_t>(raw.end - begin);
  view.key_data = raw.key;
  view.key_size = raw.key_size;
  view.value_data = raw.value;
  view.value_size = raw.value_size;
  view.headers = Headers({raw.headers, raw.end}, raw.header_count);
}

}  // namespace klamm::records
