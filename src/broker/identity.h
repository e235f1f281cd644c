// Whose directories these are: reads what meta.properties say, compares them with one another and with the
// configuration, and in embedded mode formats what is fresh. Source of the rules: org.apache.kafka.metadata.properties.
// MetaPropertiesEnsemble.verify, kafka.server.KafkaRaftServer.initializeLogDirs.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "base/logger.h"
#include "config/broker_config.h"
#include "runtime/environment.h"
#include "storage/log_directories.h"

namespace klamm::broker {

// The start is refused; what() is Kafka's sentence where Kafka has one.
class StartRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Identity {
  std::string cluster_id;
  Uuid metadata_directory_id;
};

// `directories` are locked; so is `separate_metadata`, the directory of the metadata log when it is none of them, else
// null. Blocks. Throws StartRefused, hosting::FormatError, runtime::DiskError.
Identity establish_identity(runtime::Environment& environment, const config::BrokerConfig& config,
                            storage::LogDirectories& directories, storage::LogDirectory* separate_metadata,
                            const Logger& log);

// The path of a partition's directory, of the metadata log's not, if one is there. Blocks.
std::optional<std::string> partition_held(runtime::Disk& disk, const storage::LogDirectories& directories);

}  // namespace klamm::broker
