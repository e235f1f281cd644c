// One encoder and one decoder a codec, behind Compressor and Decompressor. Encoders append a whole payload; decoders
// hand it back in pieces. A decoder's errors are corrupt_message, or message_too_large when the payload announces more
// than `plain_bytes_left` before memory is taken for it.
#pragma once

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

#include "base/bytes.h"
#include "base/error.h"

namespace klamm::records {

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void start(Bytes payload) = 0;
  // Fills `to`; fewer bytes only at the end of the payload.
  virtual Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) = 0;
  // Gives back memory beyond what an ordinary payload needs.
  virtual void release() {}
};

inline std::unexpected<Error> undecodable(std::string why) {
  return fail(ErrorCode::corrupt_message, "Failed to decompress record stream: " + std::move(why));
}
inline std::unexpected<Error> decodes_to_too_much() {
  return fail(ErrorCode::message_too_large, "The decompressed records exceed the largest size that is accepted.");
}

class PlainDecoder final : public Decoder {
 public:
  void start(Bytes payload) override { rest_ = payload; }
  Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) override;

 private:
  Bytes rest_;
};

// ---- gzip (RFC 1952), several members in a row as Java reads them
class GzipEncoder {
 public:
  ~GzipEncoder();
  void encode(int level, Bytes plain, ByteVector& to);

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class GzipDecoder final : public Decoder {
 public:
  ~GzipDecoder() override;
  void start(Bytes payload) override;
  Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) override;

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool finished_ = false;
};

// ---- snappy in the framing of org.xerial.snappy: a header of 16 bytes, then blocks with their size in front. Payloads
// without that header are one raw block.
class SnappyEncoder {
 public:
  void encode(Bytes plain, ByteVector& to);
};

class SnappyDecoder final : public Decoder {
 public:
  void start(Bytes payload) override;
  Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) override;
  void release() override;

 private:
  Result<Bytes> next_block();

  Bytes rest_;
  bool framed_ = false;
  ByteVector block_;
  Bytes block_rest_;
};

// ---- lz4 frames as Kafka reads and writes them: independent blocks of 64 KiB, no content size, no checksums but the
// header's.
class Lz4Encoder {
 public:
  ~Lz4Encoder();
  void encode(int level, Bytes plain, ByteVector& to, bool broken_checksum);

 private:
  void* fast_state_ = nullptr;
  void* high_state_ = nullptr;
};

class Lz4Decoder final : public Decoder {
 public:
  void set_ignore_header_checksum(bool ignore) { ignore_header_checksum_ = ignore; }
  void start(Bytes payload) override;
  Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) override;
  void release() override;

 private:
  Result<void> read_header();
  // Decodes the next block into `to` when it surely fits there, else into block_. Returns what went into `to`.
  Result<std::size_t> next_block(MutableBytes to);

  Bytes rest_;
  bool ignore_header_checksum_ = false;
  bool header_read_ = false;
  bool finished_ = false;
  bool block_checksums_ = false;
  std::size_t block_bytes_max_ = 0;
  ByteVector block_;
  Bytes block_rest_;
};

// ---- zstd frames
class ZstdEncoder {
 public:
  ~ZstdEncoder();
  void encode(int level, Bytes plain, ByteVector& to);

 private:
  ZSTD_CCtx* context_ = nullptr;
};

class ZstdDecoder final : public Decoder {
 public:
  ~ZstdDecoder() override;
  void start(Bytes payload) override;
  Result<std::size_t> read(MutableBytes to, std::size_t plain_bytes_left) override;
  void release() override;

 private:
  ZSTD_DCtx* context_ = nullptr;
  ZSTD_inBuffer input_{};
  bool frame_open_ = false;
};

// xxHash, 32 bit, seed 0: the checksum of lz4 frames.
std::uint32_t xxhash32(Bytes bytes);

}  // namespace klamm::records
