// Single questions on a connection of their own: what a run must know before it loads a cluster, and what it looks up
// afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/frames.h"
#include "bench/target.h"
#include "protocol/reader.h"
#include "runtime/waiting.h"

namespace klamm::bench {

class Asking final : ChannelEvents {
 public:
  Asking(runtime::Reactor& reactor, runtime::SocketRef socket);

  // What stands behind the answer's correlation id. Throws std::system_error when the connection ends, or after ten
  // seconds.
  runtime::Task<ByteVector> ask(const Frame& frame);

 private:
  void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;
  void lost(Channel& channel, std::string why) override;

  runtime::Reactor& reactor_;
  runtime::Notice told_;
  Channel channel_;
  ByteVector answer_;
  std::string failure_;
  bool done_ = false;
};

// The response of `Request` that lies in an answer; nothing when it cannot be read.
template <typename Response>
std::optional<Response> response_of(Bytes answer, std::int16_t version) {
  protocol::Reader reader(body_of(answer, version >= Response::flexible_from));
  Response response;
  response.decode(reader, version);
  if (!reader.ok()) return std::nullopt;
  return response;
}

enum class CoordinatorOf : std::uint8_t { group = 0, transaction = 1 };

// Where each key's coordinator is, in their order; asks again for half a minute while there is none (the topic may have
// to be made). Throws std::system_error.
runtime::Task<std::vector<client::HostPort>> find_coordinators(runtime::Environment& environment,
                                                               runtime::Reactor& reactor, const Target& target,
                                                               CoordinatorOf type, std::vector<std::string> keys);

// The level of a feature that the cluster has agreed on; 0 when it says nothing about it.
runtime::Task<std::int16_t> finalized_level(runtime::Environment& environment, runtime::Reactor& reactor,
                                            const Target& target, std::string feature);

}  // namespace klamm::bench
