#include "bench/connection_load.h"

#include <system_error>

#include "bench/frames.h"
#include "protocol/messages/api_versions.h"
#include "protocol/reader.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::bench {
namespace {

using runtime::Task;

constexpr std::int16_t version = 3;
constexpr std::size_t opened_at_once = 64;

Frame versions_frame() {
  protocol::ApiVersionsRequest request;
  request.client_software_name = "klamm-bench";
  request.client_software_version = "1";
  return frame_of(request, version);
}

// A connection that asks one thing.
class Visit final : ChannelEvents {
 public:
  Visit(runtime::Reactor& reactor, runtime::SocketRef socket)
      : told_(reactor), channel_(reactor, std::move(socket), *this, 0) {}

  // "" when the answer was right.
  Task<std::string> ask(const Frame& frame, runtime::MonoTime now) {
    done_ = false;
    channel_.send(frame, now, 0);
    while (!done_) {
      auto waiting = told_.wait();
      co_await std::move(waiting);
    }
    co_return failure_;
  }

 private:
  void answered(Channel&, const Sent&, Bytes answer, runtime::MonoTime) override {
    protocol::Reader reader(answer);  // ApiVersions answers with header version 0 always
    protocol::ApiVersionsResponse response;
    response.decode(reader, version);
    if (!reader.ok() || response.error_code != 0 || response.api_keys.empty()) failure_ = "a wrong answer";
    done_ = true;
    told_.notify();
  }
  void lost(Channel&, std::string why) override {
    failure_ = std::move(why);
    done_ = true;
    told_.notify();
  }

  runtime::Notice told_;
  Channel channel_;
  std::string failure_;
  bool done_ = false;
};

struct Opened {
  std::unique_ptr<Visit> visit;
  std::string failure;
};

Task<Opened> open(runtime::Environment& environment, runtime::Reactor& reactor, client::HostPort address,
                  const Frame& frame) {
  Opened opened;
  try {
    auto connecting = connect(environment, reactor, std::move(address));
    auto socket = co_await std::move(connecting);
    opened.visit = std::make_unique<Visit>(reactor, std::move(socket));
    auto asking = opened.visit->ask(frame, reactor.now());
    opened.failure = co_await std::move(asking);
  } catch (const std::system_error& why) {
    opened.failure = why.what();
  }
  co_return opened;
}

void note(Report& report, const Opened& opened, std::int64_t took) {
  if (!opened.failure.empty()) {
    ++report.failed;
    ++report.failures[opened.failure];
    return;
  }
  ++report.requests;
  report.latency.add(took);
}

}  // namespace

Task<void> run_connect(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                       const Target& target, Report& report, Moments moments) {
  const Frame frame = versions_frame();
  runtime::Clock& clock = reactor.clock();
  const runtime::MonoTime from = clock.now() + plan.warm_up, to = from + plan.duration;
  const auto visitor = [&](std::size_t number) -> Task<void> {
    while (clock.now() < to) {
      const runtime::MonoTime begun = clock.now();
      auto opening = open(environment, reactor, target.broker_of(number).address, frame);
      const Opened opened = co_await std::move(opening);
      if (begun >= from && begun < to) note(report, opened, (clock.now() - begun).count());
    }
  };
  runtime::TaskGroup visitors(reactor);
  for (std::size_t i = 0; i < plan.connections; ++i) visitors.start(visitor(i));
  runtime::Notice never_told(reactor);
  auto warming = never_told.wait(from);
  co_await std::move(warming);
  moments.counting_begins();
  auto all = visitors.wait();
  co_await std::move(all);
  moments.counting_ends();
  report.seconds = std::chrono::duration<double>(plan.duration).count();
}

Task<void> run_idle(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                    const Target& target, Report& report, Moments moments) {
  const Frame frame = versions_frame();
  runtime::Clock& clock = reactor.clock();
  std::vector<Opened> open_ones(plan.connections);
  std::size_t next = 0;
  const auto opener = [&]() -> Task<void> {
    while (next < open_ones.size()) {
      const std::size_t number = next++;
      const runtime::MonoTime begun = clock.now();
      auto opening = open(environment, reactor, target.broker_of(number).address, frame);
      open_ones[number] = co_await std::move(opening);
      note(report, open_ones[number], (clock.now() - begun).count());
    }
  };
  const runtime::MonoTime begun = clock.now();
  {
    runtime::TaskGroup openers(reactor);
    for (std::size_t i = 0; i < opened_at_once; ++i) openers.start(opener());
    auto all = openers.wait();
    co_await std::move(all);
  }
  report.seconds = std::chrono::duration<double>(clock.now() - begun).count();
  moments.counting_begins();
  runtime::Notice never_told(reactor);
  auto holding = never_told.wait(clock.now() + plan.duration);
  co_await std::move(holding);
  moments.counting_ends();
}

}  // namespace klamm::bench
