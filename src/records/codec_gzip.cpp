#include <limits>

#include "base/ensure.h"
#include "records/codecs.h"

namespace klamm::records {

namespace {

// The largest window, and 16 for gzip's header and trailer.
constexpr int gzip_window_bits = 15 + 16;
constexpr int memory_level = 8;

unsigned char* out_pointer(std::byte* at) {
  return reinterpret_cast<unsigned char*>(at);
}
unsigned char* in_pointer(const std::byte* at) {
  return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(at));
}
// zlib counts in 32 bits; batches do not exceed 31.
uInt count(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

GzipEncoder::~GzipEncoder() {
  if (ready_) deflateEnd(&stream_);
}

void GzipEncoder::encode(int level, Bytes plain, ByteVector& to) {
  if (!ready_) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, gzip_window_bits, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
    ready_ = true;
  } else {
    deflateReset(&stream_);
    deflateParams(&stream_, level, Z_DEFAULT_STRATEGY);
  }
  const std::size_t before = to.size();
  const std::size_t bound = deflateBound(&stream_, plain.size());
  to.resize(before + bound);
  stream_.next_in = in_pointer(plain.data());
  stream_.avail_in = count(plain.size());
  stream_.next_out = out_pointer(to.data() + before);
  stream_.avail_out = count(bound);
  ENSURE(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
  to.resize(before + bound - stream_.avail_out);
}

GzipDecoder::~GzipDecoder() {
  if (ready_) inflateEnd(&stream_);
}

void GzipDecoder::start(Bytes payload) {
  if (!ready_) {
    if (inflateInit2(&stream_, gzip_window_bits) != Z_OK) throw std::bad_alloc();
    ready_ = true;
  } else {
    inflateReset(&stream_);
  }
  stream_.next_in = in_pointer(payload.data());
  stream_.avail_in = count(payload.size());
  finished_ = false;
}

Result<std::size_t> GzipDecoder::read(MutableBytes to, std::size_t) {
  if (finished_) return 0;
  stream_.next_out = out_pointer(to.data());
  stream_.avail_out = count(to.size());
  const auto asked = stream_.avail_out;
  while (stream_.avail_out > 0) {
    const int state = inflate(&stream_, Z_NO_FLUSH);
    if (state == Z_STREAM_END) {
      // Another member may follow. What does not look like one is ignored, as Java's reader does.
      if (stream_.avail_in < 2 || stream_.next_in[0] != 0x1f || stream_.next_in[1] != 0x8b) {
        finished_ = true;
        break;
      }
      inflateReset(&stream_);
      continue;
    }
    if (state == Z_BUF_ERROR || (state == Z_OK && stream_.avail_in == 0 && stream_.avail_out > 0))
      return undecodable("Unexpected end of ZLIB input stream");
    if (state == Z_MEM_ERROR) throw std::bad_alloc();
    if (state != Z_OK) return undecodable(stream_.msg ? stream_.msg : "not in GZIP format");
  }
  return asked - stream_.avail_out;
}

}  // namespace klamm::records
