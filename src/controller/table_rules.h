// The rules as the configuration table and this node's file state them.
// Source of behaviour: kafka.server.ControllerConfigurationValidator, org.apache.kafka.metadata.KafkaConfigSchema.
#pragma once

#include "config/broker_config.h"
#include "controller/config_rules.h"

namespace klamm::controller {

class TableRules final : public ConfigRules {
 public:
  // `file`: what this node was started with.
  explicit TableRules(config::BrokerConfigRef file) : file_(std::move(file)) {}

  Result<void> check_topic(const metadata::ConfigEntries& after, const metadata::ConfigEntries& before) const override;
  Result<void> check_group(const metadata::ConfigEntries& after) const override;
  Result<void> check_client_metrics(std::string_view subscription, const metadata::ConfigEntries& after) const override;
  bool is_known(metadata::ConfigResourceType type, std::string_view key) const override;
  bool is_list(metadata::ConfigResourceType type, std::string_view key) const override;
  std::optional<std::string> default_of(metadata::ConfigResourceType type, std::string_view key) const override;
  std::vector<EffectiveConfig> effective_topic_config(const ConfigLayers& layers) const override;
  std::string effective_topic_value(std::string_view key, const ConfigLayers& layers) const override;

 private:
  config::BrokerConfigRef file_;
};

}  // namespace klamm::controller
