// One connection to a broker, the client's end: requests go out in order, many may be on their way, each answer finds
// its request by the correlation id. Knows no versions and no retries. Belongs to one reactor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "client/result.h"
#include "runtime/network.h"
#include "runtime/reactor.h"

namespace klamm::client {

// An encoded request. What is inserted is not copied; `owner` keeps it alive until it is on the wire.
struct OutgoingFrame {
  struct Insertion {
    std::size_t position;  // in `bytes`
    Bytes payload;
    std::shared_ptr<const void> owner;
  };
  ByteVector bytes;  // length, header and body; the connection fills in length and correlation id
  std::vector<Insertion> insertions;
  bool expects_answer = true;
};

// A whole answer. Views into it share ownership of `frame`.
struct Answer {
  std::shared_ptr<const ByteVector> frame;
  Bytes after_correlation_id;
};

// Who waits for an answer. Destroying it while it waits is fine: the answer is dropped when it comes.
class AnswerWaiter {
 public:
  AnswerWaiter() = default;
  AnswerWaiter(const AnswerWaiter&) = delete;
  AnswerWaiter& operator=(const AnswerWaiter&) = delete;
  // Called once, from the connection, which it must not destroy.
  virtual void answered(Result<Answer> answer) = 0;

 protected:
  ~AnswerWaiter();

 private:
  friend class Connection;
  AnswerWaiter** back_ = nullptr;  // where the connection keeps the way to this waiter
};

class Connection final : runtime::SocketEvents, runtime::Timer {
 public:
  // `closed` is called once when the connection failed or was closed by the other end or by a timeout, after all who
  // waited were told; it must not destroy the connection.
  Connection(runtime::Reactor& reactor, runtime::SocketRef socket, std::function<void(const Error&)> closed);
  ~Connection();

  // Sends; `waiter` hears the answer, or why there is none: network_exception when the connection ends first,
  // request_timed_out at `deadline`, which also ends the connection, because nobody knows what the other end is doing.
  // Without expects_answer the waiter hears once the bytes were handed to the kernel.
  void send(OutgoingFrame frame, AnswerWaiter& waiter, runtime::MonoTime deadline);

  // Ends it as if the other end had: what came over it makes no sense.
  void give_up();

  std::size_t in_flight() const { return waiting_.size(); }
  bool usable() const { return socket_ != nullptr; }
  runtime::MonoTime last_use() const { return last_use_; }
  const runtime::SocketAddress& peer() const { return peer_; }

 private:
  // A request whose answer (or departure) somebody waits for.
  struct Slot {
    AnswerWaiter* waiter = nullptr;
    std::int32_t correlation_id = 0;
    runtime::MonoTime deadline;
  };
  struct Departing {
    OutgoingFrame frame;
    std::unique_ptr<Slot> slot;  // only of a request without an answer
  };

  void on_readable() override;
  void on_writable() override;
  void fired() override;

  void write();
  void departed();
  bool consume(Bytes received);
  void frame_complete();
  static void tell(Slot& slot, Result<Answer> answer);
  void fail(Error for_waiters);
  void arm_deadline();

  runtime::Reactor& reactor_;
  runtime::SocketRef socket_;
  runtime::SocketAddress peer_;
  std::function<void(const Error&)> closed_;
  runtime::MonoTime last_use_;
  std::int32_t next_correlation_id_ = 0;

  std::deque<std::unique_ptr<Slot>> waiting_;  // in the order of sending
  std::deque<Departing> departing_;
  std::size_t departed_bytes_ = 0;  // of the first
  bool blocked_ = false;

  std::byte length_[4];
  std::size_t length_filled_ = 0;
  std::shared_ptr<ByteVector> incoming_;  // being filled
  std::size_t incoming_length_ = 0;
  ByteVector staging_;
};

}  // namespace klamm::client
