#include "client/encoding.h"

namespace klamm::client::detail {

void begin_request(ByteVector& frame, std::int16_t key, std::int16_t version, bool flexible,
                   std::string_view client_id) {
  append_big(frame, std::int32_t{0});  // length: the connection knows it
  append_big(frame, key);
  append_big(frame, version);
  append_big(frame, std::int32_t{0});  // correlation id: the connection gives it
  append_big(frame, static_cast<std::int16_t>(client_id.size()));
  append_bytes(frame, as_bytes(client_id));
  if (flexible) frame.push_back(std::byte{0});  // no tagged fields
}

OutgoingFrame finish_request(ByteVector frame, std::span<const protocol::PayloadHole> holes,
                             std::span<const HeldPayload> held) {
  OutgoingFrame outgoing;
  outgoing.bytes = std::move(frame);
  for (const protocol::PayloadHole& hole : holes) {
    const HeldPayload& payload = held[hole.id];
    outgoing.insertions.push_back({hole.position, payload.bytes, payload.owner});
  }
  return outgoing;
}

std::optional<Bytes> body_of(const Answer& answer, std::int16_t key, bool flexible) {
  const auto header = rpc::parse_response_header(*answer.frame, rpc::response_header_version(key, flexible));
  if (!header) return std::nullopt;
  return Bytes(*answer.frame).subspan(header->size);
}

}  // namespace klamm::client::detail
