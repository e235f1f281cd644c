// How the admin client calls a broker.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "client/core.h"
#include "client/result.h"

namespace klamm::client {

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
      co_return Error::of_kind(kinds::timeout,
                               fmt::format("Call(callName={}) timed out after {} attempt(s)", name, attempt + 1));
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

}  // namespace klamm::client
