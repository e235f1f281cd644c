// Changing configurations. Source of behaviour: org.apache.kafka.controller.ConfigurationControlManager,
// kafka.server.ControllerApis, kafka.server.ControllerConfigurationValidator.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "controller/call.h"
#include "controller/state.h"

namespace klamm::controller {

enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct ConfigChange {
  ConfigOperation operation = ConfigOperation::set;
  std::optional<std::string> value;
};
using ConfigChanges = std::map<std::string, ConfigChange>;

// The records of a change of one resource, the ones that clear eligible leader replicas where min.insync.replicas
// changes not among them. `is_new`: the resource is being created by the same call.
Result<metadata::Records> alter_config(const State& state, const metadata::ConfigResource& resource,
                                       const ConfigChanges& changes, bool is_new);
// What min.insync.replicas among `records` makes necessary.
metadata::Records clear_elr_records(const State& state, const metadata::Records& records);

Result<Outcome<protocol::IncrementalAlterConfigsResponse>> incremental_alter_configs(
    const State& state, const protocol::IncrementalAlterConfigsRequest& request);
Result<Outcome<protocol::AlterConfigsResponse>> alter_configs(const State& state,
                                                              const protocol::AlterConfigsRequest& request);

}  // namespace klamm::controller
