// Frames of every API and version, requests as the server takes them apart and responses as the client does, and every
// record of metadata and offsets. What can be read is written again: the same size as announced, readable again, and
// the same bytes the second time (not the first: a varint may be longer than it must). Views write what messages write.
#include <fmt/format.h>

#include "input.h"
#include "protocol/api_key.h"
#include "protocol/catalog.h"
#include "rpc/frame.h"

namespace klamm::fuzz {
namespace {

struct Read {
  std::unique_ptr<protocol::AnyMessage> message;
  std::size_t bytes = 0;
};

// No message when the bytes are none of the type.
Read decode(const protocol::MessageType& type, Bytes body, std::int16_t version) {
  Read read{.message = type.make()};
  protocol::Reader reader(body);
  read.message->decode(reader, version);
  if (!reader.ok()) {
    ENSURE(!reader.error().empty(), "an error without a text");
    read.message.reset();
  }
  read.bytes = reader.position();
  return read;
}

// Nothing when unknown tags do not grow: they are read in any order, and refused when they are written, as by Kafka.
std::optional<ByteVector> encode(const protocol::AnyMessage& message, std::int16_t version) {
  ByteVector bytes;
  protocol::Writer writer(bytes);
  message.encode(writer, version);
  if (writer.error().starts_with("Invalid raw tag field list")) return std::nullopt;
  ENSURE(writer.ok(), fmt::format("what was read cannot be written: {}", writer.error()));
  ENSURE(message.encoded_size(version) == bytes.size(), "encoded_size() is another size");
  return bytes;
}

void round_trip(const protocol::MessageType& type, Bytes body, std::int16_t version) {
  const auto* view_type = protocol::find_message_type(fmt::format("{}View", type.name));
  const Read first = decode(type, body, version);
  const Read view = view_type ? decode(*view_type, body, version) : Read{};
  if (view_type) ENSURE(!view.message == !first.message, "readable as a view only, or as a message only");
  if (!first.message) return;

  const auto bytes = encode(*first.message, version);
  if (view_type) ENSURE(encode(*view.message, version) == bytes, "a view is written otherwise");
  (void)first.message->to_json(version);
  if (!bytes) return;
  const Read second = decode(type, *bytes, version);
  ENSURE(second.message && second.bytes == bytes->size(), "what was written cannot be read");
  ENSURE(encode(*second.message, version) == bytes, "written again, it is something else");
}

void request(Bytes frame) {
  const auto start = rpc::look_at_request(frame);
  const auto* api = start ? protocol::find_api(start->api_key) : nullptr;
  if (!api || !api->versions.contains(start->api_version)) return;
  const auto header = rpc::parse_request_header(frame, protocol::request_header_version(api->key, start->api_version));
  if (!header) return;
  if (header->client_id) touch(as_bytes(*header->client_id));
  const auto* type = protocol::find_message_type(fmt::format("{}Request", api->name));
  ENSURE(type, "an API without a request");
  round_trip(*type, frame.subspan(header->size), start->api_version);
}

// Key and version of the request, then the frame of the answer.
void response(Input input) {
  const auto* api = protocol::find_api(input.take<std::int16_t>());
  const auto version = input.take<std::int16_t>();
  if (!api || !api->versions.contains(version)) return;
  const auto header = rpc::parse_response_header(input.rest(), protocol::response_header_version(api->key, version));
  if (!header) return;
  const auto* type = protocol::find_message_type(fmt::format("{}Response", api->name));
  ENSURE(type, "an API without a response");
  round_trip(*type, input.rest().subspan(header->size), version);
}

// Any type of the catalog.
void any(Input input) {
  const auto types = protocol::message_types();
  const auto& type = types[input.take<std::uint16_t>() % types.size()];
  if (type.name.ends_with("View")) return;
  const auto versions = static_cast<unsigned>(type.highest_version - type.min_version + 1);
  const auto version =
      static_cast<std::int16_t>(type.min_version + static_cast<int>(input.take<std::uint8_t>() % versions));
  round_trip(type, input.rest(), version);
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm::fuzz;
  Input input(data, size);
  switch (input.take<std::uint8_t>() % 3) {
    case 0:
      request(input.rest());
      break;
    case 1:
      response(input);
      break;
    default:
      any(input);
  }
  return 0;
}
