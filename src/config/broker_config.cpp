#include "config/broker_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/ensure.h"
#include "config/broker_rules.h"
#include "config/keys.h"

namespace klamm::config {
namespace {

// What holds in embedded mode where the file says nothing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> embedded_defaults{{
    {"node.id", "1"},
    {"broker.id", "1"},
    {"process.roles", "broker,controller"},
    {"controller.listener.names", "CONTROLLER"},
    {"offsets.topic.replication.factor", "1"},
    {"transaction.state.log.replication.factor", "1"},
    {"transaction.state.log.min.isr", "1"},
    {"share.coordinator.state.topic.replication.factor", "1"},
    {"share.coordinator.state.topic.min.isr", "1"},
}};

Mode mode_of(const Properties& properties) {
  if (properties.contains("process.roles")) return Mode::kraft;
  return properties.contains("zookeeper.connect") ? Mode::zookeeper : Mode::embedded;
}

// node.id and broker.id stand for one another.
void fill_in_node_id(Properties& properties) {
  const auto broker_id = properties.find("broker.id");
  const auto node_id = properties.find("node.id");
  if (broker_id == properties.end() && node_id != properties.end()) {
    properties.emplace("broker.id", node_id->second);
  } else if (broker_id != properties.end() && node_id == properties.end()) {
    properties.emplace("node.id", broker_id->second);
  }
}

bool is_known(const Properties& properties, std::string_view key) {
  const ConfigDef& keys = broker_keys();
  if (keys.find(key) != nullptr) return true;
  for (const std::string& synonym : broker_synonyms(key, true)) {
    if (keys.find(synonym) != nullptr) return true;
  }
  // Keys that are handed on to plug-ins.
  const auto handed_on = [&](std::string_view prefix_key) {
    const auto set = properties.find(prefix_key);
    const std::string_view prefix =
        set != properties.end() ? std::string_view(set->second) : keys.find(prefix_key)->fallback.text();
    return !prefix.empty() && key.starts_with(prefix);
  };
  return key.starts_with("config.providers.") || handed_on("remote.log.storage.manager.impl.prefix") ||
         handed_on("remote.log.metadata.manager.impl.prefix");
}

bool names_contain(const List& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Checked<void> check_ports(const std::vector<Listener>& listeners) {
  for (const Listener& listener : listeners) {
    if (listener.port >= 0 && listener.port <= 65535) continue;
    return refuse(ErrorKind::illegal_argument, fmt::format("port out of range:{}", listener.port));
  }
  return {};
}

// Without an explicit map, controllers' listeners speak PLAINTEXT, unless anything in the file speaks something else.
bool may_default_controllers_to_plaintext(const List& listeners, const List& controller_names) {
  const auto is_secure = [](std::string_view name) {
    return name == "SSL" || name == "SASL_SSL" || name == "SASL_PLAINTEXT";
  };
  const auto scheme_is_secure = [&](std::string_view text) {
    std::string scheme(text.substr(0, text.find(':')));
    std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return is_secure(scheme);
  };
  return std::ranges::none_of(controller_names, is_secure) && std::ranges::none_of(listeners, scheme_is_secure);
}

}  // namespace

Checked<BrokerConfigRef> BrokerConfig::parse(const Properties& properties) {
  struct Constructible : BrokerConfig {};
  auto config = std::make_shared<Constructible>();
  config->mode_ = mode_of(properties);
  config->originals_ = properties;
  fill_in_node_id(config->originals_);

  Properties effective = config->originals_;
  if (config->mode_ != Mode::kraft) {
    for (const auto& [key, text] : embedded_defaults) effective.emplace(key, text);
  }
  auto values = broker_keys().parse(effective, &config->warnings_);
  if (!values) return std::unexpected(values.error());
  config->values_ = std::move(*values);

  for (const auto& [key, value] : properties) {
    if (!is_known(properties, key)) config->unknown_keys_.push_back(key);
  }
  if (!config->unknown_keys_.empty()) {
    config->warnings_.push_back(
        fmt::format("Unknown configuration keys, without effect: {}", fmt::join(config->unknown_keys_, ", ")));
  }

  // The order of the checks is Kafka's, so that of several mistakes the same one is told.
  using Step = Checked<void> (BrokerConfig::*)();
  for (const Step step :
       {&BrokerConfig::derive_identity, &BrokerConfig::derive_listeners, &BrokerConfig::derive_inter_broker_listener,
        &BrokerConfig::derive_advertised_listeners, &BrokerConfig::derive_limits}) {
    if (auto done = ((*config).*step)(); !done) return std::unexpected(done.error());
  }
  if (auto checked = check_broker_rules(*config, config->warnings_); !checked) return std::unexpected(checked.error());
  return config;
}

