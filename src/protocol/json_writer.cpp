#include "protocol/json_writer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace klamm::protocol {

namespace {

// The length of the UTF-8 sequence at the start of `text`; 0 when it is none, and then `bad` bytes stand for one
// U+FFFD, as Java's decoder has it.
std::size_t utf8_sequence(std::string_view text, std::size_t& bad) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const unsigned lead = byte(0);
  bad = 1;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    bad = i;
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  if (lead == 0xed && byte(1) >= 0xa0) {  // half a surrogate pair
    bad = 3;
    return 0;
  }
  return length;
}

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(Bytes bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (i + k < bytes.size() ? static_cast<std::uint32_t>(bytes[i + k]) : 0);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text.push_back(i + k > bytes.size() ? '=' : base64_alphabet[(group >> (18 - 6 * k)) & 63]);
    }
  }
  return text;
}

// java.lang.Double.toString: plain between 10^-3 and 10^7, with an exponent elsewhere, always with a fraction.
std::string java_double(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char raw[40];
  const auto end = std::to_chars(raw, raw + sizeof raw, std::fabs(value), std::chars_format::scientific).ptr;
  const std::string_view text(raw, static_cast<std::size_t>(end - raw));
  const std::size_t mark = text.find('e');
  int exponent = 0;
  const std::size_t sign = text[mark + 1] == '+' ? 1 : 0;
  std::from_chars(raw + mark + 1 + sign, end, exponent);
  std::string digits(1, text[0]);
  if (mark > 1) digits += text.substr(2, mark - 2);

  std::string out = value < 0 ? "-" : "";
  if (exponent < -3 || exponent >= 7) {
    return out + digits[0] + "." + (digits.size() > 1 ? digits.substr(1) : "0") + "E" + std::to_string(exponent);
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  return out + digits.substr(0, whole) + "." + (digits.size() > whole ? digits.substr(whole) : "0");
}

}  // namespace

void JsonWriter::begin_object() {
  out_ += '{';
  first_ = true;
}

void JsonWriter::end_object() {
  out_ += '}';
  first_ = false;
}

void JsonWriter::begin_array() {
  out_ += '[';
  first_ = true;
}

void JsonWriter::end_array() {
  out_ += ']';
  first_ = false;
}

void JsonWriter::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonWriter::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void JsonWriter::records(std::string_view name, const Payload& value) {
  if (value.is_null() || records_ == JsonRecords::bytes) {
    key(name);
    out_ += value.is_null() ? "null" : "\"\"";
    return;
  }
  key(std::string(name) + "SizeInBytes");
  print(static_cast<std::int64_t>(value.size()));
}

void JsonWriter::print(bool value) {
  out_ += value ? "true" : "false";
}
void JsonWriter::print(std::int64_t value) {
  fmt::format_to(std::back_inserter(out_), "{}", value);
}
void JsonWriter::print(double value) {
  out_ += java_double(value);
}

void JsonWriter::print(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    std::size_t bad = 0;
    const std::size_t length = utf8_sequence(value, bad);
    const char c = value[0];
    if (length == 0) {
      out_ += "\xef\xbf\xbd";
      value.remove_prefix(std::min(bad, value.size()));
      continue;
    }
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view short_codes("btn\0fr", 6);  // 8 to 13; 11 has none
      if (c >= 8 && c <= 13 && c != 11) {
        out_ += '\\';
        out_ += short_codes[static_cast<std::size_t>(c - 8)];
      } else {
        fmt::format_to(std::back_inserter(out_), "\\u{:04X}", static_cast<int>(c));
      }
    } else {
      out_ += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  out_ += '"';
}

void JsonWriter::print(const ByteVector& value) {
  out_ += '"';
  out_ += base64(value);
  out_ += '"';
}

}  // namespace klamm::protocol
