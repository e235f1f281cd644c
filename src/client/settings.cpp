#include "client/settings.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "config/config_def.h"
#include "config/keys.h"
#include "config/validator.h"

namespace klamm::client {

using config::ConfigValues;
using runtime::Duration;
using std::chrono::milliseconds;

std::string HostPort::to_string() const {
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

namespace {

Error config_error(std::string message) {
  return Error::of_kind(kinds::config, std::move(message));
}

// What librdkafka calls otherwise. A property given under both names keeps Kafka's.
constexpr std::pair<std::string_view, std::string_view> aliases[] = {
    {"metadata.broker.list", "bootstrap.servers"},
    {"queue.buffering.max.ms", "linger.ms"},
    {"message.timeout.ms", "delivery.timeout.ms"},
    {"compression.codec", "compression.type"},
    {"request.required.acks", "acks"},
    {"message.send.max.retries", "retries"},
    {"max.in.flight", "max.in.flight.requests.per.connection"},
    {"message.max.bytes", "max.request.size"},
    {"fetch.wait.max.ms", "fetch.max.wait.ms"},
    {"fetch.message.max.bytes", "max.partition.fetch.bytes"},
    {"socket.timeout.ms", "request.timeout.ms"},
    {"topic.metadata.refresh.interval.ms", "metadata.max.age.ms"},
};

constexpr std::pair<std::string_view, std::string_view> reset_aliases[] = {
    {"smallest", "earliest"}, {"beginning", "earliest"}, {"largest", "latest"}, {"end", "latest"}, {"error", "none"}};

Properties with_kafka_names(const Properties& given) {
  Properties named;
  for (const auto& [key, value] : given) {
    const auto* alias =
        std::ranges::find(aliases, std::string_view(key), &std::pair<std::string_view, std::string_view>::first);
    if (alias == std::ranges::end(aliases)) {
      named.insert_or_assign(key, value);
    } else {
      named.emplace(std::string(alias->second), value);
    }
  }
  if (const auto reset = named.find("auto.offset.reset"); reset != named.end()) {
    for (const auto& [theirs, ours] : reset_aliases) {
      if (reset->second == theirs) reset->second = ours;
    }
  }
  return named;
}

Result<ConfigValues> parse(const config::ConfigDef& definition, Properties properties, bool with_bootstrap) {
  // Classes of Java mean nothing here; bootstrap servers are looked at with the connections.
  for (const auto* key : {"key.serializer", "value.serializer", "key.deserializer", "value.deserializer"}) {
    properties.emplace(key, "bytes");
  }
  if (!with_bootstrap) properties.insert_or_assign("bootstrap.servers", "localhost:9092");
  auto values = definition.parse(properties);
  if (!values) return Error::of_kind(kinds::config, values.error().message);
  return *std::move(values);
}

void warn_of_unknown(const Properties& given, const Logger& log) {
  std::string unknown;
  for (const auto& [key, value] : with_kafka_names(given)) {
    if (config::producer_keys().find(key) != nullptr || config::consumer_keys().find(key) != nullptr ||
        config::admin_keys().find(key) != nullptr) {
      continue;
    }
    if (!unknown.empty()) unknown += ", ";
    unknown += key;
  }
  if (!unknown.empty()) log.warn("These configurations '[{}]' were supplied but are not used yet.", unknown);
}

milliseconds ms(const ConfigValues& values, std::string_view key) {
  // LONG and INT alike; what is longer than 100 years is as good as for ever and must not overflow a time.
  const std::int64_t value = std::get<std::int64_t>(values.value(key));
  return milliseconds(std::clamp<std::int64_t>(value, 0, std::int64_t{100} * 365 * 24 * 3600 * 1000));
}

constexpr const char* invalid_configuration = "org.apache.kafka.common.errors.InvalidConfigurationException";

std::optional<std::string> text_of(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found == properties.end() ? std::nullopt : std::optional(found->second);
}

// What the other group protocol alone knows may not be set.
std::optional<Error> foreign_to_protocol(const Properties& properties, GroupProtocol protocol) {
  constexpr std::string_view of_others[] = {"group.remote.assignor", "share.acknowledgement.mode",
                                            "share.acquire.mode"};
  constexpr std::string_view of_classic[] = {"partition.assignment.strategy", "heartbeat.interval.ms",
                                             "session.timeout.ms", "share.acknowledgement.mode", "share.acquire.mode"};
  std::string found;
  const bool classic = protocol == GroupProtocol::classic;
  const auto look = [&](std::string_view key) {
    const std::string value = text_of(properties, key).value_or("");
    if (value.find_first_not_of(" \t\r\n") == std::string::npos) return;
    if (!found.empty()) found += ", ";
    found += key;
  };
  if (classic) {
    std::ranges::for_each(of_others, look);
  } else {
    std::ranges::for_each(of_classic, look);
  }
  if (found.empty()) return std::nullopt;
  return config_error(fmt::format("{} cannot be set when group.protocol={}", found, classic ? "CLASSIC" : "CONSUMER"));
}

Result<std::optional<GroupSettings>> group_settings(const Properties& properties, const ConfigValues& values) {
  const std::string protocol = values.get_string("group.protocol");
  GroupSettings settings;
  settings.protocol =
      protocol.starts_with('c') && protocol.ends_with('r') ? GroupProtocol::consumer : GroupProtocol::classic;
  if (auto foreign = foreign_to_protocol(properties, settings.protocol)) return *std::move(foreign);
  const auto id = text_of(properties, "group.id");
  const bool asked = properties.contains("enable.auto.commit");
  settings.auto_commit = values.get_bool("enable.auto.commit");
  if (!id) {
    if (asked && settings.auto_commit) {
      return Error::of_kind(invalid_configuration,
                            "enable.auto.commit cannot be set to true when default group id (null) is used.");
    }
    return std::optional<GroupSettings>();
  }
  if (id->find_first_not_of(" \t\r\n") == std::string::npos) {
    return Error(ErrorCode::invalid_group_id, "The configured group.id should not be an empty string or whitespace.");
  }
  settings.id = *id;
  settings.instance_id = text_of(properties, "group.instance.id");
  settings.remote_assignor = text_of(properties, "group.remote.assignor");
  for (const std::string& name : values.get_list("partition.assignment.strategy")) {
    const auto assignor = assignor_of_class(name);
    if (!assignor)
      return Error::of_kind(kinds::kafka, fmt::format("{} ClassNotFoundException exception occurred", name));
    settings.assignors.push_back(*assignor);
  }
  if (settings.assignors.empty() && settings.protocol == GroupProtocol::classic) {
    return config_error(
        "Choose a partition assignment strategy by setting the partition.assignment.strategy configuration");
  }
  settings.session_timeout = ms(values, "session.timeout.ms");
  settings.heartbeat_interval = ms(values, "heartbeat.interval.ms");
  if (settings.protocol == GroupProtocol::classic && settings.heartbeat_interval >= settings.session_timeout) {
    return Error::of_kind(kinds::illegal_argument, "Heartbeat must be set lower than the session timeout");
  }
  settings.poll_interval_max = ms(values, "max.poll.interval.ms");
  settings.auto_commit_interval = ms(values, "auto.commit.interval.ms");
  return std::optional(std::move(settings));
}

Result<std::optional<TransactionSettings>> transaction_settings(const Properties& properties,
                                                                const ConfigValues& values, bool idempotent) {
  const auto id = text_of(properties, "transactional.id");
  if (id && !idempotent) {
    return config_error("Cannot set a transactional.id without also enabling idempotence.");
  }
  if (values.get_bool("transaction.two.phase.commit.enable")) {
    return config_error(
        "Invalid value true for configuration transaction.two.phase.commit.enable: only the producer itself can decide "
        "over its transactions");
  }
  if (!id) return std::optional<TransactionSettings>();
  return std::optional(TransactionSettings{*id, milliseconds(values.get_int("transaction.timeout.ms"))});
}

}  // namespace

Result<std::vector<HostPort>> parse_bootstrap_servers(std::string_view text) {
  std::vector<HostPort> servers;
  for (const std::string& url : config::split_list(text)) {
    if (url.empty()) continue;
    // "host:port", "[v6]:port", "PROTOCOL://host:port"
    std::string_view rest = url;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
      return config_error(fmt::format("Invalid url in bootstrap.servers: {}", url));
    std::string_view host = rest.substr(0, colon);
    const std::string_view number = rest.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    int port = 0;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), port);
    if (failed != std::errc() || end != number.data() + number.size() || host.empty()) {
      return config_error(fmt::format("Invalid url in bootstrap.servers: {}", url));
    }
    if (port < 0 || port > 65535) return config_error(fmt::format("Invalid port in bootstrap.servers: {}", url));
    servers.push_back({std::string(host), static_cast<std::uint16_t>(port)});
  }
  return servers;
}

