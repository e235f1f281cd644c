#include "records/compression.h"

#include <array>

#include "base/ensure.h"
#include "records/codecs.h"

namespace klamm::records {

namespace {

constexpr std::array<std::string_view, 5> names = {"none", "gzip", "snappy", "lz4", "zstd"};

// How much larger plain bytes can be than compressed ones, by the format: deflate's longest match per two bits; a
// snappy copy of 64 bytes in 3; an lz4 length byte for 255; a zstd block of 128 KiB that repeats one byte, in 4.
constexpr std::array<std::uint64_t, 5> expansion_max = {1, 1032, 22, 255, 32768};

// Length, attributes, two deltas, null key, null value, no headers.
constexpr std::uint64_t record_bytes_min = 7;

// Room beyond this is not kept from batch to batch.
constexpr std::size_t scratch_bytes_kept = std::size_t{1} << 20;
constexpr std::size_t piece_bytes = std::size_t{64} << 10;

bool begins_with(Bytes bytes, std::initializer_list<unsigned> magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](unsigned m, std::byte b) { return m == static_cast<unsigned>(b); });
}

}  // namespace

std::string_view compression_name(CompressionType type) {
  return is_known_compression(type) ? names[static_cast<std::size_t>(type)] : "unknown";
}

std::optional<CompressionType> compression_of_name(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<CompressionType>(i);
  return std::nullopt;
}

LevelRange level_range(CompressionType type) {
  switch (type) {
    case CompressionType::gzip:
      return {1, 9, -1};
    case CompressionType::lz4:
      return {1, 17, 9};
    case CompressionType::zstd:
      return {-131072, 22, 3};
    case CompressionType::none:
    case CompressionType::snappy:
      break;
  }
  return {};
}

bool begins_like(CompressionType type, Bytes payload) {
  switch (type) {
    case CompressionType::gzip:
      return begins_with(payload, {0x1f, 0x8b, 0x08});
    case CompressionType::lz4:
      return begins_with(payload, {0x04, 0x22, 0x4d, 0x18});
    case CompressionType::zstd:
      // A frame, or one of the sixteen frames to skip.
      return begins_with(payload, {0x28, 0xb5, 0x2f, 0xfd}) ||
             (payload.size() >= 4 && (static_cast<unsigned>(payload[0]) & 0xf0) == 0x50 &&
              begins_with(payload.subspan(1), {0x2a, 0x4d, 0x18}));
    case CompressionType::snappy:  // may lack the header
    case CompressionType::none:
      break;
  }
  return true;
}

bool can_hold(CompressionType type, std::size_t payload_bytes, std::int32_t records) {
  if (!is_known_compression(type) || records < 0) return false;
  return payload_bytes * expansion_max[static_cast<std::size_t>(type)] >=
         static_cast<std::uint64_t>(records) * record_bytes_min;
}

struct Compressor::Contexts {
  GzipEncoder gzip;
  SnappyEncoder snappy;
  Lz4Encoder lz4;
  ZstdEncoder zstd;
};

Compressor::Compressor() = default;
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

void Compressor::compress(Compression compression, Bytes plain, ByteVector& to, bool broken_lz4_checksum) {
  ENSURE(is_known_compression(compression.type));
  const auto levels = level_range(compression.type);
  const int level = compression.level.value_or(levels.standard);
  ENSURE(levels.allows(level));
  if (!contexts_ && compression.type != CompressionType::none) contexts_ = std::make_unique<Contexts>();
  switch (compression.type) {
    case CompressionType::none:
      return append_bytes(to, plain);
    case CompressionType::gzip:
      return contexts_->gzip.encode(level, plain, to);
    case CompressionType::snappy:
      return contexts_->snappy.encode(plain, to);
    case CompressionType::lz4:
      return contexts_->lz4.encode(level, plain, to, broken_lz4_checksum);
    case CompressionType::zstd:
      return contexts_->zstd.encode(level, plain, to);
  }
}

struct Decompressor::Contexts {
  PlainDecoder plain;
  GzipDecoder gzip;
  SnappyDecoder snappy;
  Lz4Decoder lz4;
  ZstdDecoder zstd;
  Decoder* active = nullptr;

  Decoder& of(CompressionType type) {
    switch (type) {
      case CompressionType::gzip:
        return gzip;
      case CompressionType::snappy:
        return snappy;
      case CompressionType::lz4:
        return lz4;
      case CompressionType::zstd:
        return zstd;
      case CompressionType::none:
        break;
    }
    return plain;
  }
};

Decompressor::Decompressor(DecompressionLimits limits) : limits_(limits) {}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Result<void> Decompressor::start(CompressionType type, Bytes payload, bool broken_lz4_checksum) {
  if (!is_known_compression(type))
    return fail(ErrorCode::invalid_record, fmt::format("Unknown compression type id: {}", static_cast<int>(type)));
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  contexts_->active = &contexts_->of(type);
  contexts_->lz4.set_ignore_header_checksum(broken_lz4_checksum);
  contexts_->active->start(payload);
  produced_ = 0;
  return {};
}

Result<std::size_t> Decompressor::read(MutableBytes to) {
  ENSURE(contexts_ && contexts_->active);
  if (to.empty()) return 0;
  const auto got = contexts_->active->read(to, limits_.plain_bytes_max - produced_);
  if (!got) return got;
  if (*got > limits_.plain_bytes_max - produced_) return decodes_to_too_much();
  produced_ += *got;
  return got;
}

Result<void> Decompressor::decompress(CompressionType type, Bytes payload, ByteVector& to, bool broken_lz4_checksum) {
  if (auto started = start(type, payload, broken_lz4_checksum); !started) return started;
  const std::size_t before = to.size();
  for (;;) {
    const std::size_t at = to.size();
    to.resize(at + std::max(piece_bytes, at - before));
    const auto got = read(MutableBytes(to).subspan(at));
    const std::size_t bytes = got.value_or(0);
    const bool at_end = at + bytes < to.size();
    to.resize(at + bytes);
    if (!got) return std::unexpected(got.error());
    if (at_end) return {};
  }
}

void Decompressor::release() {
  if (scratch_.capacity() > scratch_bytes_kept) ByteVector().swap(scratch_);
  if (!contexts_ || !contexts_->active) return;
  contexts_->active->release();
  contexts_->active = nullptr;
}

Result<std::size_t> PlainDecoder::read(MutableBytes to, std::size_t) {
  const std::size_t bytes = std::min(to.size(), rest_.size());
  if (bytes > 0) std::memcpy(to.data(), rest_.data(), bytes);
  rest_ = rest_.subspan(bytes);
  return bytes;
}

}  // namespace klamm::records
