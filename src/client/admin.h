// Looks at a cluster and changes it: topics, partitions, configuration, offsets, log directories.
// Where one call is about several things, each has its own outcome; the call itself fails only as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "client/client.h"
#include "client/cluster.h"
#include "client/consumer.h"
#include "client/result.h"
#include "runtime/task.h"

namespace klamm::client {

struct TopicSpec {
  std::string name;
  std::optional<std::int32_t> partitions = {};                        // none: the broker's num.partitions
  std::optional<std::int16_t> replication_factor = {};                // none: default.replication.factor
  std::map<std::int32_t, std::vector<std::int32_t>> assignment = {};  // partition -> brokers, instead of the two above
  std::map<std::string, std::string> configs = {};
};

struct CreatedTopic {
  std::string name;
  Uuid id;
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  std::optional<Error> error;
};

// What happened to something with a name.
struct NamedOutcome {
  std::string name;
  std::optional<Error> error;
};

struct TopicListing {
  std::string name;
  Uuid id;
  bool internal = false;
};

struct PartitionDescription {
  std::int32_t partition = -1;
  std::int32_t leader = -1;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> isr;
  std::optional<std::vector<std::int32_t>> elr;  // none: the broker did not say
  std::optional<std::vector<std::int32_t>> last_known_elr;
};

struct TopicDescription {
  std::string name;
  Uuid id;
  bool internal = false;
  std::vector<PartitionDescription> partitions;
  std::optional<Error> error;
};

enum class ResourceType : std::int8_t {
  unknown = 0,
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

struct ConfigResource {
  ResourceType type = ResourceType::unknown;
  std::string name;  // "" of broker: the default of all brokers

  auto operator<=>(const ConfigResource&) const = default;
};

enum class ConfigSource : std::int8_t {
  unknown = 0,
  dynamic_topic_config = 1,
  dynamic_broker_config = 2,
  dynamic_default_broker_config = 3,
  static_broker_config = 4,
  default_config = 5,
  dynamic_broker_logger_config = 6,
  dynamic_client_metrics_config = 7,
  dynamic_group_config = 8,
};
// "DYNAMIC_TOPIC_CONFIG"
std::string_view config_source_name(ConfigSource source);

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::unknown;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // none: null, or too secret to be told
  ConfigSource source = ConfigSource::unknown;
  bool sensitive = false;
  bool read_only = false;
  std::vector<ConfigSynonym> synonyms;

  bool is_default() const { return source == ConfigSource::default_config; }
};

struct ConfigDescription {
  ConfigResource resource;
  std::vector<ConfigEntry> entries;
  std::optional<Error> error;
};

enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct ConfigChange {
  std::string name;
  ConfigOperation operation = ConfigOperation::set;
  std::optional<std::string> value;
};

struct BrokerDescription {
  Broker broker;
  bool fenced = false;
};

struct ClusterDescription {
  std::string cluster_id;
  std::int32_t controller = -1;
  std::vector<BrokerDescription> brokers;
};

struct ReplicaInDirectory {
  std::string topic;
  std::int32_t partition = -1;
  std::int64_t size_bytes = 0;
  std::int64_t offset_lag = 0;
  bool future = false;
};

struct LogDirectoryDescription {
  std::string path;
  std::optional<Error> error;
  std::vector<ReplicaInDirectory> replicas;
  std::int64_t total_bytes = -1;
  std::int64_t usable_bytes = -1;
};

struct LowWatermark {
  std::int64_t low_watermark = -1;
  std::optional<Error> error;
};

struct ListedOffset {
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::int32_t leader_epoch = -1;
  std::optional<Error> error;
};

struct Reassignment {
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> adding;
  std::vector<std::int32_t> removing;
};

// One API that a broker serves.
struct ServedApi {
  std::int16_t key = -1;
  std::int16_t min = 0;
  std::int16_t max = -1;
};

class Admin {
 public:
  // The client's properties count; one that cannot be used makes every call fail with configuration_error().
  explicit Admin(Client& client);

  const std::optional<Error>& configuration_error() const { return configuration_error_; }
  // Of each call from now on, instead of default.api.timeout.ms.
  void set_timeout(runtime::Duration timeout) { timeout_ = timeout; }

  runtime::Task<Result<std::vector<TopicListing>>> list_topics();
  // With the default of `partitions_per_answer` the broker is asked for up to 2000 partitions at a time.
  runtime::Task<Result<std::vector<TopicDescription>>> describe_topics(std::vector<std::string> names,
                                                                       std::int32_t partitions_per_answer = 2000);
  runtime::Task<Result<std::vector<TopicDescription>>> describe_topics(std::vector<Uuid> ids);
  runtime::Task<Result<std::vector<CreatedTopic>>> create_topics(std::vector<TopicSpec> topics,
                                                                 bool validate_only = false);
  // One topic, and its own failure as the failure of the call.
  runtime::Task<Result<CreatedTopic>> create_topic(const TopicSpec& topic);
  runtime::Task<Result<std::vector<NamedOutcome>>> delete_topics(std::vector<std::string> names);
  // So many partitions the topic shall have. `assignment`: the brokers of each new one, or nothing.
  runtime::Task<Result<void>> create_partitions(std::string topic, std::int32_t count,
                                                std::optional<std::vector<std::vector<std::int32_t>>> assignment,
                                                bool validate_only = false);

  runtime::Task<Result<std::vector<ConfigDescription>>> describe_configs(std::vector<ConfigResource> resources,
                                                                         bool synonyms);
  runtime::Task<Result<void>> alter_configs(ConfigResource resource, std::vector<ConfigChange> changes,
                                            bool validate_only = false);
  runtime::Task<Result<std::vector<ConfigResource>>> list_config_resources(std::vector<ResourceType> types);

  runtime::Task<Result<ClusterDescription>> describe_cluster(bool include_fenced = false,
                                                             std::string call = "listNodes");
  runtime::Task<Result<std::map<std::int32_t, std::vector<LogDirectoryDescription>>>> describe_log_dirs(
      std::vector<std::int32_t> brokers);
  runtime::Task<Result<std::map<PartitionName, ListedOffset>>> list_offsets(
      std::map<PartitionName, std::int64_t> timestamps, Isolation isolation = Isolation::read_uncommitted);
  // Everything before the offset goes; -1: everything.
  runtime::Task<Result<std::map<PartitionName, LowWatermark>>> delete_records(
      std::map<PartitionName, std::int64_t> before);
  runtime::Task<Result<std::map<PartitionName, Reassignment>>> list_reassignments(
      std::vector<PartitionName> partitions);
  runtime::Task<Result<std::vector<ServedApi>>> api_versions(std::int32_t broker);
  runtime::Task<Result<void>> unregister_broker(std::int32_t id);

 private:
  runtime::MonoTime deadline() const;

  std::optional<Error> configuration_error_;
  Core* core_;
  std::optional<runtime::Duration> timeout_;
};

}  // namespace klamm::client
