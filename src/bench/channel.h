// One connection of the generator: sends frames that were prepared before, several at once, and hands out the answers.
// Knows nothing of versions, retries or reconnects: a connection that ends is an error of the run.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "rpc/frame.h"
#include "runtime/network.h"
#include "runtime/reactor.h"

namespace klamm::bench {

// A request ready to be sent: head, payload, tail in this order. The payload is borrowed.
struct Frame {
  ByteVector head;  // with the length; the correlation id is filled in when it is sent
  Bytes payload;
  ByteVector tail;

  std::size_t size() const { return head.size() + payload.size() + tail.size(); }
};

// A request on its way.
struct Sent {
  runtime::MonoTime intended;  // when it should have been sent: latencies count from here
  std::uint64_t tag = 0;       // the sender's own
  std::int32_t correlation_id = 0;
};

class Channel;

class ChannelEvents {
 public:
  virtual ~ChannelEvents() = default;
  // `answer` is what stands behind the correlation id. `at` is when it was read.
  virtual void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) = 0;
  // Once; the channel is of no use any more.
  virtual void lost(Channel& channel, std::string why) = 0;
};

class Channel final : runtime::SocketEvents, runtime::TurnEnd {
 public:
  Channel(runtime::Reactor& reactor, runtime::SocketRef socket, ChannelEvents& events, std::size_t number);
  ~Channel() override = default;

  // Leaves at the end of this turn, together with what else was sent in it. The payload stays until it was answered.
  void send(const Frame& frame, runtime::MonoTime intended, std::uint64_t tag);

  std::size_t number() const { return number_; }
  std::size_t in_flight() const { return waiting_.size(); }
  bool usable() const { return socket_ != nullptr; }
  void close();

 private:
  struct Part {
    ByteVector owned;
    Bytes bytes;
  };
  void on_readable() override;
  void on_writable() override { flush(); }
  void turn_ended() override { flush(); }
  void flush();
  void fail(std::string why);
  Part& next_part();

  runtime::Reactor& reactor_;
  runtime::SocketRef socket_;
  ChannelEvents& events_;
  std::size_t number_;
  std::int32_t next_correlation_id_ = 0;
  std::deque<Sent> waiting_;
  std::vector<Part> parts_;  // a queue whose buffers are used again
  std::size_t first_ = 0;
  std::size_t last_ = 0;
  rpc::FrameAssembler received_;
};

}  // namespace klamm::bench
