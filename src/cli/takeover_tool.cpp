#include "cli/takeover_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/takeover_survey.h"
#include "runtime/os/disk.h"

namespace klamm::cli {
namespace {

constexpr std::string_view description =
    "Tells whether the log directories of a node, written by Apache Kafka or by us, can be opened. Nothing is changed.";

std::vector<OptionSpec> specs() {
  return {{"check", Takes::value, "log.dirs",
           "REQUIRED: The directories of one node, separated by commas or as further words: all of log.dirs, and "
           "metadata.log.dir."}};
}

void add_paths(const std::string& list, std::vector<std::string>& paths) {
  std::size_t from = 0;
  while (from <= list.size()) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    if (comma > from) paths.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
}

// Asks for the lock without taking it.
bool is_locked(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool asked = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  return asked && lock.l_type != F_UNLCK;
}

void print_list(Streams& streams, std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  streams.line("{}", title);
  for (const std::string& line : lines) streams.line("  {}", line);
}

void print_directory(Streams& streams, const DirectorySurvey& directory) {
  const storage::MetaProperties& owner = directory.properties;
  const std::string whose = directory.formatted
                                ? fmt::format("node {} of cluster {}", owner.node_id ? owner.node_id->value : -1,
                                              owner.cluster_id.value_or("?"))
                                : "of nobody yet";
  streams.line("{}: {}, {} partitions, {} segments, {} bytes, {}", directory.path, whose, directory.partitions,
               directory.segments, directory.bytes,
               directory.stopped_cleanly ? "stopped cleanly" : "no mark of a clean stop");
}

void print_metadata(Streams& streams, const TakeoverSurvey& survey) {
  if (!survey.metadata) return;
  const hosting::MetadataSurvey& metadata = *survey.metadata;
  const auto version = metadata.image->metadata_version();
  streams.line("Metadata in {}: metadata.version {}, kraft.version {}, {} topics, {} partitions, up to offset {}, {}",
               survey.metadata_directory, version ? version->name() : "not set", metadata.quorum.kraft_version,
               metadata.image->topics().size(), metadata.image->partition_count(), metadata.log_end,
               metadata.snapshot ? "snapshot " + hosting::snapshot_name(*metadata.snapshot) : "no snapshot");
}

}  // namespace

int takeover_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, description, specs());
  options.parse(arguments);
  options.help_or_version();
  options.require({"check"});
  std::vector<std::string> paths;
  add_paths(options.value("check"), paths);
  for (const std::string& more : options.rest()) add_paths(more, paths);
  if (paths.empty()) options.usage("--check needs a directory.");

  runtime::os::OsDisk disk;
  const TakeoverSurvey survey = survey_takeover(disk, paths, is_locked);
  for (const DirectorySurvey& directory : survey.directories) print_directory(streams, directory);
  print_metadata(streams, survey);
  print_list(streams, "Good to know:", survey.remarks);
  print_list(streams, "Not supported yet, kept as it is:", survey.unserved);
  print_list(streams, "It cannot be opened:", survey.refusals);
  if (survey.can_be_opened()) streams.line("It can be opened.");
  return survey.can_be_opened() ? 0 : 1;
}

}  // namespace klamm::cli
