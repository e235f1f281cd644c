// Who may change the configuration of a resource: asked by AlterConfigs and IncrementalAlterConfigs alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "security/authorizer.h"
#include "server/exchange.h"

namespace klamm::server {

// Who may not is told so; nothing for what may be looked at, types that do not exist among it. `resource_type`:
// org.apache.kafka.common.config.ConfigResource.Type.
std::optional<Error> config_change_refusal(const security::Authorizer& authorizer, const RequestContext& context,
                                           std::int8_t resource_type, std::string_view resource_name);

}  // namespace klamm::server
