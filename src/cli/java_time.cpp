#include "cli/java_time.h"

#include <array>
#include <limits>
#include <optional>
#include <string_view>

namespace klamm::cli {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads a text from its front, as a pattern of SimpleDateFormat does.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : text_(text) {}

  // Blanks before it are skipped, its digits may be as many as there are.
  std::optional<std::int64_t> number() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t')) text_.remove_prefix(1);
    if (text_.empty() || !is_digit(text_.front())) return std::nullopt;
    std::int64_t value = 0;
    while (!text_.empty() && is_digit(text_.front())) {
      value = std::min<std::int64_t>(value * 10 + (text_.front() - '0'), std::numeric_limits<std::int32_t>::max());
      text_.remove_prefix(1);
    }
    return value;
  }

  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  // Z, +hh, +hhmm or +hh:mm, in minutes; what comes behind is nobody's business.
  std::optional<std::int64_t> zone_minutes() {
    if (take('Z')) return 0;
    const bool minus = !text_.empty() && text_.front() == '-';
    if (!take('+') && !take('-')) return std::nullopt;
    const auto hours = two_digits();
    if (!hours || *hours > 23) return std::nullopt;
    const bool colon = take(':');
    const auto minutes = two_digits();
    if (!minutes && colon) return std::nullopt;
    if (minutes.value_or(0) > 59) return std::nullopt;
    const std::int64_t total = *hours * 60 + minutes.value_or(0);
    return minus ? -total : total;
  }

 private:
  std::optional<std::int64_t> two_digits() {
    if (text_.size() < 2 || !is_digit(text_[0]) || !is_digit(text_[1])) return std::nullopt;
    const std::int64_t value = (text_[0] - '0') * 10 + (text_[1] - '0');
    text_.remove_prefix(2);
    return value;
  }

  std::string_view text_;
};

std::optional<std::int64_t> date_time(std::string_view text) {
  DateReader reader(text);
  std::array<std::int64_t, 7> fields{};  // year, month, day, hour, minute, second, millisecond
  constexpr std::array<char, 7> behind{'-', '-', 'T', ':', ':', '.', '\0'};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto number = reader.number();
    if (!number || (behind[i] != '\0' && !reader.take(behind[i]))) return std::nullopt;
    fields[i] = *number;
  }
  const auto zone = reader.zone_minutes();
  if (!zone) return std::nullopt;
  constexpr std::int64_t year_max = 292'278'993;  // of 64 bits of milliseconds
  if (fields[0] < 1 || fields[0] > year_max || fields[3] > 23 || fields[4] > 59 || fields[5] > 59 || fields[6] > 999) {
    return std::nullopt;
  }
  if (fields[1] < 1 || fields[1] > 12 || fields[2] < 1) return std::nullopt;
  // Days since 1970 in the Gregorian calendar, by its cycle of 400 years.
  const std::int64_t year = fields[1] <= 2 ? fields[0] - 1 : fields[0];
  constexpr std::array<std::int64_t, 13> lengths{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (fields[0] % 4 == 0 && fields[0] % 100 != 0) || fields[0] % 400 == 0;
  const auto length = lengths[static_cast<std::size_t>(fields[1])] + (leap && fields[1] == 2 ? 1 : 0);
  if (fields[2] > length) return std::nullopt;
  const std::int64_t cycle = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_in_cycle = year - cycle * 400;
  const std::int64_t month_from_march = (fields[1] + 9) % 12;
  const std::int64_t day_in_year = (153 * month_from_march + 2) / 5 + fields[2] - 1;
  const std::int64_t day_in_cycle = year_in_cycle * 365 + year_in_cycle / 4 - year_in_cycle / 100 + day_in_year;
  constexpr std::int64_t days_of_cycle = 146'097;
  constexpr std::int64_t days_before_1970 = 719'468;  // since the first of March of the year 0
  const std::int64_t days = cycle * days_of_cycle + day_in_cycle - days_before_1970;
  const std::int64_t minutes = (days * 24 + fields[3]) * 60 + fields[4] - *zone;
  return (minutes * 60 + fields[5]) * 1000 + fields[6];
}

// ---- durations ----

struct Seconds {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;  // of the same sign as the text, below a second
};

JavaException unreadable(std::string_view part = {}) {
  return {"java.time.format.DateTimeParseException",
          fmt::format("Text cannot be parsed to a Duration{}{}", part.empty() ? "" : ": ", part)};
}

JavaException too_large(std::string_view part, const JavaException& why) {
  const JavaException plain = unreadable(part);
  return {plain.type(), plain.message(), why};
}

// Reads "[+-]digits" and the letter behind it.
struct Part {
  std::int64_t value = 0;
  std::string_view digits = {};                  // with their sign
  std::optional<std::size_t> too_large_at = {};  // the digit that 64 bits do not hold any more
  std::string_view fraction = {};
  bool negative = false;
  char unit = '\0';
};

