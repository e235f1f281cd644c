#include "server/api/018_api_versions.h"

#include <algorithm>

#include "metadata/features.h"

namespace klamm::server {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Letters and digits, with dots and dashes between them (KIP-511).
bool is_software_text(std::string_view text) {
  if (text.empty() || !is_letter_or_digit(text.front()) || !is_letter_or_digit(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; });
}

}  // namespace

ApiVersionsHandler::ApiVersionsHandler(const ApiTable& apis, const hosting::MetadataPublisher& metadata,
                                       std::string cluster_id, BrokerId node_id, std::int16_t kraft_version)
    : apis_(apis),
      metadata_(metadata),
      cluster_id_(std::move(cluster_id)),
      node_id_(node_id),
      kraft_version_(kraft_version) {}

runtime::Task<void> ApiVersionsHandler::answer(Exchange& exchange) {
  const RequestContext& context = exchange.context();
  Response response;
  if (context.version_unsupported) {
    response.error_code = wire_of(ErrorCode::unsupported_version);
    const auto* own = apis_.find(static_cast<std::int16_t>(Request::api_key), context.scope);
    response.api_keys.push_back({.api_key = static_cast<std::int16_t>(Request::api_key),
                                 .min_version = own->advertised_low,
                                 .max_version = own->versions.high});
    exchange.respond(response);
    co_return;
  }
  Request request;
  if (!exchange.decode(request)) co_return;
  const ErrorCode refused = check(context, request);
  response.error_code = wire_of(refused);
  response.throttle_time_ms = exchange.throttle_time_ms();
  if (refused == ErrorCode::none) {
    if (context.version >= 3)
      exchange.set_client_software(request.client_software_name, request.client_software_version);
    list_apis(context, response);
    list_features(context, response);
  }
  exchange.respond(response);
}

ErrorCode ApiVersionsHandler::check(const RequestContext& context, const Request& request) const {
  if (context.version >= 5 && request.cluster_id.has_value() != (request.node_id != -1))
    return ErrorCode::invalid_request;
  if (context.version >= 3 &&
      (!is_software_text(request.client_software_name) || !is_software_text(request.client_software_version))) {
    return ErrorCode::invalid_request;
  }
  const bool meant_us =
      !request.cluster_id || (*request.cluster_id == cluster_id_ && request.node_id == node_id_.value);
  return context.version < 5 || meant_us ? ErrorCode::none : ErrorCode::rebootstrap_required;
}

void ApiVersionsHandler::list_apis(const RequestContext& context, Response& response) const {
  for (const ServedApi* api : apis_.rows(context.scope)) {
    response.api_keys.push_back({.api_key = static_cast<std::int16_t>(api->api->key),
                                 .min_version = api->advertised_low,
                                 .max_version = api->versions.high});
  }
}

void ApiVersionsHandler::list_features(const RequestContext& context, Response& response) const {
  // Older clients cannot read a lowest level of 0 (KAFKA-17492).
  const bool hides_zero = context.version < 4;
  for (const auto& [name, range] : metadata::supported_features()) {
    if (hides_zero && range.min == 0) continue;
    response.supported_features.push_back({.name = name, .min_version = range.min, .max_version = range.max});
  }
  const metadata::Image& image = *metadata_.image(context.reactor);
  const auto add = [&](std::string_view name, std::int16_t level) {
    if (level <= 0) return;
    response.finalized_features.push_back(
        {.name = std::string(name), .max_version_level = level, .min_version_level = level});
  };
  for (const auto& [name, level] : image.finalized_features()) add(name, level);
  if (image.metadata_version()) add(metadata::metadata_version_feature, image.metadata_version()->level());
  add(metadata::kraft_version_feature, kraft_version_);
  response.finalized_features_epoch = image.provenance().offset.value;
}

}  // namespace klamm::server
