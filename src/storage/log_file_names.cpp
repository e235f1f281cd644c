#include "storage/log_file_names.h"

#include "storage/checkpoint_file.h"

namespace klamm::storage {

namespace {

constexpr std::size_t name_bytes_max = 255;

std::string_view suffix_of(DirectoryKind kind) {
  switch (kind) {
    case DirectoryKind::future:
      return suffix::future_directory;
    case DirectoryKind::deleted:
      return suffix::delete_directory;
    case DirectoryKind::stray:
      return suffix::stray_directory;
    case DirectoryKind::current:
      break;
  }
  return {};
}

// "topic-partition.id" before the suffix, none of the three empty: Kafka's pattern (\S+)-(\S+)\.(\S+).
bool has_id(std::string_view stem) {
  const auto dot = stem.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == stem.size()) return false;
  const auto dash = stem.substr(0, dot).rfind('-');
  return dash != std::string_view::npos && dash > 0 && dash + 1 < dot &&
         stem.find_first_of(" \t\n\r\v\f") == std::string_view::npos;
}

}  // namespace

std::string segment_file_name(Offset base, std::string_view file_suffix) {
  return fmt::format("{:020}{}", base.value, file_suffix);
}

std::optional<Offset> offset_of_file_name(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = parse_number<std::int64_t>(name.substr(0, dot));
  return number && *number >= 0 ? std::optional(Offset(*number)) : std::nullopt;
}

Result<PartitionDirectory> parse_partition_directory(std::string_view name, std::string_view path) {
  const auto bad = [&] {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("Found directory {}, '{}' is not in the form of topic-partition or "
                            "topic-partition.uniqueId-delete (if marked for deletion).\nKafka's log directories (and "
                            "children) should only contain Kafka topic data.",
                            path, name));
  };
  auto kind = DirectoryKind::current;
  auto stem = name;
  for (const auto candidate : {DirectoryKind::deleted, DirectoryKind::future, DirectoryKind::stray}) {
    const auto ending = suffix_of(candidate);
    if (!name.ends_with(ending)) continue;
    kind = candidate;
    stem = name.substr(0, name.size() - ending.size());
    if (!has_id(stem)) return bad();
    stem = stem.substr(0, stem.rfind('.'));
    break;
  }
  const auto dash = stem.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return bad();
  const auto partition = parse_number<std::int32_t>(stem.substr(dash + 1));
  if (!partition) return bad();
  return PartitionDirectory{{std::string(stem.substr(0, dash)), PartitionIndex(*partition)}, kind};
}

std::string partition_directory_name(const TopicPartition& partition) {
  return partition.to_string();
}

std::string partition_directory_name(const TopicPartition& partition, DirectoryKind kind, Uuid id) {
  const auto ending = fmt::format("-{}.{:016x}{:016x}{}", partition.partition, id.high, id.low, suffix_of(kind));
  auto topic = std::string_view(partition.topic);
  if (kind != DirectoryKind::future) topic = topic.substr(0, std::min(topic.size(), name_bytes_max - ending.size()));
  return fmt::format("{}{}", topic, ending);
}

}  // namespace klamm::storage
