#include "server/connection.h"

#include <algorithm>

#include "server/api_table.h"
#include "server/worker.h"

namespace klamm::server {

static_assert(sizeof(Connection) + sizeof(PlainTransport) <= 448, "an idle connection costs at most 512 bytes of ours");

Connection::Connection(Worker& worker, std::size_t listener, runtime::SocketRef socket, std::uint32_t number)
    : worker_(worker),
      socket_(std::move(socket)),
      transport_(std::make_unique<PlainTransport>(*socket_)),
      host_(socket_->peer().host),
      number_(number),
      listener_(static_cast<std::uint16_t>(listener)) {}

Connection::~Connection() {
  forget_load();
  while (Exchange* exchange = first_) {
    first_ = exchange->next_;
    std::unique_ptr<Exchange> destroyed(exchange);  // whatever its coroutine waits on unlinks
  }
}

std::string Connection::id() const {
  if (!socket_) return host_;
  return fmt::format("{}-{}-{}-{}", socket_->local().to_string(), socket_->peer().to_string(),
                     worker_.reactor().index(), number_);
}

ListenerScope Connection::scope() const {
  return worker_.core().listeners[listener_].scope;
}
const ApiTable& Connection::apis() const {
  return worker_.core().apis;
}

security::RequestIdentity Connection::identity(std::string_view client_id) const {
  return {.listener = worker_.core().listeners[listener_].name,
          .principal = worker_.core().anonymous,
          .host = host_,
          .client_id = client_id,
          .software_name = software_ ? std::string_view(software_->name) : "unknown",
          .software_version = software_ ? std::string_view(software_->version) : "unknown"};
}

void Connection::set_client_software(std::string_view name, std::string_view version) {
  if (!software_) software_ = std::make_unique<ClientSoftware>();
  software_->name = name;
  software_->version = version;
}

// --- life ------------------------------------------------------------------------------------------------------------

void Connection::open() {
  socket_->listen_to(this);
  if (shake_hands()) update_interest();
}

// False when it closed.
bool Connection::shake_hands() {
  if (state_ != State::handshaking) return true;
  switch (transport_->handshake()) {
    case Transport::Handshake::done:
      state_ = State::open;
      return true;
    case Transport::Handshake::more:
      return true;
    case Transport::Handshake::failed:
      break;
  }
  close();
  return false;
}

void Connection::stop() {
  if (closed()) return;
  state_ = State::ending;
  input_.reset();
  begin_ = end_ = 0;
  drop_waiting();
  for (Exchange* e = first_; e; e = e->next_) e->abandon();
  if (closed()) return;
  update_stalled();
  update_interest();
  finish_if_ended();
}

// The peer sends no more. What it sent whole is still answered.
void Connection::end_input() {
  if (state_ == State::open || state_ == State::handshaking) state_ = State::ending;
  for (Exchange* e = first_; e; e = e->next_) e->abandon();
  pump();
}

void Connection::finish_if_ended() {
  if (state_ == State::ending && !first_ && !pumping_) close_in_turn();
}

void Connection::close_in_turn() {
  if (closed() || closes_in_turn_) return;
  closes_in_turn_ = true;
  state_ = State::ending;
  input_.reset();
  begin_ = end_ = 0;
  drop_waiting();
  update_stalled();
  update_interest();
  worker_.end_in_turn(*this);
}

void Connection::close() {
  if (closed()) return;
  state_ = State::closed;
  if (owns_large_) worker_.requests().disown_large(this);
  owns_large_ = false;
  input_.reset();
  worker_.set_stalled(*this, 0);
  transport_.reset();
  socket_.reset();
  drop_waiting();
  // Answers that were not sent are dropped; what runs goes on and is dropped when it ends.
  Exchange** link = &first_;
  last_ = nullptr;
  while (Exchange* exchange = *link) {
    if (exchange->state_ == Exchange::State::done) {
      *link = exchange->next_;
      worker_.give_back(*exchange);
      continue;
    }
    exchange->abandon();
    last_ = exchange;
    link = &exchange->next_;
  }
  unsent_ = 0;
  unsent_head_bytes_ = 0;
  worker_.ended(*this);
}

// --- for the log -----------------------------------------------------------------------------------------------------

void Connection::bad_request(std::string_view why) {
  if (closed()) return;
  worker_.core().bad_connections.write(BadConnection::bad_request, LogLevel::error, worker_.reactor().now(),
                                       fmt::format("Exception while processing request from {}: {}", id(), why));
}

void Connection::failed_answer(std::string_view why, LogLevel level) {
  worker_.core().bad_connections.write(BadConnection::failed_answer, level, worker_.reactor().now(), why);
}

// --- order -----------------------------------------------------------------------------------------------------------

void Connection::append(Exchange& exchange) {
  exchange.next_ = nullptr;
  if (last_)
    last_->next_ = &exchange;
  else
    first_ = &exchange;
  last_ = &exchange;
}

void Connection::pop_first() {
  Exchange& exchange = *first_;
  first_ = exchange.next_;
  if (!first_) last_ = nullptr;
  --unsent_;
  unsent_head_bytes_ -= exchange.head_charge_.bytes();
  worker_.trace_sent(exchange);
  worker_.give_back(exchange);
}

void Connection::drop_waiting() {
  if (!next_to_start_) return;
  Exchange* exchange = next_to_start_;
  next_to_start_ = nullptr;
  Exchange** link = &first_;
  last_ = nullptr;
  while (*link != exchange) {
    last_ = *link;
    link = &(*link)->next_;
  }
  *link = nullptr;
  while (exchange) {
    Exchange* next = exchange->next_;
    worker_.give_back(*exchange);
    exchange = next;
  }
  waiting_ = 0;
  waiting_bytes_ = 0;
}

// Starts the next request if its turn has come.
bool Connection::start_next() {
  Exchange* exchange = next_to_start_;
  if (!exchange || (pauses_ & (pause_muted | pause_share)) != 0 || over_unsent()) return false;
  if (running_ > 0 && (!exchange->overlaps_ || running_alone_ > 0)) return false;
  if (share_used()) {
    put_off();
    return false;
  }
  // Its answer may take more than the request did: not while memory is short.
  if (!exchange->overlaps_ && !exchange->closes_ && worker_.requests().full()) {
    wait_for_room();
    return false;
  }
  next_to_start_ = exchange->next_;
  ++share_requests_;
  --waiting_;
  waiting_bytes_ -= exchange->frame_.size();
  ++running_;
  if (!exchange->overlaps_) ++running_alone_;
  if (exchange->closes_) {
    exchange->state_ = Exchange::State::done;
    exchange_done(*exchange);
  } else {
    exchange->start();
  }
  return true;
}

void Connection::exchange_done(Exchange& exchange) {
  --running_;
  if (!exchange.overlaps_) --running_alone_;
  if (closed()) {
    Exchange** link = &first_;
    Exchange* before = nullptr;
    while (*link != &exchange) {
      before = *link;
      link = &before->next_;
    }
    *link = exchange.next_;
    if (last_ == &exchange) last_ = before;
    worker_.give_back(exchange);
    if (destroyable()) worker_.bury(*this);
    return;
  }
  ++unsent_;
  unsent_head_bytes_ += exchange.head_charge_.bytes();
  share_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(exchange.head_charge_.bytes(), share_answer_bytes));
  if (exchange.closes_) {
    // Nothing behind it is answered.
    input_failed_ = true;
    state_ = State::ending;
    input_.reset();
    begin_ = end_ = 0;
    drop_waiting();
  }
  worker_.touched(*this);
  pump();
}

