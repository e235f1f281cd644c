// What the files of a metadata log say, read without changing one of them: for tools that look before a broker opens
// them.
#pragma once

#include <optional>
#include <string>

#include "hosting/checkpoint.h"
#include "hosting/quorum_state.h"
#include "metadata/image.h"
#include "runtime/disk.h"

namespace klamm::hosting {

struct MetadataSurvey {
  // Of the snapshot and the records after it; of the bootstrap records where no leader wrote any yet.
  metadata::ImageRef image;
  bool only_bootstrap = false;
  std::optional<SnapshotId> snapshot;
  Offset log_end{0};
  QuorumRecords quorum;
  std::optional<QuorumState> quorum_state;
  // Where the last segment ends in bytes that are no whole batch: an opening cuts it there. "<file>: <what is wrong>"
  std::optional<std::string> torn_tail;

  // Why the node cannot lead this quorum by itself; nothing when it can.
  std::optional<std::string> foreign_voters(std::int32_t node_id, std::optional<Uuid> directory_id) const;
};

// `directory` is the log directory that has (or has not yet) __cluster_metadata-0. Throws DiskError,
// metadata::BadRecord, std::runtime_error with what is wrong where.
MetadataSurvey survey_metadata(runtime::Disk& disk, const std::string& directory);

}  // namespace klamm::hosting
