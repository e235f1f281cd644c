// The small text files of offsets per partition in a log directory: "0", the count, then "topic partition offset" a
// line. Source of the format: org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile, CheckpointFile.
#pragma once

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "runtime/disk.h"

namespace klamm::storage {

// The frame of all these files: a version line, a count line, that many lines. A text that is empty or ends after its
// first line has none. Error::message says what is wrong where, with Kafka's text.
Result<std::vector<std::string_view>> parse_checkpoint_lines(std::string_view text, std::string_view path);
Error malformed_checkpoint_line(std::string_view line, std::string_view path);
// The fields of a line, split at white space.
std::vector<std::string_view> split_fields(std::string_view line);

// A whole decimal number, as Java's parse methods take it (a leading '+' too); nothing for anything else.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

using OffsetMap = std::map<TopicPartition, Offset>;

std::string offset_checkpoint_text(const OffsetMap& offsets);
// Error::message says what is wrong where, with Kafka's text.
Result<OffsetMap> parse_offset_checkpoint(std::string_view text, std::string_view path);

// A missing or empty file has no entries. Garbage is an error. Throws DiskError when it cannot be read.
Result<OffsetMap> read_offset_checkpoint(runtime::Disk& disk, const std::string& path);
// The old content or the new, power cut or not.
void write_offset_checkpoint(runtime::Disk& disk, const std::string& path, const OffsetMap& offsets);

}  // namespace klamm::storage
