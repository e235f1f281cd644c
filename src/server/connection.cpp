#include "server/connection.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/ensure.h"
#include "rpc/frame.h"
#include "server/api_table.h"
#include "server/worker.h"

namespace klamm::server {

using runtime::IoStatus;

namespace {
// Frames below this are copied out of the read buffer, so that a request that waits does not hold 64 KiB.
constexpr std::size_t copied_frame_bytes_max = std::size_t{4} << 10;
// Of a file, what is looked up in memory and sent in one go.
constexpr std::size_t file_window_bytes = std::size_t{2} << 20;
constexpr std::size_t slices_max = 128;
}  // namespace

// Brings a range of a file into memory on an I/O thread. Frees itself; the connection may be gone by then.
class Connection::ColdLoad final : public runtime::BlockingWork {
 public:
  ColdLoad(Connection& connection, runtime::FileSlice range) : connection_(&connection), range_(std::move(range)) {}
  void forget() { connection_ = nullptr; }
  void block() override { range_.file->load(range_.offset, range_.length); }
  void done() override {
    Connection* connection = connection_;
    const std::exception_ptr failed = failure;
    delete this;
    if (connection) connection->cold_loaded(failed);
  }
  void dropped() noexcept override {
    if (connection_) connection_->load_ = nullptr;
    delete this;
  }

