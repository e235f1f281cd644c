#include "storage/meta_properties.h"

#include <chrono>

#include "config/properties.h"
#include "storage/checkpoint_file.h"

namespace klamm::storage {

namespace {

constexpr std::string_view file_name = "meta.properties";
constexpr std::uint64_t file_bytes_max = 1u << 20;

std::string path_in(const std::string& log_directory) {
  return fmt::format("{}/{}", log_directory, file_name);
}

// "Mon Nov 23 05:45:16 UTC 2026": java.util.Date.toString.
std::string java_date(Timestamp at) {
  const std::chrono::sys_seconds time{std::chrono::seconds(at.value / 1000)};
  return fmt::format("{:%a %b %d %H:%M:%S} UTC {:%Y}", fmt::gmtime(time.time_since_epoch().count()),
                     fmt::gmtime(time.time_since_epoch().count()));
}

}  // namespace

Result<MetaProperties> parse_meta_properties(std::string_view text) {
  const auto bad = [](std::string message) { return fail(ErrorCode::unknown_server_error, std::move(message)); };
  const auto fields = config::parse_properties(text);
  if (!fields) return bad(fields.error().message);
  const auto value_of = [&](const char* key) -> const std::string* {
    const auto found = fields->find(key);
    return found == fields->end() ? nullptr : &found->second;
  };

  MetaProperties properties{.version = 0, .cluster_id = {}, .node_id = {}, .directory_id = {}};
  if (const auto* version = value_of("version")) {
    std::string_view trimmed = *version;
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\f'; };
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
  std::vector<std::pair<std::string, std::string>> entries;
  if (properties.node_id) {
    entries.emplace_back(properties.version == 0 ? "broker.id" : "node.id", fmt::format("{}", *properties.node_id));
  }
  if (properties.directory_id) entries.emplace_back("directory.id", properties.directory_id->to_string());
  entries.emplace_back("version", fmt::format("{}", properties.version));
  if (properties.cluster_id) entries.emplace_back("cluster.id", *properties.cluster_id);
  const std::string comments[] = {"", java_date(now)};
  return config::properties_text(entries, comments);
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
