// One connection of the broker: reads what is there, cuts it into frames, starts their exchanges as the order of
// answers allows, and sends once per turn. Lives on the reactor that accepted it.
//
// Idle it holds no buffer. Received bytes lie in a buffer of 64 KiB that is borrowed for the read; what is then left of
// an incomplete frame moves to a buffer of its own size, which grows with the bytes that come. All of it is charged to
// the request pool; a connection that finds the pool full is not read until there is room. Short of memory, a frame is
// read into 4 KiB at first, and who has requests waiting reads no further.
//
// Requests are answered in the order in which they came. One starts when all earlier ones are answered; only Produce
// may start while earlier requests, Produce too, are not. What cannot start waits; at 64 requests or 4 MiB waiting, or
// when answers are not taken, reading stops.
//
// Of a pipeline a few requests are started at a time; then it is the turn of the other connections, so that whoever
// asks one thing does not wait for those who ask thousands.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/network.h"
#include "runtime/reactor.h"
#include "server/buffer.h"
#include "server/exchange.h"
#include "server/transport.h"

namespace klamm::server {

class ApiTable;
class Worker;

class Connection final : public runtime::SocketEvents, public runtime::TurnEnd {
 public:
  static constexpr std::size_t read_bytes = BufferPool::ordinary_bytes;
  static constexpr std::size_t waiting_count_max = 64;
  static constexpr std::size_t waiting_bytes_max = std::size_t{4} << 20;
  // Answers in memory that the peer has not taken: beyond either, no further request starts.
  static constexpr std::size_t unsent_count_max = 256;
  static constexpr std::size_t unsent_bytes_max = std::size_t{256} << 10;
  // What one connection may do before the others have their turn: requests started, bytes of answers in memory.
  static constexpr std::uint32_t share_requests = 64;
  static constexpr std::size_t share_answer_bytes = std::size_t{16} << 10;

  Connection(Worker& worker, std::size_t listener, runtime::SocketRef socket, std::uint32_t number);
  ~Connection() override;

  // Begins to read.
  void open();
  // Takes no further requests; ends when what is in flight is answered and sent.
  void stop();
  // Ends now. Exchanges that run go on without it and are let go when they end.
  void close();
  // Ends when the others had their turn: closing a socket is slow, and thousands may go at once. Nothing is read.
  void close_in_turn();

  bool closed() const { return state_ == State::closed; }
  // Nothing refers to it any more: its worker may destroy it.
  bool destroyable() const { return closed() && !first_ && !turn_end_listed_; }
  std::string id() const;
  std::size_t listener() const { return listener_; }
  const std::string& host() const { return host_; }
  ListenerScope scope() const;
  const ApiTable& apis() const;
  security::RequestIdentity identity(std::string_view client_id) const;
  // The peer does not wait for answers any more, or the server is stopping.
  bool nobody_listens() const { return state_ != State::open; }

  // --- for its exchanges ---------------------------------------------------------------------------------------------
  void exchange_done(Exchange& exchange);
  void let_nothing_overtake() { ++running_alone_; }
  void bad_request(std::string_view why);
  void failed_answer(std::string_view why, LogLevel level = LogLevel::error);
  std::int32_t charge_quota(const RequestContext& context, protocol::ApiKey key, std::size_t request_bytes);
  void set_client_software(std::string_view name, std::string_view version);

  // --- for its worker ------------------------------------------------------------------------------------------------
  // There is room in the request pool again.
  void room_appeared();
  // The others had their turn.
  void go_on();
  // The time of a mute is over.
  void unmute();
  runtime::MonoTime muted_until() const { return muted_until_; }
  // Bytes held because the peer is slow, since when, and how many moved since.
  std::size_t stalled_bytes() const { return stalled_bytes_; }
  runtime::MonoTime stalled_since() const { return stalled_since_; }
  std::uint64_t stalled_moved() const { return stalled_moved_; }
  std::uint32_t last_active_tick() const { return last_active_tick_; }

