// A client's way to the broker, one request at a time: no retries, no cache, nothing that a client library would do for
// its user, so that a story may do everything wrong that the protocol allows. Some requests are late: whoever sent one
// gives up and hears nothing of it, and it arrives when nobody thinks of it any more, as one does that lay about in a
// socket of a client that connected anew.
#pragma once

#include <memory>
#include <utility>

#include "client/core.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::simulation {

namespace sim = runtime::simulation;
using runtime::Task;

template <typename Response>
using Answered = client::Result<client::Reply<Response>>;

Task<void> rest(runtime::Reactor& home, runtime::Duration duration);

// So long a request may be on its way without a sender.
inline constexpr runtime::Duration straggling_max = std::chrono::seconds(30);

// Requests on their way without a sender.
class Stragglers {
 public:
  Stragglers(runtime::Environment& environment, runtime::Reactor& home) : environment_(environment), tasks_(home) {}

  template <typename Response, typename Request>
  void send(Request request, std::int16_t version_max, runtime::Duration delay, std::shared_ptr<const void> owner) {
    ++sent_;
    tasks_.start(arrive<Response>(std::move(request), version_max, delay, std::move(owner)));
  }
  std::size_t on_their_way() const { return tasks_.running(); }
  std::size_t sent() const { return sent_; }

 private:
  template <typename Response, typename Request>
  Task<void> arrive(Request request, std::int16_t version_max, runtime::Duration delay,
                    std::shared_ptr<const void> owner);

  runtime::Environment& environment_;
  std::size_t sent_ = 0;
  runtime::TaskGroup tasks_;
};

client::ConnectionSettings connection_to_broker(runtime::Duration request_timeout);

class Caller {
 public:
  // `late_one_in`: so many of the requests that may be late are; 0: none.
  Caller(runtime::Environment& environment, runtime::Reactor& home, Stragglers& stragglers, sim::Chance chance,
         const std::uint64_t& late_one_in)
      : home_(home),
        stragglers_(stragglers),
        chance_(chance),
        late_one_in_(late_one_in),
        patience_(chance_.between(runtime::Duration(std::chrono::milliseconds(500)),
                                  runtime::Duration(std::chrono::seconds(3)))),
        core_(std::make_unique<client::Core>(environment, home, connection_to_broker(std::chrono::seconds(30)))) {}

  // One attempt. An error: nobody knows what became of it. `more`: so much longer than usual an answer may take.
  template <typename Response, typename Request>
  Task<Answered<Response>> ask(Request request, std::int16_t version_max, runtime::Duration more = {});
  // The same, of a request that may be late. `owner` keeps what it points to.
  template <typename Response, typename Request>
  Task<Answered<Response>> ask_perhaps_late(Request request, std::int16_t version_max,
                                            std::shared_ptr<const void> owner = {});
  runtime::MonoTime now() const { return home_.now(); }
  runtime::Reactor& home() const { return home_; }

 private:
  runtime::Reactor& home_;
  Stragglers& stragglers_;
  sim::Chance chance_;
  const std::uint64_t& late_one_in_;
  runtime::Duration patience_;
  std::unique_ptr<client::Core> core_;
};

// Makes __consumer_offsets and __transaction_state: looks for coordinators until there are some.
Task<void> find_coordinators(runtime::Environment& environment, runtime::Reactor& home);

// --- templates -------------------------------------------------------------------------------------------------------

template <typename Response, typename Request>
Task<void> Stragglers::arrive(Request request, std::int16_t version_max, runtime::Duration delay,
                              [[maybe_unused]] std::shared_ptr<const void> owner) {
  constexpr runtime::Duration patience = std::chrono::seconds(20);
  auto waiting = rest(tasks_.reactor(), delay);
  co_await std::move(waiting);
  client::Core core(environment_, tasks_.reactor(), connection_to_broker(patience));
  const runtime::MonoTime deadline = core.now() + patience;
  auto linking = core.link_to(client::Target::any(), deadline);
  const auto link = co_await std::move(linking);
  if (!link) co_return;
  auto asking = core.exchange<Response>(**link, request, deadline, version_max);
  [[maybe_unused]] const auto answer = co_await std::move(asking);
}

template <typename Response, typename Request>
Task<Answered<Response>> Caller::ask(Request request, std::int16_t version_max, runtime::Duration more) {
  const runtime::MonoTime deadline = home_.now() + patience_ + more;
  auto linking = core_->link_to(client::Target::any(), deadline);
  const auto link = co_await std::move(linking);
  if (!link) co_return link.error();
  auto asking = core_->exchange<Response>(**link, request, deadline, version_max);
  co_return co_await std::move(asking);
}

template <typename Response, typename Request>
Task<Answered<Response>> Caller::ask_perhaps_late(Request request, std::int16_t version_max,
                                                  std::shared_ptr<const void> owner) {
  if (chance_.one_in(late_one_in_)) {
    const auto delay =
        chance_.between(runtime::Duration(std::chrono::milliseconds(1)), runtime::Duration(std::chrono::seconds(8)));
    stragglers_.send<Response>(std::move(request), version_max, delay, std::move(owner));
    // Sometimes the sender waits long before it gives up, sometimes its connection breaks at once.
    const auto given_up = chance_.between(runtime::Duration(0), runtime::Duration(std::chrono::seconds(1)));
    auto waiting = rest(home_, given_up);
    co_await std::move(waiting);
    co_return client::Error(ErrorCode::network_exception);
  }
  auto asking = ask<Response>(std::move(request), version_max);
  co_return co_await std::move(asking);
}

}  // namespace klamm::simulation
