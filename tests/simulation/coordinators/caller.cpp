#include "coordinators/caller.h"

#include <string>

#include "protocol/messages/find_coordinator.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

client::ConnectionSettings connection_to_broker(runtime::Duration request_timeout) {
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(request_timeout).count();
  auto settings = client::connection_settings({{"bootstrap.servers", "broker-1:9092"},
                                               {"request.timeout.ms", std::to_string(timeout)},
                                               {"reconnect.backoff.ms", "50"},
                                               {"reconnect.backoff.max.ms", "500"}});
  ENSURE(settings.has_value(), "the settings of a simulated client");
  return *std::move(settings);
}

Task<void> rest(runtime::Reactor& home, runtime::Duration duration) {
  runtime::Notice nobody(home);
  auto waiting = nobody.wait(home.now() + duration);
  co_await std::move(waiting);
}

Task<void> find_coordinators(runtime::Environment& environment, runtime::Reactor& home) {
  client::Core core(environment, home, connection_to_broker(3s));
  for (const std::int8_t type : {std::int8_t{0}, std::int8_t{1}}) {
    for (;;) {
      protocol::FindCoordinatorRequest request;
      request.key_type = type;
      request.coordinator_keys = {"any"};
      auto asking = core.call<protocol::FindCoordinatorResponse>(client::Target::any(), request, core.now() + 5s);
      const auto answer = co_await std::move(asking);
      if (answer && answer->body.coordinators.size() == 1 && answer->body.coordinators.front().error_code == 0) break;
      auto waiting = rest(home, 100ms);
      co_await std::move(waiting);
    }
  }
}

}  // namespace klamm::simulation
