// What the log directories of one node hold, read without changing a byte.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hosting/metadata_survey.h"
#include "runtime/disk.h"
#include "storage/meta_properties.h"

namespace klamm::cli {

struct DirectorySurvey {
  std::string path;
  bool formatted = false;  // it has a meta.properties that can be read
  storage::MetaProperties properties;
  bool has_metadata_log = false;
  bool stopped_cleanly = false;
  std::size_t partitions = 0;
  std::size_t segments = 0;
  std::uint64_t bytes = 0;  // of the segments
};

struct TakeoverSurvey {
  std::vector<DirectorySurvey> directories;
  std::optional<hosting::MetadataSurvey> metadata;
  std::string metadata_directory;
  std::vector<std::string> refusals;  // why a broker does not open it
  std::vector<std::string> unserved;  // kept byte by byte, but nobody acts on it yet
  std::vector<std::string> remarks;   // what an opening does to it, and what looks odd

  bool can_be_opened() const { return refusals.empty(); }
};

// `in_use` says whether a process holds the lock of a directory. Throws DiskError when one cannot be read.
TakeoverSurvey survey_takeover(runtime::Disk& disk, const std::vector<std::string>& paths,
                               const std::function<bool(const std::string&)>& in_use);

}  // namespace klamm::cli
