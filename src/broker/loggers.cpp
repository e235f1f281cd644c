#include "broker/loggers.h"

#include <charconv>

namespace klamm::broker {
namespace {

using Resource = protocol::IncrementalAlterConfigsRequest::AlterConfigsResource;
using Change = protocol::IncrementalAlterConfigsRequest::AlterableConfig;

enum Operation : std::int8_t { set = 0, unset = 1, append = 2, subtract = 3 };

Result<void> check_node(std::string_view name, BrokerId self) {
  std::int32_t id = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) {
    return fail(ErrorCode::invalid_request, fmt::format("Node id must be an integer, but it is: {}", name));
  }
  if (BrokerId(id) != self) {
    return fail(ErrorCode::invalid_request, fmt::format("Unexpected node id. Expected {}, but received {}", self, id));
  }
  return {};
}

Result<void> check(const Change& change, const std::map<std::string, LogLevel>& loggers) {
  if (change.config_operation == append || change.config_operation == subtract) {
    return fail(ErrorCode::invalid_request, fmt::format("{} operation is not allowed for the BROKER_LOGGER resource",
                                                        change.config_operation == append ? "APPEND" : "SUBTRACT"));
  }
  if (change.config_operation != set && change.config_operation != unset) {
    return fail(ErrorCode::invalid_request,
                fmt::format("Unknown operation type {} is not allowed for the BROKER_LOGGER resource",
                            change.config_operation));
  }
  if (!loggers.contains(change.name)) {
    return fail(ErrorCode::invalid_config, fmt::format("Logger {} does not exist!", change.name));
  }
  if (change.config_operation == unset) {
    if (change.name != "root") return {};
    return fail(ErrorCode::invalid_request, "Removing the log level of the root logger is not allowed");
  }
  if (change.value && log_level_of(*change.value)) return {};
  return fail(ErrorCode::invalid_config,
              fmt::format("Cannot set the log level of {} to {} as it is not a supported log level. Valid log levels "
                          "are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
                          change.name, change.value.value_or("null")));
}

}  // namespace

Result<void> alter_loggers(LogSink& sink, BrokerId self, const Logger& log, const Resource& resource,
                           bool validate_only) {
  if (auto node = check_node(resource.resource_name, self); !node) return node;
  const auto loggers = sink.levels();
  for (const Change& change : resource.configs) {
    if (auto good = check(change, loggers); !good) return good;
  }
  if (validate_only) return {};
  for (const Change& change : resource.configs) {
    if (change.config_operation == set) {
      sink.set_level(change.name, log_level_of(*change.value));
      log.warn("Updated the log level of {} to {}", change.name, *change.value);
    } else {
      sink.set_level(change.name, std::nullopt);
      log.warn("Unset the log level of {}", change.name);
    }
  }
  return {};
}

}  // namespace klamm::broker
