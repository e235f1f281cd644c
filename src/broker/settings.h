// From a broker's configuration to what each of its parts obeys.
#pragma once

#include "config/broker_config.h"
#include "hosting/embedded_metadata.h"
#include "metadata/image.h"
#include "replication/topic_settings.h"
#include "runtime/network.h"
#include "server/server.h"
#include "storage/log_directories.h"

namespace klamm::broker {

// `overrides`: the topic's own configuration. What is not legal any more (a directory of another release) counts as not
// set.
replication::TopicSettingsRef topic_settings(const config::BrokerConfig& config,
                                             const metadata::ConfigEntries& overrides);

storage::LogDirectoriesSettings log_directories_settings(const config::BrokerConfig& config);
hosting::EmbeddedMetadataSettings metadata_settings(const config::BrokerConfig& config, const std::string& cluster_id,
                                                    Uuid directory_id);

// Host names are looked up; throws std::system_error when one is not known.
server::ServerSettings server_settings(const config::BrokerConfig& config, runtime::Network& network);
server::ServerLimits server_limits(const config::BrokerConfig& config, runtime::Network& network);

}  // namespace klamm::broker
