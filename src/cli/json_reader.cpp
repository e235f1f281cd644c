#include "cli/json_reader.h"

#include <fmt/format.h>

#include <charconv>

namespace klamm::cli {

namespace {
constexpr int depth_max = 100;
}

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : rest_(text) {}

  std::optional<Json> whole() {
    std::optional<Json> value = read(0);
    skip_blanks();
    return rest_.empty() ? value : std::nullopt;
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
  }
  bool take(char c) {
    skip_blanks();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<Json> read(int depth) {
    skip_blanks();
    if (rest_.empty() || depth > depth_max) return std::nullopt;
    Json json;
    switch (rest_[0]) {
      case '{':
        return read_object(depth);
      case '[':
        return read_array(depth);
      case '"': {
        auto text = read_string();
        if (!text) return std::nullopt;
        json.value_ = *std::move(text);
        return json;
      }
      case 't':
        json.value_ = true;
        return take_word("true") ? std::optional(json) : std::nullopt;
      case 'f':
        json.value_ = false;
        return take_word("false") ? std::optional(json) : std::nullopt;
      case 'n':
        return take_word("null") ? std::optional(json) : std::nullopt;
      default:
        return read_number();
    }
  }

  std::optional<Json> read_object(int depth) {
    take('{');
    Json::Object members;
    while (!take('}')) {
      if (!members.empty() && !take(',')) return std::nullopt;
      skip_blanks();
      auto name = read_string();
      if (!name || !take(':')) return std::nullopt;
      auto value = read(depth + 1);
      if (!value) return std::nullopt;
      members.insert_or_assign(*std::move(name), *std::move(value));
    }
    Json json;
    json.value_ = std::move(members);
    return json;
  }

  std::optional<Json> read_array(int depth) {
    take('[');
    Json::Array elements;
    while (!take(']')) {
      if (!elements.empty() && !take(',')) return std::nullopt;
      auto value = read(depth + 1);
      if (!value) return std::nullopt;
      elements.push_back(*std::move(value));
    }
    Json json;
    json.value_ = std::move(elements);
    return json;
  }

  std::optional<Json> read_number() {
    const auto end = rest_.find_first_not_of("+-0123456789.eE");
    const std::string_view digits = rest_.substr(0, end);
    if (digits.empty()) return std::nullopt;
    Json json;
    std::int64_t whole = 0;
    const auto read_whole = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
    if (read_whole.ec == std::errc() && read_whole.ptr == digits.data() + digits.size()) {
      json.value_ = whole;
    } else {
      double real = 0;
      const auto read_real = std::from_chars(digits.data(), digits.data() + digits.size(), real);
      if (read_real.ec != std::errc() || read_real.ptr != digits.data() + digits.size()) return std::nullopt;
      json.value_ = real;
    }
    rest_.remove_prefix(digits.size());
    return json;
  }

  std::optional<std::string> read_string() {
    if (rest_.empty() || rest_[0] != '"') return std::nullopt;
    rest_.remove_prefix(1);
    std::string text;
    while (!rest_.empty() && rest_[0] != '"') {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        text += c;
      } else if (!read_escape(text)) {
        return std::nullopt;
      }
    }
    if (rest_.empty()) return std::nullopt;
    rest_.remove_prefix(1);
    return text;
  }

  bool read_escape(std::string& text) {
    if (rest_.empty()) return false;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    constexpr std::string_view from = "\"\\/bfnrt";
    constexpr std::string_view to = "\"\\/\b\f\n\r\t";
    if (const auto at = from.find(c); at != std::string_view::npos) {
      text += to[at];
      return true;
    }
    if (c != 'u') return false;
    auto unit = read_unit();
    if (!unit) return false;
    std::uint32_t point = *unit;
    if (point >= 0xD800 && point < 0xDC00 && rest_.starts_with("\\u")) {  // the first half of a pair
      rest_.remove_prefix(2);
      const auto low = read_unit();
      if (!low) return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (*low - 0xDC00);
    }
    append_utf8(text, point);
    return true;
  }

  std::optional<std::uint32_t> read_unit() {
    std::uint32_t unit = 0;
    if (rest_.size() < 4) return std::nullopt;
    const auto [end, failed] = std::from_chars(rest_.data(), rest_.data() + 4, unit, 16);
    if (failed != std::errc() || end != rest_.data() + 4) return std::nullopt;
    rest_.remove_prefix(4);
    return unit;
  }

  static void append_utf8(std::string& text, std::uint32_t point) {
    const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (point < 0x80) {
      add(point);
    } else if (point < 0x800) {
      add(0xC0 | point >> 6);
      add(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      add(0xE0 | point >> 12);
      add(0x80 | (point >> 6 & 0x3F));
      add(0x80 | (point & 0x3F));
    } else {
      add(0xF0 | (point >> 18 & 7));
      add(0x80 | (point >> 12 & 0x3F));
      add(0x80 | (point >> 6 & 0x3F));
      add(0x80 | (point & 0x3F));
    }
  }

  std::string_view rest_;
};

std::optional<Json> Json::parse(std::string_view text) {
  return JsonParser(text).whole();
}

const Json* Json::find(std::string_view name) const {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  const auto found = members->find(name);
  return found == members->end() ? nullptr : &found->second;
}

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    constexpr std::string_view from = "\"\\\b\f\n\r\t";
    constexpr std::string_view to = "\"\\bfnrt";
    if (const auto at = from.find(c); at != std::string_view::npos) {
      quoted += '\\';
      quoted += to[at];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace klamm::cli
