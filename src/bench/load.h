// Drives the channels of a run: in a closed loop (an answer is followed by the next request) or in an open one
// (requests have intended times, whatever the answers do, and latencies count from those: no coordinated omission).
#pragma once

#include <memory>
#include <vector>

#include "bench/channel.h"
#include "bench/plan.h"
#include "runtime/environment.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::bench {

class Load : ChannelEvents, runtime::Timer {
 public:
  Load(runtime::Reactor& reactor, const Plan& plan, Report& report);

  // Before run(). Channels are numbered as they come.
  void add(runtime::SocketRef socket);
  // Warm-up, then what counts; then waits for the answers that are out, ten seconds at most.
  runtime::Task<void> run(Moments moments);
  // Known when run() has begun.
  runtime::MonoTime counted_from() const { return counted_from_; }
  runtime::MonoTime counted_to() const { return counted_to_; }

 protected:
  // What an answer brought, or what was wrong with it.
  struct Outcome {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::string failure;
  };
  virtual ~Load() = default;
  // The channel's next request, and what its answer shall be known by. Valid until the next call.
  virtual const Frame& next_request(std::size_t channel, std::uint64_t& tag) = 0;
  // Of the request that is being made.
  runtime::MonoTime intended() const { return intended_; }
  virtual Outcome look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime at) = 0;

 private:
  void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;
  void lost(Channel& channel, std::string why) override;
  void fired() override;
  void send_on(Channel& channel, runtime::MonoTime intended);
  void start_closed();
  bool usable() const;
  bool all_issued() const { return !open_loop() && plan_.requests > 0 && issued_ >= plan_.requests; }
  bool exhausted() const;  // all were issued and answered
  runtime::Task<void> wait_until(runtime::MonoTime at);
  bool counts(runtime::MonoTime intended) const { return intended >= counted_from_ && intended < counted_to_; }
  bool open_loop() const { return plan_.rate > 0; }
  void arm_next();

  runtime::Reactor& reactor_;
  const Plan& plan_;
  Report& report_;
  std::vector<std::unique_ptr<Channel>> channels_;
  runtime::Notice changed_;
  runtime::MonoTime begun_{}, counted_from_{}, counted_to_{};
  std::uint64_t issued_ = 0;
  runtime::MonoTime intended_{};
  bool over_ = false;
};

}  // namespace klamm::bench
