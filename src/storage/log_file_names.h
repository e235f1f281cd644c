// Names in a log directory and in a partition's directory: what is made, what is found.
// Source: org.apache.kafka.storage.internals.log.{LogFileUtils,LocalLog}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/topic_partition.h"
#include "base/uuid.h"

namespace klamm::storage {

namespace suffix {
inline constexpr std::string_view log = ".log";
inline constexpr std::string_view index = ".index";
inline constexpr std::string_view time_index = ".timeindex";
inline constexpr std::string_view transaction_index = ".txnindex";
inline constexpr std::string_view snapshot = ".snapshot";
inline constexpr std::string_view deleted = ".deleted";  // to be removed later
inline constexpr std::string_view cleaned = ".cleaned";  // compaction's or a split's output, not yet complete
inline constexpr std::string_view swap = ".swap";        // complete, on its way to replace others
inline constexpr std::string_view metadata_snapshot_deleted = ".checkpoint.deleted";  // KRaft's, not the log's
inline constexpr std::string_view delete_directory = "-delete";
inline constexpr std::string_view future_directory = "-future";
inline constexpr std::string_view stray_directory = "-stray";
}  // namespace suffix

inline constexpr std::string_view leader_epoch_checkpoint_name = "leader-epoch-checkpoint";

// "00000000000000000042.log"
std::string segment_file_name(Offset base, std::string_view file_suffix);
// The number before the first dot; nothing when there is none.
std::optional<Offset> offset_of_file_name(std::string_view name);

enum class DirectoryKind : std::uint8_t { current, future, deleted, stray };

struct PartitionDirectory {
  TopicPartition name;
  DirectoryKind kind = DirectoryKind::current;
};
// What "orders-0", "orders-0.<id>-future" say. Error::message is Kafka's for a name that is none of these.
Result<PartitionDirectory> parse_partition_directory(std::string_view name, std::string_view path);

std::string partition_directory_name(const TopicPartition& partition);
// "<topic>-<partition>.<32 hex digits of id><suffix>"; for "-delete" and "-stray" the topic is cut so that it fits in
// 255 bytes.
std::string partition_directory_name(const TopicPartition& partition, DirectoryKind kind, Uuid id);

}  // namespace klamm::storage
