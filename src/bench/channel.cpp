#include "bench/channel.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/ensure.h"

namespace klamm::bench {
namespace {

constexpr std::int32_t answer_bytes_max = 256 << 20;
constexpr std::size_t parts_at_once = 64;
constexpr std::size_t correlation_at = 8;  // behind length, key and version

}  // namespace

Channel::Channel(runtime::Reactor& reactor, runtime::SocketRef socket, ChannelEvents& events, std::size_t number)
    : reactor_(reactor), socket_(std::move(socket)), events_(events), number_(number), received_(answer_bytes_max) {
  socket_->listen_to(this);
  socket_->want(true, false);
}

Channel::Part& Channel::next_part() {
  if (first_ == last_) first_ = last_ = 0;
  if (last_ == parts_.size()) parts_.emplace_back();
  return parts_[last_++];
}

void Channel::send(const Frame& frame, runtime::MonoTime intended, std::uint64_t tag) {
  if (socket_ == nullptr) return;
  const std::int32_t id = next_correlation_id_++;
  Part& head = next_part();
  head.owned = frame.head;
  store_big(head.owned.data() + correlation_at, id);
  head.bytes = head.owned;
  if (!frame.payload.empty()) next_part().bytes = frame.payload;
  if (!frame.tail.empty()) {
    Part& tail = next_part();
    tail.owned = frame.tail;
    tail.bytes = tail.owned;
  }
  waiting_.push_back({.intended = intended, .tag = tag, .correlation_id = id});
  reactor_.at_turn_end(*this);
}

void Channel::flush() {
  if (socket_ == nullptr) return;
  while (first_ < last_) {
    std::array<Bytes, parts_at_once> together;
    const std::size_t count = std::min(last_ - first_, parts_at_once);
    for (std::size_t i = 0; i < count; ++i) together[i] = parts_[first_ + i].bytes;
    const auto result = socket_->write(std::span<const Bytes>(together).first(count), false);
    if (result.status == runtime::IoStatus::would_block) {
      socket_->want(true, true);
      return;
    }
    if (result.status != runtime::IoStatus::done) return fail(fmt::format("write: {}", std::strerror(result.error)));
    for (std::size_t left = result.bytes; left > 0;) {
      Bytes& part = parts_[first_].bytes;
      const std::size_t taken = std::min(left, part.size());
      part = part.subspan(taken);
      left -= taken;
      if (part.empty()) ++first_;
    }
  }
  socket_->want(true, false);
}

void Channel::on_readable() {
  for (bool full = true; full && socket_ != nullptr;) {
    const MutableBytes room = received_.room();
    const auto result = socket_->read(room);
    if (result.status == runtime::IoStatus::would_block) return;
    if (result.status == runtime::IoStatus::end) return fail("the broker closed the connection");
    if (result.status == runtime::IoStatus::failed) return fail(fmt::format("read: {}", std::strerror(result.error)));
    full = result.bytes == room.size();
    received_.received(result.bytes);
    const runtime::MonoTime at = reactor_.clock().now();
    while (const auto frame = received_.next()) {
      if (frame->size() < 4 || waiting_.empty()) return fail("an answer to nothing");
      const Sent sent = waiting_.front();
      waiting_.pop_front();
      if (load_big<std::int32_t>(frame->data()) != sent.correlation_id) return fail("an answer out of its turn");
      events_.answered(*this, sent, frame->subspan(4), at);
      if (socket_ == nullptr) return;
    }
    if (received_.broken()) return fail("an answer of impossible length");
  }
}

void Channel::fail(std::string why) {
  close();
  events_.lost(*this, std::move(why));
}

void Channel::close() {
  socket_.reset();
  waiting_.clear();
}

}  // namespace klamm::bench
