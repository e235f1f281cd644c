#include "config/config_error.h"

#include <fmt/format.h>

#include "base/ensure.h"

namespace klamm::config {

std::string_view ConfigError::java_class() const {
  switch (kind) {
    case ErrorKind::config:
      return "org.apache.kafka.common.config.ConfigException";
    case ErrorKind::illegal_argument:
      return "java.lang.IllegalArgumentException";
    case ErrorKind::number_format:
      return "java.lang.NumberFormatException";
    case ErrorKind::arithmetic:
      return "java.lang.ArithmeticException";
    case ErrorKind::kafka:
      return "org.apache.kafka.common.KafkaException";
    case ErrorKind::invalid_configuration:
      return "org.apache.kafka.common.errors.InvalidConfigurationException";
    case ErrorKind::invalid_request:
      return "org.apache.kafka.common.errors.InvalidRequestException";
  }
  ENSURE(false, "unknown ErrorKind");
}

std::string ConfigError::to_string() const {
  std::string text = fmt::format("{}: {}", java_class(), message);
  if (!cause.empty()) text += "\nCaused by: " + cause;
  return text;
}

Error ConfigError::to_error() const {
  return {kind == ErrorKind::invalid_request ? ErrorCode::invalid_request : ErrorCode::invalid_config, message};
}

std::unexpected<ConfigError> invalid_value(std::string_view value, std::string_view key, std::string_view why) {
  return refuse(ErrorKind::config,
                fmt::format("Invalid value {} for configuration {}{}{}", value, key, why.empty() ? "" : ": ", why));
}

std::unexpected<ConfigError> requirement_failed(std::string_view what) {
  return refuse(ErrorKind::illegal_argument, fmt::format("requirement failed: {}", what));
}

}  // namespace klamm::config