 private:
  Connection* connection_;
  runtime::FileSlice range_;
};

static_assert(sizeof(Connection) + sizeof(PlainTransport) <= 448, "an idle connection costs at most 512 bytes of ours");

Connection::Connection(Worker& worker, std::size_t listener, runtime::SocketRef socket, std::uint32_t number)
    : worker_(worker),
      socket_(std::move(socket)),
      transport_(std::make_unique<PlainTransport>(*socket_)),
      host_(socket_->peer().host),
      number_(number),
      listener_(static_cast<std::uint16_t>(listener)) {}

Connection::~Connection() {
  if (load_) load_->forget();
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
  if (state_ == State::ending && !first_ && !pumping_) close();
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

// --- input -----------------------------------------------------------------------------------------------------------

void Connection::on_readable() {
  if (closed()) return;
  worker_.touched(*this);
  if (state_ == State::handshaking) {
    if (!shake_hands() || state_ == State::handshaking) return update_interest();
  }
  do {
    if (state_ != State::open || pauses_ != 0) break;
    read_some();
  } while (!closed() && transport_->has_buffered_input());
  if (!closed()) update_interest();
}

void Connection::read_some() {
  const MutableBytes room = read_room();
  if (room.empty()) return wait_for_room();
  const auto result = transport_->read(room);
  switch (result.status) {
    case IoStatus::done:
      received(result.bytes);
      return;
    case IoStatus::would_block:
      settle_input();
      return;
    case IoStatus::end:
      settle_input();
      end_input();
      return;
    case IoStatus::failed:
      close();
      return;
  }
}

void Connection::wait_for_room() {
  if (waits_for_room_) return;
  waits_for_room_ = true;
  pause(pause_room);
  worker_.starve(*this);
}

void Connection::received(std::size_t bytes) {
  end_ += bytes;
  stalled_moved_ += bytes;
  pump();
}

Bytes Connection::input() const {
  return input_ ? Bytes(input_->bytes()).subspan(begin_, end_ - begin_) : Bytes();
}

// Where the next bytes go; empty when the request pool has no room for them.
MutableBytes Connection::read_room() {
  BufferPool& buffers = worker_.buffers();
  if (!input_) {
    input_ = buffers.take(read_bytes);
    begin_ = end_ = 0;
    return input_ ? input_->bytes() : MutableBytes();
  }
  const auto start = rpc::look_at_frame(input(), worker_.core().request_bytes_max);
  const std::size_t whole =
      start.status == rpc::FrameStart::Status::length_missing ? rpc::frame_length_bytes : start.whole_bytes();
  if (input_->capacity() < read_bytes && whole <= read_bytes) {
    if (BufferRef bigger = buffers.take(read_bytes)) return move_input(std::move(bigger));
  }
  if (whole <= input_->capacity() - begin_) return input_->bytes().subspan(end_);
  if (whole <= read_bytes) {
    if (BufferRef fresh = buffers.take(read_bytes)) return move_input(std::move(fresh));
    return {};
  }
  return grow_input(whole);
}

// Moves what is there of a frame to another buffer; gives the room behind it.
MutableBytes Connection::move_input(BufferRef to) {
  const Bytes have = input();
  std::memcpy(to->bytes().data(), have.data(), have.size());
  begin_ = 0;
  end_ = have.size();
  input_ = std::move(to);
  return input_->bytes().subspan(end_);
}

// For a frame that is larger than a read buffer. Memory follows the bytes that came, four times as much at each step,
// so that announcing much costs nothing; a connection whose last frame was as large gets it at once while there is
// plenty.
MutableBytes Connection::grow_input(std::size_t whole) {
  RequestPool& pool = worker_.requests();
  const std::size_t have = end_ - begin_;
  if (pool.is_large(whole) && !owns_large_) {
    if (!pool.try_own_large(this)) return {};
    owns_large_ = true;
    worker_.watch_large(*this);
  }
  if (end_ < input_->capacity() && have >= read_bytes) return input_->bytes().subspan(end_);

  std::size_t wanted = std::max(have * 4, read_bytes * 4);
  if (large_frames_hint_ > 0 && pool.used() < pool.bytes_max() / 4)
    wanted = std::max(wanted, std::size_t{1} << large_frames_hint_);
  wanted = std::min(wanted, whole);
  const auto when_full = owns_large_ ? BufferPool::WhenFull::exceed : BufferPool::WhenFull::refuse;
  if (BufferRef bigger = worker_.buffers().take(wanted, when_full)) return move_input(std::move(bigger));
  return end_ < input_->capacity() ? input_->bytes().subspan(end_) : MutableBytes();
}

// Leaves no more memory with the connection than what it has of incomplete or waiting frames.
void Connection::settle_input() {
  if (!input_) return;
  const std::size_t have = end_ - begin_;
  if (have == 0) {
    input_.reset();
    begin_ = end_ = 0;
  } else if (input_->capacity() <= read_bytes && BufferPool::charge_of(have) * 4 <= input_->capacity()) {
    move_input(worker_.buffers().take(have, BufferPool::WhenFull::exceed));
  }
}

// Makes an exchange of the first whole frame. False when there is none or nothing more may wait.
bool Connection::take_frame() {
  if (input_failed_ || waiting_ >= waiting_count_max || waiting_bytes_ >= waiting_bytes_max) return false;
  // While it would not be started anyway it stays where it is: cut out it would only take more memory.
  if (over_unsent() || (pauses_ & (pause_muted | pause_room)) != 0) return false;
  const Bytes bytes = input();
  const auto start = rpc::look_at_frame(bytes, worker_.core().request_bytes_max);
  switch (start.status) {
    case rpc::FrameStart::Status::length_missing:
    case rpc::FrameStart::Status::incomplete:
      return false;
    case rpc::FrameStart::Status::invalid:
      fail_input(start.length < 0 ? fmt::format("Invalid receive (size = {})", start.length)
                                  : fmt::format("Invalid receive (size = {} larger than {})", start.length,
                                                worker_.core().request_bytes_max));
      return true;
    case rpc::FrameStart::Status::complete:
      break;
  }
  const auto length = static_cast<std::size_t>(start.length);
  MutableBytes frame = input_->bytes().subspan(begin_ + rpc::frame_length_bytes, length);
  BufferRef buffer = input_;
  if (length < copied_frame_bytes_max) {
    buffer = worker_.buffers().take(length, BufferPool::WhenFull::exceed);
    std::memcpy(buffer->bytes().data(), frame.data(), length);
    frame = buffer->bytes().first(length);
  }
  begin_ += start.whole_bytes();
  if (length > read_bytes)
    large_frames_hint_ = static_cast<std::uint8_t>(std::min<int>(static_cast<int>(std::bit_width(length - 1)), 21));

  Exchange& exchange = worker_.take_exchange();
  exchange.assign(*this, std::move(buffer), frame);
  exchange.owns_large_ = std::exchange(owns_large_, false);
  append(exchange);
  ++waiting_;
  waiting_bytes_ += length;
  if (!next_to_start_) next_to_start_ = &exchange;
  if (begin_ == end_) {
    input_.reset();
    begin_ = end_ = 0;
  }
  return true;
}

// What follows cannot be understood. The connection ends where the answer to it would stand.
void Connection::fail_input(std::string_view why) {
  worker_.core().bad_connections.write(
      BadConnection::invalid_receive, LogLevel::warn, worker_.reactor().now(),
      fmt::format("Unexpected error from /{} (channelId={}); closing connection: {}", host_, id(), why));
  input_failed_ = true;
  input_.reset();
  begin_ = end_ = 0;
  if (state_ == State::open) state_ = State::ending;
  Exchange& closing = worker_.take_exchange();
  closing.connection_ = this;
  closing.closes_ = true;
  append(closing);
  ++waiting_;
  if (!next_to_start_) next_to_start_ = &closing;
}

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
  if (!exchange || (pauses_ & pause_muted) || over_unsent()) return false;
  if (running_ > 0 && (!exchange->overlaps_ || running_alone_ > 0)) return false;
  // Its answer may take more than the request did: not while memory is short.
  if (!exchange->overlaps_ && !exchange->closes_ && worker_.requests().full()) {
    wait_for_room();
    return false;
  }
  next_to_start_ = exchange->next_;
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
  while (!closed() && std::exchange(pump_again_, false)) {
    while (!closed() && (start_next() || take_frame())) {
    }
    if (!closed() && over_unsent() && !write_blocked_ && !load_) {
      const auto before = unsent_;
      flush();
      pump_again_ = unsent_ < before;
    }
  }
  pumping_ = false;
  if (closed()) return;
  settle_input();
  const bool full = waiting_ >= waiting_count_max || waiting_bytes_ >= waiting_bytes_max;
  full ? pause(pause_waiting) : resume(pause_waiting);
  over_unsent() ? pause(pause_unsent) : resume(pause_unsent);
  if (first_ && first_->state_ == Exchange::State::done) request_flush();
  update_stalled();
  update_interest();
  finish_if_ended();
}

// --- output ----------------------------------------------------------------------------------------------------------

void Connection::request_flush() {
  if (turn_end_listed_ || write_blocked_ || load_) return;
  turn_end_listed_ = true;
  worker_.reactor().at_turn_end(*this);
}

void Connection::turn_ended() {
  turn_end_listed_ = false;
  if (closed()) {
    if (destroyable()) worker_.bury(*this);
    return;
  }
  flush();
  if (!closed()) pump();
}

void Connection::on_writable() {
  if (closed()) return;
  worker_.touched(*this);
  if (state_ == State::handshaking) {
    if (shake_hands()) update_interest();
    return;
  }
  write_blocked_ = false;
  flush();
  if (!closed()) pump();
}

// Sends what is answered, in order, until the socket takes no more, a range must be loaded first, or all is sent.
void Connection::flush() {
  while (!closed() && !write_blocked_ && !load_ && fill_slices()) {
    const auto result = transport_->send(worker_.slices());
    account_sent(result.bytes);
    if (result.status == IoStatus::would_block) {
      write_blocked_ = true;
    } else if (result.status == IoStatus::end) {
      failed_answer(fmt::format("Closing {}: a file ended inside an answer", id()));
      close();
    } else if (result.status == IoStatus::failed) {
      close();
    }
  }
}

// Lists what can be sent at once; false when that is nothing. A range that is not in memory ends the list and, at its
// head, starts being loaded: sending it would stop the loop for the time of a disk read.
bool Connection::fill_slices() {
  auto& slices = worker_.slices();
  slices.clear();
  for (Exchange* exchange = first_; exchange && exchange->state_ == Exchange::State::done;) {
    if (exchange->closes_) {
      if (slices.empty()) close();
      break;
    }
    if (exchange->unsent_bytes() == 0 && exchange == first_) {
      pop_first();
      exchange = first_;
      continue;
    }
    const std::size_t from = slices.size();
    exchange->unsent_slices(slices, slices_max);
    for (std::size_t i = from; i < slices.size(); ++i) {
      OutputSlice& slice = slices[i];
      if (!slice.file) continue;
      const std::size_t window = std::min(slice.length, file_window_bytes);
      if (!slice.file->resident(slice.offset, window)) {
        if (i == 0) load_cold({exchange->file_of(slice.file), slice.offset, window});
        slices.resize(i);
        return i > 0;
      }
      if (window < slice.length) {
        slice.length = window;
        slices.resize(i + 1);
        return true;
      }
    }
    if (slices.size() >= slices_max) break;
    exchange = exchange->next_;
  }
  return !closed() && !slices.empty();
}

void Connection::account_sent(std::size_t bytes) {
  stalled_moved_ += bytes;
  while (bytes > 0) {
    ENSURE(first_ != nullptr);
    const std::size_t of_first = std::min(bytes, first_->unsent_bytes());
    first_->sent(of_first);
    bytes -= of_first;
    if (first_->unsent_bytes() > 0) break;
    pop_first();
  }
}

void Connection::load_cold(runtime::FileSlice range) {
  load_ = new ColdLoad(*this, std::move(range));
  worker_.reactor().offload(*load_);
}

void Connection::cold_loaded(std::exception_ptr failure) {
  load_ = nullptr;
  if (closed()) {
    if (destroyable()) worker_.bury(*this);
    return;
  }
  if (failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& why) {
      failed_answer(fmt::format("Closing {}: {}", id(), why.what()));
    }
    close();
    return;
  }
  flush();
  if (!closed()) pump();
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

void Connection::unmute() {
  resume(pause_muted);
  if (!closed()) pump();
}

void Connection::update_interest() {
  if (closed()) return;
  TransportWants wants{.readable = state_ == State::handshaking || (state_ == State::open && pauses_ == 0),
                       .writable = write_blocked_};
  wants = transport_->wants(wants);
  if (wants.readable == wants_readable_ && wants.writable == wants_writable_) return;
  wants_readable_ = wants.readable;
  wants_writable_ = wants.writable;
  socket_->want(wants.readable, wants.writable);
}

// Memory that is held because the peer has not sent the rest, or does not take its answers: then also of all that waits
// behind them.
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
