// meta.properties: whose log directory this is. Version 0 (ZooKeeper era: broker.id) is read and kept as it is; version
// 1 has node.id, cluster.id and, since KIP-858, directory.id. Source of the format:
// org.apache.kafka.metadata.properties.MetaProperties, java.util.Properties.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"
#include "base/uuid.h"
#include "runtime/disk.h"

namespace klamm::storage {

struct MetaProperties {
  int version = 1;
  std::optional<std::string> cluster_id;
  std::optional<BrokerId> node_id;  // broker.id in version 0
  std::optional<Uuid> directory_id;

  bool operator==(const MetaProperties&) const = default;
};

// Error::message in Kafka's words: "Invalid version number found.", "Failed to find node.id in meta.properties" ...
Result<MetaProperties> parse_meta_properties(std::string_view text);
// As java.util.Properties.store writes it, with `now` in the comment line, in UTC.
std::string meta_properties_text(const MetaProperties& properties, Timestamp now);

// Nothing when there is no file. Throws DiskError when it cannot be read.
std::optional<Result<MetaProperties>> read_meta_properties(runtime::Disk& disk, const std::string& log_directory);
// Atomically, the name durable.
void write_meta_properties(runtime::Disk& disk, const std::string& log_directory, const MetaProperties& properties,
                           Timestamp now);

}  // namespace klamm::storage
