// Answers as a channel hands them out, for tests of machines that read them.
#pragma once

#include "base/bytes.h"
#include "protocol/writer.h"

namespace klamm::bench {

template <typename Response>
ByteVector answer_of(const Response& response, std::int16_t version) {
  ByteVector bytes;
  if (version >= Response::flexible_from) bytes.push_back(std::byte{0});
  protocol::Writer writer(bytes);
  response.encode(writer, version);
  return bytes;
}

}  // namespace klamm::bench
