#include "storage/meta_properties.h"

#include <chrono>

#include "storage/checkpoint_file.h"

namespace klamm::storage {

namespace {

constexpr std::string_view file_name = "meta.properties";
constexpr std::uint64_t file_bytes_max = 1u << 20;

std::string path_in(const std::string& log_directory) {
  return fmt::format("{}/{}", log_directory, file_name);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

// One logical line: comments and empty lines skipped, lines that end in an odd number of backslashes joined.
std::optional<std::string> next_logical_line(std::string_view& text) {
  std::string line;
  bool continued = false;
  while (!text.empty()) {
    const auto end = text.find_first_of("\r\n");
    auto natural = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!natural.empty() && is_blank(natural.front())) natural.remove_prefix(1);
    if (!continued && (natural.empty() || natural.front() == '#' || natural.front() == '!')) continue;
    const auto last = natural.find_last_not_of('\\');
    const auto backslashes = natural.size() - (last == std::string_view::npos ? 0 : last + 1);
    continued = backslashes % 2 == 1;
    if (continued) natural.remove_suffix(1);
    line += natural;
    if (!continued) return line;
  }
  if (line.empty()) return std::nullopt;
  return line;
}

void append_utf8(std::string& to, unsigned code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xc0 | (code >> 6));
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    to += static_cast<char>(0xe0 | (code >> 12));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    const char c = text[++i];
    unsigned code = 0;
    switch (c) {
      case 't':
        plain += '\t';
        break;
      case 'n':
        plain += '\n';
        break;
      case 'r':
        plain += '\r';
        break;
      case 'f':
        plain += '\f';
        break;
      case 'u':
        if (i + 4 < text.size() + 0 &&
            std::from_chars(&text[i + 1], &text[i + 1] + 4, code, 16).ptr == &text[i + 1] + 4) {
          append_utf8(plain, code);
          i += 4;
          break;
        }
        [[fallthrough]];
      default:
        plain += c;
    }
  }
  return plain;
}

std::string escape(std::string_view text, bool is_key) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '\t':
        escaped += "\\t";
        continue;
      case '\n':
        escaped += "\\n";
        continue;
      case '\r':
        escaped += "\\r";
        continue;
      case '\f':
        escaped += "\\f";
        continue;
      case ' ':
        if (is_key || i == 0) escaped += '\\';
        break;
      case '\\':
      case '=':
      case ':':
      case '#':
      case '!':
        escaped += '\\';
        break;
      default:
        break;
    }
    escaped += c;
  }
  return escaped;
}

// "Mon Nov 23 05:45:16 UTC 2026": java.util.Date.toString.
std::string java_date(Timestamp at) {
  const std::chrono::sys_seconds time{std::chrono::seconds(at.value / 1000)};
  return fmt::format("{:%a %b %d %H:%M:%S} UTC {:%Y}", fmt::gmtime(time.time_since_epoch().count()),
                     fmt::gmtime(time.time_since_epoch().count()));
}

}  // namespace

std::map<std::string, std::string> parse_java_properties(std::string_view text) {
  std::map<std::string, std::string> properties;
  while (const auto line = next_logical_line(text)) {
    std::size_t key_end = 0;
    for (bool escaped = false; key_end < line->size(); ++key_end) {
      const char c = (*line)[key_end];
      if (!escaped && (c == '=' || c == ':' || is_blank(c))) break;
      escaped = !escaped && c == '\\';
    }
    std::size_t value_begin = key_end;
    while (value_begin < line->size() && is_blank((*line)[value_begin])) ++value_begin;
    if (value_begin < line->size() && ((*line)[value_begin] == '=' || (*line)[value_begin] == ':')) {
      ++value_begin;
      while (value_begin < line->size() && is_blank((*line)[value_begin])) ++value_begin;
    }
    properties[unescape(std::string_view(*line).substr(0, key_end))] =
        unescape(std::string_view(*line).substr(value_begin));
  }
  return properties;
}

Result<MetaProperties> parse_meta_properties(std::string_view text) {
  const auto fields = parse_java_properties(text);
  const auto value_of = [&](const char* key) -> const std::string* {
    const auto found = fields.find(key);
    return found == fields.end() ? nullptr : &found->second;
  };
  const auto bad = [](std::string message) { return fail(ErrorCode::unknown_server_error, std::move(message)); };

  MetaProperties properties{.version = 0, .cluster_id = {}, .node_id = {}, .directory_id = {}};
  if (const auto* version = value_of("version")) {
    std::string_view trimmed = *version;
    while (!trimmed.empty() && is_blank(trimmed.front())) trimmed.remove_prefix(1);
    while (!trimmed.empty() && is_blank(trimmed.back())) trimmed.remove_suffix(1);
    const auto number = parse_number<std::int32_t>(trimmed);
    if (!number) return bad(fmt::format("Invalid meta.properties version string '{}'", *version));
    if (*number != 0 && *number != 1) return bad(fmt::format("Unknown meta.properties version number {}", *number));
    properties.version = *number;
  }
  const char* const id_key = properties.version == 0 ? "broker.id" : "node.id";
  if (const auto* id = value_of(id_key)) {
    const auto number = parse_number<std::int32_t>(*id);
    if (!number) return bad(fmt::format("Unable to read {} as a base-10 number.", id_key));
    properties.node_id = BrokerId(*number);
  } else if (properties.version != 0) {
    return bad(fmt::format("Failed to find {}", id_key));
  }
  if (const auto* cluster = value_of("cluster.id")) properties.cluster_id = *cluster;
  if (const auto* directory = value_of("directory.id")) {
    properties.directory_id = Uuid::parse(*directory);
    if (!properties.directory_id) {
      return bad(fmt::format("Unable to read directory.id as a Uuid: Input string with prefix `{}` is not a valid Uuid",
                             directory->substr(0, 24)));
    }
  }
  if (properties.version != 0 && !properties.cluster_id) return bad("cluster.id was not found.");
  return properties;
}

std::string meta_properties_text(const MetaProperties& properties, Timestamp now) {
  // The order is that of Kafka's map with these keys.
  std::string text = fmt::format("#\n#{}\n", java_date(now));
  const auto line = [&](std::string_view key, std::string_view value) {
    fmt::format_to(std::back_inserter(text), "{}={}\n", escape(key, true), escape(value, false));
  };
  if (properties.version == 0) {
    if (properties.node_id) line("broker.id", fmt::format("{}", *properties.node_id));
  } else if (properties.node_id) {
    line("node.id", fmt::format("{}", *properties.node_id));
  }
  if (properties.directory_id) line("directory.id", properties.directory_id->to_string());
  line("version", fmt::format("{}", properties.version));
  if (properties.cluster_id) line("cluster.id", *properties.cluster_id);
  return text;
}

std::optional<Result<MetaProperties>> read_meta_properties(runtime::Disk& disk, const std::string& log_directory) {
  const auto path = path_in(log_directory);
  if (!disk.exists(path)) return std::nullopt;
  const auto content = disk.read_file(path, file_bytes_max);
  return parse_meta_properties(as_text(content));
}

void write_meta_properties(runtime::Disk& disk, const std::string& log_directory, const MetaProperties& properties,
                           Timestamp now) {
  disk.replace_file(path_in(log_directory), as_bytes(meta_properties_text(properties, now)));
}

}  // namespace klamm::storage
