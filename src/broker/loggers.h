// The levels of a running broker's loggers, as IncrementalAlterConfigs changes them (resource type BROKER_LOGGER).
// Source: KIP-412, org.apache.kafka.server.logger.RuntimeLoggerManager.
#pragma once

#include "base/error.h"
#include "base/logger.h"
#include "base/types.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace klamm::broker {

// All changes of the resource or none. INVALID_REQUEST: another node's name, an operation other than SET and DELETE,
// DELETE of "root". INVALID_CONFIG: a logger or a level that does not exist.
Result<void> alter_loggers(LogSink& sink, BrokerId self, const Logger& log,
                           const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
                           bool validate_only);

}  // namespace klamm::broker
