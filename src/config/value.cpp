#include "config/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/ensure.h"

namespace klamm::config {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// What \s is in a Java pattern.
bool is_pattern_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

Checked<Value> parse_number(std::string_view key, std::string_view text, Type type, std::int64_t min,
                            std::int64_t max) {
  if (const auto number = parse_java_integer(java_trim(text), min, max)) return *number;
  return invalid_value(text, key, fmt::format("Not a number of type {}", type_name(type)));
}

std::string join(const List& list, std::string_view separator) {
  std::string text;
  for (const std::string& entry : list) {
    if (&entry != &list.front()) text += separator;
    text += entry;
  }
  return text;
}

}  // namespace

std::string_view type_name(Type type) {
  switch (type) {
    case Type::boolean:
      return "BOOLEAN";
    case Type::string:
      return "STRING";
    case Type::int32:
      return "INT";
    case Type::int16:
      return "SHORT";
    case Type::int64:
      return "LONG";
    case Type::float64:
      return "DOUBLE";
    case Type::list:
      return "LIST";
    case Type::class_name:
      return "CLASS";
    case Type::password:
      return "PASSWORD";
  }
  ENSURE(false, "unknown config::Type");
}

Checked<Value> parse_value(std::string_view key, std::string_view text, Type type) {
  switch (type) {
    case Type::boolean: {
      const std::string_view trimmed = java_trim(text);
      if (equal_ignoring_case(trimmed, "true")) return true;
      if (equal_ignoring_case(trimmed, "false")) return false;
      return invalid_value(text, key, "Expected value to be either true or false");
    }
    case Type::int16:
      return parse_number(key, text, type, std::numeric_limits<std::int16_t>::min(),
                          std::numeric_limits<std::int16_t>::max());
    case Type::int32:
      return parse_number(key, text, type, std::numeric_limits<std::int32_t>::min(),
                          std::numeric_limits<std::int32_t>::max());
    case Type::int64:
      return parse_number(key, text, type, std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::int64_t>::max());
    case Type::float64:
      if (const auto number = parse_java_double(text)) return *number;
      return invalid_value(text, key, "Not a number of type DOUBLE");
    case Type::list:
      return split_list(java_trim(text));
    case Type::string:
    case Type::class_name:
    case Type::password:
      return std::string(java_trim(text));
  }
  ENSURE(false, "unknown config::Type");
}

std::optional<std::string> value_text(const Value& value) {
  struct Printer {
    std::optional<std::string> operator()(std::monostate) const { return std::nullopt; }
    std::optional<std::string> operator()(bool v) const { return v ? "true" : "false"; }
    std::optional<std::string> operator()(std::int64_t v) const { return std::to_string(v); }
    std::optional<std::string> operator()(double v) const { return java_double_text(v); }
    std::optional<std::string> operator()(const std::string& v) const { return v; }
    std::optional<std::string> operator()(const List& v) const { return join(v, ","); }
  };
  return std::visit(Printer{}, value);
}

std::string value_in_message(const Value& value) {
  if (const List* list = std::get_if<List>(&value)) return "[" + join(*list, ", ") + "]";
  return value_text(value).value_or("null");
}

std::string_view java_trim(std::string_view text) {
  const auto drop = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && drop(text.front())) text.remove_prefix(1);
  while (!text.empty() && drop(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> parse_java_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

std::optional<double> parse_java_double(std::string_view text) {
  text = java_trim(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  if (!text.empty() && std::string_view("dDfF").contains(text.back())) text.remove_suffix(1);
  // from_chars would take "inf" and "nan(…)", which Java does not.
  if (text.empty() || !(text.front() == '.' || (text.front() >= '0' && text.front() <= '9'))) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars leaves the value alone; Java rounds to zero or infinity. Digits that are all zero were no error.
    const std::size_t exponent = text.find_first_of("eE");
    const bool tiny = exponent != std::string_view::npos && text.substr(exponent + 1).starts_with('-');
    value = tiny ? 0.0 : HUGE_VAL;
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::string java_double_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  const double magnitude = std::fabs(value);
  char buffer[512];
  if (magnitude >= 1e-3 && magnitude < 1e7) {
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
    std::string text(buffer, result.ptr);
    if (!text.contains('.')) text += ".0";
    return text;
  }
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, result.ptr);
  const std::size_t at = text.find('e');
  std::string mantissa(text.substr(0, at));
  if (!mantissa.contains('.')) mantissa += ".0";
  std::string_view exponent = text.substr(at + 1);
  const bool negative = exponent.front() == '-';
  exponent.remove_prefix(1);
  while (exponent.size() > 1 && exponent.front() == '0') exponent.remove_prefix(1);
  return fmt::format("{}E{}{}", mantissa, negative ? "-" : "", exponent);
}

List split_list(std::string_view text) {
  List list;
  if (text.empty()) return list;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view entry = text.substr(0, comma);
    while (comma != std::string_view::npos && !entry.empty() && is_pattern_blank(entry.back())) entry.remove_suffix(1);
    list.emplace_back(entry);
    if (comma == std::string_view::npos) return list;
    text.remove_prefix(comma + 1);
    while (!text.empty() && is_pattern_blank(text.front())) text.remove_prefix(1);
  }
}

}  // namespace klamm::config
