#include "bench/ask.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/reader.h"

namespace klamm::bench {
namespace {

using runtime::Task;

constexpr std::chrono::seconds answer_patience{10};
constexpr std::chrono::seconds coordinator_patience{30};
constexpr std::chrono::milliseconds pause_between{50};
constexpr std::int16_t many_keys_from = 4;
constexpr std::int16_t versions_version = 3;

[[noreturn]] void fail(std::errc code, const std::string& why) {
  throw std::system_error(std::make_error_code(code), why);
}

}  // namespace

Asking::Asking(runtime::Reactor& reactor, runtime::SocketRef socket)
    : reactor_(reactor), told_(reactor), channel_(reactor, std::move(socket), *this, 0) {}

Task<ByteVector> Asking::ask(const Frame& frame) {
  done_ = false;
  const runtime::MonoTime deadline = reactor_.now() + answer_patience;
  channel_.send(frame, reactor_.now(), 0);
  while (!done_ && failure_.empty()) {
    if (reactor_.now() >= deadline) fail(std::errc::timed_out, "no answer");
    auto waiting = told_.wait(deadline);
    co_await std::move(waiting);
  }
  if (!failure_.empty()) fail(std::errc::connection_reset, failure_);
  co_return std::move(answer_);
}

void Asking::answered(Channel&, const Sent&, Bytes answer, runtime::MonoTime) {
  answer_.assign(answer.begin(), answer.end());
  done_ = true;
  told_.notify();
}

void Asking::lost(Channel&, std::string why) {
  failure_ = std::move(why);
  told_.notify();
}

Task<std::vector<client::HostPort>> find_coordinators(runtime::Environment& environment, runtime::Reactor& reactor,
                                                      const Target& target, CoordinatorOf type,
                                                      std::vector<std::string> keys) {
  const auto version = target.version_of(protocol::ApiKey::find_coordinator, many_keys_from);
  if (version < many_keys_from) fail(std::errc::not_supported, "the cluster finds one coordinator at a time");
  protocol::FindCoordinatorRequest request;
  request.key_type = static_cast<std::int8_t>(type);
  request.coordinator_keys = keys;
  const Frame frame = frame_of(request, version);
  auto connecting = connect(environment, reactor, target.broker_of(0).address);
  Asking asking(reactor, co_await std::move(connecting));
  runtime::Notice never_told(reactor);
  const runtime::MonoTime deadline = reactor.now() + coordinator_patience;
  while (true) {
    auto answering = asking.ask(frame);
    const ByteVector answer = co_await std::move(answering);
    const auto response = response_of<protocol::FindCoordinatorResponse>(answer, version);
    if (!response || response->coordinators.size() != keys.size()) fail(std::errc::bad_message, "FindCoordinator");
    const auto missing = std::ranges::find_if(response->coordinators, [](const auto& c) { return c.error_code != 0; });
    if (missing == response->coordinators.end()) {
      std::vector<client::HostPort> found;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto& one = response->coordinators[i];
        if (one.key != keys[i]) fail(std::errc::bad_message, "FindCoordinator answers about " + one.key);
        found.push_back({one.host, static_cast<std::uint16_t>(one.port)});
      }
      co_return found;
    }
    if (reactor.now() > deadline) {
      fail(std::errc::timed_out,
           fmt::format("no coordinator: {}", error_name(static_cast<ErrorCode>(missing->error_code))));
    }
    auto pause = never_told.wait(reactor.now() + pause_between);
    co_await std::move(pause);
  }
}

Task<std::int16_t> finalized_level(runtime::Environment& environment, runtime::Reactor& reactor, const Target& target,
                                   std::string feature) {
  protocol::ApiVersionsRequest request;
  request.client_software_name = "klamm-bench";
  request.client_software_version = "1";
  const Frame frame = frame_of(request, versions_version);
  auto connecting = connect(environment, reactor, target.broker_of(0).address);
  Asking asking(reactor, co_await std::move(connecting));
  auto answering = asking.ask(frame);
  const ByteVector answer = co_await std::move(answering);
  protocol::Reader reader(answer);  // ApiVersions answers with header version 0 always
  protocol::ApiVersionsResponse response;
  response.decode(reader, versions_version);
  if (!reader.ok() || response.error_code != 0) fail(std::errc::bad_message, "ApiVersions");
  const auto found = std::ranges::find(response.finalized_features, feature,
                                       &protocol::api_versions_response::FinalizedFeatureKey::name);
  co_return found == response.finalized_features.end() ? std::int16_t{0} : found->max_version_level;
}

}  // namespace klamm::bench
