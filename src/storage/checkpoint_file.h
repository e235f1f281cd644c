// The small text files of offsets per partition in a log directory: "0", the count, then "topic partition offset" a line.
// Source of the format: org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile, CheckpointFile.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/topic_partition.h"
#include "runtime/disk.h"

namespace klamm::storage {

using OffsetMap = std::map<TopicPartition, Offset>;

std::string offset_checkpoint_text(const OffsetMap& offsets);
// Error::message says what is wrong where, with Kafka's text.
Result<OffsetMap> parse_offset_checkpoint(std::string_view text, std::string_view path);

// A missing or empty file has no entries. Garbage is an error. Throws DiskError when it cannot be read.
Result<OffsetMap> read_offset_checkpoint(runtime::Disk& disk, const std::string& path);
// The old content or the new, power cut or not.
void write_offset_checkpoint(runtime::Disk& disk, const std::string& path, const OffsetMap& offsets);

}  // namespace klamm::storage
