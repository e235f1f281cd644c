// What a broker must not be started with, because leaving it out in silence would be dangerous, or because it is not
// there yet: authorizers, encrypted or authenticated listeners, tiered storage, policies, Java plug-ins, ZooKeeper, a
// broker or controller alone, foreign voters.
#pragma once

#include <optional>
#include <string>

#include "config/broker_config.h"

namespace klamm::config {

// The first reason why this configuration may not be started with, naming the key and what to do; nothing when it may.
std::optional<std::string> refusal(const BrokerConfig& config);

}  // namespace klamm::config
