// A cluster's metadata in this process: the log, the controller over it, and the publisher that tells everybody. What a
// broker in embedded mode, or a combined node with itself as the only voter, starts first and stops last.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/config_rules.h"
#include "controller/controller.h"
#include "hosting/controller_channel.h"
#include "hosting/embedded_log.h"
#include "hosting/metadata_publisher.h"
#include "hosting/shard.h"
#include "runtime/environment.h"
#include "storage/log_directory.h"

namespace klamm::hosting {

struct EmbeddedMetadataSettings {
  EmbeddedLogSettings log;
  controller::ControllerSettings controller;
  // A directory of a partition that this node holds, if there is any. Then there was metadata: when none is found it is
  // lost, and to begin anew would make strays of all partitions.
  std::optional<std::string> partition_held;
};

class EmbeddedMetadata {
 public:
  // The arguments outlive this. `on_failure` is told when the disk failed and the process cannot go on.
  EmbeddedMetadata(runtime::Environment& environment, runtime::Reactor& owner, storage::LogDirectory& directory,
                   EmbeddedMetadataSettings settings, const controller::ConfigRules& rules,
                   MetadataPublisher& publisher, std::function<void(const std::string&)> on_failure);
  ~EmbeddedMetadata();

  // On the owner. When it ends, the metadata is loaded, this node leads, and the first image is published. Throws
  // MetadataLogError (also when the directory holds what is not supported yet), metadata::BadRecord, DiskError; then
  // everything is closed again.
  runtime::Task<void> start();

  // Usable on any reactor from the end of start() to the beginning of stop().
  ControllerChannel& channel();
  // kraft.version that is finalized, as ApiVersions shows it.
  std::int16_t kraft_version() const { return log_.quorum().kraft_version; }
  LeaderEpoch epoch() const { return log_.epoch(); }
  const EmbeddedLog& log() const { return log_; }
  EmbeddedLog& log() { return log_; }

  // On the owner: refuses new calls, waits for those under way, and closes the log.
  runtime::Task<void> stop(bool clean);

 private:
  class DirectChannel;

  runtime::Task<void> load_and_lead();
  void applied();
  void committed(Offset end);

  runtime::Reactor& owner_;
  EmbeddedMetadataSettings settings_;
  MetadataPublisher& publisher_;
  std::function<void(const std::string&)> on_failure_;
  Logger line_;
  EmbeddedLog log_;
  controller::Controller controller_;
  Shard<controller::Controller> shard_;
  std::unique_ptr<DirectChannel> channel_;
  std::deque<DeltaRef> unpublished_;
};

}  // namespace klamm::hosting
