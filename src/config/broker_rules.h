// Rules over several keys of a broker. Part of parsing a BrokerConfig; for this room only.
#pragma once

#include <string>
#include <vector>

#include "config/broker_config.h"

namespace klamm::config {

// Bounds of groups' settings. Source: GroupCoordinatorConfig, ShareGroupConfig.
Checked<void> check_group_rules(const ConfigValues& values);
// Everything else. Source: KafkaConfig.validateValues.
Checked<void> check_broker_rules(const BrokerConfig& config, std::vector<std::string>& warnings);

// Of a topic's values: min.compaction.lag.ms must not exceed max.compaction.lag.ms. Source: LogConfig.validateValues.
Checked<void> check_compaction_lags(const ConfigValues& topic);

}  // namespace klamm::config
