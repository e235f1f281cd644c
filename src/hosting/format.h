// Makes directories ready for a node: meta.properties in each, and in the one of the metadata what the first start
// reads. Everything is on disk, names included, before the last meta.properties appears, so that a power cut leaves
// either no formatted directory or one that starts. Source: org.apache.kafka.metadata.storage.Formatter, at 4.3.1.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "metadata/metadata_version.h"
#include "metadata/record.h"
#include "runtime/clock.h"
#include "runtime/disk.h"

namespace klamm::hosting {

// What is wrong with the request or the directories: what() is Kafka's sentence for it. `as_exception`: Kafka's tool
// shows it as an uncaught java.lang.RuntimeException ("Invalid cluster.id in: ..."), not as a plain line.
class FormatError : public std::runtime_error {
 public:
  explicit FormatError(const std::string& what, std::string_view java_exception = {})
      : std::runtime_error(what), java_exception_(java_exception) {}
  // "java.lang.RuntimeException"; empty for a plain line.
  std::string_view java_exception() const { return java_exception_; }

 private:
  std::string_view java_exception_;
};

// A voter of a dynamic quorum: "3000@host:9093:Lxet3yDiQ3Wck4dHMRvE2A".
struct DynamicVoter {
  std::int32_t node_id = -1;
  Uuid directory_id;
  std::string host;
  std::uint16_t port = 0;
};

struct FormatRequest {
  std::int32_t node_id = -1;
  std::string cluster_id;  // any text
  std::vector<std::string> directories;
  // Where __cluster_metadata-0 lives, one of `directories`; nothing on a node without a controller.
  std::optional<std::string> metadata_directory;
  std::string controller_listener_name = "CONTROLLER";
  std::optional<metadata::MetadataVersion> release_version;  // nothing: the production level
  std::map<std::string, std::int16_t> feature_levels;        // --feature NAME=LEVEL
  bool unstable_enabled = false;                             // unstable.feature.versions.enable
  bool ignore_formatted = false;
  // kraft.version 1: --standalone (one voter), --initial-controllers, or --no-initial-controllers (none).
  bool dynamic_quorum = false;
  std::vector<DynamicVoter> initial_controllers;
  // Written after the feature levels: UserScramCredentialRecords of --add-scram.
  metadata::Records additional_records;
};

// Formats what is not yet formatted. `print` is given the lines that Kafka's tool prints to stdout, without a line end;
// may be empty. Blocks. Throws FormatError; runtime::DiskError.
void format_directories(runtime::Disk& disk, runtime::Random& random, Timestamp now, const FormatRequest& request,
                        const std::function<void(std::string)>& print);

// A fresh cluster id: 22 characters.
std::string fresh_cluster_id(runtime::Random& random);
// A fresh directory id, as --standalone needs it before formatting.
Uuid fresh_uuid(runtime::Random& random);

// "3000@host:9093:Lxet3yDiQ3Wck4dHMRvE2A,..." of --initial-controllers; throws FormatError as Kafka does.
std::vector<DynamicVoter> parse_dynamic_voters(std::string_view text);

// --feature NAME=LEVEL, each "metadata.version=30"; throws FormatError as Kafka does.
std::map<std::string, std::int16_t> parse_feature_levels(const std::vector<std::string>& arguments);

// The levels of every feature that the request ends up with, and the records of bootstrap.checkpoint.
std::map<std::string, std::int16_t> effective_feature_levels(const FormatRequest& request);
metadata::Records bootstrap_records(const FormatRequest& request);

}  // namespace klamm::hosting