std::optional<Part> take_part(std::string_view& text) {
  Part part;
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    part.negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest.empty() || !is_digit(rest.front())) return std::nullopt;
  while (!rest.empty() && is_digit(rest.front())) {
    const std::int64_t digit = rest.front() - '0';
    const bool overflow = __builtin_mul_overflow(part.value, std::int64_t{10}, &part.value) ||
                          __builtin_add_overflow(part.value, digit, &part.value);
    if (overflow && !part.too_large_at) part.too_large_at = text.size() - rest.size();
    rest.remove_prefix(1);
  }
  part.digits = text.substr(0, text.size() - rest.size());
  if (!rest.empty() && (rest.front() == '.' || rest.front() == ',')) {
    rest.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < rest.size() && is_digit(rest[digits])) ++digits;
    if (digits > 9) return std::nullopt;
    part.fraction = rest.substr(0, digits);
    rest.remove_prefix(digits);
    if (rest.empty() || (rest.front() | 0x20) != 's') return std::nullopt;
  }
  if (rest.empty()) return std::nullopt;
  part.unit = static_cast<char>(rest.front() | 0x20);
  rest.remove_prefix(1);
  if (part.negative && !part.too_large_at) part.value = -part.value;
  text = rest;
  return part;
}

std::int64_t nanoseconds_of(const Part& part) {
  std::int64_t nanoseconds = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    nanoseconds = nanoseconds * 10 + (i < part.fraction.size() ? part.fraction[i] - '0' : 0);
  }
  return part.negative ? -nanoseconds : nanoseconds;
}

struct Unit {
  char letter;
  bool of_time;  // stands behind the T
  std::int64_t seconds;
  std::string_view name;
};
constexpr Unit units[] = {
    {'d', false, 86'400, "days"}, {'h', true, 3'600, "hours"}, {'m', true, 60, "minutes"}, {'s', true, 1, "seconds"}};

Seconds parse_duration(std::string_view text) {
  bool negated = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negated = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || (text.front() | 0x20) != 'p') throw unreadable();
  text.remove_prefix(1);
  Seconds total;
  bool in_time = false;
  std::size_t next = 0;   // units come in this order
  std::size_t parts = 0;  // since the T, or since the beginning
  while (!text.empty()) {
    if (!in_time && (text.front() | 0x20) == 't') {
      in_time = true;
      parts = 0;
      text.remove_prefix(1);
      continue;
    }
    const auto part = take_part(text);
    if (!part) throw unreadable();
    std::size_t at = next;
    while (at < std::size(units) && (units[at].letter != part->unit || units[at].of_time != in_time)) ++at;
    if (at == std::size(units)) throw unreadable();
    next = at + 1;
    ++parts;
    std::int64_t seconds = 0;
    if (part->too_large_at) {
      throw too_large(units[at].name, {"java.lang.NumberFormatException",
                                       fmt::format("Error at index {} in: \"{}\"", *part->too_large_at, part->digits)});
    }
    if (__builtin_mul_overflow(part->value, units[at].seconds, &seconds)) {
      throw too_large(units[at].name, {"java.lang.ArithmeticException", "long overflow"});
    }
    if (__builtin_add_overflow(total.seconds, seconds, &total.seconds)) {
      throw too_large("overflow", {"java.lang.ArithmeticException", "long overflow"});
    }
    total.nanoseconds = nanoseconds_of(*part);
  }
  if (parts == 0) throw unreadable();
  if (!negated) return total;
  std::int64_t seconds = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, total.seconds, &seconds)) throw unreadable("overflow");
  return {seconds, -total.nanoseconds};
}

}  // namespace

std::int64_t java_date_time(const std::string& text) {
  const auto split = text.find('T');
  const auto again = split == std::string::npos ? split : text.find('T', split + 1);
  const std::string second = split == std::string::npos ? "" : text.substr(split + 1, again - split - 1);
  // As String.split counts: what is empty at the end is no part.
  if (second.empty() && (again == std::string::npos || text.find_first_not_of('T', again) == std::string::npos)) {
    throw JavaException("java.text.ParseException",
                        "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format");
  }
  const bool zoned = second.find_first_of("+-Z") != std::string::npos;
  const std::string whole = zoned ? text : text + "Z";
  const auto time = date_time(whole);
  if (!time) throw JavaException("java.text.ParseException", fmt::format("Unparseable date: \"{}\"", whole));
  return *time;
}

std::int64_t java_time_before(const std::string& duration, std::int64_t now_ms) {
  const Seconds back = parse_duration(duration);
  constexpr std::int64_t first_second = -31'557'014'167'219'200;  // of java.time.Instant
  constexpr std::int64_t last_second = 31'556'889'864'403'199;
  std::int64_t second = 0;
  const std::int64_t millis = now_ms % 1000 - back.nanoseconds / 1'000'000 - (back.nanoseconds % 1'000'000 > 0 ? 1 : 0);
  if (__builtin_sub_overflow(now_ms / 1000, back.seconds, &second) || second < first_second || second > last_second) {
    throw JavaException("java.time.DateTimeException", "Instant exceeds minimum or maximum instant");
  }
  std::int64_t time = 0;
  if (__builtin_mul_overflow(second, std::int64_t{1000}, &time) || __builtin_add_overflow(time, millis, &time)) {
    throw JavaException("java.lang.ArithmeticException", "long overflow");
  }
  return time;
}

}  // namespace klamm::cli
