#include "broker/identity.h"

#include <algorithm>
#include <map>

#include "hosting/checkpoint.h"
#include "hosting/format.h"

namespace klamm::broker {
namespace {

using storage::LogDirectory;

std::string meta_path(const LogDirectory& directory) {
  return directory.file(storage::directory_file::meta_properties);
}

std::optional<std::string> partition_in(runtime::Disk& disk, const LogDirectory& directory) {
  for (const auto& entry : disk.list(directory.path())) {
    const auto dash = entry.name.rfind('-');
    if (!entry.is_directory || dash == std::string::npos || dash + 1 == entry.name.size()) continue;
    const bool number = std::all_of(entry.name.begin() + static_cast<std::ptrdiff_t>(dash) + 1, entry.name.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
    if (number && entry.name != hosting::metadata_log_name) return entry.name;
  }
  return std::nullopt;
}

// A directory that holds partitions but does not say whose: formatting it would make strays of them.
void refuse_partitions_without_owner(runtime::Disk& disk, const LogDirectory& directory) {
  std::optional<std::string> name = partition_in(disk, directory);
  if (!name && disk.exists(directory.file(hosting::metadata_log_name))) name = hosting::metadata_log_name;
  if (name) {
    throw StartRefused(
        fmt::format("{} holds partitions ({}) but no meta.properties. Restore that file, or choose an empty directory.",
                    directory.path(), *name));
  }
}

struct Found {
  LogDirectory* directory;
  std::optional<storage::MetaProperties> properties;
};

std::vector<Found> look(runtime::Disk& disk, const storage::LogDirectories& directories,
                        LogDirectory* separate_metadata) {
  std::vector<Found> found;
  for (LogDirectory* directory : directories.directories()) {
    if (!directory->offline()) found.push_back({directory, directories.meta_properties(*directory)});
  }
  if (separate_metadata != nullptr) {
    const auto read = storage::read_meta_properties(disk, separate_metadata->path());
    if (read && !*read) throw StartRefused(fmt::format("{}: {}", meta_path(*separate_metadata), read->error().message));
    found.push_back({separate_metadata, read ? std::optional(**read) : std::nullopt});
    if (found.back().properties && found.back().properties->directory_id) {
      separate_metadata->set_id(*found.back().properties->directory_id);
    }
  }
  return found;
}

std::optional<std::string> known_cluster_id(const std::vector<Found>& found) {
  for (const Found& one : found) {
    if (one.properties && one.properties->cluster_id) return one.properties->cluster_id;
  }
  return std::nullopt;
}

void format(runtime::Environment& environment, const config::BrokerConfig& config, storage::LogDirectories& directories,
            std::vector<Found>& found, const Logger& log) {
  hosting::FormatRequest request;
  request.node_id = config.node_id().value;
  request.cluster_id = known_cluster_id(found).value_or(hosting::fresh_cluster_id(environment.random));
  for (const Found& one : found) {
    if (!one.properties) refuse_partitions_without_owner(environment.disk, *one.directory);
    request.directories.push_back(one.directory->path());
  }
  request.metadata_directory = environment.disk.absolute(config.metadata_log_dir());
  request.ignore_formatted = true;
  hosting::format_directories(environment.disk, environment.random, environment.clock.wall(), request,
                              [&log](const std::string& line) { log.info("{}", line); });
  for (Found& one : found) {
    if (one.properties) continue;
    const auto written = storage::read_meta_properties(environment.disk, one.directory->path());
    if (!written || !*written)
      throw StartRefused("Formatting " + one.directory->path() + " left no readable meta.properties.");
    one.properties = **written;
    const auto all = directories.directories();
    if (std::ranges::find(all, one.directory) != all.end()) {
      directories.set_meta_properties(*one.directory, **written);
    } else if (one.properties->directory_id) {
      one.directory->set_id(*one.properties->directory_id);
    }
  }
}

void verify_node(const config::BrokerConfig& config, const storage::MetaProperties& properties,
                 const std::string& path) {
  if (!properties.node_id) throw StartRefused("node.id was not specified in " + path);
  if (*properties.node_id == config.node_id()) return;
  throw StartRefused(
      fmt::format("Stored node id {} doesn't match previous node id {} in {}. If you moved your data, make sure your "
                  "configured node id matches. If you intend to create a new node, you should remove all data in "
                  "your data directories.",
                  *properties.node_id, config.node_id(), path));
}

void verify(const config::BrokerConfig& config, const std::vector<Found>& found) {
  std::optional<std::string> cluster_id;
  std::map<Uuid, std::string> seen;
  for (const auto& [directory, properties] : found) {
    const std::string path = meta_path(*directory);
    if (properties->version == 0) {
      throw StartRefused(
          fmt::format("{} is of a cluster whose metadata lives in ZooKeeper, which this version does not "
                      "support yet. Nothing was changed.",
                      path));
    }
    if (!properties->cluster_id) throw StartRefused("cluster.id was not specified in the v1 file: " + path);
    if (!cluster_id) cluster_id = properties->cluster_id;
    if (*properties->cluster_id != *cluster_id) {
      throw StartRefused(fmt::format("Invalid cluster.id in: {}. Expected {}, but read {}", path, *cluster_id,
                                     *properties->cluster_id));
    }
    verify_node(config, *properties, path);
    if (!properties->directory_id) continue;
    const auto [at, inserted] = seen.emplace(*properties->directory_id, directory->path());
    if (!inserted) {
      throw StartRefused(fmt::format("Found duplicate directory.id {} in {} and {}.",
                                     properties->directory_id->to_string(), at->second, directory->path()));
    }
  }
}

}  // namespace

Identity establish_identity(runtime::Environment& environment, const config::BrokerConfig& config,
                            storage::LogDirectories& directories, storage::LogDirectory* separate_metadata,
                            const Logger& log) {
  auto found = look(environment.disk, directories, separate_metadata);
  const auto fresh = std::ranges::find_if(found, [](const Found& one) { return !one.properties; });
  if (fresh != found.end()) {
    if (config.mode() == config::Mode::embedded) {
      format(environment, config, directories, found, log);
    } else if (!known_cluster_id(found)) {
      throw StartRefused("No readable meta.properties files found.");
    } else {
      throw StartRefused(
          fmt::format("No `meta.properties` found in {} (have you run `kafka-storage.sh` to format the directory?)",
                      fresh->directory->path()));
    }
  }
  verify(config, found);

  Identity identity{.cluster_id = *known_cluster_id(found), .metadata_directory_id = {}};
  const std::string metadata_path = environment.disk.absolute(config.metadata_log_dir());
  for (const Found& one : found) {
    if (one.directory->path() == metadata_path) identity.metadata_directory_id = one.directory->id();
  }
  return identity;
}

std::optional<std::string> partition_held(runtime::Disk& disk, const storage::LogDirectories& directories) {
  for (const LogDirectory* directory : directories.directories()) {
    if (directory->offline()) continue;
    if (const auto name = partition_in(disk, *directory)) return directory->file(*name);
  }
  return std::nullopt;
}

}  // namespace klamm::broker
