// Typed values of configuration keys, and their text as Java prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config_error.h"

namespace klamm::config {

// The numbers are those of DescribeConfigsResponse (ConfigType).
enum class Type : std::uint8_t {
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  float64 = 6,
  list = 7,
  class_name = 8,
  password = 9,
};
std::string_view type_name(Type type);  // "INT"

using List = std::vector<std::string>;
// Null, BOOLEAN; SHORT, INT and LONG; DOUBLE; STRING, CLASS and PASSWORD; LIST.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, List>;

inline bool is_null(const Value& value) {
  return std::holds_alternative<std::monostate>(value);
}

// Blanks at both ends are dropped, as Kafka does. Error text: "Invalid value abc for configuration num.partitions: Not
// a number of type INT".
Checked<Value> parse_value(std::string_view key, std::string_view text, Type type);
// Nothing for null. A list's entries are joined by commas.
std::optional<std::string> value_text(const Value& value);
// As in an error text: "[a, b]" for a list, "null" for null.
std::string value_in_message(const Value& value);

// String.trim: what is not above the blank is dropped at both ends.
std::string_view java_trim(std::string_view text);
// Integer.parseInt, Long.parseLong in base 10: an optional sign and digits, nothing else.
std::optional<std::int64_t> parse_java_integer(std::string_view text, std::int64_t min, std::int64_t max);
// Double.parseDouble without hexadecimal numbers; and Double.toString: "0.5", "1.7976931348623157E308".
std::optional<double> parse_java_double(std::string_view text);
std::string java_double_text(double value);
// Pattern "\s*,\s*", empty entries kept; an empty text is an empty list.
List split_list(std::string_view text);

}  // namespace klamm::config
