#include "config/dynamic_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/keys.h"
#include "config/refusals.h"

namespace klamm::config {
namespace {

// Keys whose names say how many threads Apache Kafka would have; a step may halve or double them.
constexpr std::string_view thread_counts[] = {"num.io.threads", "num.replica.fetchers",
                                              "num.recovery.threads.per.data.dir", "background.threads",
                                              "num.network.threads"};

std::vector<std::string> keys_where(const Properties& properties, auto predicate) {
  std::vector<std::string> names;
  for (const auto& [name, value] : properties) {
    if (predicate(name)) names.push_back(name);
  }
  return names;
}

bool is_read_only(std::string_view name) {
  return broker_keys().find(name) != nullptr && dynamic_broker_keys().find(name) == nullptr;
}

bool is_cluster_wide_listener_key(std::string_view name) {
  return name == "max.connections" || name == "max.connection.creation.rate" || name == "num.network.threads";
}

bool is_per_broker(std::string_view name) {
  if (const Key* key = dynamic_broker_keys().find(name)) return key->update == Update::per_broker;
  const auto base = listener_base_key(name);
  return base && !is_cluster_wide_listener_key(*base);
}

// Names and types only: keys behind a listener's prefix count as their base.
Checked<void> check_types(const Properties& properties) {
  Properties base;
  for (const auto& [name, value] : properties)
    base.insert_or_assign(std::string(listener_base_key(name).value_or(name)), value);
  const auto values = dynamic_broker_keys().parse(base);
  return values ? Checked<void>{} : std::unexpected(values.error());
}

// What may stand in a layer; the rest is told in `problems`.
Properties usable(const Properties& layer, bool per_broker, std::vector<std::string>* problems) {
  Properties kept = layer;
  const auto drop = [&](const std::vector<std::string>& names, std::string_view why) {
    if (names.empty()) return;
    for (const std::string& name : names) kept.erase(name);
    if (problems != nullptr) problems->push_back(fmt::format("{}: [{}]", why, fmt::join(names, ", ")));
  };
  const auto invalid = keys_where(kept, [&](const std::string& name) { return !check_types({{name, kept.at(name)}}); });
  const std::string_view source = per_broker ? "broker" : "default cluster";
  if (!invalid.empty()) {
    for (const std::string& name : invalid) kept.erase(name);
    if (problems != nullptr) {
      problems->push_back(
          fmt::format("Dynamic {} config contains invalid values in: [{}], these configs will be ignored", source,
                      fmt::join(invalid, ", ")));
    }
  }
  drop(keys_where(kept, is_read_only), "Non-dynamic configs will be ignored");
  drop(keys_where(kept, needs_listener_prefix),
       "Security configs can be dynamically updated only using listener prefix, base configs will be ignored");
  if (!per_broker) {
    drop(keys_where(kept, is_per_broker), "Per-broker configs defined at default cluster level will be ignored");
  }
  return kept;
}

// Lays `over` on `properties`. A key of a family (log.retention.ms, .minutes, .hours) drives out its relatives below,
// so that the layer counts and not the family's own order.
void override_with(Properties& properties, const Properties& over) {
  for (const auto& [name, value] : over) {
    for (const std::string& synonym : broker_synonyms(name, false)) properties.erase(synonym);
    properties.insert_or_assign(name, value);
  }
}

std::unexpected<ConfigError> as_request_error(const ConfigError& error) {
  return refuse(ErrorKind::invalid_request, error.message);
}

// Kafka hands the exception to a constructor that takes it for a value, and this is what people see.
std::unexpected<ConfigError> not_reconfigurable(std::string_view why) {
  return refuse(
      ErrorKind::invalid_request,
      fmt::format("Invalid value org.apache.kafka.common.config.ConfigException: {} for configuration Invalid dynamic "
                  "configuration",
                  why));
}

Checked<void> check_thread_counts(const BrokerConfig& before, const BrokerConfig& after) {
  for (const std::string_view key : thread_counts) {
    const std::int64_t was = before.values().get_int(key);
    const std::int64_t is = after.values().get_int(key);
    if (is == was) continue;
    const std::string failed = fmt::format("Dynamic thread count update validation failed for {}={}", key, is);
    if (is < was / 2)
      return not_reconfigurable(fmt::format("{}, value should be at least half the current value {}", failed, was));
    if (is > was * 2) {
      return not_reconfigurable(
          fmt::format("{}, value should not be greater than double the current value {}", failed, was));
    }
  }
  const std::int64_t was = before.values().get_int("log.cleaner.threads");
  const std::int64_t is = after.values().get_int("log.cleaner.threads");
  if (is < 1) return not_reconfigurable("Log cleaner threads should be at least 1");
  if (is < was / 2) {
    return not_reconfigurable(
        fmt::format("Log cleaner threads cannot be reduced to less than half the current value {}", was));
  }
  if (is > was * 2) {
    return not_reconfigurable(
        fmt::format("Log cleaner threads cannot be increased to more than double the current value {}", was));
  }
  return {};
}

Checked<void> check_local_retention(const BrokerConfig& after) {
  struct Pair {
    std::string_view local_key;
    std::string_view key;
    std::int64_t total;
  };
  const Pair pairs[] = {
      {"log.local.retention.ms", "log.retention.ms", after.log_retention().count()},
      {"log.local.retention.bytes", "log.retention.bytes", after.values().get_long("log.retention.bytes")}};
  for (const Pair& pair : pairs) {
    const std::int64_t local = after.values().get_long(pair.local_key);
    if (pair.total < 0 || local == -2) continue;
    std::string why;
    if (local == -1) why = fmt::format("Value must not be -1 as {} value is set as {}.", pair.key, pair.total);
    if (local > pair.total)
      why = fmt::format("Value must not be more than {} property value: {}", pair.key, pair.total);
    if (!why.empty()) {
      return not_reconfigurable(fmt::format("Invalid value {} for configuration {}: {}", local, pair.local_key, why));
    }
  }
  return {};
}

Checked<void> check_connection_limits(const BrokerConfig& after) {
  for (const auto& [listener, limit] : after.listener_max_connections()) {
    if (limit <= 0) return not_reconfigurable(fmt::format("Invalid max.connections {}", limit));
  }
  for (const auto& [listener, rate] : after.listener_max_connection_creation_rate()) {
    if (rate <= 0) return not_reconfigurable(fmt::format("Invalid max.connection.creation.rate {}", rate));
  }
  return {};
}

// What Kafka could change at run time and this broker cannot yet must not look as if it had been changed.
Checked<void> check_supported(const BrokerConfig& before, const BrokerConfig& after) {
  if (before.listeners() != after.listeners() || before.security_protocols() != after.security_protocols()) {
    return refuse(ErrorKind::invalid_request,
                  "Listeners cannot be changed while the broker runs; change the file and restart.");
  }
  if (const auto reason = refusal(after)) return refuse(ErrorKind::invalid_request, *reason);
  return {};
}

// String.split(","): what is empty at the end is dropped, but an empty text is one empty entry.
List java_split(std::string_view text) {
  List parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = text.find(',', begin);
    parts.emplace_back(text.substr(begin, comma == std::string_view::npos ? comma : comma - begin));
    if (comma == std::string_view::npos) break;
    begin = comma + 1;
  }
  if (text.empty()) return parts;
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

void append_missing(List& list, const List& added) {
  for (const std::string& entry : added) {
    if (std::ranges::find(list, entry) == list.end()) list.push_back(entry);
  }
}

void remove_each(List& list, const List& removed) {
  for (const std::string& entry : removed) {
    const auto found = std::ranges::find(list, entry);
    if (found != list.end()) list.erase(found);
  }
}

const ConfigDef& keys_of(ConfiguredKind kind) {
  switch (kind) {
    case ConfiguredKind::topic:
      return topic_keys();
    case ConfiguredKind::broker:
      return broker_keys();
    case ConfiguredKind::client_metrics:
      return client_metrics_keys();
    case ConfiguredKind::group:
      return group_override_keys();
  }
  return broker_keys();
}

}  // namespace

DynamicConfigRef DynamicConfig::of(BrokerConfigRef file) {
  struct Constructible : DynamicConfig {};
  auto config = std::make_shared<Constructible>();
  config->file_ = file;
  config->current_ = std::move(file);
  return config;
}

Properties DynamicConfig::merged(const Properties& cluster, const Properties& broker) const {
  Properties properties = file_->originals();
  override_with(properties, cluster);
  override_with(properties, broker);
  return properties;
}

DynamicConfigRef DynamicConfig::with(const Properties& cluster, const Properties& broker,
                                     std::vector<std::string>* problems) const {
  struct Constructible : DynamicConfig {};
  auto next = std::make_shared<Constructible>();
  next->file_ = file_;
  next->cluster_ = usable(cluster, false, problems);
  next->broker_ = usable(broker, true, problems);
  next->current_ = current_;
  auto parsed = BrokerConfig::parse(merged(next->cluster_, next->broker_));
  if (parsed) {
    next->current_ = std::move(*parsed);
  } else if (problems != nullptr) {
    problems->push_back(fmt::format("Dynamic configuration could not be applied: {}", parsed.error().message));
  }
  return next;
}

Checked<void> DynamicConfig::validate_broker_change(const Properties& changed, bool per_broker) const {
  const auto none_of = [](const std::vector<std::string>& names, std::string_view what) -> Checked<void> {
    if (names.empty()) return {};
    return refuse(ErrorKind::invalid_request, fmt::format("{}: [{}]", what, fmt::join(names, ", ")));
  };
  // 1. Are these keys that may be changed, with values of their types, at this level?
  if (auto ok = none_of(keys_where(changed, is_read_only), "Cannot update these configs dynamically"); !ok) return ok;
  auto ok = none_of(keys_where(changed, needs_listener_prefix),
                    "These security configs can be dynamically updated only per-listener using the listener prefix");
  if (!ok) return ok;
  if (auto typed = check_types(changed); !typed) return as_request_error(typed.error());
  if (!per_broker) {
    ok = none_of(keys_where(changed, is_per_broker),
                 "Cannot update these configs at default cluster level, broker id must be specified");
    if (!ok) return ok;
  }
  // 2. Do they make sense together with everything else?
  const auto next = BrokerConfig::parse(per_broker ? merged(cluster_, changed) : merged(changed, broker_));
  if (!next) return as_request_error(next.error());
  // 3. Can it be changed from what holds now?
  if (auto checked = check_thread_counts(*current_, **next); !checked) return checked;
  if (auto checked = check_local_retention(**next); !checked) return checked;
  if (auto checked = check_connection_limits(**next); !checked) return checked;
  return check_supported(*current_, **next);
}

Checked<Properties> DynamicConfig::altered_broker_layer(std::span<const Alteration> alterations,
                                                        bool per_broker) const {
  Properties layer = per_broker ? broker_ : cluster_;
  for (const Alteration& alteration : alterations) {
    const std::string name(alteration.name);
    if (alteration.operation == AlterOperation::set) {
      layer.insert_or_assign(name, std::string(alteration.value));
      continue;
    }
    if (alteration.operation == AlterOperation::remove) {
      layer.erase(name);
      continue;
    }
    const bool append = alteration.operation == AlterOperation::append;
    const Key* key = broker_keys().find(name);
    if (key == nullptr) return refuse(ErrorKind::invalid_configuration, fmt::format("Unknown config name: {}", name));
    if (key->type != Type::list) {
      return refuse(ErrorKind::invalid_configuration, fmt::format("Config value {} is not allowed for config key: {}",
                                                                  append ? "append" : "subtract", name));
    }
    const auto set = layer.find(name);
    const std::string before = set != layer.end() ? set->second : value_text(key->default_value()).value_or("");
    List list = before.empty() && append ? List{} : java_split(before);
    append ? append_missing(list, java_split(alteration.value)) : remove_each(list, java_split(alteration.value));
    layer.insert_or_assign(name, fmt::format("{}", fmt::join(list, ",")));
  }
  return layer;
}

Checked<std::optional<std::string>> altered_value(ConfiguredKind kind, std::string_view key,
                                                  const std::optional<std::string>& current, AlterOperation operation,
                                                  std::string_view value) {
  if (operation == AlterOperation::set) return std::string(value);
  if (operation == AlterOperation::remove) return std::nullopt;
  const bool append = operation == AlterOperation::append;
  const Key* known = keys_of(kind).find(key);
  if (known == nullptr || known->type != Type::list) {
    return refuse(ErrorKind::invalid_configuration,
                  fmt::format("Can't {} to key {} because its type is not LIST.", append ? "APPEND" : "SUBTRACT", key));
  }
  List list;
  for (std::string& part : java_split(current ? *current : value_text(known->default_value()).value_or(""))) {
    if (!part.empty()) list.push_back(std::move(part));
  }
  append ? append_missing(list, java_split(value)) : remove_each(list, java_split(value));
  return fmt::format("{}", fmt::join(list, ","));
}

bool is_sensitive(ConfiguredKind kind, std::string_view key) {
  const Key* known = keys_of(kind).find(key);
  if (known == nullptr && kind == ConfiguredKind::broker) known = dynamic_broker_keys().find(key);
  if (known == nullptr && kind == ConfiguredKind::broker) known = broker_keys().find(broker_synonyms(key, true).back());
  return known == nullptr || known->sensitive();
}

}  // namespace klamm::config
