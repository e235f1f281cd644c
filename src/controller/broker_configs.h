// What a broker looks at of an AlterConfigs or IncrementalAlterConfigs request before the controller gets it: its own
// keys, which only it can judge, and its loggers, which are nobody else's. Source of behaviour:
// kafka.server.ConfigAdminManager.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "config/dynamic_config.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace klamm::controller {

// Sets the levels of loggers (resource type BROKER_LOGGER); validates only when the request says so.
using AlterLoggers = std::function<Result<void>(const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource&,
                                                bool validate_only)>;

// `answers` has an entry a resource of the request: an error, or none for what is done already; nothing for what is in
// `rest`, which goes to the controller.
template <typename Request>
struct Preprocessed {
  std::vector<std::optional<Error>> answers;
  Request rest;
};

Preprocessed<protocol::IncrementalAlterConfigsRequest> preprocess(
    const protocol::IncrementalAlterConfigsRequest& request, const config::DynamicConfig& broker,
    const AlterLoggers& alter_loggers);
Preprocessed<protocol::AlterConfigsRequest> preprocess(const protocol::AlterConfigsRequest& request,
                                                       const config::DynamicConfig& broker);

// The answer to the whole request, in its order, out of what was answered here and there.
protocol::IncrementalAlterConfigsResponse reassemble(const protocol::IncrementalAlterConfigsRequest& request,
                                                     const std::vector<std::optional<Error>>& answers,
                                                     const protocol::IncrementalAlterConfigsResponse& from_controller);
protocol::AlterConfigsResponse reassemble(const protocol::AlterConfigsRequest& request,
                                          const std::vector<std::optional<Error>>& answers,
                                          const protocol::AlterConfigsResponse& from_controller);

}  // namespace klamm::controller
