#include "config/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "config/keys.h"

namespace klamm::config {
namespace {

using Reason = std::optional<std::string>;

Reason refuse_mode(const BrokerConfig& config) {
  switch (config.mode()) {
    case Mode::embedded:
      return std::nullopt;
    case Mode::zookeeper:
      return "zookeeper.connect is set: running with ZooKeeper is not supported yet. Without zookeeper.connect and "
             "process.roles this broker keeps its metadata itself.";
    case Mode::kraft:
      break;
  }
  if (!config.is_controller()) {
    return "process.roles=broker: a broker without a controller in the same process is not supported yet. Use "
           "process.roles=broker,controller.";
  }
  if (!config.is_broker()) {
    return "process.roles=controller: a controller without a broker in the same process is not supported yet. Use "
           "process.roles=broker,controller.";
  }
  return std::nullopt;
}

Reason refuse_foreign_voters(const BrokerConfig& config) {
  for (const Voter& voter : config.voters()) {
    if (voter.id == config.node_id().value) continue;
    return fmt::format(
        "controller.quorum.voters names node {}: a quorum of several controllers is not supported yet. Only this "
        "node ({}) may be a voter.",
        voter.id, config.node_id());
  }
  if (config.bootstrap_controllers().size() > 1) {
    return "controller.quorum.bootstrap.servers names several controllers: a quorum of several controllers is not "
           "supported yet.";
  }
  return std::nullopt;
}

Reason refuse_secure_listeners(const BrokerConfig& config) {
  for (const Listener& listener : config.listeners()) {
    if (listener.security_protocol == SecurityProtocol::plaintext) continue;
    return fmt::format("Listener {} uses {}: only PLAINTEXT listeners are supported yet.", listener.name,
                       security_protocol_name(listener.security_protocol));
  }
  return std::nullopt;
}

// Classes of Apache Kafka's own that name what this broker does anyway.
bool is_built_in(const Key& key, const std::string& name) {
  return name.empty() || name == key.fallback.text() || name == "org.apache.kafka.common.metrics.JmxReporter";
}

std::string_view why_not(std::string_view key) {
  if (key == "authorizer.class.name")
    return "authorization is not supported yet, and without it everything would be allowed";
  if (key == "remote.log.storage.system.enable") return "tiered storage is not supported yet";
  if (key == "config.providers")
    return "configuration providers are not supported, so variables would be taken as they stand";
  if (key.ends_with("policy.class.name"))
    return "policies are not supported, and without them everything would be allowed";
  return "Java classes cannot be loaded";
}

Reason refuse_value(const Key& key, std::string_view name, const Value& value) {
  if (key.effect != Effect::refused || is_null(value)) return std::nullopt;
  const auto refused = [&] { return fmt::format("{}={}: {}.", name, *value_text(value), why_not(key.name)); };
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? Reason(refused()) : std::nullopt;
  if (const List* list = std::get_if<List>(&value)) {
    const bool all_built_in =
        std::ranges::all_of(*list, [&](const std::string& entry) { return is_built_in(key, entry); });
    return all_built_in ? std::nullopt : Reason(refused());
  }
  return is_built_in(key, std::get<std::string>(value)) ? std::nullopt : Reason(refused());
}

Reason refuse_keys(const BrokerConfig& config) {
  for (const Key* key : broker_keys().keys()) {
    if (auto reason = refuse_value(*key, key->name, config.values().value(key->name))) return reason;
  }
  // The same keys behind a listener's prefix.
  for (const auto& [name, text] : config.originals()) {
    if (!listener_base_key(name)) continue;
    const Key* key = broker_keys().find(broker_synonyms(name, true).back());
    if (key == nullptr || key->effect != Effect::refused) continue;
    const auto value = parse_value(name, text, key->type);
    if (!value) continue;
    if (auto reason = refuse_value(*key, name, *value)) return reason;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refusal(const BrokerConfig& config) {
  for (const auto check : {refuse_mode, refuse_foreign_voters, refuse_secure_listeners, refuse_keys}) {
    if (auto reason = check(config)) return reason;
  }
  return std::nullopt;
}

}  // namespace klamm::config
