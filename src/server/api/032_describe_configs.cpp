#include "server/api/032_describe_configs.h"

#include <algorithm>
#include <charconv>

#include "metadata/topic_name.h"
#include "server/metadata_view.h"

namespace klamm::server {

namespace {

using metadata::ConfigResourceType;

ConfigResourceType type_of(const protocol::DescribeConfigsRequest::DescribeConfigsResource& resource) {
  switch (resource.resource_type) {
    case 2:
      return ConfigResourceType::topic;
    case 4:
      return ConfigResourceType::broker;
    case 8:
      return ConfigResourceType::broker_logger;
    case 16:
      return ConfigResourceType::client_metrics;
    case 32:
      return ConfigResourceType::group;
    default:
      return ConfigResourceType::unknown;
  }
}

config::Properties properties_of(const metadata::ConfigEntries& entries) {
  return {entries.begin(), entries.end()};
}

}  // namespace

runtime::Task<DescribeConfigsHandler::Response> DescribeConfigsHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  for (const auto& resource : request.resources)
    if (type_of(resource) == ConfigResourceType::unknown) throw RequestFailed(ErrorCode::invalid_request);

  Response response;
  for (const auto& resource : request.resources) {
    auto& result = response.results.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    if (!allowed(context, resource)) {
      const auto type = type_of(resource);
      const ErrorCode code = type == ConfigResourceType::topic   ? ErrorCode::topic_authorization_failed
                             : type == ConfigResourceType::group ? ErrorCode::group_authorization_failed
                                                                 : ErrorCode::cluster_authorization_failed;
      result.error_code = wire_of(code);
      result.error_message = error_message(code);
      continue;
    }
    const auto described = describe(context, resource);
    if (!described) {
      result.error_code = wire_of(described.error().code);
      // A topic that is not there needs no words.
      if (described.error().code != ErrorCode::unknown_topic_or_partition)
        result.error_message = own_message(described.error());
      continue;
    }
    const auto& wanted = resource.configuration_keys;
    for (const config::DescribedConfig& entry : *described) {
      if (wanted && !wanted->empty() && std::ranges::find(*wanted, entry.name) == wanted->end()) continue;
      auto& told = result.configs.emplace_back();
      told.name = entry.name;
      told.value = entry.value;
      told.read_only = entry.read_only;
      told.config_source = static_cast<std::int8_t>(entry.source);
      told.is_sensitive = entry.sensitive;
      told.config_type = entry.type;
      told.documentation.reset();
      if (request.include_documentation && !entry.documentation.empty()) told.documentation = entry.documentation;
      if (!request.include_synonyms) continue;
      for (const auto& synonym : entry.synonyms)
        told.synonyms.push_back(
            {.name = synonym.name, .value = synonym.value, .source = static_cast<std::int8_t>(synonym.source)});
    }
  }
  co_return response;
}

bool DescribeConfigsHandler::allowed(const RequestContext& context, const Resource& resource) const {
  using security::Operation;
  using security::ResourceType;
  switch (type_of(resource)) {
    case ConfigResourceType::topic:
      return authorizer_.allows(context.identity, Operation::describe_configs,
                                {ResourceType::topic, resource.resource_name});
    case ConfigResourceType::group:
      return authorizer_.allows(context.identity, Operation::describe_configs,
                                {ResourceType::group, resource.resource_name});
    default:
      return authorizer_.allows(context.identity, Operation::describe_configs,
                                {ResourceType::cluster, security::cluster_resource});
  }
}

Result<std::vector<config::DescribedConfig>> DescribeConfigsHandler::describe(const RequestContext& context,
                                                                              const Resource& resource) const {
  const std::string& name = resource.resource_name;
  const auto type = type_of(resource);
  const metadata::ImageRef image = metadata_.image(context.reactor);
  const auto overrides = [&] { return properties_of(image->config({type, name})); };
  switch (type) {
    case ConfigResourceType::topic: {
      if (const auto valid = metadata::check_topic_name(name); !valid) return std::unexpected(valid.error());
      if (!image->topic(name)) return fail(ErrorCode::unknown_topic_or_partition);
      auto described = settings_()->describe_topic(overrides());
      if (!described) return std::unexpected(described.error().to_error());
      return std::move(*described);
    }
    case ConfigResourceType::broker:
    case ConfigResourceType::broker_logger:
      return describe_broker(resource);
    case ConfigResourceType::client_metrics:
      if (name.empty()) return fail(ErrorCode::invalid_request, "Client metrics subscription name must not be empty");
      return config::DynamicConfig::describe_client_metrics(overrides());
    case ConfigResourceType::group:
      if (name.empty()) return fail(ErrorCode::invalid_request, "Group name must not be empty");
      return settings_()->describe_group(overrides());
    case ConfigResourceType::unknown:
      break;
  }
  return fail(ErrorCode::invalid_request);
}

Result<std::vector<config::DescribedConfig>> DescribeConfigsHandler::describe_broker(const Resource& resource) const {
  const std::string& name = resource.resource_name;
  const bool loggers = type_of(resource) == ConfigResourceType::broker_logger;
  if (name.empty()) {
    if (loggers) return fail(ErrorCode::invalid_request, "Broker id must not be empty");
    return settings_()->describe_cluster_default();
  }
  std::int32_t id = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size())
    return fail(ErrorCode::invalid_request, fmt::format("Broker id must be an integer, but it is: {}", name));
  if (BrokerId(id) != node_id_)
    return fail(ErrorCode::invalid_request, fmt::format("Unexpected broker id, expected {}{} but received {}", node_id_,
                                                        loggers ? "" : " or empty string,", name));
  if (!loggers) return settings_()->describe_broker();
  std::vector<config::DescribedConfig> described;
  for (const auto& [logger, level] : log_.levels()) {
    auto& entry = described.emplace_back();
    entry.name = logger;
    entry.value = log_level_name(level);
    entry.source = config::ConfigSource::dynamic_broker_logger;
  }
  return described;
}

DescribeConfigsHandler::Response DescribeConfigsHandler::failed(const RequestContext&, const Request& request,
                                                                const Error& error) const {
  Response response;
  for (const auto& resource : request.resources) {
    auto& result = response.results.emplace_back();
    result.error_code = wire_of(error.code);
    result.error_message = error_message(error.code);
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
  }
  return response;
}

}  // namespace klamm::server
