#include "rpc/frame.h"

#include "base/ensure.h"
#include "base/varint.h"

namespace klamm::rpc {

namespace {

constexpr std::size_t request_start_bytes = 8;
constexpr std::size_t read_bytes_min = std::size_t{16} << 10;

// Where the tagged fields that begin at `at` end; nothing when they do not fit in the frame.
std::optional<std::size_t> skip_tagged_fields(Bytes frame, std::size_t at) {
  const auto count = load_unsigned_varint(frame.subspan(at));
  if (!count) return std::nullopt;
  at += count.size;
  for (std::uint32_t i = 0; i < count.value; ++i) {
    const auto tag = load_unsigned_varint(frame.subspan(at));
    if (!tag) return std::nullopt;
    at += tag.size;
    const auto size = load_unsigned_varint(frame.subspan(at));
    if (!size) return std::nullopt;
    at += size.size;
    if (size.value > frame.size() - at) return std::nullopt;
    at += size.value;
  }
  return at;
}

}  // namespace

FrameStart look_at_frame(Bytes received, std::int32_t length_max) {
  if (received.size() < frame_length_bytes) return {};
  const auto length = load_big<std::int32_t>(received.data());
  if (length < 0 || length > length_max) return {FrameStart::Status::invalid, length};
  const bool complete = received.size() - frame_length_bytes >= static_cast<std::size_t>(length);
  return {complete ? FrameStart::Status::complete : FrameStart::Status::incomplete, length};
}

std::optional<RequestStart> look_at_request(Bytes frame) {
  if (frame.size() < request_start_bytes) return std::nullopt;
  return RequestStart{load_big<std::int16_t>(frame.data()), load_big<std::int16_t>(frame.data() + 2),
                      load_big<std::int32_t>(frame.data() + 4)};
}

std::optional<RequestHeader> parse_request_header(Bytes frame, std::int16_t header_version) {
  const auto start = look_at_request(frame);
  if (!start) return std::nullopt;
  RequestHeader header{start->api_key, start->api_version, start->correlation_id, std::nullopt, request_start_bytes};
  if (header_version < 1) return header;

  if (frame.size() - header.size < sizeof(std::int16_t)) return std::nullopt;
  const auto length = load_big<std::int16_t>(frame.data() + header.size);
  header.size += sizeof(std::int16_t);
  if (length >= 0) {
    if (frame.size() - header.size < static_cast<std::size_t>(length)) return std::nullopt;
    header.client_id = as_text(frame.subspan(header.size, static_cast<std::size_t>(length)));
    header.size += static_cast<std::size_t>(length);
  }
  if (header_version < 2) return header;

  const auto end = skip_tagged_fields(frame, header.size);
  if (!end) return std::nullopt;
  header.size = *end;
  return header;
}

std::optional<ResponseHeader> parse_response_header(Bytes frame, std::int16_t header_version) {
  if (frame.size() < sizeof(std::int32_t)) return std::nullopt;
  ResponseHeader header{load_big<std::int32_t>(frame.data()), sizeof(std::int32_t)};
  if (header_version < 1) return header;
  const auto end = skip_tagged_fields(frame, header.size);
  if (!end) return std::nullopt;
  header.size = *end;
  return header;
}

MutableBytes FrameAssembler::room() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < read_bytes_min) buffer_.resize(std::max(end_ * 2, end_ + read_bytes_min));
  return MutableBytes(buffer_).subspan(end_);
}

void FrameAssembler::received(std::size_t bytes) {
  ENSURE(bytes <= buffer_.size() - end_);
  end_ += bytes;
}

std::optional<Bytes> FrameAssembler::next() {
  const auto unread = Bytes(buffer_).subspan(begin_, end_ - begin_);
  const auto start = look_at_frame(unread, length_max_);
  if (start.status == FrameStart::Status::invalid) broken_ = true;
  if (start.status != FrameStart::Status::complete) return std::nullopt;
  begin_ += start.whole_bytes();
  return unread.subspan(frame_length_bytes, static_cast<std::size_t>(start.length));
}

}  // namespace klamm::rpc
