#include <zstd_errors.h>

#include "base/ensure.h"
#include "records/codecs.h"

namespace klamm::records {

namespace {

// The largest window that a producer's level can ask for (22: 128 MiB). Reserving it costs no memory until it is
// written, which the limit on plain bytes bounds. A frame that asks for more is refused, as by every other reader.
constexpr int window_log_max = 27;
// A context that has grown beyond this is not kept.
constexpr std::size_t context_bytes_kept = std::size_t{4} << 20;

}  // namespace

ZstdEncoder::~ZstdEncoder() {
  ZSTD_freeCCtx(context_);
}

void ZstdEncoder::encode(int level, Bytes plain, ByteVector& to) {
  if (!context_ && !(context_ = ZSTD_createCCtx())) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
  const std::size_t before = to.size();
  to.resize(before + ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compress2(context_, to.data() + before, to.size() - before, plain.data(), plain.size());
  if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  ENSURE(!ZSTD_isError(size));
  to.resize(before + size);
}

ZstdDecoder::~ZstdDecoder() {
  ZSTD_freeDCtx(context_);
}

void ZstdDecoder::start(Bytes payload) {
  if (!context_) {
    if (!(context_ = ZSTD_createDCtx())) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_max);
  } else {
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
  }
  input_ = {payload.data(), payload.size(), 0};
  frame_open_ = false;
}

Result<std::size_t> ZstdDecoder::read(MutableBytes to, std::size_t) {
  ZSTD_outBuffer output{to.data(), to.size(), 0};
  while (output.pos < output.size) {
    if (input_.pos == input_.size && !frame_open_) break;
    const std::size_t before = output.pos;
    const std::size_t left = ZSTD_decompressStream(context_, &output, &input_);
    if (ZSTD_isError(left)) {
      const auto code = ZSTD_getErrorCode(left);
      if (code == ZSTD_error_memory_allocation) throw std::bad_alloc();
      return undecodable(ZSTD_getErrorName(left));
    }
    frame_open_ = left != 0;
    if (frame_open_ && input_.pos == input_.size && output.pos == before) return undecodable("Truncated source");
  }
  return output.pos;
}

void ZstdDecoder::release() {
  if (!context_ || ZSTD_sizeof_DCtx(context_) <= context_bytes_kept) return;
  ZSTD_freeDCtx(context_);
  context_ = nullptr;
}

}  // namespace klamm::records
