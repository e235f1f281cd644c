// Times as Kafka's tools read them: what java.text.SimpleDateFormat and java.time.Duration take, and how they refuse.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/java.h"

namespace klamm::cli {

// "2026-01-31T12:00:00.000", UTC unless it ends in Z, +02, +0200 or +02:00, as milliseconds since 1970.
// Throws java.text.ParseException. Source: org.apache.kafka.common.utils.Utils.getDateTime.
std::int64_t java_date_time(const std::string& text);

// "P1DT2H3M4.5S" before `now_ms`. Throws java.time.format.DateTimeParseException, and DateTimeException for what is
// before or after all times. Source: java.time.Duration.parse, Instant.minus.
std::int64_t java_time_before(const std::string& duration, std::int64_t now_ms);

}  // namespace klamm::cli
