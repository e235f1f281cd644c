#include "config/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/ensure.h"
#include "config/listeners.h"

namespace klamm::config {
namespace {

std::string join(std::span<const std::string_view> strings) {
  std::string text;
  for (const std::string_view entry : strings) {
    if (!text.empty()) text += ", ";
    text += entry;
  }
  return text;
}

template <typename T>
Checked<void> only_check(const Checked<T>& checked) {
  return checked ? Checked<void>{} : std::unexpected(checked.error());
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

Checked<void> check_range(std::string_view key, const Value& value, const Validator& range) {
  if (is_null(value)) return invalid_value("null", key, "Value must be non-null");
  const double number = std::holds_alternative<double>(value) ? std::get<double>(value)
                                                              : static_cast<double>(std::get<std::int64_t>(value));
  if (number < range.min.number()) {
    return invalid_value(value_in_message(value), key, fmt::format("Value must be at least {}", range.min.text()));
  }
  if (range.kind == Validator::Kind::between && number > range.max.number()) {
    return invalid_value(value_in_message(value), key, fmt::format("Value must be no more than {}", range.max.text()));
  }
  return {};
}

Checked<void> check_gzip_level(std::string_view key, const Value& value) {
  if (is_null(value)) return invalid_value("null", key, "Value must be non-null");
  const std::int64_t level = std::get<std::int64_t>(value);
  if (level == -1 || (level >= 1 && level <= 9)) return {};
  return invalid_value(value_in_message(value), key, "Value must be between 1 and 9 or equal to -1");
}

Checked<void> check_string(std::string_view key, std::string_view text, std::span<const std::string_view> strings) {
  if (std::ranges::find(strings, text) != strings.end()) return {};
  return invalid_value(text, key, fmt::format("String must be one of: {}", join(strings)));
}

Checked<void> check_string_any_case(std::string_view key, const Value& value,
                                    std::span<const std::string_view> strings) {
  const std::string* text = std::get_if<std::string>(&value);
  if (text != nullptr && std::ranges::any_of(strings, [&](std::string_view s) { return upper(s) == upper(*text); }))
    return {};
  return invalid_value(value_in_message(value), key,
                       fmt::format("String must be one of (case insensitive): {}", join(strings)));
}

Checked<void> check_list(std::string_view key, const Value& value, const Validator& validator) {
  const auto wrong = [&](std::string_view what) {
    return refuse(ErrorKind::config, fmt::format("Configuration '{}' {}", key, what));
  };
  if (is_null(value)) return validator.null_allowed ? Checked<void>{} : wrong("values must not be null.");
  const List& entries = std::get<List>(value);
  if (entries.empty() && !validator.empty_allowed) {
    const std::string valid = validator.strings.empty() ? "any non-empty value" : "[" + join(validator.strings) + "]";
    return wrong(fmt::format("must not be empty. Valid values include: {}", valid));
  }
  if (std::set<std::string_view>(entries.begin(), entries.end()).size() != entries.size()) {
    return wrong("values must not be duplicated.");
  }
  for (const std::string& entry : entries) {
    if (entry.empty()) return wrong("values must not be empty.");
    if (validator.strings.empty()) continue;
    if (auto checked = check_string(key, entry, validator.strings); !checked) return checked;
  }
  return {};
}

Checked<void> check_throttled_replicas(std::string_view key, const Value& value) {
  const List& entries = std::get<List>(value);
  const auto is_replica = [](const std::string& entry) {
    const std::string_view text = java_trim(entry);
    if (text.empty()) return true;
    const std::size_t colon = text.find(':');
    const auto digits = [](std::string_view part) {
      return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    return colon != std::string_view::npos && digits(text.substr(0, colon)) && digits(text.substr(colon + 1));
  };
  std::string joined;
  for (const std::string& entry : entries) joined += java_trim(entry);
  if (std::ranges::all_of(entries, is_replica) || joined == "*") return {};
  return invalid_value(value_in_message(value), key,
                       fmt::format("{} must be the literal '*' or a list of replicas in the following format: "
                                   "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                                   key));
}

Checked<void> check_offset_reset(std::string_view key, const Value& value, bool share) {
  const std::string text = value_in_message(value);
  if (!is_null(value)) {
    if (text == "earliest" || text == "latest" || (text == "none" && !share)) return {};
    constexpr std::string_view prefix = "by_duration:";
    if (text.starts_with(prefix) &&
        parse_iso_duration_ms(std::string_view(text).substr(prefix.size())).value_or(-1) >= 0)
      return {};
  }
  return invalid_value(
      text, key,
      fmt::format("Invalid value `{}` for configuration {}. The value must be either 'earliest', 'latest'{} or "
                  "of the format 'by_duration:<PnDTnHnMn.nS{}>'.",
                  text, key, share ? "" : ", 'none'", share ? "" : "."));
}

Checked<void> check_share_acquire_mode(std::string_view key, const Value& value) {
  const std::string text = value_in_message(value);
  if (upper(text) == "BATCH_OPTIMIZED" || upper(text) == "RECORD_LIMIT") return {};
  return invalid_value(
      text, key,
      fmt::format("Invalid value `{}` for configuration {}. The value must either be 'batch_optimized' or "
                  "'record_limit'.",
                  text, key));
}

// Reads digits with an optional sign; nothing when there are none or the number is out of reach.
std::optional<std::int64_t> take_number(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t number = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text[digits] - '0', &number))
      return std::nullopt;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return negative ? -number : number;
}

// The nanoseconds after the point, at most nine digits; 0 without a point.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (text.empty() || (text.front() != '.' && text.front() != ',')) return 0;
  text.remove_prefix(1);
  std::int64_t nanos = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (++digits > 9) return std::nullopt;
    nanos = nanos * 10 + (text.front() - '0');
    text.remove_prefix(1);
  }
  for (; digits < 9; ++digits) nanos *= 10;
  return nanos;
}

}  // namespace

std::optional<std::int64_t> parse_iso_duration_ms(std::string_view text) {
  const bool negated = text.starts_with('-');
  if (negated || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || std::toupper(static_cast<unsigned char>(text.front())) != 'P') return std::nullopt;
  text.remove_prefix(1);
  struct Unit {
    char letter;
    std::int64_t milliseconds;
  };
  static constexpr Unit units[] = {{'D', 86'400'000}, {'H', 3'600'000}, {'M', 60'000}, {'S', 1000}};
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  bool in_time = false;
  bool any_part = false;
  while (!text.empty()) {
    if (!in_time && (text.front() == 'T' || text.front() == 't')) {
      in_time = true;
      next_unit = std::max<std::size_t>(next_unit, 1);
      text.remove_prefix(1);
      if (text.empty()) return std::nullopt;
      continue;
    }
    const bool minus = text.starts_with('-');
    const auto number = take_number(text);
    const auto nanos = number ? take_fraction(text) : std::nullopt;
    if (!number || !nanos || text.empty()) return std::nullopt;
    const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    while (next_unit < std::size(units) && units[next_unit].letter != letter) ++next_unit;
    if (next_unit == std::size(units) || (letter == 'D') == in_time) return std::nullopt;
    if (letter != 'S' && *nanos != 0) return std::nullopt;
    std::int64_t part = 0;
    if (__builtin_mul_overflow(*number, units[next_unit].milliseconds, &part)) return std::nullopt;
    const std::int64_t fraction = *nanos / 1'000'000;
    if (__builtin_add_overflow(part, minus ? -fraction : fraction, &part)) return std::nullopt;
    if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
    any_part = true;
    ++next_unit;
    text.remove_prefix(1);
  }
  if (!any_part) return std::nullopt;
  return negated ? -total : total;
}

Checked<void> Validator::check(std::string_view key, const Value& value) const {
  switch (kind) {
    case Kind::none:
      return {};
    case Kind::at_least:
    case Kind::between:
      return check_range(key, value, *this);
    case Kind::gzip_level:
      return check_gzip_level(key, value);
    case Kind::string_in:
      return check_string(key, value_in_message(value), strings);
    case Kind::string_in_any_case:
      return check_string_any_case(key, value, strings);
    case Kind::list_in:
      return check_list(key, value, *this);
    case Kind::non_null:
      return is_null(value) ? invalid_value("null", key, "entry must be non null") : Checked<void>{};
    case Kind::non_empty:
      if (!is_null(value) && std::get<std::string>(value).empty())
        return invalid_value("", key, "String must be non-empty");
      return {};
    case Kind::quorum_voters:
      if (is_null(value)) return invalid_value("null", key);
      return only_check(parse_voters(std::get<List>(value), false));
    case Kind::quorum_servers:
      if (is_null(value)) return invalid_value("null", key);
      return only_check(parse_bootstrap_servers(std::get<List>(value)));
    case Kind::throttled_replicas:
      return check_throttled_replicas(key, value);
    case Kind::offset_reset:
      return check_offset_reset(key, value, false);
    case Kind::share_offset_reset:
      return check_offset_reset(key, value, true);
    case Kind::share_acquire_mode:
      return check_share_acquire_mode(key, value);
  }
  ENSURE(false, "unknown Validator::Kind");
}

std::string Validator::describe() const {
  switch (kind) {
    case Kind::none:
      return "";
    case Kind::at_least:
      return fmt::format("[{},...]", min.text());
    case Kind::between:
      return fmt::format("[{},...,{}]", min.text(), max.text());
    case Kind::gzip_level:
      return "[1,...,9] or -1";
    case Kind::string_in:
      return "[" + join(strings) + "]";
    case Kind::string_in_any_case:
      return "(case insensitive) [" + join(strings) + "]";
    case Kind::list_in:
      return strings.empty() ? "" : "[" + join(strings) + "]";
    case Kind::non_null:
      return "non-null string";
    case Kind::non_empty:
      return "non-empty string";
    case Kind::quorum_voters:
    case Kind::quorum_servers:
      return "non-empty list";
    case Kind::throttled_replicas:
      return "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    case Kind::offset_reset:
      return "[latest, earliest, none, by_duration:PnDTnHnMn.nS]";
    case Kind::share_offset_reset:
      return "[latest, earliest, by_duration:PnDTnHnMn.nS]";
    case Kind::share_acquire_mode:
      return "[batch_optimized, record_limit]";
  }
  ENSURE(false, "unknown Validator::Kind");
}

}  // namespace klamm::config
