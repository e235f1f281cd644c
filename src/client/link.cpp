#include "client/link.h"

#include <algorithm>
#include <cmath>

#include "client/awaiting.h"
#include "protocol/messages/api_versions.h"

namespace klamm::client {

using runtime::Duration;
using runtime::MonoTime;

Link::Link(LinkContext& context, std::int32_t id, HostPort address)
    : context_(context), id_(id), address_(std::move(address)) {}

void Link::set_address(HostPort address) {
  if (address == address_) return;
  address_ = std::move(address);
  ++generation_;
  connection_ = nullptr;
  state_ = State::idle;
  failures_ = 0;
  retry_at_ = {};
  context_.links_changed.notify();
}

void Link::connect() {
  if (!may_connect()) return;
  state_ = State::connecting;
  context_.tasks.start(run_connect(generation_));
}

namespace {

// Doubles with every failure, within a fifth around.
Duration growing(Duration first, Duration most, int failures, runtime::Random& random) {
  const double grown = static_cast<double>(first.count()) * std::pow(2.0, std::min(failures, 30));
  const double capped = std::min(grown, static_cast<double>(std::max(first, most).count()));
  return Duration(static_cast<std::int64_t>(capped * (0.8 + 0.4 * static_cast<double>(random.next() % 1000) / 1000.0)));
}

}  // namespace

runtime::Task<void> Link::run_connect(int generation) {
  const ConnectionSettings& settings = context_.settings;
  const MonoTime deadline = context_.reactor.now() + growing(settings.setup_timeout, settings.setup_timeout_max,
                                                             failures_, context_.environment.random);
  Result<runtime::SocketRef> socket = co_await open_socket(deadline);
  if (generation != generation_) co_return;
  if (!socket) {
    failed(socket.error());
    co_return;
  }
  dropped_ = nullptr;
  connection_ = std::make_unique<Connection>(context_.reactor, *std::move(socket), [this](const Error& error) {
    dropped_ = std::move(connection_);  // it is still running
    failed(error);
  });
  ++connections_made_;
  const MonoTime answer_by = context_.reactor.now() + settings.request_timeout;
  const Result<void> negotiated = co_await negotiate(answer_by);
  if (generation != generation_ || state_ != State::connecting) co_return;
  if (!negotiated) {
    connection_ = nullptr;
    failed(negotiated.error());
    co_return;
  }
  state_ = State::ready;
  failures_ = 0;
  last_failure_.reset();
  context_.links_changed.notify();
}

runtime::Task<Result<runtime::SocketRef>> Link::open_socket(MonoTime deadline) {
  std::string reason = "The name of the broker leads to no address";
  runtime::Network& network = context_.environment.network;
  const HostPort to = address_;
  try {
    const std::vector<std::string> hosts =
        co_await runtime::blocking(context_.reactor, [&network, to] { return network.resolve(to.host); });
    for (const std::string& host : hosts) {
      try {
        const runtime::SocketAddress at{host, to.port};
        runtime::SocketRef socket = co_await network.connect(context_.reactor, at, context_.settings.socket, deadline);
        co_return std::move(socket);
      } catch (const std::system_error& error) {
        reason = error.code().message();
        context_.log.warn("Connection to node {} ({}/{}:{}) could not be established. Node may not be available.", id_,
                          to.host, host, to.port);
      }
    }
  } catch (const std::system_error& error) {
    reason = error.code().message();
    context_.log.warn("Error connecting to node {}: {}", to.to_string(), reason);
  }
  co_return Error(ErrorCode::network_exception, reason);
}

// Asks in the newest form we know; a broker that does not know it says so in the oldest, with the versions it has.
runtime::Task<Result<void>> Link::negotiate(MonoTime deadline) {
  using protocol::ApiVersionsRequest;
  using protocol::ApiVersionsResponse;
  std::int16_t version = ApiVersionsRequest::max_version;
  for (int attempt = 0; attempt < 2; ++attempt) {
    ApiVersionsRequest request;
    if (version >= 3) {
      request.client_software_name = "klamm";
      request.client_software_version = "0.1.0";
    }
    Result<OutgoingFrame> frame = encode_request(request, version, context_.settings.client_id);
    if (!frame) co_return frame.error();
    AwaitedAnswer waiter(context_.reactor);
    if (connection_ == nullptr) co_return Error(ErrorCode::network_exception);
    connection_->send(*std::move(frame), waiter, deadline);
    const Result<Answer> answer = co_await waiter;
    if (!answer) co_return answer.error();

    auto reply = decode_answer<ApiVersionsResponse>(*answer, version);
    const bool refused =
        answer->after_correlation_id.size() >= 2 &&
        error_code_of(load_big<std::int16_t>(answer->after_correlation_id.data())) == ErrorCode::unsupported_version;
    if (refused && version > 0) {
      const auto oldest = decode_answer<ApiVersionsResponse>(*answer, 0);
      version = 0;
      if (!oldest) continue;
      for (const auto& api : oldest->body.api_keys) {
        if (api.api_key == static_cast<std::int16_t>(ApiVersionsRequest::api_key)) {
          version = std::min(api.max_version, ApiVersionsRequest::max_version);
        }
      }
      continue;
    }
    if (!reply) co_return reply.error();
    if (const ErrorCode code = error_code_of(reply->body.error_code); code != ErrorCode::none) co_return Error(code);
    versions_ = rpc::PeerVersions::from(reply->body);
    co_return Result<void>();
  }
  co_return Error(ErrorCode::unsupported_version);
}

void Link::not_understood(std::uint64_t connection_number, const Error& why) {
  context_.log.warn("Node {}: {}", id_, why.message());
  if (connection_number == connections_made_ && connection_ != nullptr) connection_->give_up();
}

void Link::failed(const Error& error) {
  const bool was_ready = state_ == State::ready;
  state_ = State::idle;
  last_failure_ = error;
  retry_at_ =
      context_.reactor.now() + growing(context_.settings.reconnect_backoff, context_.settings.reconnect_backoff_max,
                                       failures_, context_.environment.random);
  ++failures_;
  if (was_ready) context_.log.info("Node {} disconnected.", id_);
  context_.links_changed.notify();
}

runtime::Task<Result<void>> Link::wait_ready(MonoTime deadline) {
  while (!ready()) {
    if (last_failure_ && last_failure_->code() == ErrorCode::unsupported_version) co_return *last_failure_;
    if (context_.reactor.now() >= deadline) {
      co_return Error::of_kind(kinds::timeout, fmt::format("Connection to node {} ({}) was not established in time.",
                                                           id_, address_.to_string()));
    }
    connect();
    const MonoTime until = connecting() ? deadline : std::min(deadline, retry_at_);
    co_await context_.links_changed.wait(until);
  }
  co_return Result<void>();
}

void Link::close_if_idle(MonoTime now) {
  if (!ready() || connection_->in_flight() > 0 || now - connection_->last_use() < context_.settings.idle_max) return;
  connection_ = nullptr;
  state_ = State::idle;
  context_.links_changed.notify();
}

}  // namespace klamm::client