std::optional<std::string> BrokerConfig::default_text(const Key& key) const {
  if (mode_ != Mode::kraft) {
    for (const auto& [name, text] : embedded_defaults) {
      if (name == key.name) return std::string(text);
    }
  }
  return value_text(key.default_value());
}

Checked<void> BrokerConfig::derive_identity() {
  if (mode_ == Mode::kraft) {
    const List& roles = values_.get_list("process.roles");
    is_broker_ = names_contain(roles, "broker");
    is_controller_ = names_contain(roles, "controller");
  }
  auto voters = parse_voters(values_.get_list("controller.quorum.voters"), false);
  if (!voters) return std::unexpected(voters.error());
  voters_ = std::move(*voters);
  auto servers = parse_bootstrap_servers(values_.get_list("controller.quorum.bootstrap.servers"));
  if (!servers) return std::unexpected(servers.error());
  bootstrap_controllers_ = std::move(*servers);
  return check_group_rules(values_);
}

Checked<void> BrokerConfig::derive_listeners() {
  constexpr std::string_view map_key = "listener.security.protocol.map";
  auto protocols = parse_security_protocol_map(values_.get_string(map_key));
  if (!protocols) return std::unexpected(protocols.error());
  security_protocols_ = std::move(*protocols);
  const List& texts = values_.get_list("listeners");
  for (const std::string& text : texts) {
    if (!text.contains(':'))
      return refuse(ErrorKind::kafka, fmt::format("Unable to parse a listener name from {}", text));
  }
  if (!originals_.contains(map_key) && may_default_controllers_to_plaintext(texts, controller_listener_names())) {
    for (const std::string& name : controller_listener_names()) {
      security_protocols_.insert_or_assign(name, SecurityProtocol::plaintext);
    }
  }

  auto listeners = parse_listeners(texts, security_protocols_, true);
  if (!listeners) return std::unexpected(listeners.error());
  listeners_ = std::move(*listeners);
  if (auto checked = check_ports(listeners_); !checked) return checked;
  for (const Listener& listener : listeners_) {
    auto& side = names_contain(controller_listener_names(), listener.name) ? controller_listeners_ : broker_listeners_;
    side.push_back(listener);
  }
  return {};
}

Checked<void> BrokerConfig::derive_inter_broker_listener() {
  constexpr std::string_view name_key = "inter.broker.listener.name";
  constexpr std::string_view protocol_key = "security.inter.broker.protocol";
  if (const auto name = values_.find_string(name_key)) {
    if (originals_.contains(protocol_key)) {
      return refuse(ErrorKind::config, fmt::format("Only one of {} and {} should be set.", name_key, protocol_key));
    }
    auto normalised = listener_name(*name);
    if (!normalised) return std::unexpected(normalised.error());
    inter_broker_listener_ = std::move(*normalised);
    const auto protocol = security_protocols_.find(inter_broker_listener_);
    if (protocol == security_protocols_.end()) {
      return refuse(ErrorKind::config,
                    fmt::format("Listener with name {} defined in {} not found in listener.security.protocol.map.",
                                inter_broker_listener_, name_key));
    }
    inter_broker_security_protocol_ = protocol->second;
    return {};
  }
  const auto protocol = security_protocol(values_.get_string(protocol_key));
  ENSURE(protocol.has_value(), "security.inter.broker.protocol was validated");
  inter_broker_security_protocol_ = *protocol;
  inter_broker_listener_ = security_protocol_name(*protocol);
  return {};
}

Checked<void> BrokerConfig::derive_advertised_listeners() {
  std::vector<Listener> advertised = listeners_;
  const List* texts = values_.find_list("advertised.listeners");
  if (texts != nullptr) {
    auto parsed = parse_listeners(*texts, security_protocols_, false);
    if (!parsed) return std::unexpected(parsed.error());
    advertised = std::move(*parsed);
    if (auto checked = check_ports(advertised); !checked) return checked;
  }
  for (const Listener& listener : advertised) {
    if (!names_contain(controller_listener_names(), listener.name)) advertised_listeners_.push_back(listener);
  }

  // A controller's listener is advertised as it says itself, else, the first of them, as controller.quorum.voters says.
  const List& names = controller_listener_names();
  for (const std::string& name : names) {
    const auto same_name = [&](const Listener& listener) { return listener.name == name; };
    if (texts != nullptr) {
      const auto own = std::ranges::find_if(advertised, same_name);
      if (own != advertised.end()) {
        advertised_controller_listeners_.push_back(*own);
        continue;
      }
    }
    const auto bound = std::ranges::find_if(controller_listeners_, same_name);
    if (bound == controller_listeners_.end()) continue;
    Listener listener = *bound;
    const bool unspecified = listener.host.empty() || listener.host == "0.0.0.0";
    if (unspecified) {
      listener.host.clear();
      if (&name == &names.front()) {
        auto voters = parse_voters(values_.get_list("controller.quorum.voters"), true);
        if (!voters) return std::unexpected(voters.error());
        const auto self = std::ranges::find(*voters, values_.get_int("node.id"), &Voter::id);
        if (self != voters->end()) {
          listener.host = self->host;
          listener.port = self->port;
        }
      }
    }
    advertised_controller_listeners_.push_back(std::move(listener));
  }
  return {};
}

