#include "client/connection.h"

#include <algorithm>
#include <cstring>

#include "base/ensure.h"

namespace klamm::client {

namespace {

constexpr std::size_t staging_bytes = 64 * 1024;
constexpr std::size_t growth_bytes_max = std::size_t{4} << 20;
constexpr std::size_t correlation_id_position = 8;  // length, key, version

Error disconnected() {
  return Error::of_kind(kinds::disconnect, "The connection to the broker was lost");
}

std::size_t size_of(const OutgoingFrame& frame) {
  std::size_t size = frame.bytes.size();
  for (const auto& insertion : frame.insertions) size += insertion.payload.size();
  return size;
}

// What is left of a frame after `skip` bytes.
std::vector<Bytes> parts_of(const OutgoingFrame& frame, std::size_t skip) {
  std::vector<Bytes> parts;
  const auto add = [&](Bytes part) {
    const std::size_t gone = std::min(skip, part.size());
    skip -= gone;
    if (part.size() > gone) parts.push_back(part.subspan(gone));
  };
  std::size_t at = 0;
  for (const auto& insertion : frame.insertions) {
    add(Bytes(frame.bytes).subspan(at, insertion.position - at));
    add(insertion.payload);
    at = insertion.position;
  }
  add(Bytes(frame.bytes).subspan(at));
  return parts;
}

}  // namespace

AnswerWaiter::~AnswerWaiter() {
  if (back_ != nullptr) *back_ = nullptr;
}

Connection::Connection(runtime::Reactor& reactor, runtime::SocketRef socket, std::function<void(const Error&)> closed)
    : reactor_(reactor),
      socket_(std::move(socket)),
      peer_(socket_->peer()),
      closed_(std::move(closed)),
      last_use_(reactor.now()) {
  socket_->listen_to(this);
  socket_->want(true, false);
}

Connection::~Connection() {
  if (armed()) reactor_.disarm(*this);
  closed_ = nullptr;
  fail(disconnected());
}

void Connection::send(OutgoingFrame frame, AnswerWaiter& waiter, runtime::MonoTime deadline) {
  ENSURE(usable(), "sending on a closed connection");
  auto slot = std::make_unique<Slot>(Slot{&waiter, next_correlation_id_, deadline});
  waiter.back_ = &slot->waiter;
  next_correlation_id_ = (next_correlation_id_ + 1) & 0x7fffffff;
  store_big(frame.bytes.data(), static_cast<std::int32_t>(size_of(frame) - 4));
  store_big(frame.bytes.data() + correlation_id_position, slot->correlation_id);

  const bool expects_answer = frame.expects_answer;
  departing_.push_back({std::move(frame), expects_answer ? nullptr : std::move(slot)});
  if (expects_answer) waiting_.push_back(std::move(slot));
  last_use_ = reactor_.now();
  arm_deadline();
  if (!blocked_) write();
}

void Connection::write() {
  while (!departing_.empty() && usable()) {
    Departing& first = departing_.front();
    const auto parts = parts_of(first.frame, departed_bytes_);
    const auto result = socket_->write(parts, false);
    switch (result.status) {
      case runtime::IoStatus::done:
        departed_bytes_ += result.bytes;
        if (departed_bytes_ == size_of(first.frame)) departed();
        break;
      case runtime::IoStatus::would_block:
        if (!blocked_) socket_->want(true, true);
        blocked_ = true;
        return;
      case runtime::IoStatus::end:
      case runtime::IoStatus::failed:
        return fail(disconnected());
    }
  }
  if (blocked_ && usable()) {
    socket_->want(true, false);
    blocked_ = false;
  }
}

void Connection::departed() {
  const std::unique_ptr<Slot> slot = std::move(departing_.front().slot);
  departing_.pop_front();
  departed_bytes_ = 0;
  if (slot != nullptr) tell(*slot, Answer{});
}

void Connection::on_writable() {
  write();
}

void Connection::on_readable() {
  if (staging_.empty()) staging_.resize(staging_bytes);
  while (usable()) {
    // A long answer is read to where it stays, a short one with whatever follows it.
    MutableBytes to = staging_;
    const bool direct = incoming_ != nullptr && incoming_length_ - incoming_->size() >= staging_bytes;
    const std::size_t before = direct ? incoming_->size() : 0;
    if (direct) {
      incoming_->resize(before + std::min(incoming_length_ - before, growth_bytes_max));
      to = MutableBytes(*incoming_).subspan(before);
    }
    const auto result = socket_->read(to);
    if (direct) incoming_->resize(before + (result.status == runtime::IoStatus::done ? result.bytes : 0));
    if (result.status == runtime::IoStatus::would_block) return;
    if (result.status != runtime::IoStatus::done) return fail(disconnected());
    if (direct) {
      if (incoming_->size() == incoming_length_) frame_complete();
    } else if (!consume(to.first(result.bytes))) {
      return;
    }
    if (result.bytes < to.size()) return;  // nothing more is there; level triggering tells otherwise
  }
}

bool Connection::consume(Bytes received) {
  while (!received.empty() && usable()) {
    if (incoming_ == nullptr) {
      const std::size_t count = std::min(received.size(), sizeof length_ - length_filled_);
      std::memcpy(length_ + length_filled_, received.data(), count);
      length_filled_ += count;
      received = received.subspan(count);
      if (length_filled_ < sizeof length_) break;
      const auto length = load_big<std::int32_t>(length_);
      if (length < 4) {
        fail(disconnected());
        return false;
      }
      length_filled_ = 0;
      incoming_length_ = static_cast<std::size_t>(length);
      incoming_ = std::make_shared<ByteVector>();
      incoming_->reserve(std::min(incoming_length_, growth_bytes_max));
    }
    const std::size_t count = std::min(received.size(), incoming_length_ - incoming_->size());
    append_bytes(*incoming_, received.first(count));
    received = received.subspan(count);
    if (incoming_->size() == incoming_length_) frame_complete();
  }
  return usable();
}

void Connection::frame_complete() {
  const std::shared_ptr<const ByteVector> frame = std::exchange(incoming_, nullptr);
  last_use_ = reactor_.now();
  const auto correlation_id = load_big<std::int32_t>(frame->data());
  if (waiting_.empty() || waiting_.front()->correlation_id != correlation_id) return fail(disconnected());
  const std::unique_ptr<Slot> slot = std::move(waiting_.front());
  waiting_.pop_front();
  arm_deadline();
  tell(*slot, Answer{frame, Bytes(*frame).subspan(4)});
}

void Connection::tell(Slot& slot, Result<Answer> answer) {
  if (slot.waiter == nullptr) return;
  AnswerWaiter* waiter = std::exchange(slot.waiter, nullptr);
  waiter->back_ = nullptr;
  waiter->answered(std::move(answer));
}

void Connection::fail(Error for_waiters) {
  if (socket_ == nullptr) return;
  socket_ = nullptr;
  if (armed()) reactor_.disarm(*this);
  incoming_ = nullptr;
  auto waiting = std::exchange(waiting_, {});
  auto departing = std::exchange(departing_, {});
  for (const auto& slot : waiting) tell(*slot, for_waiters);
  for (const auto& each : departing) {
    if (each.slot != nullptr) tell(*each.slot, for_waiters);
  }
  if (closed_) std::exchange(closed_, nullptr)(for_waiters);
}

void Connection::give_up() {
  fail(disconnected());
}

void Connection::arm_deadline() {
  runtime::MonoTime first = runtime::never;
  for (const auto& slot : waiting_) first = std::min(first, slot->deadline);
  for (const auto& each : departing_) {
    if (each.slot != nullptr) first = std::min(first, each.slot->deadline);
  }
  if (armed()) reactor_.disarm(*this);
  if (first != runtime::never) reactor_.arm(*this, first);
}

void Connection::fired() {
  fail(Error(ErrorCode::request_timed_out));
}

}  // namespace klamm::client