// Does all that can be done now: starts what may start, cuts further frames out of what was received.
void Connection::pump() {
  pump_again_ = true;
  if (pumping_) return;
  pumping_ = true;
  share_requests_ = share_bytes_ = 0;
  while (!closed() && std::exchange(pump_again_, false)) {
    while (!closed() && (start_next() || take_frame())) {
    }
    if (!closed() && (over_unsent() || share_used()) && unsent_ > 0 && !write_blocked_ && !load_) {
      const auto before = unsent_;
      flush();
      pump_again_ = unsent_ < before;
    }
  }
  pumping_ = false;
  if (closed()) return;
  settle_input();
  const bool full = waiting_ >= waiting_count_max || waiting_bytes_ >= waiting_bytes_max ||
                    (waiting_ > 0 && worker_.requests().crowded());
  full ? pause(pause_waiting) : resume(pause_waiting);
  over_unsent() ? pause(pause_unsent) : resume(pause_unsent);
  if (first_ && first_->state_ == Exchange::State::done) request_flush();
  update_stalled();
  update_interest();
  finish_if_ended();
}

// --- what holds it back ----------------------------------------------------------------------------------------------

void Connection::pause(Pause why) {
  pauses_ = static_cast<std::uint8_t>(pauses_ | why);
}
void Connection::resume(Pause why) {
  pauses_ = static_cast<std::uint8_t>(pauses_ & ~why);
}

void Connection::room_appeared() {
  waits_for_room_ = false;
  if (closed()) return;
  resume(pause_room);
  pump();
}

std::int32_t Connection::charge_quota(const RequestContext& context, protocol::ApiKey key, std::size_t request_bytes) {
  Quotas* quotas = worker_.core().quotas;
  if (!quotas || closed()) return 0;
  const auto wait = quotas->charge(context, key, request_bytes);
  if (wait <= std::chrono::milliseconds::zero()) return 0;
  muted_until_ = worker_.reactor().now() + wait;
  pause(pause_muted);
  worker_.mute(*this);
  return static_cast<std::int32_t>(wait.count());
}

void Connection::put_off() {
  if (pauses_ & pause_share) return;
  pause(pause_share);
  worker_.put_off(*this);
}

void Connection::go_on() {
  resume(pause_share);
  if (!closed()) pump();
}

void Connection::unmute() {
  resume(pause_muted);
  if (!closed()) pump();
}

void Connection::update_interest() {
  if (closed()) return;
  // Of a share that is used up the poller is not told: it lasts a moment.
  const bool paused = (pauses_ & ~pause_share) != 0;
  TransportWants wants{.readable = state_ == State::handshaking || (state_ == State::open && !paused),
                       .writable = write_blocked_ && !closes_in_turn_};
  wants = transport_->wants(wants);
  if (wants.readable == wants_readable_ && wants.writable == wants_writable_) return;
  wants_readable_ = wants.readable;
  wants_writable_ = wants.writable;
  socket_->want(wants.readable, wants.writable);
}

// Memory that is held because the peer has not sent the rest, or does not take its answers: then also of all that waits
// behind them. What we let wait ourselves is nobody's fault.
void Connection::update_stalled() {
  const std::size_t input_bytes = input_ && !owns_large_ ? input_->capacity() : 0;
  std::size_t bytes = 0;
  if (write_blocked_)
    bytes = unsent_head_bytes_ + input_bytes + waiting_bytes_;
  else if (pauses_ == 0)
    bytes = input_bytes;
  if (bytes != stalled_bytes_) worker_.set_stalled(*this, bytes);
}

}  // namespace klamm::server
