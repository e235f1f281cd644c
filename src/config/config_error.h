// What is wrong with a configuration, in Kafka's words. The same text reaches people in three ways: in the log when the
// start is refused (with the name of Java's exception class before it, which scripts look for), in an answer of the
// protocol, and on the terminal of a tool.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace klamm::config {

enum class ErrorKind : std::uint8_t {
  config,                 // org.apache.kafka.common.config.ConfigException
  illegal_argument,       // java.lang.IllegalArgumentException
  number_format,          // java.lang.NumberFormatException
  arithmetic,             // java.lang.ArithmeticException
  kafka,                  // org.apache.kafka.common.KafkaException
  invalid_configuration,  // org.apache.kafka.common.errors.InvalidConfigurationException: INVALID_CONFIG
  invalid_request,        // org.apache.kafka.common.errors.InvalidRequestException: INVALID_REQUEST
};

struct ConfigError {
  ErrorKind kind = ErrorKind::config;
  std::string message = {};
  std::string cause = {};  // "java.lang.IllegalArgumentException: No security protocol …"; empty when there is none

  // "org.apache.kafka.common.config.ConfigException"
  std::string_view java_class() const;
  // "org.apache.kafka.common.config.ConfigException: Invalid value …", with a "Caused by: " line when there is a cause.
  std::string to_string() const;
  // As an answer to a request: INVALID_REQUEST for invalid_request, INVALID_CONFIG for everything else.
  Error to_error() const;

  bool operator==(const ConfigError&) const = default;
};

template <typename T>
using Checked = std::expected<T, ConfigError>;

inline std::unexpected<ConfigError> refuse(ErrorKind kind, std::string message, std::string cause = {}) {
  return std::unexpected(ConfigError{kind, std::move(message), std::move(cause)});
}

// "Invalid value x for configuration y: why", or without the reason when there is none.
std::unexpected<ConfigError> invalid_value(std::string_view value, std::string_view key, std::string_view why = {});
// scala.Predef.require: "requirement failed: " before the text.
std::unexpected<ConfigError> requirement_failed(std::string_view what);

}  // namespace klamm::config
