// What is said of connections that misbehave: one line a second at most of each kind, however many there are.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/logger.h"
#include "runtime/clock.h"

namespace klamm::server {

enum class BadConnection : std::uint8_t {
  invalid_receive,  // a frame length that cannot be
  bad_request,      // a header or body that cannot be read, an API or version that is not served
  too_many_of_address,
  too_slow,       // held memory that others need
  failed_answer,  // a handler or a file failed
};
inline constexpr std::size_t bad_connection_kinds = 5;

// Callable from every reactor.
class BadConnectionLog {
 public:
  // What failed while a request was handled is told by kafka.server.KafkaApis, the rest by `log`.
  explicit BadConnectionLog(Logger log) : log_(std::move(log)), apis_log_(log_.named("kafka.server.KafkaApis")) {}

  void write(BadConnection kind, LogLevel level, runtime::MonoTime now, std::string_view line);

 private:
  struct Kind {
    std::atomic<std::int64_t> next_line_at{INT64_MIN};  // MonoTime ticks
    std::atomic<std::uint64_t> left_out{0};
  };
  Logger log_;
  Logger apis_log_;
  std::array<Kind, bad_connection_kinds> kinds_;
};

}  // namespace klamm::server
