#include "server/connection_limits.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::server {

using Guard = runtime::ShortLock::Guard;

namespace {
std::int32_t value_or(const std::map<std::string, std::int32_t>& values, const std::string& key,
                      std::int32_t otherwise) {
  const auto it = values.find(key);
  return it == values.end() ? otherwise : it->second;
}
}  // namespace

ConnectionLimits::ConnectionLimits(runtime::Scheduling& scheduling, std::vector<ListenerTraits> listeners,
                                   ServerLimits limits)
    : lock_(scheduling) {
  for (auto& traits : listeners) listeners_.push_back({.traits = std::move(traits)});
  set_locked(std::move(limits));
}

void ConnectionLimits::set(ServerLimits limits) {
  const Guard guard(lock_);
  set_locked(std::move(limits));
}

void ConnectionLimits::set_locked(ServerLimits limits) {
  limits_ = std::move(limits);
  for (auto& listener : listeners_) {
    listener.connections_max = value_or(limits_.listener_max_connections, listener.traits.name, INT32_MAX);
    listener.rate = value_or(limits_.listener_max_connection_creation_rate, listener.traits.name, INT32_MAX);
  }
}

runtime::Duration ConnectionLimits::wait_of(Gate& gate, std::int32_t rate, runtime::MonoTime now) {
  if (rate == INT32_MAX) return runtime::Duration::zero();
  const double elapsed_s = std::chrono::duration<double>(now - gate.at).count();
  gate.tokens = std::min(static_cast<double>(rate), gate.tokens + std::max(0.0, elapsed_s) * rate);
  gate.at = now;
  if (gate.tokens >= 1) return runtime::Duration::zero();
  return std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>((1 - gate.tokens) / rate)) +
         runtime::Duration(1);
}

void ConnectionLimits::take(Gate& gate, std::int32_t rate) {
  if (rate != INT32_MAX) gate.tokens -= 1;
}

ConnectionLimits::Answer ConnectionLimits::admit(std::size_t index, const std::string& address, runtime::MonoTime now) {
  const Guard guard(lock_);
  ListenerState& listener = listeners_.at(index);
  if (listener.connections >= listener.connections_max || (!exempt(listener) && total_ >= limits_.max_connections))
    return {.verdict = Verdict::wait_for_slot};

  auto wait = wait_of(listener.gate, listener.rate, now);
  if (!exempt(listener)) wait = std::max(wait, wait_of(gate_, limits_.max_connection_creation_rate, now));
  if (wait > runtime::Duration::zero()) return {.verdict = Verdict::wait_for_time, .not_before = now + wait};

  const std::int32_t address_limit =
      value_or(limits_.max_connections_per_ip_overrides, address, limits_.max_connections_per_ip);
  const auto of_address = by_address_.find(address);
  if ((of_address == by_address_.end() ? 0 : of_address->second) >= address_limit)
    return {.verdict = Verdict::address_full, .address_limit = address_limit};

  take(listener.gate, listener.rate);
  if (!exempt(listener)) take(gate_, limits_.max_connection_creation_rate);
  ++listener.connections;
  ++total_;
  ++by_address_[address];
  return {.verdict = Verdict::admitted};
}

void ConnectionLimits::leave(std::size_t index, const std::string& address) {
  const Guard guard(lock_);
  const auto of_address = by_address_.find(address);
  ENSURE(of_address != by_address_.end());
  if (--of_address->second == 0) by_address_.erase(of_address);
  --listeners_.at(index).connections;
  --total_;
}

bool ConnectionLimits::must_shed(std::size_t index) const {
  const Guard guard(lock_);
  return total_ > limits_.max_connections && !exempt(listeners_.at(index));
}

std::size_t ConnectionLimits::count() const {
  const Guard guard(lock_);
  return static_cast<std::size_t>(total_);
}

}  // namespace klamm::server
