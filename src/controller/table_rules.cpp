#include "controller/table_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ensure.h"
#include "config/keys.h"
#include "config/topic_config.h"

namespace klamm::controller {
namespace {

using metadata::ConfigEntries;
using metadata::ConfigResourceType;

// The keys that a resource of the type may have; null for types without any.
const config::ConfigDef* keys_of(ConfigResourceType type) {
  switch (type) {
    case ConfigResourceType::topic:
      return &config::topic_keys();
    case ConfigResourceType::broker:
      return &config::broker_keys();
    case ConfigResourceType::client_metrics:
      return &config::client_metrics_keys();
    case ConfigResourceType::group:
      return &config::group_override_keys();
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::unknown:
      break;
  }
  return nullptr;
}

const config::Key* find_key(ConfigResourceType type, std::string_view name) {
  const config::ConfigDef* keys = keys_of(type);
  return keys ? keys->find(name) : nullptr;
}

config::NullableProperties nullable(const ConfigEntries& entries) {
  return {entries.begin(), entries.end()};
}

Result<void> answer(const config::Checked<void>& checked) {
  if (checked) return {};
  return std::unexpected(checked.error().to_error());
}

// Hours and minutes of a broker's key, in the unit of the topic's.
std::string converted(std::string_view value, const config::TopicSynonym& synonym) {
  if (synonym.factor == 1) return std::string(value);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::string(value);
  return fmt::format("{}", number * synonym.factor);
}

}  // namespace

Result<void> TableRules::check_topic(const ConfigEntries& after, const ConfigEntries& before) const {
  return answer(config::validate_topic_overrides(*file_, {before.begin(), before.end()}, nullable(after)));
}

Result<void> TableRules::check_group(const ConfigEntries& after) const {
  return answer(config::validate_group_overrides(*file_, nullable(after)));
}

Result<void> TableRules::check_client_metrics(std::string_view subscription, const ConfigEntries& after) const {
  return answer(config::validate_client_metrics(subscription, nullable(after)));
}

bool TableRules::is_known(ConfigResourceType type, std::string_view key) const {
  return find_key(type, key) != nullptr;
}

bool TableRules::is_list(ConfigResourceType type, std::string_view key) const {
  const config::Key* found = find_key(type, key);
  return found && found->type == config::Type::list;
}

std::optional<std::string> TableRules::default_of(ConfigResourceType type, std::string_view key) const {
  const config::Key* found = find_key(type, key);
  if (!found) return std::nullopt;
  if (type == ConfigResourceType::broker) return file_->default_text(*found);
  return config::value_text(found->default_value());
}

namespace {

// The value in force and whose it is; nothing for a null default.
struct InForce {
  std::optional<std::string> value;
  std::int8_t source = 5;
};

InForce in_force(const config::Key& key, const config::BrokerConfig& file, const ConfigLayers& layers) {
  if (const auto own = layers.topic.find(key.name); own != layers.topic.end()) return {own->second, 1};
  const auto synonyms = config::topic_synonyms(key.name);
  const auto look = [&](const ConfigEntries& layer, std::int8_t source) -> std::optional<InForce> {
    for (const config::TopicSynonym& synonym : synonyms) {
      const auto found = layer.find(synonym.broker_key);
      if (found != layer.end()) return InForce{converted(found->second, synonym), source};
    }
    return std::nullopt;
  };
  if (auto found = look(layers.this_broker, 2)) return *found;
  if (auto found = look(layers.all_brokers, 3)) return *found;
  if (auto found = look(file.originals(), 4)) return *found;
  return {config::value_text(key.default_value()), 5};
}

}  // namespace

std::vector<EffectiveConfig> TableRules::effective_topic_config(const ConfigLayers& layers) const {
  std::vector<EffectiveConfig> out;
  for (const config::Key* key : config::topic_keys().keys()) {
    if (key->internal && !layers.topic.contains(key->name)) continue;
    InForce found = in_force(*key, *file_, layers);
    const bool secret = key->sensitive();
    out.push_back(
        {std::string(key->name), secret ? std::nullopt : std::move(found.value), found.source, false, secret});
  }
  std::ranges::sort(out, {}, &EffectiveConfig::name);
  return out;
}

std::string TableRules::effective_topic_value(std::string_view key, const ConfigLayers& layers) const {
  const config::Key* found = config::topic_keys().find(key);
  ENSURE(found != nullptr, "no such topic key");
  return in_force(*found, *file_, layers).value.value_or("");
}

}  // namespace klamm::controller