Result<ConnectionSettings> connection_settings(const Properties& given) {
  const Properties properties = with_kafka_names(given);
  const auto set = [&](std::string_view key) { return properties.contains(key); };
  Result<ConfigValues> parsed = parse(config::admin_keys(), properties, true);
  if (!parsed) return std::move(parsed).error();
  const ConfigValues& values = *parsed;

  if (const std::string protocol = values.get_string("security.protocol");
      !std::ranges::equal(protocol, std::string_view("plaintext"),
                          [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; })) {
    return config_error(fmt::format(
        "Invalid value {} for configuration security.protocol: TLS and SASL are not supported yet", protocol));
  }
  ConnectionSettings settings;
  const bool servers = set("bootstrap.servers");
  settings.to_controllers = !servers && set("bootstrap.controllers");
  const auto& list = properties.find(settings.to_controllers ? "bootstrap.controllers" : "bootstrap.servers");
  auto bootstrap =
      parse_bootstrap_servers(list == properties.end() ? std::string_view() : std::string_view(list->second));
  if (!bootstrap) return std::move(bootstrap).error();
  if (bootstrap->empty()) return config_error("No resolvable bootstrap urls given in bootstrap.servers");
  settings.bootstrap = *std::move(bootstrap);
  settings.client_id = values.get_string("client.id");
  settings.request_timeout = ms(values, "request.timeout.ms");
  settings.default_api_timeout = ms(values, "default.api.timeout.ms");
  if (settings.default_api_timeout < settings.request_timeout) {
    if (set("default.api.timeout.ms") && set("request.timeout.ms")) {
      return config_error(
          "The specified value of default.api.timeout.ms must be no smaller than the value of request.timeout.ms.");
    }
    if (set("default.api.timeout.ms")) settings.request_timeout = settings.default_api_timeout;
    settings.default_api_timeout = std::max(settings.default_api_timeout, settings.request_timeout);
  }
  settings.retry_backoff = ms(values, "retry.backoff.ms");
  settings.retry_backoff_max = ms(values, "retry.backoff.max.ms");
  settings.reconnect_backoff = ms(values, "reconnect.backoff.ms");
  settings.reconnect_backoff_max = ms(values, "reconnect.backoff.max.ms");
  settings.setup_timeout = ms(values, "socket.connection.setup.timeout.ms");
  settings.setup_timeout_max = ms(values, "socket.connection.setup.timeout.max.ms");
  settings.idle_max = values.get_long("connections.max.idle.ms") < 0
                          ? Duration(milliseconds(std::int64_t{100} * 365 * 24 * 3600 * 1000))
                          : Duration(ms(values, "connections.max.idle.ms"));
  settings.metadata_age_max = ms(values, "metadata.max.age.ms");
  const std::string strategy = values.get_string("metadata.recovery.strategy");
  const bool rebootstrap = strategy.starts_with('r') || strategy.starts_with('R');
  settings.rebootstrap_after =
      rebootstrap ? Duration(ms(values, "metadata.recovery.rebootstrap.trigger.ms")) : Duration::zero();
  settings.retries = values.get_int("retries");
  settings.socket.send_buffer_bytes = set("send.buffer.bytes") ? values.get_int("send.buffer.bytes") : -1;
  settings.socket.receive_buffer_bytes = set("receive.buffer.bytes") ? values.get_int("receive.buffer.bytes") : -1;
  return settings;
}

