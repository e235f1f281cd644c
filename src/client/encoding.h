// From a generated request to bytes, and from an answer's bytes to a generated response.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "client/connection.h"
#include "client/result.h"
#include "protocol/message.h"
#include "rpc/frame.h"

namespace klamm::client {

// What a Payload::hole(size, id) of a request stands for: `id` is the index here.
struct HeldPayload {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

namespace detail {

void begin_request(ByteVector& frame, std::int16_t key, std::int16_t version, bool flexible,
                   std::string_view client_id);
OutgoingFrame finish_request(ByteVector frame, std::span<const protocol::PayloadHole> holes,
                             std::span<const HeldPayload> held);
// The body of an answer; empty when its header lies.
std::optional<Bytes> body_of(const Answer& answer, std::int16_t key, bool flexible);

}  // namespace detail

// unsupported_version, with Kafka's text, when the request says something that the version cannot.
template <typename Request>
Result<OutgoingFrame> encode_request(const Request& request, std::int16_t version, std::string_view client_id,
                                     std::span<const HeldPayload> held = {}) {
  ByteVector frame;
  const bool flexible = version >= Request::flexible_from;
  detail::begin_request(frame, static_cast<std::int16_t>(Request::api_key), version, flexible, client_id);
  std::vector<protocol::PayloadHole> holes;
  protocol::Writer writer(frame, &holes);
  request.encode(writer, version);
  if (!writer.ok()) return Error(ErrorCode::unsupported_version, writer.error());
  return detail::finish_request(std::move(frame), holes, held);
}

// A decoded answer. `frame` keeps alive what payloads in `body` point to.
template <typename Response>
struct Reply {
  Response body;
  std::int16_t version = 0;
  std::shared_ptr<const ByteVector> frame;

  const Response* operator->() const { return &body; }
};

// network_exception when it cannot be read: nothing after it on that connection can be trusted either, see
// Link::not_understood().
template <typename Response>
Result<Reply<Response>> decode_answer(const Answer& answer, std::int16_t version) {
  const auto body =
      detail::body_of(answer, static_cast<std::int16_t>(Response::api_key), version >= Response::flexible_from);
  if (!body) return Error(ErrorCode::network_exception, "The answer of the broker has a broken header");
  Reply<Response> reply{{}, version, answer.frame};
  protocol::Reader reader(*body);
  reply.body.decode(reader, version);
  if (!reader.ok())
    return Error(ErrorCode::network_exception, "The answer of the broker cannot be read: " + reader.error());
  return reply;
}

}  // namespace klamm::client
