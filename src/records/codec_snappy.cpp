#include <snappy.h>

#include "records/codecs.h"

namespace klamm::records {

namespace {

constexpr unsigned char magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
// The magic, the version that wrote it and the oldest that can read it.
constexpr std::size_t header_bytes = 16;
constexpr std::size_t block_bytes = std::size_t{32} << 10;
constexpr std::size_t block_bytes_kept = std::size_t{1} << 20;
// A copy takes 3 bytes for 64; the size in front of a block cannot promise more.
constexpr std::size_t expansion_max = 22;

bool has_header(Bytes bytes) {
  return bytes.size() >= header_bytes && std::memcmp(bytes.data(), magic, sizeof magic) == 0;
}

const char* chars(const std::byte* at) {
  return reinterpret_cast<const char*>(at);
}
char* chars(std::byte* at) {
  return reinterpret_cast<char*>(at);
}

}  // namespace

void SnappyEncoder::encode(Bytes plain, ByteVector& to) {
  append_bytes(to, {reinterpret_cast<const std::byte*>(magic), sizeof magic});
  append_big<std::int32_t>(to, 1);
  append_big<std::int32_t>(to, 1);
  while (!plain.empty()) {
    const Bytes block = plain.first(std::min(block_bytes, plain.size()));
    plain = plain.subspan(block.size());
    const std::size_t at = to.size();
    to.resize(at + 4 + snappy::MaxCompressedLength(block.size()));
    std::size_t size = 0;
    snappy::RawCompress(chars(block.data()), block.size(), chars(to.data() + at + 4), &size);
    store_big(to.data() + at, static_cast<std::int32_t>(size));
    to.resize(at + 4 + size);
  }
}

void SnappyDecoder::start(Bytes payload) {
  framed_ = has_header(payload);
  rest_ = framed_ ? payload.subspan(header_bytes) : payload;
  block_rest_ = {};
}

// The next compressed block; empty at the end.
Result<Bytes> SnappyDecoder::next_block() {
  if (!framed_) {
    const Bytes whole = rest_;
    rest_ = {};
    return whole;
  }
  // Streams may be written one after the other, each with its header.
  if (has_header(rest_)) rest_ = rest_.subspan(header_bytes);
  if (rest_.empty()) return Bytes{};
  if (rest_.size() < 4) return undecodable("snappy stream ends inside of a block size");
  const auto size = load_big<std::int32_t>(rest_.data());
  rest_ = rest_.subspan(4);
  if (size <= 0 || static_cast<std::size_t>(size) > rest_.size())
    return undecodable(fmt::format("snappy block of {} bytes where {} are left", size, rest_.size()));
  const Bytes block = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(block.size());
  return block;
}

Result<std::size_t> SnappyDecoder::read(MutableBytes to, std::size_t plain_bytes_left) {
  std::size_t done = 0;
  while (done < to.size()) {
    if (block_rest_.empty()) {
      const auto block = next_block();
      if (!block) return std::unexpected(block.error());
      if (block->empty()) break;
      std::size_t size = 0;
      if (!snappy::GetUncompressedLength(chars(block->data()), block->size(), &size) ||
          size > block->size() * expansion_max)
        return undecodable("snappy block with an invalid length");
      if (size > plain_bytes_left - std::min(plain_bytes_left, done)) return decodes_to_too_much();
      const bool direct = size <= to.size() - done;
      if (!direct && block_.size() < size) block_.resize(size);
      std::byte* target = direct ? to.data() + done : block_.data();
      if (!snappy::RawUncompress(chars(block->data()), block->size(), chars(target)))
        return undecodable("invalid snappy block");
      if (direct) {
        done += size;
        continue;
      }
      block_rest_ = Bytes(block_).first(size);
    }
    const std::size_t bytes = std::min(block_rest_.size(), to.size() - done);
    std::memcpy(to.data() + done, block_rest_.data(), bytes);
    block_rest_ = block_rest_.subspan(bytes);
    done += bytes;
  }
  return done;
}

void SnappyDecoder::release() {
  block_rest_ = {};
  if (block_.capacity() > block_bytes_kept) ByteVector().swap(block_);
}

}  // namespace klamm::records
