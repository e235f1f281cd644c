// The codecs of record batches: gzip, snappy (in the framing of Java's snappy library), lz4 (frame format) and zstd.
// Contexts live in a Compressor and a Decompressor: made when first needed, used again for every batch. One of each per
// reactor or thread; neither may be shared between threads.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace klamm::records {

// The values are those of the attributes of a batch. A batch can carry 5 to 7 as well: see known_compression().
enum class CompressionType : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

// "gzip", as configuration and tools spell it; "unknown" for 5 to 7.
std::string_view compression_name(CompressionType type);
std::optional<CompressionType> compression_of_name(std::string_view name);
constexpr bool is_known_compression(CompressionType type) {
  return type <= CompressionType::zstd;
}

// Levels as org.apache.kafka.common.record.CompressionType bounds them. gzip also takes its default, -1, which is
// outside of [min, max]. none and snappy have no level: all three are 0.
struct LevelRange {
  int min = 0;
  int max = 0;
  int standard = 0;
  bool allows(int level) const { return level == standard || (level >= min && level <= max); }
};
LevelRange level_range(CompressionType type);

// A codec with its level; no level means the codec's own default.
struct Compression {
  CompressionType type = CompressionType::none;
  std::optional<int> level = {};

  bool operator==(const Compression&) const = default;
};

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Appends the compressed form of `plain` to `to`; with CompressionType::none the bytes themselves. The level must be
  // one that level_range() allows. `broken_lz4_checksum` writes the header checksum that magic 0 message sets have.
  void compress(Compression compression, Bytes plain, ByteVector& to, bool broken_lz4_checksum = false);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

// What a payload may become. Checked before memory is taken: a payload that says or turns out to be larger is refused.
struct DecompressionLimits {
  std::size_t plain_bytes_max = std::size_t{128} << 20;
};

// Turns a payload back into plain bytes, a piece at a time. One payload at a time: start() ends the one before.
// Errors: corrupt_message when the payload is not what its codec says; message_too_large when it exceeds the limit.
class Decompressor {
 public:
  explicit Decompressor(DecompressionLimits limits = {});
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // `payload` outlives the reading. `broken_lz4_checksum`: magic 0 message sets have a wrong header checksum, which is
  // not checked then. An unknown codec is invalid_record.
  Result<void> start(CompressionType type, Bytes payload, bool broken_lz4_checksum = false);
  // Fills `to` from its beginning; fewer bytes than asked for only at the end of the payload, then 0.
  Result<std::size_t> read(MutableBytes to);

  // The whole payload at once, appended to `to`.
  Result<void> decompress(CompressionType type, Bytes payload, ByteVector& to, bool broken_lz4_checksum = false);

  DecompressionLimits limits() const { return limits_; }
  void set_limits(DecompressionLimits limits) { limits_ = limits; }
  // Room that readers of records use again from batch to batch; cut back to a megabyte by release().
  ByteVector& scratch() { return scratch_; }
  // Ends the payload and gives back what an unusually large one made grow.
  void release();

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
  DecompressionLimits limits_;
  std::size_t produced_ = 0;
  ByteVector scratch_;
};

// Cheap signs of a lie, for payloads that are not opened. Whether a payload begins as its codec's do (snappy can begin
// with anything); whether it can become so many records, given the most that the codec's format can make of a byte.
bool begins_like(CompressionType type, Bytes payload);
bool can_hold(CompressionType type, std::size_t payload_bytes, std::int32_t records);

}  // namespace klamm::records
