#include "server/api/060_describe_cluster.h"

#include <algorithm>

#include "server/metadata_view.h"

namespace klamm::server {

namespace {

// What a listener belongs to: org.apache.kafka.clients.admin.EndpointType.
constexpr std::int8_t broker_endpoint = 1;
constexpr std::int8_t controller_endpoint = 2;

std::string_view name_of(std::int8_t endpoint) {
  return endpoint == broker_endpoint ? "BROKER" : "CONTROLLER";
}

}  // namespace

runtime::Task<DescribeClusterHandler::Response> DescribeClusterHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  const std::int8_t ours = context.scope == ListenerScope::broker ? broker_endpoint : controller_endpoint;
  const std::int8_t asked = request.endpoint_type;
  if (ours == controller_endpoint) check_controller_may_tell(context);
  Response response;
  const auto refuse = [&](ErrorCode code, std::string message) {
    response.error_code = wire_of(context.version == 0 ? ErrorCode::invalid_request : code);
    response.error_message = std::move(message);
  };
  if (asked != broker_endpoint && asked != controller_endpoint) {
    refuse(ErrorCode::unsupported_endpoint_type, fmt::format("Unsupported endpoint type {}", asked));
    co_return response;
  }
  if (asked != ours) {
    refuse(ErrorCode::mismatched_endpoint_type,
           fmt::format("The request was sent to an endpoint of type {}, but we wanted an endpoint of type {}",
                       name_of(ours), name_of(asked)));
    co_return response;
  }
  if (request.include_cluster_authorized_operations) {
    const security::Resource cluster{security::ResourceType::cluster, security::cluster_resource};
    response.cluster_authorized_operations =
        authorizer_.allows(context.identity, security::Operation::describe, cluster)
            ? authorizer_.allowed_operations(context.identity, cluster)
            : 0;
  }
  response.cluster_id = cluster_id_;
  response.endpoint_type = ours;
  if (ours == broker_endpoint)
    list_brokers(context, request, response);
  else
    list_controllers(context, response);
  co_return response;
}

// A controller knows its peers from their registrations, which older levels do not have, and asks for more than a
// broker does. Source: ControllerApis.handleDescribeCluster.
void DescribeClusterHandler::check_controller_may_tell(const RequestContext& context) const {
  const auto level = metadata_.image(context.reactor)->metadata_version();
  if (!level)
    throw RequestFailed(
        ErrorCode::unsupported_version,
        "There is no finalized MetadataVersion, so direct-to-controller communication is not supported.");
  if (!level->supports_controller_registration())
    throw RequestFailed(ErrorCode::unsupported_version,
                        "Direct-to-controller communication is not supported with the current MetadataVersion.");
  if (!authorizer_.allows(context.identity, security::Operation::alter,
                          {security::ResourceType::cluster, security::cluster_resource}))
    throw RequestFailed(ErrorCode::cluster_authorization_failed);
}

void DescribeClusterHandler::list_brokers(const RequestContext& context, const Request& request,
                                          Response& response) const {
  const metadata::ImageRef image = metadata_.image(context.reactor);
  for (const auto& [id, broker] : image->brokers()) {
    const auto* endpoint = broker->endpoint(context.identity.listener);
    if (!endpoint || (broker->fenced && !request.include_fenced_brokers)) continue;
    response.brokers.push_back({.broker_id = id.value,
                                .host = endpoint->host,
                                .port = endpoint->port,
                                .rack = broker->rack,
                                .is_fenced = broker->fenced});
    // Any broker will do as the controller: each hands on what the controller decides.
    if (!broker->fenced && (response.controller_id < 0 || id == node_id_)) response.controller_id = id.value;
  }
}

void DescribeClusterHandler::list_controllers(const RequestContext& context, Response& response) const {
  const metadata::ImageRef image = metadata_.image(context.reactor);
  for (const auto& [id, controller] : image->controllers()) {
    for (const auto& endpoint : controller.end_points) {
      if (endpoint.name != context.identity.listener) continue;
      response.brokers.push_back({.broker_id = id, .host = endpoint.host, .port = endpoint.port});
      if (BrokerId(id) == node_id_) response.controller_id = id;
    }
  }
}

DescribeClusterHandler::Response DescribeClusterHandler::failed(const RequestContext&, const Request&,
                                                                const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  response.error_message = own_message(error);
  return response;
}

}  // namespace klamm::server
