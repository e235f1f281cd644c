// ENSURE: what must hold unless this program has a bug. Always on; a failure ends the process before it can write
// something wrong. What a client or a disk can cause is never an ENSURE: it is an ErrorCode or an exception.
#pragma once

#include <string_view>

namespace klamm {

// Prints the condition, the place and a stack trace with the build id to stderr, then aborts.
[[noreturn]] void ensure_failed(const char* condition, const char* file, int line, std::string_view detail = {});

}  // namespace klamm

#define ENSURE(condition, ...)                                                           \
  do {                                                                                   \
    if (!(condition)) [[unlikely]]                                                       \
      ::klamm::ensure_failed(#condition, __FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
