#include "cli/takeover_survey.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/topic_partition.h"
#include "controller/activation.h"
#include "hosting/checkpoint.h"
#include "metadata/image.h"
#include "records/record_batch_view.h"
#include "storage/log_directory.h"
#include "storage/log_file_names.h"
#include "storage/partition_metadata.h"

namespace klamm::cli {
namespace {

using storage::DirectoryKind;

// "orders, audit and 3 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown_max = 5;
  if (names.size() <= shown_max) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown_max, ", "),
                     names.size() - shown_max);
}

std::string counted(std::size_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

class Surveyor {
 public:
  Surveyor(runtime::Disk& disk, const std::function<bool(const std::string&)>& in_use) : disk_(disk), in_use_(in_use) {}

  TakeoverSurvey run(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) look_at(path);
    compare_owners();
    look_at_metadata();
    if (!metadata_failed_) look_at_partitions();
    look_at_formats();
    return std::move(survey_);
  }

 private:
  struct Partition {
    std::string directory;  // its path
    std::optional<Uuid> topic_id;
  };

  void refuse(std::string why) { survey_.refusals.push_back(std::move(why)); }
  void remark(std::string what) { survey_.remarks.push_back(std::move(what)); }
  void unserved(std::string what) { survey_.unserved.push_back(std::move(what)); }

  void look_at(const std::string& given) {
    const std::string path = disk_.absolute(given);
    if (!disk_.exists(path) || !disk_.is_directory(path)) {
      return refuse(fmt::format("{} is not there, or is no directory.", path));
    }
    DirectorySurvey directory{.path = path};
    const auto file = [&](std::string_view name) { return fmt::format("{}/{}", path, name); };
    if (disk_.exists(file(storage::directory_file::lock)) && in_use_(file(storage::directory_file::lock))) {
      refuse(fmt::format("{} is in use: a broker holds its .lock. Stop it first; what follows may change meanwhile.",
                         path));
    }
    if (const auto properties = storage::read_meta_properties(disk_, path)) {
      if (!*properties) {
        refuse(fmt::format("{}: {}", file(storage::directory_file::meta_properties), properties->error().message));
      } else if ((*properties)->version == 0) {
        refuse(fmt::format("{} is of a cluster whose metadata lives in ZooKeeper, which is not supported yet.",
                           file(storage::directory_file::meta_properties)));
      } else {
        directory.formatted = true;
        directory.properties = **properties;
      }
    }
    directory.stopped_cleanly = disk_.exists(file(storage::directory_file::clean_shutdown));
    for (const runtime::DirectoryEntry& entry : disk_.list(path)) {
      if (!entry.is_directory) continue;
      if (entry.name == hosting::metadata_log_name) {
        directory.has_metadata_log = true;
      } else {
        look_at_log(entry.name, path, directory);
      }
    }
    if (!disk_.exists(file(storage::directory_file::meta_properties)) &&
        (directory.partitions > 0 || directory.has_metadata_log)) {
      refuse(fmt::format("{} holds partitions but no meta.properties. Restore that file.", path));
    }
    if (directory.has_metadata_log) {
      if (!survey_.metadata_directory.empty()) {
        refuse(fmt::format("Both {} and {} hold a metadata log.", survey_.metadata_directory, path));
      }
      survey_.metadata_directory = path;
    }
    survey_.directories.push_back(std::move(directory));
  }

  void look_at_log(const std::string& name, const std::string& parent, DirectorySurvey& directory) {
    const std::string path = fmt::format("{}/{}", parent, name);
    const auto parsed = storage::parse_partition_directory(name, path);
    if (!parsed)
      return refuse(fmt::format("{} is no directory of a partition; a broker starts only without it.", path));
    if (parsed->kind == DirectoryKind::deleted) return remark(fmt::format("{} is deleted for good when opened.", path));
    if (parsed->kind == DirectoryKind::stray) {
      return remark(fmt::format("{} belongs to nothing any more and is left alone.", path));
    }
    directory.partitions++;
    for (const runtime::DirectoryEntry& entry : disk_.list(path)) {
      if (!entry.is_directory && entry.name.ends_with(storage::suffix::log))
        look_at_segment(path, entry.name, directory);
    }
    const bool is_future = parsed->kind == DirectoryKind::future;
    if (is_future)
      remark(fmt::format("{} is a replica on its way to another directory; it is not moved on yet.", path));
    if (is_future) return;
    Partition partition{.directory = path};
    if (const auto id = storage::read_partition_metadata(disk_, path)) {
      if (*id) partition.topic_id = **id;
      if (!*id) remark(id->error().message);
    }
    const auto [other, is_first] = partitions_.emplace(parsed->name, std::move(partition));
    if (!is_first) twice_.push_back({parsed->name, path});
  }

  void look_at_segment(const std::string& directory, const std::string& name, DirectorySurvey& totals) {
    const std::string path = fmt::format("{}/{}", directory, name);
    const auto file = disk_.open(path, runtime::OpenMode::read);
    totals.segments++;
    totals.bytes += file->size();
    std::array<std::byte, records::header_up_to_magic> head{};
    if (file->read_at(0, head) == head.size() && static_cast<int>(head[records::magic_position]) < 2) {
      old_formats_.push_back(path);
    }
    file->close();
  }

  void compare_owners() {
    const DirectorySurvey* first = nullptr;
    std::map<Uuid, std::string> seen;
    for (const DirectorySurvey& directory : survey_.directories) {
      if (!directory.formatted) continue;
      if (first == nullptr) first = &directory;
      if (directory.properties.cluster_id != first->properties.cluster_id ||
          directory.properties.node_id != first->properties.node_id) {
        refuse(fmt::format("{} and {} are not of the same node of the same cluster.", first->path, directory.path));
      }
      if (!directory.properties.directory_id) continue;
      const auto [other, is_first] = seen.emplace(*directory.properties.directory_id, directory.path);
      if (!is_first) refuse(fmt::format("{} and {} have the same directory.id.", other->second, directory.path));
    }
    if (first != nullptr) owner_ = first->properties;
    for (const DirectorySurvey& directory : survey_.directories) {
      if (!directory.formatted && directory.partitions == 0 && !directory.has_metadata_log) {
        remark(fmt::format("{} is not formatted: a start without process.roles does that by itself.", directory.path));
      }
      if (directory.formatted && directory.partitions > 0 && !directory.stopped_cleanly) {
        remark(
            fmt::format("{} was not stopped cleanly: its logs are read from their last checkpoint on and cut where a "
                        "batch is not whole.",
                        directory.path));
      }
    }
  }

  // --- metadata ------------------------------------------------------------------------------------------------------

  void look_at_metadata() {
    metadata_failed_ = true;
    std::string directory = survey_.metadata_directory;
    if (directory.empty()) {
      // Formatted and never started: the bootstrap file says what is to come.
      if (!owner_) return;
      for (const DirectorySurvey& each : survey_.directories) {
        if (disk_.exists(fmt::format("{}/{}", each.path, hosting::bootstrap_checkpoint_name))) directory = each.path;
      }
      if (directory.empty() || !partitions_.empty()) {
        return refuse(
            "None of these directories holds the metadata log (__cluster_metadata-0). Name all of log.dirs and "
            "metadata.log.dir; a broker without a controller of its own is not supported yet.");
      }
      survey_.metadata_directory = directory;
    }
    try {
      survey_.metadata = hosting::survey_metadata(disk_, directory);
    } catch (const runtime::DiskError&) {
      throw;
    } catch (const std::exception& error) {
      return refuse(fmt::format("The metadata cannot be read: {}", error.what()));
    }
    metadata_failed_ = false;
    const hosting::MetadataSurvey& metadata = *survey_.metadata;
    if (metadata.torn_tail) remark(fmt::format("The metadata log is cut at its end: {}.", *metadata.torn_tail));
    if (owner_ && owner_->node_id) {
      const auto at = std::ranges::find(survey_.directories, directory, &DirectorySurvey::path);
      if (auto foreign = metadata.foreign_voters(owner_->node_id->value, at->properties.directory_id)) {
        refuse(std::move(*foreign));
      }
    }
    if (!metadata.image->metadata_version() && !partitions_.empty()) {
      refuse("The metadata log is empty, but there are partitions.");
    }
    if (auto reason = controller::unsupported_contents(*metadata.image)) refuse(std::move(*reason));
    look_at_contents(*metadata.image);
  }

  void look_at_contents(const metadata::Image& image) {
    std::vector<std::string> compacted;
    std::vector<std::string> elsewhere;
    for (const metadata::TopicRef& topic : image.topics()) {
      const auto& config = image.config({metadata::ConfigResourceType::topic, topic->name});
      if (const auto policy = config.find("cleanup.policy");
          policy != config.end() && policy->second.contains("compact")) {
        compacted.push_back(topic->name);
      }
      for (const auto& [index, partition] : topic->partitions) {
        for (const std::int32_t replica : partition.replicas) {
          if (owner_ && owner_->node_id && replica != owner_->node_id->value) {
            elsewhere.push_back(fmt::format("{}-{}", topic->name, index));
            break;
          }
        }
      }
    }
    if (!compacted.empty()) {
      unserved(fmt::format("{} with cleanup.policy=compact: kept and served, but not compacted any further ({}).",
                           counted(compacted.size(), "topic"), some_of(compacted)));
    }
    if (!elsewhere.empty()) {
      unserved(fmt::format("{} with replicas on other nodes: there is no replication between nodes yet ({}).",
                           counted(elsewhere.size(), "partition"), some_of(elsewhere)));
    }
    const auto topic_of_kafka = [&](std::string_view name, std::string_view what) {
      if (image.topic(name) != nullptr) unserved(fmt::format("{}: {}", name, what));
    };
    topic_of_kafka("__transaction_state",
                   "what transactions wrote is served, read_committed too; new ones are refused.");
    topic_of_kafka("__share_group_state", "the state of share groups is kept; there are no share groups yet.");
    if (image.client_quotas().size() > 0) {
      unserved(fmt::format("{}: kept, but not enforced.", counted(image.client_quotas().size(), "client quota")));
    }
    if (image.scram_credentials().size() > 0) {
      unserved(fmt::format("{}: kept; there is no SASL yet.",
                           counted(image.scram_credentials().size(), "SCRAM credential")));
    }
    if (image.delegation_tokens().size() > 0) {
      unserved(fmt::format("{}: kept; there is no SASL yet.",
                           counted(image.delegation_tokens().size(), "delegation token")));
    }
    for (const auto& [resource, entries] : image.configs()) {
      if (resource.type == metadata::ConfigResourceType::client_metrics) {
        unserved(
            fmt::format("Subscription '{}' to client metrics: kept; clients are not asked for them.", resource.name));
      }
    }
  }

  // --- logs beside it ------------------------------------------------------------------------------------------------

  bool is_stray(const TopicPartition& name, const std::optional<Uuid>& topic_id) const {
    const metadata::Topic* topic = survey_.metadata->image->topic(name.topic);
    if (topic == nullptr || topic->partition(name.partition.value) == nullptr) return true;
    return topic_id && *topic_id != topic->id;
  }

  void look_at_partitions() {
    if (!survey_.metadata) return;
    std::vector<std::string> strays;
    for (const auto& [name, partition] : partitions_) {
      if (is_stray(name, partition.topic_id)) strays.push_back(partition.directory);
    }
    for (const auto& [name, path] : twice_) {
      refuse(fmt::format("{} is found twice: {} and {}. Delete the one that is out of date.", name.to_string(),
                         partitions_.at(name).directory, path));
    }
    if (!strays.empty()) {
      remark(fmt::format("{} of topics that the metadata does not have: renamed to -stray, nothing is deleted ({}).",
                         counted(strays.size(), "log"), some_of(strays)));
    }
    std::vector<std::string> missing;
    for (const metadata::TopicRef& topic : survey_.metadata->image->topics()) {
      for (const auto& [index, partition] : topic->partitions) {
        const TopicPartition name{topic->name, PartitionIndex(index)};
        if (owner_ && owner_->node_id && partition.has_replica(owner_->node_id->value) && !partitions_.contains(name)) {
          missing.push_back(fmt::format("{}-{}", topic->name, index));
        }
      }
    }
    if (!missing.empty()) {
      remark(fmt::format("{} without a log in these directories: begun empty unless another directory has it ({}).",
                         counted(missing.size(), "partition"), some_of(missing)));
    }
  }

  void look_at_formats() {
    if (old_formats_.empty()) return;
    remark(fmt::format("{} of message format v0 or v1, which clients get as they are ({}).",
                       counted(old_formats_.size(), "segment"), some_of(old_formats_)));
  }

  runtime::Disk& disk_;
  const std::function<bool(const std::string&)>& in_use_;
  TakeoverSurvey survey_;
  std::optional<storage::MetaProperties> owner_;
  std::map<TopicPartition, Partition> partitions_;
  std::vector<std::pair<TopicPartition, std::string>> twice_;
  std::vector<std::string> old_formats_;
  bool metadata_failed_ = false;
};

}  // namespace

TakeoverSurvey survey_takeover(runtime::Disk& disk, const std::vector<std::string>& paths,
                               const std::function<bool(const std::string&)>& in_use) {
  return Surveyor(disk, in_use).run(paths);
}

}  // namespace klamm::cli
