// From produce to consume: records that carry the time they should have been sent at, and a consumer of each partition
// that waits for them.
#pragma once

#include <map>

#include "base/arena.h"
#include "bench/fetch_load.h"
#include "bench/frames.h"
#include "bench/load.h"
#include "bench/target.h"
#include "records/record_batch_builder.h"

namespace klamm::bench {

// One record a request, in an open loop (plan.rate). Its own latencies are those of the acknowledgements.
class StampedProduceLoad final : public Load {
 public:
  StampedProduceLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target,
                     runtime::Clock& clock);
  ~StampedProduceLoad() override = default;

 private:
  const Frame& next_request(std::size_t channel, std::uint64_t& tag) override;
  Outcome look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;

  const Target& target_;
  runtime::Clock& clock_;
  std::int16_t version_;
  std::int16_t acks_;
  ByteVector value_;
  std::vector<std::size_t> next_;  // per channel: of its broker's partitions
  records::RecordBatchBuilder builder_;
  Frame frame_;
  Arena arena_;
};

// Long polls of all partitions of a broker, one channel a partition.
class Tail final : ChannelEvents {
 public:
  // Latencies of records that were due between `from` and `to` go to `latency`.
  Tail(runtime::Reactor& reactor, const Plan& plan, const Target& target, Report& report);

  void count_between(runtime::MonoTime from, runtime::MonoTime to) { from_ = from, to_ = to; }
  void follow(runtime::SocketRef socket, std::int32_t partition, std::int64_t offset);
  std::uint64_t seen() const { return seen_; }
  void close();

 private:
  struct Reading {
    std::unique_ptr<Channel> channel;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };
  void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;
  void lost(Channel& channel, std::string why) override;
  void ask(Reading& reading);
  void fail(std::string why);

  runtime::Reactor& reactor_;
  const Target& target_;
  Report& report_;
  std::size_t value_bytes_;
  runtime::MonoTime from_{}, to_{};
  std::vector<Reading> readings_;
  std::uint64_t seen_ = 0;
  Arena arena_;
};

}  // namespace klamm::bench
