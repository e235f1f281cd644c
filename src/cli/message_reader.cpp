#include "cli/message_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/java.h"
#include "config/value.h"

namespace klamm::cli {

namespace {

JavaException kafka_exception(std::string text) {
  return {client::kinds::kafka, std::move(text)};
}

bool is_true(std::string_view text) {
  const std::string_view word = config::java_trim(text);
  return std::ranges::equal(word, std::string_view("true"), [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

LineMessageReader::LineMessageReader(const client::Properties& properties) {
  const auto text = [&](std::string_view key, std::string& to) {
    if (const auto found = properties.find(key); found != properties.end()) to = found->second;
  };
  const auto flag = [&](std::string_view key, bool& to) {
    if (const auto found = properties.find(key); found != properties.end()) to = is_true(found->second);
  };
  flag("parse.key", parse_key_);
  text("key.separator", key_separator_);
  flag("parse.headers", parse_headers_);
  text("headers.delimiter", headers_delimiter_);
  text("headers.separator", headers_separator_);
  text("headers.key.separator", headers_key_separator_);
  flag("ignore.error", ignore_error_);
  if (const auto found = properties.find("null.marker"); found != properties.end()) null_marker_ = found->second;

  const auto differ = [](std::string_view a, std::string_view b, const std::optional<std::string>& one,
                         const std::string& other) {
    if (one && *one == other) throw kafka_exception(fmt::format("{} and {} may not be equal", a, b));
  };
  differ("headers.delimiter", "headers.separator", headers_delimiter_, headers_separator_);
  differ("headers.delimiter", "headers.key.separator", headers_delimiter_, headers_key_separator_);
  differ("headers.separator", "headers.key.separator", headers_separator_, headers_key_separator_);
  differ("null.marker", "key.separator", null_marker_, key_separator_);
  differ("null.marker", "headers.separator", null_marker_, headers_separator_);
  differ("null.marker", "headers.delimiter", null_marker_, headers_delimiter_);
  differ("null.marker", "headers.key.separator", null_marker_, headers_key_separator_);
  try {
    headers_pattern_ = std::regex(headers_separator_);
  } catch (const std::regex_error& error) {
    throw JavaException("java.util.regex.PatternSyntaxException",
                        fmt::format("{} near index 0\n{}", error.what(), headers_separator_));
  }
}

std::optional<std::string_view> LineMessageReader::take(bool enabled, std::string_view& rest,
                                                        std::string_view separator, const char* what,
                                                        std::string_view line) const {
  if (!enabled) return std::nullopt;
  const auto at = rest.find(separator);
  if (at == std::string_view::npos) {
    if (ignore_error_) return std::nullopt;
    throw kafka_exception(fmt::format("No {} found on line number {}: '{}'", what, line_number_, line));
  }
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + separator.size());
  return taken;
}

std::optional<std::string> LineMessageReader::unless_null(std::string_view text) const {
  return null_marker_ && text == *null_marker_ ? std::nullopt : std::optional(std::string(text));
}

TextRecord LineMessageReader::parse(std::string_view line) {
  ++line_number_;
  TextRecord record;
  std::string_view rest = line;
  const auto headers = take(parse_headers_, rest, headers_delimiter_, "headers delimiter", line);
  const auto key = take(parse_key_, rest, key_separator_, "key separator", line);
  if (key) record.key = unless_null(*key);
  record.value = unless_null(rest);
  if (headers && unless_null(*headers)) parse_headers(*headers, record);
  return record;
}

void LineMessageReader::parse_headers(std::string_view text, TextRecord& record) const {
  std::vector<std::string> pairs{std::cregex_token_iterator(text.begin(), text.end(), headers_pattern_, -1),
                                 std::cregex_token_iterator()};
  while (pairs.size() > 1 && pairs.back().empty()) pairs.pop_back();
  if (pairs.empty()) pairs.emplace_back();
  for (const std::string& pair : pairs) {
    const auto at = pair.find(headers_key_separator_);
    if (at == std::string::npos) {
      if (!ignore_error_) {
        throw kafka_exception(
            fmt::format("No header key separator found in pair '{}' on line number {}", pair, line_number_));
      }
      record.headers.emplace_back(pair, std::nullopt);
      continue;
    }
    std::string key = pair.substr(0, at);
    if (null_marker_ && key == *null_marker_) {
      throw kafka_exception(
          fmt::format("Header keys should not be equal to the null marker '{}' as they can't be null", *null_marker_));
    }
    record.headers.emplace_back(std::move(key),
                                unless_null(std::string_view(pair).substr(at + headers_key_separator_.size())));
  }
}

std::optional<std::string> LineCutter::next() {
  if (after_return_ && at_ < buffer_.size()) {
    if (buffer_[at_] == '\n') ++at_;
    after_return_ = false;
  }
  const auto end = buffer_.find_first_of("\r\n", std::max(at_, searched_));
  if (end == std::string::npos) {
    buffer_.erase(0, at_);
    at_ = 0;
    searched_ = buffer_.size();
    if (finished_ && !buffer_.empty()) return std::exchange(buffer_, {});
    return std::nullopt;
  }
  std::string line = buffer_.substr(at_, end - at_);
  after_return_ = buffer_[end] == '\r';
  at_ = end + 1;
  return line;
}

}  // namespace klamm::cli
