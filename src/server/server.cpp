#include "server/server.h"

#include "base/ensure.h"
#include "runtime/waiting.h"
#include "server/worker.h"

namespace klamm::server {

struct Server::State {
  State(runtime::Environment& env, ServerSettings given, const ApiTable& apis, Logger log, Quotas* quotas)
      : settings(std::move(given)),
        core{.environment = env,
             .apis = apis,
             .listeners = {},
             .request_bytes_max = settings.request_bytes_max,
             .idle_max = settings.idle_max,
             .quotas = quotas,
             .requests = RequestPool(settings.request_pool_bytes, settings.after_burst),
             .limits = ConnectionLimits(env.scheduling, traits_of(settings), settings.limits),
             .bad_connections = BadConnectionLog(log),
             .log = std::move(log),
             .anonymous = {},
             .trace_requests = settings.trace_requests,
             .workers = {}} {
    for (const auto& listener : settings.listeners) core.listeners.push_back({listener.name, listener.scope});
  }

  static std::vector<ConnectionLimits::ListenerTraits> traits_of(const ServerSettings& settings) {
    std::vector<ConnectionLimits::ListenerTraits> traits;
    for (const auto& listener : settings.listeners) traits.push_back({listener.name, listener.inter_broker});
    return traits;
  }

  ServerSettings settings;
  ServerCore core;
  std::vector<std::unique_ptr<runtime::Listener>> listeners;
  std::vector<std::unique_ptr<Worker>> workers;
};

Server::Server(runtime::Environment& environment, ServerSettings settings, const ApiTable& apis, Logger log,
               Quotas* quotas)
    : state_(std::make_unique<State>(environment, std::move(settings), apis, std::move(log), quotas)) {
  for (runtime::Reactor* reactor : environment.reactors) {
    state_->workers.push_back(std::make_unique<Worker>(state_->core, *reactor));
    state_->core.workers.push_back(state_->workers.back().get());
  }
}

Server::~Server() = default;

void Server::bind() {
  std::vector<std::unique_ptr<runtime::Listener>> bound;
  for (const auto& listener : state_->settings.listeners) {
    try {
      bound.push_back(state_->core.environment.network.listen(listener.address, state_->settings.socket));
    } catch (const std::system_error& failure) {
      throw BindFailed(fmt::format("Socket server failed to bind to {}:{}: {}.", listener.address.host,
                                   listener.address.port, failure.code().message()));
    }
  }
  state_->listeners = std::move(bound);
}

std::vector<runtime::SocketAddress> Server::addresses() const {
  std::vector<runtime::SocketAddress> addresses;
  for (const auto& listener : state_->listeners) addresses.push_back(listener->address());
  return addresses;
}

runtime::Task<void> Server::start() {
  ENSURE(state_->listeners.size() == state_->settings.listeners.size(), "bind() first");
  runtime::Reactor& home = *state_->core.environment.reactors.front();
  for (auto& worker : state_->workers) {
    co_await runtime::move_to(worker->reactor());
    worker->start(state_->listeners);
  }
  co_await runtime::move_to(home);
}

void Server::set_limits(ServerLimits limits) {
  state_->core.limits.set(std::move(limits));
  for (auto& worker : state_->workers) worker->recheck_limits();
}

runtime::Task<void> Server::stop(runtime::MonoTime deadline) {
  runtime::Reactor& home = *state_->core.environment.reactors.front();
  for (auto& worker : state_->workers) {
    co_await runtime::move_to(worker->reactor());
    worker->begin_stop();
  }
  for (auto& worker : state_->workers) {
    co_await runtime::move_to(worker->reactor());
    auto stopping = worker->finish_stop(deadline);
    co_await std::move(stopping);
  }
  // What workers posted to one another is behind us once each reactor was visited again.
  for (auto& worker : state_->workers) co_await runtime::move_to(worker->reactor());
  co_await runtime::move_to(home);
  state_->listeners.clear();
}

std::size_t Server::connection_count() const {
  return state_->core.limits.count();
}
std::uint64_t Server::request_pool_used() const {
  return state_->core.requests.used();
}

}  // namespace klamm::server
