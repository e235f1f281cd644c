#include "config/properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace klamm::config {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}
bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

void append_utf8(std::string& to, std::uint32_t code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xc0 | code >> 6);
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    to += static_cast<char>(0xe0 | code >> 12);
    to += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    to += static_cast<char>(0xf0 | code >> 18);
    to += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    to += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Collects UTF-16 units as Java has them into UTF-8. Half a surrogate pair becomes '?', as Java prints it.
class TextBuilder {
 public:
  void add(std::uint16_t unit) {
    const bool high = unit >= 0xd800 && unit < 0xdc00;
    const bool low = unit >= 0xdc00 && unit < 0xe000;
    if (pending_ != 0 && low) {
      append_utf8(text_, 0x10000 + ((pending_ - 0xd800u) << 10) + (unit - 0xdc00u));
      pending_ = 0;
      return;
    }
    flush();
    if (high) {
      pending_ = unit;
    } else if (low) {
      text_ += '?';
    } else {
      append_utf8(text_, unit);
    }
  }
  std::string take() {
    flush();
    return std::move(text_);
  }

 private:
  void flush() {
    if (pending_ != 0) text_ += '?';
    pending_ = 0;
  }
  std::string text_;
  std::uint16_t pending_ = 0;
};

// Reads logical lines: comments and blank lines skipped, continued lines joined without the blanks that begin the next.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  // Nothing at the end. The escapes are still in it, those of joined line ends are not.
  bool next(std::string& line) {
    line.clear();
    while (!rest_.empty()) {
      skip_blanks();
      if (rest_.empty()) return false;
      if (is_line_end(rest_.front())) {
        rest_.remove_prefix(1);
        continue;
      }
      if (rest_.front() == '#' || rest_.front() == '!') {
        take_natural_line();
        continue;
      }
      read_logical(line);
      return true;
    }
    return false;
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  std::string_view take_natural_line() {
    std::size_t length = 0;
    while (length < rest_.size() && !is_line_end(rest_[length])) ++length;
    const std::string_view line = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (rest_.starts_with("\r\n")) {
      rest_.remove_prefix(2);
    } else if (!rest_.empty()) {
      rest_.remove_prefix(1);
    }
    return line;
  }
  static bool continues(std::string_view line) {
    std::size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
    return backslashes % 2 == 1;
  }
  void read_logical(std::string& line) {
    while (true) {
      const std::string_view part = take_natural_line();
      if (!continues(part)) {
        line += part;
        return;
      }
      line += part.substr(0, part.size() - 1);
      skip_blanks();
      if (rest_.empty()) return;
    }
  }

  std::string_view rest_;
};

// Nothing when a \u escape is malformed.
std::optional<std::string> unescape(std::string_view text) {
  TextBuilder out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '\\') {
      out.add(static_cast<unsigned char>(c));
      continue;
    }
    if (++i == text.size()) break;
    c = text[i];
    if (c == 'u') {
      if (text.size() - i < 5) return std::nullopt;
      std::uint16_t unit = 0;
      for (int digit = 0; digit < 4; ++digit) {
        const char d = text[++i];
        int value = 0;
        if (d >= '0' && d <= '9') {
          value = d - '0';
        } else if (d >= 'a' && d <= 'f') {
          value = d - 'a' + 10;
        } else if (d >= 'A' && d <= 'F') {
          value = d - 'A' + 10;
        } else {
          return std::nullopt;
        }
        unit = static_cast<std::uint16_t>(unit << 4 | value);
      }
      out.add(unit);
      continue;
    }
    switch (c) {
      case 't':
        c = '\t';
        break;
      case 'n':
        c = '\n';
        break;
      case 'r':
        c = '\r';
        break;
      case 'f':
        c = '\f';
        break;
      default:
        break;
    }
    out.add(static_cast<unsigned char>(c));
  }
  return out.take();
}

struct Entry {
  std::string_view key;
  std::string_view value;
};

Entry split_line(std::string_view line) {
  std::size_t key_end = 0;
  bool escaped = false;
  bool has_separator = false;
  for (; key_end < line.size(); ++key_end) {
    const char c = line[key_end];
    if (!escaped && (c == '=' || c == ':')) {
      has_separator = true;
      break;
    }
    if (!escaped && is_blank(c)) break;
    escaped = c == '\\' && !escaped;
  }
  std::size_t value_begin = key_end + (has_separator ? 1 : 0);
  for (; value_begin < line.size(); ++value_begin) {
    const char c = line[value_begin];
    if (is_blank(c)) continue;
    if (has_separator || (c != '=' && c != ':')) break;
    has_separator = true;
  }
  return {line.substr(0, key_end), line.substr(std::min(value_begin, line.size()))};
}

void append_escaped_unit(std::string& to, std::uint32_t unit) {
  to += fmt::format("\\u{:04X}", unit);
}

// The next code point of UTF-8 text; a byte that is not UTF-8 is taken as the character of that number.
std::uint32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  bool well_formed = length > 1 && text.size() >= length && first < 0xf5;
  for (std::size_t i = 1; well_formed && i < length; ++i) well_formed = (byte(i) & 0xc0) == 0x80;
  if (!well_formed) {
    text.remove_prefix(1);
    return first;
  }
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3fu);
  text.remove_prefix(length);
  return code;
}

std::string escape(std::string_view text, bool is_key) {
  std::string out;
  bool leading = true;
  while (!text.empty()) {
    const std::uint32_t code = take_code_point(text);
    switch (code) {
      case ' ':
        out += is_key || leading ? "\\ " : " ";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '=':
      case ':':
      case '#':
      case '!':
        out += '\\';
        out += static_cast<char>(code);
        break;
      default:
        if (code >= 0x20 && code <= 0x7e) {
          out += static_cast<char>(code);
        } else if (code < 0x10000) {
          append_escaped_unit(out, code);
        } else {
          append_escaped_unit(out, 0xd800 + ((code - 0x10000) >> 10));
          append_escaped_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    leading = false;
  }
  return out;
}

}  // namespace

Result<Properties> parse_properties(std::string_view text) {
  if (text.size() > properties_bytes_max) {
    return fail(ErrorCode::invalid_config,
                fmt::format("A properties file of {} bytes is too long; at most {} are read.", text.size(),
                            properties_bytes_max));
  }
  Properties properties;
  LineReader lines(text);
  std::string line;
  while (lines.next(line)) {
    const Entry entry = split_line(line);
    auto key = unescape(entry.key);
    auto value = unescape(entry.value);
    if (!key || !value) return fail(ErrorCode::invalid_config, "Malformed \\uxxxx encoding.");
    properties.insert_or_assign(std::move(*key), std::move(*value));
  }
  return properties;
}

std::pair<std::string, std::string> split_property(std::string_view text) {
  const std::size_t at = text.find('=');
  if (at == std::string_view::npos) return {std::string(text), {}};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

std::string properties_text(std::span<const std::pair<std::string, std::string>> entries,
                            std::span<const std::string> comments) {
  std::string text;
  for (const std::string& comment : comments) text += "#" + comment + "\n";
  for (const auto& [key, value] : entries) text += escape(key, true) + "=" + escape(value, false) + "\n";
  return text;
}

}  // namespace klamm::config
