#include "bench/frames.h"

#include "protocol/reader.h"

namespace klamm::bench {

void detail::begin(ByteVector& head, std::int16_t key, std::int16_t version, bool flexible) {
  const auto put = [&](auto value) {
    head.resize(head.size() + sizeof value);
    store_big(head.data() + head.size() - sizeof value, value);
  };
  put(std::int32_t{0});
  put(key);
  put(version);
  put(std::int32_t{0});
  put(static_cast<std::int16_t>(client_id.size()));
  const Bytes id = as_bytes(client_id);
  head.insert(head.end(), id.begin(), id.end());
  if (flexible) put(std::int8_t{0});
}

Frame detail::finish(ByteVector bytes, std::span<const protocol::PayloadHole> holes, Bytes payload) {
  ENSURE(holes.size() <= 1);
  Frame frame{.head = std::move(bytes), .payload = {}, .tail = {}};
  if (!holes.empty()) {
    ENSURE(holes.front().size == payload.size());
    const auto cut = frame.head.begin() + static_cast<std::ptrdiff_t>(holes.front().position);
    frame.tail.assign(cut, frame.head.end());
    frame.head.erase(cut, frame.head.end());
    frame.payload = payload;
  }
  store_big(frame.head.data(), static_cast<std::int32_t>(frame.size() - rpc::frame_length_bytes));
  return frame;
}

Bytes body_of(Bytes answer, bool flexible) {
  if (!flexible) return answer;
  // No broker sends tagged fields in the header; one that does is told apart by the count.
  if (answer.empty() || answer.front() != std::byte{0}) return {};
  return answer.subspan(1);
}

}  // namespace klamm::bench
