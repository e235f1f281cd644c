// What a connection does with bytes: cuts frames out of what it reads, sends the answers that are ready.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/ensure.h"
#include "rpc/frame.h"
#include "server/connection.h"
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
      close_in_turn();
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
    if (!input_) input_ = buffers.take(BufferPool::small_bytes);
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
  // Of the one large frame only what came is in memory: untouched pages are none. Copied once it is not there twice.
  if (owns_large_ && have >= (std::size_t{1} << 20)) wanted = whole;
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
  if (over_unsent() || (pauses_ & (pause_muted | pause_room | pause_share)) != 0) return false;
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

void Connection::forget_load() {
  if (load_) load_->forget();
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

}  // namespace klamm::server
