// Where the time of requests goes. A broker that is told to (klamm.trace.requests) takes the time at each step of every
// request, and says after so many what each kind took. Otherwise nothing is taken: a step is a test of one pointer.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "runtime/clock.h"

namespace klamm::server {

// In their order; a request that does not come by one spends no time on it.
enum class Step : std::uint8_t {
  received,  // its frame is whole
  started,   // all that must be answered before it is
  decoded,
  handled,   // what it asked for is done: records are appended, synced where the topic asks for it, or found
  answered,  // its response is encoded, or there is none
  sent,      // the socket took all of it
};
constexpr std::size_t step_count = 6;

class RequestSteps {
 public:
  void take(Step step, runtime::MonoTime now) { times_[static_cast<std::size_t>(step)] = now; }
  // Since the step before it that was taken; zero for one that was not.
  runtime::Duration before(Step step) const;
  runtime::Duration all() const;

 private:
  std::array<runtime::MonoTime, step_count> times_{};
};

class Exchange;

// Of one worker.
class RequestTrace {
 public:
  // Says what it knows after every `requests` of them, and begins anew.
  RequestTrace(Logger log, std::uint32_t requests) : log_(std::move(log)), requests_(requests) {}

  void came_to(const Exchange& exchange, Step step, runtime::MonoTime now);
  // It was sent.
  void sent(const Exchange& exchange, std::string_view api, runtime::MonoTime now);
  // It ends otherwise.
  void forget(const Exchange& exchange);

  void count(std::string_view api, const RequestSteps& steps);
  // What came since it last said something.
  void say();

 private:
  struct Sum {
    runtime::Duration total{};
    runtime::Duration most{};
    void add(runtime::Duration one);
    std::string told(std::uint64_t count) const;
  };
  struct Kind {
    std::uint64_t count = 0;
    std::array<Sum, step_count> steps;  // the first is the whole
  };

  Logger log_;
  std::uint32_t requests_;
  std::uint32_t counted_ = 0;
  std::map<std::string, Kind, std::less<>> kinds_;
  struct UnderWay {
    const Exchange* exchange;
    RequestSteps steps;
  };
  std::vector<UnderWay> under_way_;  // looked through from the end: most requests are as good as alone
};

}  // namespace klamm::server
