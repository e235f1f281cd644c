// What DescribeConfigs and CreateTopics answer.
#include <algorithm>

#include "config/dynamic_config.h"
#include "config/keys.h"

namespace klamm::config {
namespace {

// The row that says what type a broker's key has, whatever prefix it stands behind; null when nobody knows it.
const Key* row_of_broker_key(std::string_view name) {
  if (const Key* key = broker_keys().find(name)) return key;
  if (const Key* key = dynamic_broker_keys().find(name)) return key;
  for (const std::string& synonym : broker_synonyms(name, true)) {
    if (const Key* key = broker_keys().find(synonym)) return key;
  }
  return nullptr;
}

// Name, type, sensitivity and text of one key; a key nobody knows counts as sensitive.
DescribedConfig described(std::string_view name, const Key* key, std::optional<std::string> value) {
  DescribedConfig config{.name = std::string(name)};
  config.sensitive = key == nullptr || key->sensitive();
  if (!config.sensitive) config.value = std::move(value);
  if (key != nullptr) {
    config.type = static_cast<std::int8_t>(key->type);
    config.documentation = key->documentation;
  }
  return config;
}

void set_source(DescribedConfig& config) {
  config.source = config.synonyms.empty() ? ConfigSource::default_config : config.synonyms.front().source;
}

void sort_by_name(std::vector<DescribedConfig>& configs) {
  std::ranges::sort(configs, {}, &DescribedConfig::name);
}

// A key's text in the topic's unit: "24" hours become "86400000". What is no number counts as 0, as in Kafka.
std::string in_topic_unit(const std::string& text, std::int64_t factor) {
  if (factor == 1) return text;
  return std::to_string(parse_java_integer(java_trim(text), INT32_MIN, INT32_MAX).value_or(0) * factor);
}

}  // namespace

std::vector<DescribedSynonym> DynamicConfig::synonyms(std::string_view key, bool sensitive) const {
  const std::vector<std::string> names = broker_synonyms(key, true);
  std::vector<DescribedSynonym> all;
  const auto add = [&](const std::string& name, const std::string& value, ConfigSource source) {
    all.push_back({name, sensitive ? std::nullopt : std::optional(value), source});
  };
  const auto add_from = [&](const Properties& layer, ConfigSource source) {
    for (const std::string& name : names) {
      if (const auto set = layer.find(name); set != layer.end()) add(name, set->second, source);
    }
  };
  add_from(broker_, ConfigSource::dynamic_broker);
  add_from(cluster_, ConfigSource::dynamic_default_broker);
  add_from(file_->originals(), ConfigSource::static_broker);
  for (const std::string& name : names) {
    const Key* row = broker_keys().find(name);
    if (row == nullptr) continue;
    if (const auto text = file_->default_text(*row)) add(name, *text, ConfigSource::default_config);
  }
  // What stands before the first entry of the key's own name belongs to its relatives.
  all.erase(all.begin(), std::ranges::find(all, key, &DescribedSynonym::name));
  return all;
}

std::vector<DescribedConfig> DynamicConfig::describe_broker() const {
  std::vector<DescribedConfig> configs;
  const auto add = [&](std::string_view name, std::optional<std::string> value) {
    DescribedConfig config = described(name, row_of_broker_key(name), std::move(value));
    config.read_only = dynamic_broker_keys().find(name) == nullptr;
    config.synonyms = synonyms(name, config.sensitive);
    set_source(config);
    configs.push_back(std::move(config));
  };
  for (const Key* key : broker_keys().keys()) {
    if (!key->internal) add(key->name, value_text(current_->values().value(key->name)));
  }
  for (const auto& [name, text] : current_->originals()) {
    const Key* key = broker_keys().find(name);
    if (key == nullptr || key->internal) add(name, text);
  }
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> DynamicConfig::describe_cluster_default() const {
  std::vector<DescribedConfig> configs;
  for (const auto& [name, text] : cluster_) {
    DescribedConfig config = described(name, row_of_broker_key(name), text);
    config.read_only = dynamic_broker_keys().find(name) == nullptr;
    config.synonyms = synonyms(name, config.sensitive);
    std::erase_if(config.synonyms,
                  [](const DescribedSynonym& s) { return s.source != ConfigSource::dynamic_default_broker; });
    set_source(config);
    configs.push_back(std::move(config));
  }
  return configs;
}

Checked<std::vector<DescribedConfig>> DynamicConfig::describe_topic(const Properties& overrides) const {
  const auto values = topic_values(*current_, overrides);
  if (!values) return std::unexpected(values.error());
  std::vector<DescribedConfig> configs;
  const auto add = [&](std::string_view name, const Key* key, std::optional<std::string> value) {
    DescribedConfig config = described(name, key, std::move(value));
    if (overrides.contains(name)) config.synonyms.push_back({config.name, config.value, ConfigSource::dynamic_topic});
    if (const auto broker = topic_synonyms(name); !broker.empty()) {
      std::ranges::move(synonyms(broker.front().broker_key, config.sensitive), std::back_inserter(config.synonyms));
    }
    set_source(config);
    configs.push_back(std::move(config));
  };
  for (const Key* key : topic_keys().keys()) {
    if (!key->internal || overrides.contains(key->name)) add(key->name, key, value_text(values->value(key->name)));
  }
  for (const std::string& name : topic_keys().unknown(overrides)) add(name, nullptr, overrides.at(name));
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> DynamicConfig::describe_group(const Properties& overrides) const {
  std::vector<DescribedConfig> configs;
  const auto add = [&](std::string_view name, const Key* key, std::optional<std::string> value) {
    DescribedConfig config = described(name, key, std::move(value));
    if (overrides.contains(name)) config.synonyms.push_back({config.name, config.value, ConfigSource::group});
    if (const auto broker = group_synonym(name)) {
      std::ranges::move(synonyms(*broker, config.sensitive), std::back_inserter(config.synonyms));
    } else if (const auto text = key == nullptr ? std::nullopt : value_text(key->default_value())) {
      config.synonyms.push_back({config.name, text, ConfigSource::default_config});
    }
    set_source(config);
    configs.push_back(std::move(config));
  };
  for (const Key* key : group_override_keys().keys()) {
    std::optional<std::string> value = value_text(key->default_value());
    if (const auto broker = group_synonym(key->name)) value = value_text(current_->values().value(*broker));
    if (const auto own = overrides.find(key->name); own != overrides.end()) value = own->second;
    add(key->name, key, std::move(value));
  }
  for (const std::string& name : group_override_keys().unknown(overrides)) add(name, nullptr, overrides.at(name));
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> DynamicConfig::describe_client_metrics(const Properties& keys) {
  std::vector<DescribedConfig> configs;
  for (const Key* key : client_metrics_keys().keys()) {
    const auto own = keys.find(key->name);
    DescribedConfig config =
        described(key->name, key, own != keys.end() ? own->second : value_text(key->default_value()));
    if (own != keys.end()) config.synonyms.push_back({config.name, config.value, ConfigSource::client_metrics});
    set_source(config);
    configs.push_back(std::move(config));
  }
  sort_by_name(configs);
  return configs;
}

std::vector<DescribedConfig> DynamicConfig::effective_topic(const Properties& overrides) const {
  struct Layer {
    const Properties& properties;
    ConfigSource source;
  };
  const Layer layers[] = {{broker_, ConfigSource::dynamic_broker},
                          {cluster_, ConfigSource::dynamic_default_broker},
                          {file_->originals(), ConfigSource::static_broker}};
  const auto from_layers = [&](DescribedConfig& config) {
    for (const Layer& layer : layers) {
      for (const TopicSynonym& synonym : topic_synonyms(config.name)) {
        const auto set = layer.properties.find(synonym.broker_key);
        if (set == layer.properties.end()) continue;
        config.value = in_topic_unit(set->second, synonym.factor);
        config.source = layer.source;
        return;
      }
    }
  };
  std::vector<DescribedConfig> configs;
  for (const Key* key : topic_keys().keys()) {
    const auto own = overrides.find(key->name);
    if (key->internal && own == overrides.end()) continue;
    DescribedConfig config = described(key->name, key, value_text(key->default_value()));
    if (own != overrides.end()) {
      config.value = own->second;
      config.source = ConfigSource::dynamic_topic;
    } else {
      from_layers(config);
    }
    configs.push_back(std::move(config));
  }
  sort_by_name(configs);
  return configs;
}

}  // namespace klamm::config
