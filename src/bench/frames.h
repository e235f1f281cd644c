// Frames as channels send them, from the generated requests.
#pragma once

#include <cstring>

#include "base/ensure.h"
#include "bench/channel.h"
#include "protocol/message.h"
#include "protocol/writer.h"
#include "rpc/frame.h"

namespace klamm::bench {

inline constexpr std::string_view client_id = "klamm-bench";

namespace detail {

// Length (of the whole frame, filled in later), key, version, correlation id, client id.
void begin(ByteVector& head, std::int16_t key, std::int16_t version, bool flexible);
Frame finish(ByteVector bytes, std::span<const protocol::PayloadHole> holes, Bytes payload);

}  // namespace detail

// At most one Payload::hole in the request: there goes `payload`, which the caller keeps alive.
template <typename Request>
Frame frame_of(const Request& request, std::int16_t version, Bytes payload = {}) {
  ByteVector bytes;
  detail::begin(bytes, static_cast<std::int16_t>(Request::api_key), version, version >= Request::flexible_from);
  std::vector<protocol::PayloadHole> holes;
  protocol::Writer writer(bytes, &holes);
  request.encode(writer, version);
  ENSURE(writer.ok(), writer.error());
  return detail::finish(std::move(bytes), holes, payload);
}

// Of the answer behind its correlation id: the body. Empty when the header's tagged fields lie.
Bytes body_of(Bytes answer, bool flexible);

}  // namespace klamm::bench