 private:
  friend class Worker;
  enum class State : std::uint8_t {
    handshaking,
    open,
    ending,  // no more input; what is in flight is answered, then closed
    closed,
  };
  // Why the socket is not read.
  enum Pause : std::uint8_t { pause_waiting = 1, pause_room = 2, pause_muted = 4, pause_unsent = 8, pause_share = 16 };

  struct ClientSoftware {
    std::string name;
    std::string version;
  };
  class ColdLoad;

  // SocketEvents, TurnEnd
  void on_readable() override;
  void on_writable() override;
  void turn_ended() override;

  bool shake_hands();
  void read_some();
  void received(std::size_t bytes);
  void wait_for_room();
  MutableBytes read_room();
  MutableBytes grow_input(std::size_t frame_bytes);
  MutableBytes move_input(BufferRef to);
  void settle_input();
  Bytes input() const;
  bool take_frame();
  void fail_input(std::string_view why);
  // The peer has answers to take before more are made: many of them, or any that the socket does not hold.
  bool over_unsent() const {
    return unsent_ >= unsent_count_max || unsent_head_bytes_ >= unsent_bytes_max || (write_blocked_ && unsent_ > 0);
  }
  bool share_used() const { return share_requests_ >= share_requests || share_bytes_ >= share_answer_bytes; }

  void pump();
  bool start_next();
  void put_off();
  void append(Exchange& exchange);
  void pop_first();
  void drop_waiting();

  void request_flush();
  void flush();
  bool fill_slices();
  void account_sent(std::size_t bytes);
  void load_cold(runtime::FileSlice range);
  void forget_load();
  void cold_loaded(std::exception_ptr failure);

  void end_input();
  void pause(Pause why);
  void resume(Pause why);
  void update_interest();
  void update_stalled();
  void finish_if_ended();

  Worker& worker_;
  std::unique_ptr<runtime::Socket> socket_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ClientSoftware> software_;
  ColdLoad* load_ = nullptr;  // under way; frees itself
  std::string host_;          // of the peer; exchanges may outlive the socket

  // Received bytes that belong to no exchange yet: [begin_, end_) of the buffer.
  BufferRef input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  // Exchanges in the order of their requests: answered ones whose bytes are not all sent, running ones, waiting ones.
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  Exchange* next_to_start_ = nullptr;
  std::uint32_t running_ = 0;
  std::uint32_t running_alone_ = 0;  // of them, those that nothing may overlap
  std::uint32_t waiting_ = 0;
  std::uint32_t unsent_ = 0;  // exchanges that are done
  std::size_t waiting_bytes_ = 0;
  std::size_t unsent_head_bytes_ = 0;
  std::uint32_t share_requests_ = 0;
  std::uint32_t share_bytes_ = 0;

  // Hooks of the worker's lists: all connections, the idle wheel, the stalled, those that wait for room.
  Connection* previous_ = nullptr;
  Connection* following_ = nullptr;
  Connection* idle_previous_ = nullptr;
  Connection* idle_next_ = nullptr;
  std::uint32_t stalled_index_ = UINT32_MAX;
  std::uint32_t last_active_tick_ = 0;
  runtime::MonoTime stalled_since_{};
  std::uint64_t stalled_moved_ = 0;
  std::size_t stalled_bytes_ = 0;
  runtime::MonoTime muted_until_{};

  std::uint32_t number_;
  std::uint16_t listener_;
  std::uint16_t idle_slot_ = 0;
  State state_ = State::handshaking;
  std::uint8_t pauses_ = 0;
  std::uint8_t large_frames_hint_ = 0;  // log2 of the last frame that did not fit a read buffer
  bool wants_readable_ = false;
  bool wants_writable_ = false;
  bool write_blocked_ = false;
  bool waits_for_room_ = false;
  bool owns_large_ = false;    // input_ is the one frame that may exceed the pool
  bool input_failed_ = false;  // nothing after it can be understood: a closing exchange stands at the end
  bool pumping_ = false;
  bool pump_again_ = false;
  bool flushing_ = false;
  bool turn_end_listed_ = false;
  bool closes_in_turn_ = false;  // stands in its worker's list of those
};

}  // namespace klamm::server