Result<ProducerSettings> producer_settings(const Properties& given, const Logger& log) {
  const Properties properties = with_kafka_names(given);
  const auto set = [&](std::string_view key) { return properties.contains(key); };
  Result<ConfigValues> parsed = parse(config::producer_keys(), properties, false);
  if (!parsed) return std::move(parsed).error();
  const ConfigValues& values = *parsed;
  warn_of_unknown(given, log);

  ProducerSettings settings;
  const std::string acks = values.get_string("acks");
  settings.acks = acks == "0" ? Acks::none : acks == "1" ? Acks::leader : Acks::all;
  settings.retries = values.get_int("retries");
  settings.in_flight_max = values.get_int("max.in.flight.requests.per.connection");
  // Idempotence that was not asked for gives way to settings that it cannot be had with.
  settings.idempotent = values.get_bool("enable.idempotence");
  if (settings.idempotent) {
    std::string why;
    if (settings.retries == 0) {
      why = "Must set retries to non-zero when using the idempotent producer.";
    } else if (settings.acks != Acks::all) {
      why = "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.";
    }
    if (!why.empty() && set("enable.idempotence")) return config_error(why);
    if (settings.in_flight_max > 5) {
      return config_error(
          fmt::format("To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most 5. "
                      "Current value is {}.",
                      settings.in_flight_max));
    }
    settings.idempotent = why.empty();
  }
  if (const auto transactions = transaction_settings(properties, values, settings.idempotent); !transactions) {
    return transactions.error();
  } else {
    settings.transactions = *transactions;
  }
  settings.batch_bytes = static_cast<std::size_t>(std::max(1, values.get_int("batch.size")));
  settings.memory_bytes = static_cast<std::size_t>(values.get_long("buffer.memory"));
  settings.request_bytes_max = static_cast<std::size_t>(values.get_int("max.request.size"));
  const auto type = records::compression_of_name(values.get_string("compression.type"));
  settings.compression = {type.value_or(records::CompressionType::none), {}};
  if (settings.compression.type == records::CompressionType::gzip)
    settings.compression.level = values.get_int("compression.gzip.level");
  if (settings.compression.type == records::CompressionType::lz4)
    settings.compression.level = values.get_int("compression.lz4.level");
  if (settings.compression.type == records::CompressionType::zstd)
    settings.compression.level = values.get_int("compression.zstd.level");
  settings.linger = ms(values, "linger.ms");
  settings.request_timeout = ms(values, "request.timeout.ms");
  settings.delivery_timeout = ms(values, "delivery.timeout.ms");
  if (settings.delivery_timeout < settings.linger + settings.request_timeout) {
    if (set("delivery.timeout.ms")) {
      return config_error("delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms");
    }
    settings.delivery_timeout = settings.linger + settings.request_timeout;
  }
  settings.max_block = ms(values, "max.block.ms");
  settings.retry_backoff = ms(values, "retry.backoff.ms");
  settings.retry_backoff_max = ms(values, "retry.backoff.max.ms");
  settings.ignore_keys = values.get_bool("partitioner.ignore.keys");
  settings.adaptive_partitioning = values.get_bool("partitioner.adaptive.partitioning.enable");
  return settings;
}

