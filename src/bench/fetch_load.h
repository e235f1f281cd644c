// Consumers that read their partition from its beginning to its end and then again.
#pragma once

#include "base/arena.h"
#include "bench/frames.h"
#include "bench/load.h"
#include "bench/target.h"

namespace klamm::bench {

// What one answer said about one partition.
struct Fetched {
  std::string failure;
  Bytes records;
  std::int64_t high_watermark = -1;
};
// `arena` is reset; what is returned points into the answer.
Fetched read_fetch(Bytes answer, std::int16_t version, Arena& arena);

struct FetchOptions {
  std::int64_t offset = 0;
  std::int32_t bytes_max = 1 << 20;
  std::int32_t wait_ms = 500;
};
Frame fetch_frame(const Target& target, std::int16_t version, std::int32_t partition, const FetchOptions& options);
std::int16_t fetch_version(const Target& target);

class FetchLoad final : public Load {
 public:
  FetchLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target);
  ~FetchLoad() override = default;

 private:
  struct Reading {
    std::int32_t partition = 0;
    std::int64_t offset = 0;  // of the next request
  };
  const Frame& next_request(std::size_t channel, std::uint64_t& tag) override;
  Outcome look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;

  const Target& target_;
  std::int32_t bytes_max_;
  std::int16_t version_;
  std::vector<Reading> readings_;  // per channel
  Frame frame_;
  Arena arena_;
};

}  // namespace klamm::bench
