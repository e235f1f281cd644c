#include "base/logger.h"

#include <array>

namespace klamm {

std::string_view log_level_name(LogLevel level) {
  constexpr std::array<std::string_view, 6> names{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
  return names[static_cast<std::size_t>(level)];
}

}  // namespace klamm