Result<ConsumerSettings> consumer_settings(const Properties& given, const Logger& log) {
  const Properties properties = with_kafka_names(given);
  Result<ConfigValues> parsed = parse(config::consumer_keys(), properties, false);
  if (!parsed) return std::move(parsed).error();
  const ConfigValues& values = *parsed;
  warn_of_unknown(given, log);

  ConsumerSettings settings;
  Result<std::optional<GroupSettings>> group = group_settings(properties, values);
  if (!group) return std::move(group).error();
  settings.group = *std::move(group);
  settings.exclude_internal_topics = values.get_bool("exclude.internal.topics");
  settings.isolation = values.get_string("isolation.level") == "read_committed" ? Isolation::read_committed
                                                                                : Isolation::read_uncommitted;
  const std::string reset = values.get_string("auto.offset.reset");
  constexpr std::string_view by_duration = "by_duration:";
  if (reset == "earliest") {
    settings.reset.kind = OffsetReset::Kind::earliest;
  } else if (reset == "none") {
    settings.reset.kind = OffsetReset::Kind::none;
  } else if (reset.starts_with(by_duration)) {
    settings.reset.kind = OffsetReset::Kind::by_duration;
    settings.reset.back =
        milliseconds(config::parse_iso_duration_ms(std::string_view(reset).substr(by_duration.size())).value_or(0));
  }
  settings.fetch_bytes_min = values.get_int("fetch.min.bytes");
  settings.fetch_bytes_max = values.get_int("fetch.max.bytes");
  settings.partition_bytes_max = values.get_int("max.partition.fetch.bytes");
  settings.poll_records_max = values.get_int("max.poll.records");
  settings.fetch_wait_max = ms(values, "fetch.max.wait.ms");
  settings.request_timeout = ms(values, "request.timeout.ms");
  settings.default_api_timeout = ms(values, "default.api.timeout.ms");
  settings.retry_backoff = ms(values, "retry.backoff.ms");
  settings.retry_backoff_max = ms(values, "retry.backoff.max.ms");
  settings.check_crcs = values.get_bool("check.crcs");
  settings.allow_auto_create = values.get_bool("allow.auto.create.topics");
  settings.rack = values.get_string("client.rack");
  return settings;
}

Result<void> check_admin_properties(const Properties& properties, const Logger& log) {
  warn_of_unknown(properties, log);
  return {};
}

}  // namespace klamm::client
