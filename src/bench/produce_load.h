// Produce requests of one prepared batch each, over all partitions in turn; no idempotence, as with acks=1 it is off in
// Kafka's generators too.
#pragma once

#include "base/arena.h"
#include "bench/frames.h"
#include "bench/load.h"
#include "bench/target.h"

namespace klamm::bench {

// A batch of records whose values fill it up to `plan.batch_bytes` before compression; at least one record. Values are
// half random, so that codecs find about as much as in text.
struct PreparedBatch {
  ByteVector bytes;
  std::int32_t records = 0;
};
PreparedBatch prepare_batch(const Plan& plan, Timestamp now);

// `records` are kept by the caller until the answer.
Frame produce_frame(const Target& target, std::int16_t version, std::int16_t acks, std::int32_t partition,
                    Bytes records);
std::int16_t produce_version(const Target& target);
// What is wrong with an answer about one batch; "" when nothing is. `arena` is reset.
std::string produce_failure(Bytes answer, std::int16_t version, Arena& arena);

class ProduceLoad final : public Load {
 public:
  ProduceLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target, Timestamp now);
  ~ProduceLoad() override = default;

 private:
  const Frame& next_request(std::size_t channel, std::uint64_t& tag) override;
  Outcome look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;

  std::int16_t version_;
  PreparedBatch batch_;
  std::vector<std::vector<Frame>> frames_;  // per broker: one for each partition
  std::vector<std::size_t> next_;           // per channel: of its broker's frames
  Arena arena_;
};

}  // namespace klamm::bench
