// Message sets of magic 0 and 1, read only: logs written before Kafka 0.11 and never rewritten. An entry is one
// message; a compressed one wraps a message set (KIP-31, KIP-32). Source of the format:
// org.apache.kafka.common.record.LegacyRecord, AbstractLegacyRecordBatch.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "records/compression.h"
#include "records/record.h"

namespace klamm::records {

// CRC, magic, attributes, key and value sizes.
inline constexpr std::int32_t legacy_overhead_v0 = 14;
// The same and a timestamp.
inline constexpr std::int32_t legacy_overhead_v1 = 22;

// One entry: offset, size, message. The offset is that of the message, or of the last one inside.
class LegacyEntryView {
 public:
  // `entry` is one whole entry, from its offset on. Checks that the fields lie inside: corrupt_message otherwise.
  static Result<LegacyEntryView> parse(Bytes entry);

  Bytes bytes() const { return bytes_; }
  Offset offset() const;
  std::int8_t magic() const { return magic_; }
  std::uint32_t crc() const;
  std::int8_t attributes() const;
  CompressionType compression() const;
  bool is_compressed() const { return compression() != CompressionType::none; }
  // -1 and none for magic 0. Of a wrapper: the largest one inside, or the time of the append.
  Timestamp timestamp() const;
  TimestampType timestamp_type() const;
  // The message itself; meaningless for a wrapper.
  RecordView record() const;
  // The message set inside of a wrapper, compressed; nothing when it is null.
  std::optional<Bytes> payload() const;

  std::uint32_t compute_crc() const;
  // corrupt_message, with Kafka's text, unless the checksum matches.
  Result<void> check() const;

 private:
  Bytes bytes_;
  std::int8_t magic_ = 0;
  const std::byte* key_ = nullptr;
  const std::byte* value_ = nullptr;
  std::int32_t key_size_ = -1;
  std::int32_t value_size_ = -1;
};

// The messages of an entry, a wrapper opened. Offsets are absolute: magic 1 keeps relative ones inside, which are known
// only when the last message was seen, so a wrapper is decompressed as a whole. Messages inside of magic 1 take the
// wrapper's timestamp when that is the time of the append. Errors as Kafka's: invalid_record for a wrapper in a
// wrapper, an empty one, or offsets that cannot be; corrupt_message for what is not a message; message_too_large beyond
// the limit.
class LegacyRecordReader {
 public:
  // The entry and the decompressor outlive the reader, which uses the decompressor's scratch room.
  LegacyRecordReader(const LegacyEntryView& entry, Decompressor& decompressor);

  bool next();
  const RecordView& record() const { return record_; }
  // The message as it stands; a wrapper of magic 1 may hold messages of magic 0.
  const LegacyEntryView& message() const { return message_; }
  std::int8_t magic() const { return message_.magic(); }
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

 private:
  Result<void> open(Decompressor& decompressor);
  Result<std::int64_t> last_inner_offset(Bytes plain) const;

  LegacyEntryView entry_;
  Bytes plain_;
  std::size_t position_ = 0;
  std::int64_t offset_base_ = 0;
  bool single_ = false;
  bool done_ = false;
  LegacyEntryView message_;
  RecordView record_;
  std::optional<Error> error_;
};

}  // namespace klamm::records
