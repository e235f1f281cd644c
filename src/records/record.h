// A record as it lies in a batch: views of the batch's bytes, nothing copied. Shared by all formats; magic 0 and 1 have
// no headers and no sequence. Source of the format: KIP-98, KIP-82, org.apache.kafka.common.record.DefaultRecord.
#pragma once

#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/types.h"

namespace klamm::records {

// Whose clock a batch's timestamps come from. `none`: magic 0, which has no timestamps.
enum class TimestampType : std::int8_t { none = -1, create_time = 0, log_append_time = 1 };

// "NoTimestampType", "CreateTime", "LogAppendTime"
std::string_view timestamp_type_name(TimestampType type);
std::optional<TimestampType> timestamp_type_of_name(std::string_view name);

inline constexpr std::int32_t no_sequence = -1;

// Sequence numbers wrap from 2^31-1 to 0.
constexpr std::int32_t increment_sequence(std::int32_t sequence, std::int32_t by) {
  constexpr std::int64_t max = std::numeric_limits<std::int32_t>::max();
  const std::int64_t sum = std::int64_t{sequence} + by;
  return static_cast<std::int32_t>(sum > max ? sum - max - 1 : sum);
}
constexpr std::int32_t decrement_sequence(std::int32_t sequence, std::int32_t by) {
  constexpr std::int64_t max = std::numeric_limits<std::int32_t>::max();
  const std::int64_t difference = std::int64_t{sequence} - by;
  return static_cast<std::int32_t>(difference < 0 ? difference + max + 1 : difference);
}

// Java's arithmetic: offsets and deltas that were not checked wrap.
constexpr std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
constexpr std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

struct HeaderView {
  std::string_view key;
  std::optional<Bytes> value;
};

// The headers of a record, decoded while they are walked. The bytes were checked when the record was read.
class Headers {
 public:
  class Iterator {
   public:
    using value_type = HeaderView;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    Iterator(Bytes rest, std::int32_t left) : rest_(rest), left_(left) { load(); }
    const HeaderView& operator*() const { return header_; }
    const HeaderView* operator->() const { return &header_; }
    Iterator& operator++() {
      --left_;
      load();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    void load();

    Bytes rest_;
    std::int32_t left_ = 0;
    HeaderView header_;
  };

  Headers() = default;
  Headers(Bytes bytes, std::int32_t count) : bytes_(bytes), count_(count) {}
  Iterator begin() const { return {bytes_, count_}; }
  Iterator end() const { return {}; }
  std::int32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  // As they lie in the record, without their count.
  Bytes bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  std::int32_t count_ = 0;
};

struct RecordView {
  Offset offset;
  Timestamp timestamp;
  std::int32_t sequence = no_sequence;
  // The record with its length prefix (magic 0 and 1: without offset and size). Decompressed records: plain bytes.
  std::int32_t size_bytes = 0;
  std::int8_t attributes = 0;

  bool has_key() const { return key_size >= 0; }
  bool has_value() const { return value_size >= 0; }
  // Empty when null; ask has_key() to tell them apart.
  Bytes key() const { return {key_data, static_cast<std::size_t>(key_size < 0 ? 0 : key_size)}; }
  Bytes value() const { return {value_data, static_cast<std::size_t>(value_size < 0 ? 0 : value_size)}; }
  std::optional<Bytes> nullable_key() const { return has_key() ? std::optional(key()) : std::nullopt; }
  std::optional<Bytes> nullable_value() const { return has_value() ? std::optional(value()) : std::nullopt; }
  Headers headers;

  const std::byte* key_data = nullptr;
  const std::byte* value_data = nullptr;
  std::int32_t key_size = -1;
  std::int32_t value_size = -1;
};

}  // namespace klamm::records
