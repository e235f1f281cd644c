#include "bench/load.h"

#include <algorithm>

namespace klamm::bench {
namespace {

constexpr std::chrono::seconds patience{10};

}  // namespace

Load::Load(runtime::Reactor& reactor, const Plan& plan, Report& report)
    : reactor_(reactor), plan_(plan), report_(report), changed_(reactor) {}

void Load::add(runtime::SocketRef socket) {
  ChannelEvents& events = *this;
  channels_.push_back(std::make_unique<Channel>(reactor_, std::move(socket), events, channels_.size()));
}

bool Load::usable() const {
  return std::ranges::any_of(channels_, [](const auto& channel) { return channel->usable(); });
}

bool Load::exhausted() const {
  return all_issued() && std::ranges::all_of(channels_, [](const auto& channel) { return channel->in_flight() == 0; });
}

runtime::Task<void> Load::wait_until(runtime::MonoTime at) {
  while (reactor_.now() < at && usable() && !exhausted()) {
    auto running = changed_.wait(at);
    co_await std::move(running);
  }
}

runtime::Task<void> Load::run(Moments moments) {
  begun_ = reactor_.clock().now();
  counted_from_ = begun_ + plan_.warm_up;
  counted_to_ = counted_from_ + plan_.duration;
  if (open_loop())
    arm_next();
  else
    start_closed();
  auto warming = wait_until(counted_from_);
  co_await std::move(warming);
  moments.counting_begins();
  auto counting = wait_until(counted_to_);
  co_await std::move(counting);
  moments.counting_ends();
  over_ = true;
  reactor_.disarm(*this);
  const runtime::Duration counted = std::min(reactor_.clock().now(), counted_to_) - counted_from_;
  report_.seconds = std::chrono::duration<double>(std::max(counted, runtime::Duration{})).count();
  const auto answers_due = [&] {
    return std::ranges::any_of(channels_, [](const auto& channel) { return channel->in_flight() > 0; });
  };
  const runtime::MonoTime deadline = counted_to_ + patience;
  while (answers_due() && reactor_.now() < deadline) {
    auto waiting = changed_.wait(deadline);
    co_await std::move(waiting);
  }
  for (const auto& channel : channels_) {
    if (channel->in_flight() == 0) continue;
    report_.failed += channel->in_flight();
    report_.failures["no answer"] += channel->in_flight();
  }
}

void Load::start_closed() {
  for (const auto& channel : channels_)
    for (std::size_t i = 0; i < plan_.in_flight; ++i) send_on(*channel, begun_);
}

// The n-th request of an open loop belongs to the n-th channel in turn, whether that one has its answers or not.
void Load::fired() {
  const runtime::MonoTime now = reactor_.clock().now();
  const auto due = [&] {
    return begun_ + std::chrono::duration_cast<runtime::Duration>(
                        std::chrono::duration<double>(static_cast<double>(issued_) / plan_.rate));
  };
  for (runtime::MonoTime at = due(); at <= now && at < counted_to_; at = due()) {
    Channel& channel = *channels_[issued_++ % channels_.size()];
    if (channel.usable()) send_on(channel, at);
  }
  if (!over_) reactor_.arm(*this, due());
}

void Load::arm_next() {
  reactor_.arm(*this, begun_);
}

void Load::send_on(Channel& channel, runtime::MonoTime intended) {
  if (!open_loop() && all_issued()) return;
  if (!open_loop()) ++issued_;
  std::uint64_t tag = 0;
  intended_ = intended;
  const Frame& frame = next_request(channel.number(), tag);
  channel.send(frame, intended, tag);
}

void Load::answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) {
  Outcome outcome = look_at(channel.number(), sent, answer, at);
  if (outcome.failure.empty()) {
    report_.acknowledged += outcome.records;
    if (counts(sent.intended)) {
      ++report_.requests;
      report_.records += outcome.records;
      report_.record_batch_bytes += outcome.bytes;
      report_.latency.add((at - sent.intended).count());
    }
  } else {
    ++report_.failed;
    ++report_.failures[std::move(outcome.failure)];
  }
  if (!over_ && !open_loop()) send_on(channel, reactor_.clock().now());
  if ((over_ || all_issued()) && channel.in_flight() == 0) changed_.notify();
}

void Load::lost(Channel&, std::string why) {
  ++report_.failed;
  ++report_.failures[std::move(why)];
  changed_.notify();
}

}  // namespace klamm::bench
