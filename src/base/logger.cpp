#include "base/logger.h"

#include <array>

namespace klamm {
namespace {

constexpr std::array<std::string_view, 6> names{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

}  // namespace

std::string_view log_level_name(LogLevel level) {
  return names[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> log_level_of(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<LogLevel>(i);
  return std::nullopt;
}

}  // namespace klamm
