#include "storage/partition_metadata.h"

#include "storage/checkpoint_file.h"

namespace klamm::storage {

namespace {

// "version: 0" -> "0": what stands behind the only colon and blanks.
std::optional<std::string_view> value_of(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto begin = line.find_first_not_of(" \t", colon + 1);
  if (begin == std::string_view::npos || begin == colon + 1) return std::nullopt;
  return line.substr(begin);
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string path_in(const std::string& log_directory) {
  return fmt::format("{}/{}", log_directory, partition_metadata_name);
}
std::string temporary_in(const std::string& log_directory) {
  return path_in(log_directory) + ".tmp";
}

}  // namespace

std::string partition_metadata_text(Uuid topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id.to_string());
}

Result<Uuid> parse_partition_metadata(std::string_view text, std::string_view path) {
  const auto malformed = [&](std::string_view line) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("Malformed line in partition metadata file [{}]: {}", path, line));
  };
  const auto version_line = take_line(text);
  const auto version_text = value_of(version_line);
  const auto version = version_text ? parse_number<std::int32_t>(*version_text) : std::nullopt;
  if (!version) return malformed(version_line);
  if (*version < 0) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("Unrecognized version of partition metadata file ({}): {}", path, *version));
  }
  const auto id_line = take_line(text);
  const auto id_text = value_of(id_line);
  const auto id = id_text ? Uuid::parse(*id_text) : std::nullopt;
  if (!id) return malformed(id_line);
  if (id->is_zero()) {
    return fail(ErrorCode::kafka_storage_error, fmt::format("Invalid topic ID in partition metadata file ({})", path));
  }
  return *id;
}

std::optional<Result<Uuid>> read_partition_metadata(runtime::Disk& disk, const std::string& log_directory) {
  const auto path = path_in(log_directory);
  if (!disk.exists(path)) return std::nullopt;
  const auto content = disk.read_file(path, 4096);
  return parse_partition_metadata(as_text(content), path);
}

void write_partition_metadata(runtime::Disk& disk, const std::string& log_directory, Uuid topic_id) {
  disk.replace_file(path_in(log_directory), as_bytes(partition_metadata_text(topic_id)));
}

runtime::FileRef begin_partition_metadata(runtime::Disk& disk, const std::string& log_directory, Uuid topic_id) {
  auto file = disk.open(temporary_in(log_directory), runtime::OpenMode::create);
  const auto text = partition_metadata_text(topic_id);
  file->write_at(0, as_bytes(text));
  file->truncate(text.size());  // one that a killed process left may be longer
  return file;
}

void finish_partition_metadata(runtime::Disk& disk, const std::string& log_directory) {
  disk.rename(temporary_in(log_directory), path_in(log_directory));
}

}  // namespace klamm::storage
