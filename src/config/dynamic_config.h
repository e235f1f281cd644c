// Configuration in layers: what a topic or group sets, over what was set for one broker, over what was set for all
// brokers, over the file, over the default. Says what holds, where it comes from, and what may be changed. Source of
// behaviour: kafka.server.DynamicBrokerConfig, ConfigHelper, ConfigAdminManager,
// org.apache.kafka.controller.ConfigurationControlManager, org.apache.kafka.metadata.KafkaConfigSchema.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"
#include "config/topic_config.h"

namespace klamm::config {

// The numbers are those of the protocol (DescribeConfigsResponse.ConfigSource).
enum class ConfigSource : std::int8_t {
  unknown = 0,
  dynamic_topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  default_config = 5,
  dynamic_broker_logger = 6,
  client_metrics = 7,
  group = 8,
};

struct DescribedSynonym {
  std::string name;
  std::optional<std::string> value;  // nothing when it is sensitive
  ConfigSource source = ConfigSource::unknown;

  bool operator==(const DescribedSynonym&) const = default;
};

// One line of a DescribeConfigs answer.
struct DescribedConfig {
  std::string name;
  std::optional<std::string> value;  // nothing when it is null or sensitive
  ConfigSource source = ConfigSource::default_config;
  bool read_only = false;
  bool sensitive = false;
  std::vector<DescribedSynonym> synonyms;  // the strongest first
  std::int8_t type = 0;                    // config::Type; 0 unknown
  std::string_view documentation;          // empty when there is none
};

class DynamicConfig;
using DynamicConfigRef = std::shared_ptr<const DynamicConfig>;

// A broker's configuration with its dynamic layers. Immutable: a change makes the next one.
class DynamicConfig {
 public:
  // The file alone.
  static DynamicConfigRef of(BrokerConfigRef file);

  // With these layers in place of the present ones: `cluster` is set for all brokers, `broker` for this one. What
  // cannot be applied (unknown types, read-only keys, a combination that makes no sense) is left out with a text in
  // `problems`, as Kafka does with what it finds in its metadata.
  DynamicConfigRef with(const Properties& cluster, const Properties& broker, std::vector<std::string>* problems) const;

  // What holds now, all layers merged; and what the file alone says.
  const BrokerConfig& current() const { return *current_; }
  BrokerConfigRef current_ref() const { return current_; }
  const BrokerConfig& file() const { return *file_; }
  const Properties& cluster_layer() const { return cluster_; }
  const Properties& broker_layer() const { return broker_; }

  // Whether a layer may become `changed` as a whole: that of this broker, or that of all. Errors are INVALID_REQUEST,
  // as Kafka's are: "Cannot update these configs dynamically: [num.partitions]" …
  Checked<void> validate_broker_change(const Properties& changed, bool per_broker) const;
  // The layer after the operations of an IncrementalAlterConfigs request, before it is validated.
  struct Alteration;
  Checked<Properties> altered_broker_layer(std::span<const Alteration> alterations, bool per_broker) const;

  // Every key of this broker, of the cluster's default layer, of a topic, of a group, of a client metrics subscription,
  // in the order of their names. Internal keys only when they are set.
  std::vector<DescribedConfig> describe_broker() const;
  std::vector<DescribedConfig> describe_cluster_default() const;
  Checked<std::vector<DescribedConfig>> describe_topic(const Properties& overrides) const;
  std::vector<DescribedConfig> describe_group(const Properties& overrides) const;
  static std::vector<DescribedConfig> describe_client_metrics(const Properties& keys);
  // What a new topic answers with (CreateTopics, version 5 and up): without synonyms.
  // Source: KafkaConfigSchema.resolveEffectiveTopicConfigs.
  std::vector<DescribedConfig> effective_topic(const Properties& overrides) const;

 private:
  DynamicConfig() = default;
  Properties merged(const Properties& cluster, const Properties& broker) const;
  std::vector<DescribedSynonym> synonyms(std::string_view key, bool sensitive) const;

  BrokerConfigRef file_;
  BrokerConfigRef current_;
  Properties cluster_;
  Properties broker_;
};

// org.apache.kafka.clients.admin.AlterConfigOp.OpType
enum class AlterOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct DynamicConfig::Alteration {
  std::string_view name;
  AlterOperation operation = AlterOperation::set;
  std::string_view value;
};

// What kind of thing has the configuration: the numbers of org.apache.kafka.common.config.ConfigResource.Type.
enum class ConfiguredKind : std::int8_t { topic = 2, broker = 4, client_metrics = 16, group = 32 };

// The value of a key after an operation; nothing when the key is gone. `current` is its value before, nothing when it
// was not set (appending then begins with the default). INVALID_CONFIG "Can't APPEND to key retention.ms because its
// type is not LIST." Source: ConfigurationControlManager.
Checked<std::optional<std::string>> altered_value(ConfiguredKind kind, std::string_view key,
                                                  const std::optional<std::string>& current, AlterOperation operation,
                                                  std::string_view value);

// Whether a value of this key must not be shown: passwords, and keys nobody knows.
bool is_sensitive(ConfiguredKind kind, std::string_view key);

}  // namespace klamm::config
