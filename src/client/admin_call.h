// How the admin client calls a broker.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "client/core.h"
#include "client/result.h"

namespace klamm::client {

// The deadline of a call came while answers, or the lack of them, still asked for patience. `name`: with the API of its
// last request, "describeConsumerGroups(api=DESCRIBE_GROUPS)".
inline Error timed_out(Core& core, std::string_view name, int attempts) {
  const std::int64_t now = core.environment().clock.wall().value;
  return Error::of_kind(
      kinds::timeout,
      fmt::format("Call(callName={}, deadlineMs={}, tries={}, nextAllowedTryMs={}) timed out at {} after {} attempt(s)",
                  name, now, attempts, now, now, attempts));
}

// Calls, again while `again` says that the answer is one of the moment. A broker that was never found is told in the
// words of Kafka's admin client, with the name of the call.
template <typename Response, typename Request>
runtime::Task<Result<Reply<Response>>> admin_call(Core& core, Target target, const Request& request, std::string name,
                                                  runtime::MonoTime deadline, bool (*again)(const Response&)) {
  Backoff pause = core.backoff();
  for (int attempt = 0;; ++attempt) {
    const Result<Link*> link = co_await core.link_to(target, deadline);
    const Result<void> ready = link ? co_await (*link)->wait_ready(deadline) : Result<void>(link.error());
    if (!ready) {
      if (!ready.error().retriable()) co_return ready.error();
      co_return Error::of_kind(kinds::timeout, fmt::format("Timed out waiting for a node assignment. Call: {}", name));
    }
    Result<Reply<Response>> reply = co_await core.exchange<Response>(**link, request, deadline);
    const bool retry = reply ? again(reply->body) : reply.error().retriable();
    if (!retry || attempt >= core.settings().retries) co_return std::move(reply);
    if (core.now() >= deadline) {
      if (reply) co_return std::move(reply);
      co_return timed_out(core, name, attempt + 1);
    }
    const Result<void> fresh =
        co_await core.wait_refresh(std::min(deadline, core.now() + core.settings().request_timeout));
    static_cast<void>(fresh);
    co_await core.links_changed().wait(std::min(deadline, core.now() + pause.next()));
  }
}

template <typename Response>
bool never(const Response&) {
  return false;
}

// The logger that the handler of a call has in Kafka's admin client.
inline Logger handler_log(Core& core, std::string_view handler) {
  return core.log().named(fmt::format("org.apache.kafka.clients.admin.internals.{}", handler),
                          fmt::format("[AdminClient clientId={}] ", core.settings().client_id));
}

}  // namespace klamm::client
