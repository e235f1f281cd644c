#include "client/client.h"

#include "client/core.h"

namespace klamm::client {

Client::Client(runtime::Environment& environment, runtime::Reactor& reactor, const Properties& properties)
    : properties_(properties) {
  Result<ConnectionSettings> settings = connection_settings(properties);
  if (!settings) {
    configuration_error_ = settings.error();
    core_ = std::make_unique<Core>(environment, reactor, ConnectionSettings{});
    return;
  }
  core_ = std::make_unique<Core>(environment, reactor, *std::move(settings));
}

Client::~Client() = default;

runtime::Task<Result<void>> Client::resolve_bootstrap() {
  if (configuration_error_) co_return *configuration_error_;
  runtime::Network& network = core_->environment().network;
  for (const HostPort& server : core_->settings().bootstrap) {
    try {
      const std::string host = server.host;
      const auto addresses =
          co_await runtime::blocking(core_->reactor(), [&network, host] { return network.resolve(host); });
      if (!addresses.empty()) co_return Result<void>();
    } catch (const std::system_error&) {
      core_->log().warn("Couldn't resolve server {} from bootstrap.servers as DNS resolution failed for {}",
                        server.to_string(), server.host);
    }
  }
  co_return Error::of_kind(kinds::config, "No resolvable bootstrap urls given in bootstrap.servers");
}

}  // namespace klamm::client
