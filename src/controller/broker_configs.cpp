#include "controller/broker_configs.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "controller/call.h"
#include "metadata/image.h"

namespace klamm::controller {
namespace {

using metadata::ConfigResourceType;

std::unexpected<Error> invalid(std::string text) {
  return fail(ErrorCode::invalid_request, std::move(text));
}

bool is_removal(const protocol::IncrementalAlterConfigsRequest::AlterableConfig& config) {
  return config.config_operation == static_cast<std::int8_t>(config::AlterOperation::remove);
}
bool is_removal(const protocol::AlterConfigsRequest::AlterableConfig&) {
  return false;
}

// Every key once, and every value there.
template <typename Resource>
Result<void> check_keys(const Resource& resource) {
  std::set<std::string_view> names;
  std::string nulls;
  for (const auto& config : resource.configs) {
    if (!names.insert(config.name).second) return invalid("Error due to duplicate config keys");
    if (!config.value && !is_removal(config)) nulls += (nulls.empty() ? "" : ", ") + config.name;
  }
  if (!nulls.empty()) return invalid("Null value not supported for : " + nulls);
  return {};
}

// Empty, for all brokers, or this one.
Result<void> check_broker_id(const std::string& name, BrokerId self) {
  if (name.empty()) return {};
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size()) {
    return invalid("Node id must be an integer, but it is: " + name);
  }
  if (id != self.value) {
    return invalid(fmt::format("Unexpected broker id, expected {}, but received {}", self, name));
  }
  return {};
}

Result<void> answer(const config::Checked<void>& checked) {
  if (checked) return {};
  return std::unexpected(checked.error().to_error());
}

// The layer as the whole request makes it.
Result<void> check_broker_layer(const config::DynamicConfig& broker,
                                const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
  std::vector<config::DynamicConfig::Alteration> alterations;
  for (const auto& config : resource.configs) {
    if (config.config_operation < 0 || config.config_operation > 3) {
      return invalid(fmt::format("Unknown operations type {}", config.config_operation));
    }
    alterations.push_back({config.name, static_cast<config::AlterOperation>(config.config_operation),
                           config.value ? std::string_view(*config.value) : std::string_view()});
  }
  const bool per_broker = !resource.resource_name.empty();
  auto layer = broker.altered_broker_layer(alterations, per_broker);
  if (!layer) return std::unexpected(layer.error().to_error());
  return answer(broker.validate_broker_change(*layer, per_broker));
}
Result<void> check_broker_layer(const config::DynamicConfig& broker,
                                const protocol::AlterConfigsRequest::AlterConfigsResource& resource) {
  config::Properties layer;
  for (const auto& config : resource.configs) layer[config.name] = config.value.value_or("");
  return answer(broker.validate_broker_change(layer, !resource.resource_name.empty()));
}

// Nothing: the controller decides.
template <typename Resource>
std::optional<Error> look_at(const Resource& resource, const config::DynamicConfig& broker,
                             const std::function<Result<void>(const Resource&)>& alter_loggers) {
  const auto told = [](const Result<void>& done) { return done ? Error{ErrorCode::none} : done.error(); };
  if (auto keys = check_keys(resource); !keys) return keys.error();
  switch (static_cast<ConfigResourceType>(resource.resource_type)) {
    case ConfigResourceType::broker_logger:
      if (alter_loggers) return told(alter_loggers(resource));
      break;
    case ConfigResourceType::broker:
      if (auto self = check_broker_id(resource.resource_name, broker.file().node_id()); !self) return self.error();
      if (auto layer = check_broker_layer(broker, resource); !layer) return layer.error();
      return std::nullopt;
    case ConfigResourceType::topic:
    case ConfigResourceType::client_metrics:
    case ConfigResourceType::group:
      return std::nullopt;
    case ConfigResourceType::unknown:
      break;
  }
  return Error{ErrorCode::invalid_request, fmt::format("Unknown resource type {}", resource.resource_type)};
}

template <typename Request, typename Resource>
Preprocessed<Request> preprocess_each(const Request& request, const config::DynamicConfig& broker,
                                      const std::function<Result<void>(const Resource&)>& alter_loggers) {
  std::map<std::pair<std::int8_t, std::string_view>, int> counts;
  for (const auto& resource : request.resources) ++counts[{resource.resource_type, resource.resource_name}];
  Preprocessed<Request> out;
  out.rest.validate_only = request.validate_only;
  for (const auto& resource : request.resources) {
    std::optional<Error> answer;
    if (counts[{resource.resource_type, resource.resource_name}] > 1) {
      answer = Error{ErrorCode::invalid_request, "Each resource must appear at most once."};
    } else {
      answer = look_at<Resource>(resource, broker, alter_loggers);
    }
    if (!answer) out.rest.resources.push_back(resource);
    out.answers.push_back(std::move(answer));
  }
  return out;
}

template <typename Response, typename Request>
Response reassemble_each(const Request& request, const std::vector<std::optional<Error>>& answers,
                         const Response& from_controller) {
  Response response;
  response.throttle_time_ms = from_controller.throttle_time_ms;
  std::map<std::pair<std::int8_t, std::string_view>, const typename decltype(response.responses)::value_type*> theirs;
  for (const auto& result : from_controller.responses) theirs[{result.resource_type, result.resource_name}] = &result;
  for (std::size_t i = 0; i < request.resources.size(); ++i) {
    const auto& resource = request.resources[i];
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_message.reset();
    if (const auto& answer = answers[i]) {
      result.error_code = wire_of(answer->code);
      result.error_message = message_of(*answer);
    } else if (const auto found = theirs.find({resource.resource_type, resource.resource_name});
               found != theirs.end()) {
      result.error_code = found->second->error_code;
      result.error_message = found->second->error_message;
    } else {
      result.error_code = wire_of(ErrorCode::unknown_server_error);
    }
  }
  return response;
}

}  // namespace

Preprocessed<protocol::IncrementalAlterConfigsRequest> preprocess(
    const protocol::IncrementalAlterConfigsRequest& request, const config::DynamicConfig& broker,
    const AlterLoggers& alter_loggers) {
  using Resource = protocol::IncrementalAlterConfigsRequest::AlterConfigsResource;
  return preprocess_each<protocol::IncrementalAlterConfigsRequest, Resource>(
      request, broker, [&](const Resource& resource) { return alter_loggers(resource, request.validate_only); });
}

Preprocessed<protocol::AlterConfigsRequest> preprocess(const protocol::AlterConfigsRequest& request,
                                                       const config::DynamicConfig& broker) {
  using Resource = protocol::AlterConfigsRequest::AlterConfigsResource;
  // This request knows no loggers.
  return preprocess_each<protocol::AlterConfigsRequest, Resource>(request, broker, {});
}

protocol::IncrementalAlterConfigsResponse reassemble(const protocol::IncrementalAlterConfigsRequest& request,
                                                     const std::vector<std::optional<Error>>& answers,
                                                     const protocol::IncrementalAlterConfigsResponse& from_controller) {
  return reassemble_each(request, answers, from_controller);
}

protocol::AlterConfigsResponse reassemble(const protocol::AlterConfigsRequest& request,
                                          const std::vector<std::optional<Error>>& answers,
                                          const protocol::AlterConfigsResponse& from_controller) {
  return reassemble_each(request, answers, from_controller);
}

}  // namespace klamm::controller