Checked<void> BrokerConfig::derive_limits() {
  constexpr std::string_view overrides_key = "max.connections.per.ip.overrides";
  auto overrides = parse_csv_map(overrides_key, values_.get_string(overrides_key));
  if (!overrides) return std::unexpected(overrides.error());
  for (const auto& [host, text] : *overrides) {
    const auto limit = parse_java_integer(text, INT32_MIN, INT32_MAX);
    if (!limit) return refuse(ErrorKind::number_format, fmt::format("For input string: \"{}\"", text));
    per_ip_overrides_.emplace(host, static_cast<std::int32_t>(*limit));
  }
  for (const auto& [key, text] : originals_) {
    const auto base = listener_base_key(key);
    if (!base || (*base != "max.connections" && *base != "max.connection.creation.rate")) continue;
    Key renamed = *broker_keys().find(*base);
    renamed.name = key;
    auto limit = broker_keys().parse_value(renamed, text);
    if (!limit) return std::unexpected(limit.error());
    constexpr std::size_t prefix = std::string_view("listener.name.").size();
    std::string listener = key.substr(prefix, key.size() - prefix - base->size() - 1);
    std::ranges::transform(listener, listener.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    auto& limits = *base == "max.connections" ? listener_max_connections_ : listener_rates_;
    limits.insert_or_assign(std::move(listener), static_cast<std::int32_t>(std::get<std::int64_t>(*limit)));
  }
  return {};
}

const List& BrokerConfig::log_dirs() const {
  const List* dirs = values_.find_list("log.dirs");
  return dirs != nullptr ? *dirs : values_.get_list("log.dir");
}

std::string BrokerConfig::metadata_log_dir() const {
  return values_.find_string("metadata.log.dir").value_or(log_dirs().front());
}

Milliseconds BrokerConfig::log_roll() const {
  if (const auto set = values_.find_long("log.roll.ms")) return Milliseconds(*set);
  return std::chrono::hours(values_.get_int("log.roll.hours"));
}

Milliseconds BrokerConfig::log_roll_jitter() const {
  if (const auto set = values_.find_long("log.roll.jitter.ms")) return Milliseconds(*set);
  return std::chrono::hours(values_.get_int("log.roll.jitter.hours"));
}

Milliseconds BrokerConfig::log_retention() const {
  Milliseconds retention;
  if (const auto ms_set = values_.find_long("log.retention.ms")) {
    retention = Milliseconds(*ms_set);
  } else if (const auto minutes_set = values_.find_int("log.retention.minutes")) {
    retention = std::chrono::minutes(*minutes_set);
  } else {
    retention = std::chrono::hours(values_.get_int("log.retention.hours"));
  }
  return retention < Milliseconds(0) ? Milliseconds(-1) : retention;
}

Milliseconds BrokerConfig::log_flush_interval() const {
  return Milliseconds(
      values_.find_long("log.flush.interval.ms").value_or(values_.get_long("log.flush.scheduler.interval.ms")));
}

std::int32_t BrokerConfig::metadata_log_segment_bytes() const {
  return values_.find_int("internal.metadata.log.segment.bytes")
      .value_or(values_.get_int("metadata.log.segment.bytes"));
}

IoUring BrokerConfig::io_uring() const {
  const std::string& text = values_.get_string("klamm.io.uring");
  if (text == "on") return IoUring::on;
  return text == "off" ? IoUring::off : IoUring::automatic;
}

ConfigValues BrokerConfig::topic_defaults() const {
  ConfigValues defaults;
  for (const Key* key : topic_keys().keys()) {
    const auto synonyms = topic_synonyms(key->name);
    if (synonyms.size() == 1) {
      defaults.set(key->name, values_.value(synonyms.front().broker_key));
    } else {
      defaults.set(key->name, key->default_value());
    }
  }
  defaults.set("segment.ms", std::int64_t{log_roll().count()});
  defaults.set("segment.jitter.ms", std::int64_t{log_roll_jitter().count()});
  defaults.set("flush.ms", std::int64_t{log_flush_interval().count()});
  defaults.set("retention.ms", std::int64_t{log_retention().count()});
  return defaults;
}

}  // namespace klamm::config
