#include "server/transport.h"

#include <array>

namespace klamm::server {

using runtime::IoResult;
using runtime::IoStatus;

namespace {
constexpr std::size_t parts_max = 64;
}

// One writev for neighbouring pieces of memory, one sendfile for a range of a file. A write is marked MSG_MORE exactly
// when a file range follows in the same call: marked without anything following, the kernel holds it back for 200 ms.
IoResult PlainTransport::send(std::span<const OutputSlice> slices) {
  std::size_t sent = 0;
  std::size_t at = 0;
  while (at < slices.size()) {
    IoResult result;
    std::size_t wanted = 0;
    if (slices[at].file) {
      wanted = slices[at].length;
      result = socket_.send_file(*slices[at].file, slices[at].offset, wanted);
      ++at;
    } else {
      std::array<Bytes, parts_max> parts;
      std::size_t count = 0;
      for (; at < slices.size() && !slices[at].file && count < parts_max; ++at) {
        parts[count++] = slices[at].memory;
        wanted += slices[at].memory.size();
      }
      const bool file_follows = at < slices.size() && slices[at].file;
      result = socket_.write(std::span<const Bytes>(parts.data(), count), file_follows);
    }
    if (result.status != IoStatus::done) return {result.status, sent, result.error};
    sent += result.bytes;
    // The socket's buffer is full: the rest would block.
    if (result.bytes < wanted) return {IoStatus::would_block, sent, 0};
  }
  return {IoStatus::done, sent, 0};
}

}  // namespace klamm::server
