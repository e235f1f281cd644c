#include "server/config_access.h"

#include "metadata/image.h"

namespace klamm::server {

std::optional<Error> config_change_refusal(const security::Authorizer& authorizer, const RequestContext& context,
                                           std::int8_t resource_type, std::string_view resource_name) {
  using security::Operation;
  using security::ResourceType;
  const auto may = [&](security::Resource on) {
    return authorizer.allows(context.identity, Operation::alter_configs, on);
  };
  switch (static_cast<metadata::ConfigResourceType>(resource_type)) {
    case metadata::ConfigResourceType::topic:
      if (may({ResourceType::topic, resource_name})) return std::nullopt;
      return Error{ErrorCode::topic_authorization_failed, {}};
    case metadata::ConfigResourceType::group:
      if (may({ResourceType::group, resource_name})) return std::nullopt;
      return Error{ErrorCode::group_authorization_failed, {}};
    case metadata::ConfigResourceType::broker:
    case metadata::ConfigResourceType::broker_logger:
    case metadata::ConfigResourceType::client_metrics:
    case metadata::ConfigResourceType::unknown:
      if (may({ResourceType::cluster, security::cluster_resource})) return std::nullopt;
      return Error{ErrorCode::cluster_authorization_failed, {}};
  }
  return std::nullopt;  // no such type: told apart later
}

}  // namespace klamm::server
