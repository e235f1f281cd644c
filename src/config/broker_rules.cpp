#include "config/broker_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <initializer_list>

#include "config/keys.h"
#include "config/topic_config.h"

namespace klamm::config {
namespace {

// A requirement and what is said when it is not met.
struct Rule {
  bool holds;
  std::string text;
};

Checked<void> require_all(std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    if (!rule.holds) return requirement_failed(rule.text);
  }
  return {};
}

enum class Order : std::uint8_t { at_least, at_most, below };

struct Relation {
  std::string_view left;
  Order order;
  std::string_view right;
};

constexpr Relation group_relations[] = {
    {"group.consumer.max.heartbeat.interval.ms", Order::at_least, "group.consumer.min.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", Order::at_least, "group.consumer.min.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", Order::at_most, "group.consumer.max.heartbeat.interval.ms"},
    {"group.consumer.max.session.timeout.ms", Order::at_least, "group.consumer.min.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", Order::at_least, "group.consumer.min.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", Order::at_most, "group.consumer.max.session.timeout.ms"},
    {"group.consumer.heartbeat.interval.ms", Order::below, "group.consumer.session.timeout.ms"},
    {"group.consumer.max.assignment.interval.ms", Order::at_least, "group.consumer.min.assignment.interval.ms"},
    {"group.consumer.assignment.interval.ms", Order::at_least, "group.consumer.min.assignment.interval.ms"},
    {"group.consumer.assignment.interval.ms", Order::at_most, "group.consumer.max.assignment.interval.ms"},
    {"group.share.max.heartbeat.interval.ms", Order::at_least, "group.share.min.heartbeat.interval.ms"},
    {"group.share.heartbeat.interval.ms", Order::at_least, "group.share.min.heartbeat.interval.ms"},
    {"group.share.heartbeat.interval.ms", Order::at_most, "group.share.max.heartbeat.interval.ms"},
    {"group.share.max.session.timeout.ms", Order::at_least, "group.share.min.session.timeout.ms"},
    {"group.share.session.timeout.ms", Order::at_least, "group.share.min.session.timeout.ms"},
    {"group.share.session.timeout.ms", Order::at_most, "group.share.max.session.timeout.ms"},
    {"group.share.heartbeat.interval.ms", Order::below, "group.share.session.timeout.ms"},
    {"group.share.max.assignment.interval.ms", Order::at_least, "group.share.min.assignment.interval.ms"},
    {"group.share.assignment.interval.ms", Order::at_least, "group.share.min.assignment.interval.ms"},
    {"group.share.assignment.interval.ms", Order::at_most, "group.share.max.assignment.interval.ms"},
    {"group.streams.max.heartbeat.interval.ms", Order::at_least, "group.streams.min.heartbeat.interval.ms"},
    {"group.streams.heartbeat.interval.ms", Order::at_least, "group.streams.min.heartbeat.interval.ms"},
    {"group.streams.heartbeat.interval.ms", Order::at_most, "group.streams.max.heartbeat.interval.ms"},
    {"group.streams.max.session.timeout.ms", Order::at_least, "group.streams.min.session.timeout.ms"},
    {"group.streams.session.timeout.ms", Order::at_least, "group.streams.min.session.timeout.ms"},
    {"group.streams.session.timeout.ms", Order::at_most, "group.streams.max.session.timeout.ms"},
    {"group.streams.heartbeat.interval.ms", Order::below, "group.streams.session.timeout.ms"},
    {"group.streams.max.assignment.interval.ms", Order::at_least, "group.streams.min.assignment.interval.ms"},
    {"group.streams.assignment.interval.ms", Order::at_least, "group.streams.min.assignment.interval.ms"},
    {"group.streams.assignment.interval.ms", Order::at_most, "group.streams.max.assignment.interval.ms"},
    {"group.streams.num.standby.replicas", Order::at_most, "group.streams.max.standby.replicas"},
    {"group.share.max.delivery.count.limit", Order::at_least, "group.share.delivery.count.limit"},
    {"group.share.delivery.count.limit", Order::at_least, "group.share.min.delivery.count.limit"},
    {"group.share.max.partition.max.record.locks", Order::at_least, "group.share.partition.max.record.locks"},
    {"group.share.partition.max.record.locks", Order::at_least, "group.share.min.partition.max.record.locks"},
    {"group.share.record.lock.duration.ms", Order::at_least, "group.share.min.record.lock.duration.ms"},
    {"group.share.max.record.lock.duration.ms", Order::at_least, "group.share.record.lock.duration.ms"},
    {"group.share.max.share.sessions", Order::at_least, "group.share.max.size"},
};

bool holds(const Relation& relation, const ConfigValues& values) {
  const std::int32_t left = values.get_int(relation.left);
  const std::int32_t right = values.get_int(relation.right);
  switch (relation.order) {
    case Order::at_least:
      return left >= right;
    case Order::at_most:
      return left <= right;
    case Order::below:
      return left < right;
  }
  return false;
}

std::string_view order_text(Order order) {
  switch (order) {
    case Order::at_least:
      return "greater than or equal to";
    case Order::at_most:
      return "less than or equal to";
    case Order::below:
      return "less than";
  }
  return "";
}

std::string names_of(const std::vector<Listener>& listeners) {
  std::vector<std::string_view> names;
  for (const Listener& listener : listeners) names.push_back(listener.name);
  return fmt::format("{}", fmt::join(names, ","));
}

bool has_listener(const std::vector<Listener>& listeners, std::string_view name) {
  return std::ranges::any_of(listeners, [&](const Listener& listener) { return listener.name == name; });
}

// As Scala prints a set.
std::string voter_ids(const BrokerConfig& config) {
  std::vector<std::int32_t> ids;
  for (const Voter& voter : config.voters()) ids.push_back(voter.id);
  return fmt::format("Set({})", fmt::join(ids, ", "));
}

Checked<void> check_numbers(const BrokerConfig& config) {
  const ConfigValues& values = config.values();
  if (values.get_int("node.id") != values.get_int("broker.id")) {
    return refuse(ErrorKind::config, "You must set `node.id` to the same value as `broker.id`.");
  }
  const std::int32_t cleaners = values.get_int("log.cleaner.threads");
  if (cleaners == 0) return refuse(ErrorKind::arithmetic, "/ by zero");
  const std::int32_t fetch_wait = values.get_int("replica.fetch.wait.max.ms");
  return require_all({
      {config.log_roll().count() >= 1, "log.roll.ms must be greater than or equal to 1"},
      {config.log_roll_jitter().count() >= 0, "log.roll.jitter.ms must be greater than or equal to 0"},
      {config.log_retention().count() >= 1 || config.log_retention().count() == -1,
       "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
      {!config.log_dirs().empty(), "At least one log directory must be defined via log.dirs or log.dir."},
      {values.get_long("log.cleaner.dedupe.buffer.size") / cleaners > 1024 * 1024,
       "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."},
      {fetch_wait <= values.get_int("replica.socket.timeout.ms"),
       "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket "
       "timeouts"},
      {fetch_wait <= values.get_long("replica.lag.time.max.ms"),
       "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent "
       "changes "
       "in ISR"},
  });
}

void warn_of_heartbeats(const BrokerConfig& config, std::vector<std::string>& warnings) {
  const std::int64_t interval = config.values().get_int("broker.heartbeat.interval.ms");
  const std::int64_t session = config.values().get_int("broker.session.timeout.ms");
  if (interval * 2 <= session) return;
  warnings.push_back(
      fmt::format("broker.heartbeat.interval.ms ({} ms) must be less than or equal to half of the "
                  "broker.session.timeout.ms ({} ms). "
                  "The broker.session.timeout.ms is configured on controller. The broker.heartbeat.interval.ms is "
                  "configured on broker. "
                  "If a broker doesn't send heartbeat request within broker.session.timeout.ms, it loses broker lease. "
                  "Please increase broker.session.timeout.ms or decrease broker.heartbeat.interval.ms.",
                  interval, session));
}

Checked<void> check_early_start_listeners(const BrokerConfig& config) {
  const List* names = config.values().find_list("early.start.listeners");
  if (names == nullptr) return {};
  for (const std::string& name : *names) {
    if (!has_listener(config.listeners(), name)) {
      return refuse(ErrorKind::config,
                    fmt::format("early.start.listeners contains listener {}, but this is not contained in listeners or "
                                "controller.listener.names",
                                name));
    }
  }
  return {};
}

Checked<void> check_group_protocols(const BrokerConfig& config) {
  const List& protocols = config.values().get_list("group.coordinator.rebalance.protocols");
  if (std::ranges::find(protocols, "classic") != protocols.end()) return {};
  return refuse(ErrorKind::config, "Disabling the 'classic' protocol is not supported.");
}

Checked<void> check_quorum_is_named(const BrokerConfig& config) {
  if (!config.voters().empty() || !config.bootstrap_controllers().empty()) return {};
  return refuse(ErrorKind::config,
                "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap "
                "controllers or controller.quorum.voters must contain a parseable set of controllers.");
}

bool is_voter(const BrokerConfig& config) {
  return std::ranges::find(config.voters(), config.node_id().value, &Voter::id) != config.voters().end();
}

Checked<void> check_broker_alone(const BrokerConfig& config, std::vector<std::string>& warnings) {
  const List& names = config.controller_listener_names();
  auto checked = require_all({
      {!is_voter(config),
       fmt::format("If process.roles contains just the 'broker' role, the node id {} must not be included in "
                   "the set of voters controller.quorum.voters={}",
                   config.node_id(), voter_ids(config))},
      {!names.empty(),
       "controller.listener.names must contain at least one value when running KRaft with just the broker role"},
      {config.controller_listeners().empty(),
       "controller.listener.names must not contain a value appearing in the 'listeners' "
       "configuration when running KRaft with just the broker role"},
  });
  if (!checked) return checked;
  for (const std::string& each : names) {
    std::string name = each;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (config.security_protocols().contains(name)) continue;
    return refuse(
        ErrorKind::config,
        fmt::format("Controller listener with name {} defined in controller.listener.names not found in "
                    "listener.security.protocol.map  (an explicit security mapping for each controller listener is "
                    "required if listener.security.protocol.map is non-empty, or if there are security protocols "
                    "other than PLAINTEXT in use)",
                    name));
  }
  if (names.size() > 1) {
    warnings.push_back(
        fmt::format("controller.listener.names has multiple entries; only the first will be used since "
                    "process.roles=broker: [{}]",
                    fmt::join(names, ", ")));
  }
  return require_all(
      {{!config.values().get_bool("controller.quorum.auto.join.enable"),
        "controller.quorum.auto.join.enable is only supported when process.roles contains the 'controller' role."}});
}

Checked<void> check_controller(const BrokerConfig& config) {
  const List& names = config.controller_listener_names();
  if (!config.is_broker()) {
    const bool inter_broker_set = config.values().find_string("inter.broker.listener.name").has_value();
    const bool among_controllers = std::ranges::find(names, config.inter_broker_listener()) != names.end();
    auto checked = require_all({
        {config.advertised_controller_listeners().size() == config.listeners().size(),
         "The listeners config must only contain KRaft controller listeners from controller.listener.names when "
         "process.roles=controller"},
        {!inter_broker_set || !among_controllers,
         "controller.listener.names must not contain an explicitly set inter.broker.listener.name configuration value "
         "when "
         "process.roles=controller'"},
    });
    if (!checked) return checked;
  }
  return require_all({
      {config.voters().empty() || is_voter(config),
       fmt::format(
           "If process.roles contains the 'controller' role, the node id {} must be included in the set of voters "
           "controller.quorum.voters={}",
           config.node_id(), voter_ids(config))},
      {!config.advertised_controller_listeners().empty(),
       "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when "
       "running the "
       "KRaft controller role"},
      {std::ranges::all_of(names, [&](const std::string& name) { return has_listener(config.listeners(), name); }),
       "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the "
       "KRaft "
       "controller role"},
  });
}

Checked<void> check_roles(const BrokerConfig& config, std::vector<std::string>& warnings) {
  if (config.mode() != Mode::kraft) return {};
  if (auto checked = check_quorum_is_named(config); !checked) return checked;
  return config.is_controller() ? check_controller(config) : check_broker_alone(config, warnings);
}

Checked<void> check_cordoned(const BrokerConfig& config) {
  const List* cordoned = config.values().find_list("cordoned.log.dirs");
  if (cordoned == nullptr) return {};
  if (std::ranges::find(*cordoned, "*") != cordoned->end()) {
    return require_all(
        {{cordoned->size() == 1, "When cordoned.log.dirs is set to *, it must not contain other values"}});
  }
  std::vector<std::string> missing;
  for (const std::string& directory : *cordoned) {
    if (std::ranges::find(config.log_dirs(), directory) == config.log_dirs().end()) missing.push_back(directory);
  }
  return require_all(
      {{missing.empty(), fmt::format("All entries in cordoned.log.dirs must be present in log.dirs or log.dir. "
                                     "Missing entries : {}",
                                     fmt::join(missing, ", "))}});
}

Checked<void> check_broker_listeners(const BrokerConfig& config) {
  const std::vector<Listener>& advertised = config.advertised_listeners();
  const bool subset =
      std::ranges::all_of(advertised, [&](const Listener& l) { return has_listener(config.listeners(), l.name); });
  auto checked = require_all({
      {!advertised.empty(),
       "There must be at least one broker advertised listener. Perhaps all listeners appear in "
       "controller.listener.names?"},
      {has_listener(advertised, config.inter_broker_listener()),
       fmt::format("inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid "
                   "options based "
                   "on currently configured listeners are {}",
                   names_of(advertised))},
      {subset,
       fmt::format("advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "
                   "Found {}. The valid options based on the current configuration are {}",
                   names_of(advertised), names_of(config.listeners()))},
  });
  return checked ? check_cordoned(config) : checked;
}

Checked<void> check_connections(const BrokerConfig& config) {
  const ConfigValues& values = config.values();
  const std::int64_t queued = config.queued_max_request_bytes();
  auto checked = require_all({
      {queued <= 0 || queued >= config.socket_request_max_bytes(),
       "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"},
      {config.max_connections_per_ip() != 0 || !config.max_connections_per_ip_overrides().empty(),
       "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."},
  });
  if (!checked) return checked;
  std::vector<std::string> invalid;
  for (const auto& [host, limit] : config.max_connections_per_ip_overrides()) {
    if (!is_valid_host(host)) invalid.push_back(host);
  }
  if (!invalid.empty()) {
    return refuse(
        ErrorKind::illegal_argument,
        fmt::format("max.connections.per.ip.overrides contains invalid addresses : {}", fmt::join(invalid, ",")));
  }
  const std::int32_t delay = values.get_int("connection.failed.authentication.delay.ms");
  const std::int64_t idle = config.connections_max_idle().count();
  return require_all(
      {{idle < 0 || delay < idle,
        fmt::format("connection.failed.authentication.delay.ms={} should always be less than "
                    "connections.max.idle.ms={} to prevent failed authentication responses from timing out",
                    delay, idle)}});
}

Checked<void> check_sasl(const BrokerConfig& config) {
  const SecurityProtocol protocol = config.inter_broker_security_protocol();
  if (protocol != SecurityProtocol::sasl_plaintext && protocol != SecurityProtocol::sasl_ssl) return {};
  std::string prefix = fmt::format("listener.name.{}.", config.inter_broker_listener());
  std::ranges::transform(prefix, prefix.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  List enabled = config.values().get_list("sasl.enabled.mechanisms");
  const auto own = config.originals().find(prefix + "sasl.enabled.mechanisms");
  if (own != config.originals().end()) enabled = split_list(java_trim(own->second));
  const auto mechanism = config.values().find_string("sasl.mechanism.inter.broker.protocol");
  return require_all(
      {{mechanism && std::ranges::find(enabled, *mechanism) != enabled.end(),
        "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for "
        "inter-broker communication"}});
}

Checked<void> check_advertised_hosts(const BrokerConfig& config) {
  const auto everywhere = [](const Listener& listener) { return listener.host == "0.0.0.0"; };
  const bool bad = std::ranges::any_of(config.advertised_listeners(), everywhere) ||
                   std::ranges::any_of(config.advertised_controller_listeners(), everywhere);
  return require_all(
      {{!bad, "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."}});
}

// The values that topics get must be valid for topics.
Checked<void> check_topic_defaults(const BrokerConfig& config) {
  if (!config.is_broker()) return {};
  const auto values = topic_values(config, {});
  return values ? check_compaction_lags(*values) : std::unexpected(values.error());
}

// Assignors go by their short names or by the names of Kafka's classes; other classes cannot be loaded.
struct Assignors {
  std::string_view key;
  std::span<const std::string_view> known;
};
constexpr std::string_view consumer_assignors[] = {"uniform", "range",
                                                   "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
                                                   "org.apache.kafka.coordinator.group.assignor.RangeAssignor"};
constexpr std::string_view share_assignors[] = {"simple", "org.apache.kafka.coordinator.group.assignor.SimpleAssignor"};
constexpr Assignors assignors_of[] = {{"group.consumer.assignors", consumer_assignors},
                                      {"group.share.assignors", share_assignors}};

Checked<void> check_assignors(const ConfigValues& values) {
  for (const Assignors& assignors : assignors_of) {
    for (const std::string& name : values.get_list(assignors.key)) {
      if (std::ranges::find(assignors.known, name) != assignors.known.end()) continue;
      return refuse(ErrorKind::kafka, fmt::format("Class {} cannot be found", name));
    }
  }
  return {};
}

Checked<void> check_codec(const ConfigValues& values, std::string_view key) {
  const std::int32_t id = values.get_int(key);
  if (id >= 0 && id <= 4) return {};
  return refuse(ErrorKind::illegal_argument, fmt::format("Unknown compression type id: {}", id));
}

}  // namespace

Checked<void> check_group_rules(const ConfigValues& values) {
  for (const std::string_view key :
       {"offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"}) {
    if (auto checked = check_codec(values, key); !checked) return checked;
  }
  if (auto checked = check_assignors(values); !checked) return checked;
  const std::size_t assignors = values.get_list("group.share.assignors").size();
  if (assignors != 1) {
    return refuse(ErrorKind::illegal_argument,
                  fmt::format("group.share.assignors must contain exactly one assignor, but found {}", assignors));
  }
  for (const Relation& relation : group_relations) {
    if (holds(relation, values)) continue;
    return refuse(ErrorKind::illegal_argument,
                  fmt::format("{} must be {} {}", relation.left, order_text(relation.order), relation.right));
  }
  return {};
}

Checked<void> check_broker_rules(const BrokerConfig& config, std::vector<std::string>& warnings) {
  warn_of_heartbeats(config, warnings);
  const std::initializer_list<std::function<Checked<void>()>> checks = {
      [&] { return check_early_start_listeners(config); },
      [&] { return check_group_protocols(config); },
      [&] { return check_numbers(config); },
      [&] { return check_roles(config, warnings); },
      [&] { return config.is_broker() ? check_broker_listeners(config) : Checked<void>{}; },
      [&] { return check_advertised_hosts(config); },
      [&] { return check_sasl(config); },
      [&] { return check_connections(config); },
      [&] { return check_topic_defaults(config); },
  };
  for (const auto& check : checks) {
    if (auto checked = check(); !checked) return checked;
  }
  return {};
}

}  // namespace klamm::config
