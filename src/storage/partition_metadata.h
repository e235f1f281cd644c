// partition.metadata: the topic id of the log in the directory beside it.
// Source of the format: org.apache.kafka.storage.internals.checkpoint.PartitionMetadataFile.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/uuid.h"
#include "runtime/disk.h"

namespace klamm::storage {

inline constexpr std::string_view partition_metadata_name = "partition.metadata";

std::string partition_metadata_text(Uuid topic_id);
Result<Uuid> parse_partition_metadata(std::string_view text, std::string_view path);
// Nothing when there is no file. Throws DiskError when it cannot be read.
std::optional<Result<Uuid>> read_partition_metadata(runtime::Disk& disk, const std::string& log_directory);
void write_partition_metadata(runtime::Disk& disk, const std::string& log_directory, Uuid topic_id);
// The same in two steps, for a directory whose names are synced later: until then a power cut may leave none, never a
// torn one. The first gives the file that is to be synced before the second.
runtime::FileRef begin_partition_metadata(runtime::Disk& disk, const std::string& log_directory, Uuid topic_id);
void finish_partition_metadata(runtime::Disk& disk, const std::string& log_directory);

}  // namespace klamm::storage
