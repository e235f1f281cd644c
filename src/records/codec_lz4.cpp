// Why not LZ4F: Kafka's frames of magic 0 have a wrong header checksum, and its readers refuse what LZ4F would take
// (blocks that depend on one another); the frame is a few fields around LZ4's blocks.
#include <lz4hc.h>

#include <cstdlib>

#include "base/ensure.h"
#include "records/codecs.h"

namespace klamm::records {

namespace {

constexpr std::uint32_t frame_magic = 0x184d2204;
constexpr std::uint32_t stored_block = 0x80000000;
constexpr std::size_t block_bytes = std::size_t{64} << 10;
constexpr std::size_t block_bytes_kept = std::size_t{1} << 20;
// Version 1, independent blocks; blocks of 64 KiB.
constexpr std::uint8_t frame_flags = 0x60;
constexpr std::uint8_t frame_block_size = 0x40;
constexpr int standard_level = 9;
// A length goes on with bytes of 255: no block can become larger than so many of them.
constexpr std::size_t expansion_max = 255;

std::uint32_t load_little(const std::byte* from) {
  std::uint32_t raw;
  std::memcpy(&raw, from, sizeof raw);
  if constexpr (std::endian::native == std::endian::big) raw = std::byteswap(raw);
  return raw;
}

void store_little(std::byte* to, std::uint32_t value) {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}

std::byte header_checksum(Bytes descriptor) {
  return static_cast<std::byte>(xxhash32(descriptor) >> 8);
}

const char* chars(const std::byte* at) {
  return reinterpret_cast<const char*>(at);
}
char* chars(std::byte* at) {
  return reinterpret_cast<char*>(at);
}

void* allocate(int bytes) {
  void* memory = std::malloc(static_cast<std::size_t>(bytes));
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

Lz4Encoder::~Lz4Encoder() {
  std::free(fast_state_);
  std::free(high_state_);
}

void Lz4Encoder::encode(int level, Bytes plain, ByteVector& to, bool broken_checksum) {
  // As in Kafka the default level means the fast compressor; every other one the high compressor.
  const bool fast = level == standard_level;
  if (fast && !fast_state_) fast_state_ = allocate(LZ4_sizeofState());
  if (!fast && !high_state_) high_state_ = allocate(LZ4_sizeofStateHC());

  const std::size_t header = to.size();
  to.resize(header + 7);
  store_little(to.data() + header, frame_magic);
  to[header + 4] = std::byte{frame_flags};
  to[header + 5] = std::byte{frame_block_size};
  // Magic 0's mistake: the frame's magic was hashed too.
  to[header + 6] = header_checksum(broken_checksum ? Bytes(to).subspan(header, 6) : Bytes(to).subspan(header + 4, 2));

  while (!plain.empty()) {
    const Bytes block = plain.first(std::min(block_bytes, plain.size()));
    plain = plain.subspan(block.size());
    const std::size_t at = to.size();
    const int bound = LZ4_compressBound(static_cast<int>(block.size()));
    to.resize(at + 4 + static_cast<std::size_t>(bound));
    char* target = chars(to.data() + at + 4);
    const int size = fast ? LZ4_compress_fast_extState(fast_state_, chars(block.data()), target,
                                                       static_cast<int>(block.size()), bound, 1)
                          : LZ4_compress_HC_extStateHC(high_state_, chars(block.data()), target,
                                                       static_cast<int>(block.size()), bound, level);
    ENSURE(size > 0);
    auto bytes = static_cast<std::size_t>(size);
    const bool stored = bytes >= block.size();
    if (stored) {
      bytes = block.size();
      std::memcpy(target, block.data(), bytes);
    }
    store_little(to.data() + at, static_cast<std::uint32_t>(bytes) | (stored ? stored_block : 0));
    to.resize(at + 4 + bytes);
  }
  to.resize(to.size() + 4);
  store_little(to.data() + to.size() - 4, 0);
}

void Lz4Decoder::start(Bytes payload) {
  rest_ = payload;
  block_rest_ = {};
  header_read_ = false;
  finished_ = false;
}

Result<void> Lz4Decoder::read_header() {
  if (rest_.size() < 7) return undecodable("Stream ended prematurely");
  if (load_little(rest_.data()) != frame_magic) return undecodable("Stream unsupported (invalid magic bytes)");
  const auto flags = static_cast<unsigned>(rest_[4]);
  const auto sizes = static_cast<unsigned>(rest_[5]);
  if (flags >> 6 != 1) return undecodable(fmt::format("Version {} is unsupported", flags >> 6));
  if ((flags & 0x20) == 0) return undecodable("Dependent block stream is unsupported");
  if ((flags & 0x03) != 0) return undecodable("Reserved bits must be 0");
  if ((sizes & 0x8f) != 0) return undecodable("Reserved3 field must be 0");
  if (sizes >> 4 < 4) return undecodable("Block size value must be between 4 and 7");
  block_checksums_ = flags & 0x10;
  block_bytes_max_ = std::size_t{1} << (2 * (sizes >> 4) + 8);

  const std::size_t descriptor = flags & 0x08 ? 10 : 2;
  if (rest_.size() < 4 + descriptor + 1) return undecodable("Stream ended prematurely");
  if (!ignore_header_checksum_ && rest_[4 + descriptor] != header_checksum(rest_.subspan(4, descriptor)))
    return undecodable("Stream frame descriptor corrupted");
  rest_ = rest_.subspan(4 + descriptor + 1);
  header_read_ = true;
  return {};
}

Result<std::size_t> Lz4Decoder::next_block(MutableBytes to) {
  if (rest_.size() < 4) return undecodable("Stream ended prematurely");
  const auto word = load_little(rest_.data());
  rest_ = rest_.subspan(4);
  const std::size_t size = word & ~stored_block;
  if (size == 0) {
    // What follows the end mark, a checksum of all plain bytes at most, is not looked at.
    finished_ = true;
    return 0;
  }
  if (size > block_bytes_max_)
    return undecodable(fmt::format("Block size {} exceeded max: {}", size, block_bytes_max_));
  if (rest_.size() < size + (block_checksums_ ? 4 : 0)) return undecodable("Stream ended prematurely");
  const Bytes block = rest_.first(size);
  rest_ = rest_.subspan(size);
  if (block_checksums_) {
    if (xxhash32(block) != load_little(rest_.data())) return undecodable("Block checksum mismatch");
    rest_ = rest_.subspan(4);
  }
  if (word & stored_block) {
    block_rest_ = block;
    return 0;
  }
  const std::size_t plain_bytes_max = std::min(block_bytes_max_, size * expansion_max);
  const bool direct = plain_bytes_max <= to.size();
  if (!direct && block_.size() < plain_bytes_max) block_.resize(plain_bytes_max);
  std::byte* target = direct ? to.data() : block_.data();
  const int plain = LZ4_decompress_safe(chars(block.data()), chars(target), static_cast<int>(size),
                                        static_cast<int>(plain_bytes_max));
  if (plain < 0) return undecodable("invalid lz4 block");
  if (direct) return static_cast<std::size_t>(plain);
  block_rest_ = Bytes(block_).first(static_cast<std::size_t>(plain));
  return 0;
}

Result<std::size_t> Lz4Decoder::read(MutableBytes to, std::size_t) {
  if (!header_read_) {
    if (auto header = read_header(); !header) return std::unexpected(header.error());
  }
  std::size_t done = 0;
  while (done < to.size()) {
    if (block_rest_.empty()) {
      if (finished_) break;
      const auto direct = next_block(to.subspan(done));
      if (!direct) return direct;
      done += *direct;
      continue;
    }
    const std::size_t bytes = std::min(block_rest_.size(), to.size() - done);
    std::memcpy(to.data() + done, block_rest_.data(), bytes);
    block_rest_ = block_rest_.subspan(bytes);
    done += bytes;
  }
  return done;
}

void Lz4Decoder::release() {
  block_rest_ = {};
  if (block_.capacity() > block_bytes_kept) ByteVector().swap(block_);
}

}  // namespace klamm::records
