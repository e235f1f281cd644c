#include "server/api/074_list_config_resources.h"

#include <fmt/format.h>

#include <set>

#include "server/metadata_view.h"

namespace klamm::server {
namespace {

using metadata::ConfigResourceType;

using Types = std::set<std::int8_t>;

constexpr std::int8_t number(ConfigResourceType type) {
  return static_cast<std::int8_t>(type);
}

Types supported_in(std::int16_t version) {
  if (version == 0) return {number(ConfigResourceType::client_metrics)};
  return {number(ConfigResourceType::topic), number(ConfigResourceType::broker),
          number(ConfigResourceType::broker_logger), number(ConfigResourceType::client_metrics),
          number(ConfigResourceType::group)};
}

class Listing {
 public:
  Listing(const Types& wanted, ListConfigResourcesHandler::Response& response) : wanted_(wanted), response_(response) {}

  bool wants(ConfigResourceType type) const { return wanted_.contains(number(type)); }
  void add(ConfigResourceType type, std::string name) {
    auto& resource = response_.config_resources.emplace_back();
    resource.resource_name = std::move(name);
    resource.resource_type = number(type);
  }
  // Those that something was set for.
  void add_configured(ConfigResourceType type, const metadata::Image& image) {
    if (!wants(type)) return;
    for (const auto& [resource, entries] : image.configs()) {
      if (resource.type == type && !entries->empty()) add(type, resource.name);
    }
  }
  void add_brokers(ConfigResourceType type, const metadata::Image& image, std::string_view listener) {
    if (!wants(type)) return;
    for (const auto& [id, broker] : image.brokers()) {
      if (broker->endpoint(listener)) add(type, fmt::format("{}", id));
    }
  }

 private:
  const Types& wanted_;
  ListConfigResourcesHandler::Response& response_;
};

}  // namespace

runtime::Task<ListConfigResourcesHandler::Response> ListConfigResourcesHandler::handle(const RequestContext& context,
                                                                                       const Request& request) {
  if (!authorizer_.allows(context.identity, security::Operation::describe_configs,
                          {security::ResourceType::cluster, security::cluster_resource})) {
    throw RequestFailed(ErrorCode::cluster_authorization_failed);
  }
  const Types supported = supported_in(context.version);
  Types wanted(request.resource_types.begin(), request.resource_types.end());
  if (wanted.empty()) wanted = supported;
  for (const std::int8_t type : wanted) {
    if (!supported.contains(type)) throw RequestFailed(ErrorCode::unsupported_version);
  }

  const metadata::ImageRef image = metadata_.image(context.reactor);
  Response response;
  Listing listing(wanted, response);
  listing.add_configured(ConfigResourceType::group, *image);
  listing.add_configured(ConfigResourceType::client_metrics, *image);
  listing.add_brokers(ConfigResourceType::broker_logger, *image, context.identity.listener);
  listing.add_brokers(ConfigResourceType::broker, *image, context.identity.listener);
  if (listing.wants(ConfigResourceType::topic)) {
    for (const auto& topic : image->topics()) listing.add(ConfigResourceType::topic, topic->name);
  }
  co_return response;
}

ListConfigResourcesHandler::Response ListConfigResourcesHandler::failed(const RequestContext&, const Request&,
                                                                        const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
