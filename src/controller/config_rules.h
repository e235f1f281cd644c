// What the controller asks of the configuration: is a change legal, and what is in force. The answers come from the
// table of config/ and from what this node was started with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "metadata/image.h"

namespace klamm::controller {

// One key of a topic as DescribeConfigs and CreateTopics show it.
struct EffectiveConfig {
  std::string name;
  std::optional<std::string> value;  // nothing when it is secret
  std::int8_t source = 5;  // DescribeConfigsResponse.ConfigSource: 1 topic, 2 broker, 3 all brokers, 4 file, 5 default
  bool read_only = false;
  bool sensitive = false;
};

// What stands below a topic's own configuration.
struct ConfigLayers {
  const metadata::ConfigEntries& all_brokers;
  const metadata::ConfigEntries& this_broker;
  const metadata::ConfigEntries& topic;
};

class ConfigRules {
 public:
  virtual ~ConfigRules() = default;

  // Every value of the resource as it would be after the change, beside what it was. Errors: invalid_config,
  // invalid_request, with Kafka's texts.
  virtual Result<void> check_topic(const metadata::ConfigEntries& after,
                                   const metadata::ConfigEntries& before) const = 0;
  virtual Result<void> check_group(const metadata::ConfigEntries& after) const = 0;
  virtual Result<void> check_client_metrics(std::string_view subscription,
                                            const metadata::ConfigEntries& after) const = 0;

  // False for keys that no version we know of has any more: leftovers of an older directory, kept but not looked at.
  virtual bool is_known(metadata::ConfigResourceType type, std::string_view key) const = 0;
  // A list, so that APPEND and SUBTRACT make sense.
  virtual bool is_list(metadata::ConfigResourceType type, std::string_view key) const = 0;
  virtual std::optional<std::string> default_of(metadata::ConfigResourceType type, std::string_view key) const = 0;

  // All keys that are not internal, by name.
  virtual std::vector<EffectiveConfig> effective_topic_config(const ConfigLayers& layers) const = 0;
  // The value in force, default included.
  virtual std::string effective_topic_value(std::string_view key, const ConfigLayers& layers) const = 0;
};

}  // namespace klamm::controller
