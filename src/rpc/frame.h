// What stands around a message on a connection: a four-byte length, then a request or response header, then the body.
// Used by both ends. Source of the format: org.apache.kafka.common.requests.{RequestHeader,ResponseHeader} and
// org.apache.kafka.common.network.NetworkReceive.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace klamm::rpc {

// The length in front of each frame; it does not count itself.
inline constexpr std::size_t frame_length_bytes = 4;

// What is known of the frame that starts at the first byte of some received bytes.
struct FrameStart {
  enum class Status : std::uint8_t {
    length_missing,  // fewer than four bytes are there
    incomplete,      // `length` is known, not all of it is there
    complete,
    invalid,  // `length` is negative or larger than allowed: nothing after it can be understood
  };
  Status status = Status::length_missing;
  std::int32_t length = 0;

  std::size_t whole_bytes() const { return frame_length_bytes + static_cast<std::size_t>(length); }
};

FrameStart look_at_frame(Bytes received, std::int32_t length_max);

// In front of the body of a request. The client id is a view into the frame.
struct RequestHeader {
  std::int16_t api_key = -1;  // as on the wire: may be one that nobody knows
  std::int16_t api_version = -1;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;
  std::size_t size = 0;  // bytes it took: the body begins there
};

// Key, version and correlation id stand at the same place in every header version; nothing when they are not all there.
struct RequestStart {
  std::int16_t api_key = -1;
  std::int16_t api_version = -1;
  std::int32_t correlation_id = 0;
};
std::optional<RequestStart> look_at_request(Bytes frame);

// Header version 1 has a client id; 2 (flexible request versions) has tagged fields after it, which are skipped.
// Nothing when the frame ends inside the header or a length in it lies. A client id of a negative length is null, as
// Kafka reads it; bytes that are not UTF-8 are kept as they are.
std::optional<RequestHeader> parse_request_header(Bytes frame, std::int16_t header_version);

struct ResponseHeader {
  std::int32_t correlation_id = 0;
  std::size_t size = 0;
};
// Header version 1 (flexible response versions, but never ApiVersions) has tagged fields, which are skipped.
std::optional<ResponseHeader> parse_response_header(Bytes frame, std::int16_t header_version);

constexpr std::int16_t request_header_version(bool flexible) {
  return flexible ? 2 : 1;
}
// ApiVersions (key 18) answers with version 0 always, because the client cannot know yet what the server speaks
// (KIP-511).
constexpr std::int16_t response_header_version(std::int16_t api_key, bool flexible) {
  return flexible && api_key != 18 ? 1 : 0;
}

// Cuts received bytes into frames where nothing is shared and memory is one's own: the client's end of a connection.
// (The server reads into pooled buffers: server/connection.h.) Memory grows with the bytes that came, not with the
// length that was announced.
class FrameAssembler {
 public:
  explicit FrameAssembler(std::int32_t length_max) : length_max_(length_max) {}

  // Room for at least one byte; what next() returned before is no longer valid.
  MutableBytes room();
  void received(std::size_t bytes);
  // The next whole frame without its length, valid until room() is called; nothing when more must be read or the
  // length is invalid.
  std::optional<Bytes> next();
  // A length that cannot be: the connection is of no use any more.
  bool broken() const { return broken_; }

 private:
  std::int32_t length_max_;
  ByteVector buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool broken_ = false;
};

}  // namespace klamm::rpc
