#include "cli/offsets_csv.h"

#include <limits>
#include <optional>
#include <vector>

#include "config/value.h"

namespace klamm::cli {

namespace {

constexpr std::string_view parse_exception = "com.fasterxml.jackson.core.JsonParseException";

std::string at_column(std::string_view message, std::size_t column) {
  return fmt::format("{}\n at [Source: (StringReader); line: 1, column: {}]", message, column);
}

struct CsvValue {
  std::string text;
  std::size_t column = 0;  // where it begins, from 1 on
  std::size_t behind = 0;  // where the reader stands after it
};

// The values of one line, one after another.
class CsvLine {
 public:
  explicit CsvLine(std::string_view line) : line_(line) {}

  // Nothing at the end of the line.
  std::optional<CsvValue> next() {
    if (ended_) return std::nullopt;
    CsvValue value{.text = {}, .column = at_ + 1, .behind = 0};
    if (at_ < line_.size() && line_[at_] == '"') {
      value.text = quoted();
    } else {
      while (at_ < line_.size() && !is_end(line_[at_]) && line_[at_] != ',') value.text += line_[at_++];
    }
    ended_ = at_ == line_.size() || is_end(line_[at_]);
    ++at_;  // the separator
    // At the end of its input the reader counts it twice.
    value.behind = at_ > line_.size() ? 2 * line_.size() + 1 : at_ + 1;
    return value;
  }

 private:
  static bool is_end(char c) { return c == '\r' || c == '\n'; }

  std::string quoted() {
    std::string text;
    ++at_;
    for (;; ++at_) {
      if (at_ == line_.size()) {
        throw JavaException(std::string(parse_exception),
                            at_column("Missing closing quote for value", line_.size() + 1));
      }
      if (line_[at_] != '"') {
        text += line_[at_];
      } else if (at_ + 1 < line_.size() && line_[at_ + 1] == '"') {
        text += line_[++at_];
      } else {
        break;
      }
    }
    ++at_;
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
    if (at_ < line_.size() && line_[at_] != ',' && !is_end(line_[at_])) {
      const char c = line_[at_];
      throw JavaException(std::string(parse_exception),
                          at_column(fmt::format("Unexpected character ('{}' (code {})): Expected column separator "
                                                "character (',' (code 44)) or end-of-line",
                                                c, static_cast<unsigned char>(c)),
                                    at_ + 2));
    }
    return text;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

struct IntegerType {
  std::string_view name;
  std::int64_t min;
  std::int64_t max;
};
constexpr IntegerType int_type{"int", std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max()};
constexpr IntegerType long_type{"long", std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max()};

bool looks_like_a_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::int64_t integer(const CsvValue& value, const IntegerType& type, std::string_view field, CsvColumns columns) {
  const std::string_view text = config::java_trim(value.text);
  if (text.empty() || text == "null") return 0;
  const std::string chain =
      fmt::format(" (through reference chain: org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecord{}[\"{}\"])",
                  columns == CsvColumns::with_group ? "WithGroup" : "NoGroup", field);
  if (!looks_like_a_number(text)) {
    throw JavaException("com.fasterxml.jackson.databind.exc.InvalidFormatException",
                        at_column(fmt::format("Cannot deserialize value of type `{0}` from String \"{1}\": not a valid "
                                              "`{0}` value",
                                              type.name, value.text),
                                  value.column) +
                            chain);
  }
  if (const auto number = config::parse_java_integer(text, type.min, type.max)) return *number;
  const bool fits_long = config::parse_java_integer(text, long_type.min, long_type.max).has_value();
  const std::string message =
      at_column(fmt::format("Numeric value ({}) out of range of {}{}", text, type.name,
                            fits_long ? std::string() : fmt::format(" ({} - {})", type.min, type.max)),
                value.behind);
  throw JavaException("com.fasterxml.jackson.databind.JsonMappingException", message + chain,
                      JavaException(std::string(parse_exception), message));
}

// Quotes make what is long, or has a character that might be special, safe.
std::string quoted_if_needed(const std::string& text) {
  constexpr std::size_t plain_max = 24;
  constexpr char first_plain = '-';  // behind the comma
  const bool plain = text.size() <= plain_max &&
                     std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < first_plain; });
  if (plain) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += c;
    result += c;
  }
  return result + '"';
}

}  // namespace

PlannedOffset parse_offset_row(std::string_view line, CsvColumns columns) {
  if (line.empty()) {
    throw JavaException("com.fasterxml.jackson.databind.exc.MismatchedInputException",
                        "No content to map due to end-of-input\n at [Source: (StringReader); line: UNKNOWN, column: "
                        "UNKNOWN]");
  }
  PlannedOffset row;
  CsvLine values(line);
  if (columns == CsvColumns::with_group) {
    if (auto value = values.next()) row.group = std::move(value->text);
  }
  if (auto value = values.next()) row.partition.topic = std::move(value->text);
  if (const auto value = values.next()) {
    row.partition.partition = static_cast<std::int32_t>(integer(*value, int_type, "partition", columns));
  }
  if (const auto value = values.next()) row.offset = integer(*value, long_type, "offset", columns);
  if (const auto value = values.next(); value && !value->text.empty()) {
    const int most = columns == CsvColumns::with_group ? 4 : 3;
    throw JavaException("com.fasterxml.jackson.dataformat.csv.CsvReadException",
                        at_column(fmt::format("Too many entries: expected at most {0} (value #{0} ({1} chars) \"{2}\")",
                                              most, value->text.size(), value->text),
                                  value->column));
  }
  return row;
}

std::string offset_row(const PlannedOffset& row, CsvColumns columns) {
  return fmt::format("{}{},{},{}\n", columns == CsvColumns::with_group ? quoted_if_needed(row.group) + "," : "",
                     quoted_if_needed(row.partition.topic), row.partition.partition, row.offset);
}

}  // namespace klamm::cli
