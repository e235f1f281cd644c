#include "storage/checkpoint_file.h"

namespace klamm::storage {

namespace {

// 50,000 partitions with the longest topic names fill a quarter of it.
constexpr std::uint64_t checkpoint_bytes_max = 64u << 20;

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Error malformed_checkpoint_line(std::string_view line, std::string_view path) {
  return {ErrorCode::kafka_storage_error, fmt::format("Malformed line in checkpoint file [{}]: {}", path, line)};
}

std::vector<std::string_view> split_fields(std::string_view line) {
  constexpr std::string_view blanks = " \t\v\f";
  std::vector<std::string_view> fields;
  while (true) {
    const auto begin = line.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return fields;
    line.remove_prefix(begin);
    const auto end = line.find_first_of(blanks);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end);
  }
}

Result<std::vector<std::string_view>> parse_checkpoint_lines(std::string_view text, std::string_view path) {
  if (text.empty()) return std::vector<std::string_view>{};
  const auto version_line = next_line(text);
  const auto version = parse_number<std::int32_t>(version_line);
  if (!version) return std::unexpected(malformed_checkpoint_line(version_line, path));
  if (*version != 0) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("Unrecognised version:{}, expected version: 0 in checkpoint file at: {}", *version, path));
  }
  if (text.empty()) return std::vector<std::string_view>{};
  const auto count_line = next_line(text);
  const auto count = parse_number<std::int32_t>(count_line);
  if (!count || *count < 0) return std::unexpected(malformed_checkpoint_line(count_line, path));
  std::vector<std::string_view> lines;
  while (!text.empty()) lines.push_back(next_line(text));
  if (lines.size() != static_cast<std::size_t>(*count)) {
    return fail(
        ErrorCode::kafka_storage_error,
        fmt::format("Expected [{}] entries in checkpoint file [{}], but found only [{}]", *count, path, lines.size()));
  }
  return lines;
}

std::string offset_checkpoint_text(const OffsetMap& offsets) {
  std::string text = fmt::format("0\n{}\n", offsets.size());
  for (const auto& [partition, offset] : offsets) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", partition.topic, partition.partition, offset);
  }
  return text;
}

Result<OffsetMap> parse_offset_checkpoint(std::string_view text, std::string_view path) {
  const auto lines = parse_checkpoint_lines(text, path);
  if (!lines) return std::unexpected(lines.error());
  OffsetMap offsets;
  for (const auto line : *lines) {
    const auto fields = split_fields(line);
    if (fields.size() != 3) return std::unexpected(malformed_checkpoint_line(line, path));
    const auto partition = parse_number<std::int32_t>(fields[1]);
    const auto offset = parse_number<std::int64_t>(fields[2]);
    if (!partition || !offset) return std::unexpected(malformed_checkpoint_line(line, path));
    offsets[{std::string(fields[0]), PartitionIndex(*partition)}] = Offset(*offset);
  }
  return offsets;
}

Result<OffsetMap> read_offset_checkpoint(runtime::Disk& disk, const std::string& path) {
  if (!disk.exists(path)) return OffsetMap{};
  const auto content = disk.read_file(path, checkpoint_bytes_max);
  return parse_offset_checkpoint(as_text(content), path);
}

void write_offset_checkpoint(runtime::Disk& disk, const std::string& path, const OffsetMap& offsets) {
  disk.replace_file(path, as_bytes(offset_checkpoint_text(offsets)));
}

}  // namespace klamm::storage
