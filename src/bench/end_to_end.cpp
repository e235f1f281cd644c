#include "bench/end_to_end.h"

#include "bench/produce_load.h"
#include "records/batch_walker.h"

namespace klamm::bench {
namespace {

constexpr std::size_t stamp_bytes = 8;

std::size_t value_bytes_of(const Plan& plan) {
  return std::max(plan.record_bytes, stamp_bytes);
}

}  // namespace

Tail::Tail(runtime::Reactor& reactor, const Plan& plan, const Target& target, Report& report)
    : reactor_(reactor), target_(target), report_(report), value_bytes_(value_bytes_of(plan)) {}

StampedProduceLoad::StampedProduceLoad(runtime::Reactor& reactor, const Plan& plan, Report& report,
                                       const Target& target, runtime::Clock& clock)
    : Load(reactor, plan, report),
      target_(target),
      clock_(clock),
      version_(produce_version(target)),
      acks_(plan.acks),
      value_(value_bytes_of(plan), std::byte('v')),
      next_(plan.connections) {}

const Frame& StampedProduceLoad::next_request(std::size_t channel, std::uint64_t&) {
  const auto& partitions = target_.broker_of(channel).partitions;
  store_big(value_.data(), static_cast<std::int64_t>(intended().time_since_epoch().count()));
  builder_.reset({});
  builder_.append({.timestamp = clock_.wall(), .key = {}, .value = Bytes(value_)});
  frame_ = produce_frame(target_, version_, acks_, partitions[next_[channel]++ % partitions.size()], builder_.finish());
  // The batch is the builder's and the next request's: this frame takes a copy along.
  frame_.head.insert(frame_.head.end(), frame_.payload.begin(), frame_.payload.end());
  frame_.head.insert(frame_.head.end(), frame_.tail.begin(), frame_.tail.end());
  frame_.payload = {};
  frame_.tail.clear();
  return frame_;
}

Load::Outcome StampedProduceLoad::look_at(std::size_t, const Sent&, Bytes answer, runtime::MonoTime) {
  std::string failure = produce_failure(answer, version_, arena_);
  if (!failure.empty()) return {.failure = std::move(failure)};
  return {.records = 1, .bytes = value_.size(), .failure = {}};
}

void Tail::follow(runtime::SocketRef socket, std::int32_t partition, std::int64_t offset) {
  ChannelEvents& events = *this;
  auto channel = std::make_unique<Channel>(reactor_, std::move(socket), events, readings_.size());
  readings_.push_back({std::move(channel), partition, offset});
  ask(readings_.back());
}

void Tail::ask(Reading& reading) {
  reading.channel->send(fetch_frame(target_, fetch_version(target_), reading.partition, {.offset = reading.offset}),
                        reactor_.now(), 0);
}

void Tail::answered(Channel& channel, const Sent&, Bytes answer, runtime::MonoTime at) {
  Reading& reading = readings_[channel.number()];
  const Fetched fetched = read_fetch(answer, fetch_version(target_), arena_);
  if (!fetched.failure.empty()) return fail(fetched.failure);
  records::BatchWalker walker(fetched.records);
  while (walker.next() == records::BatchWalker::Step::entry) {
    const records::EntryView& entry = walker.entry();
    if (!entry.is_batch() || entry.first_known_offset().value != reading.offset) return fail("a gap between batches");
    // One record of ours a batch, uncompressed: behind its value stands only the count of headers, a byte.
    const Bytes batch = entry.bytes();
    if (batch.size() < value_bytes_ + 1) return fail("a record of somebody else");
    const std::byte* value = batch.data() + batch.size() - 1 - value_bytes_;
    const runtime::MonoTime due{runtime::Duration(load_big<std::int64_t>(value))};
    if (due >= from_ && due < to_) report_.latency.add((at - due).count());
    ++seen_;
    reading.offset = entry.last_offset().value + 1;
  }
  ask(reading);
}

void Tail::lost(Channel&, std::string why) {
  fail(std::move(why));
}

void Tail::fail(std::string why) {
  ++report_.failed;
  ++report_.failures["consumer: " + std::move(why)];
}

void Tail::close() {
  for (auto& reading : readings_) reading.channel->close();
}

}  // namespace klamm::bench
