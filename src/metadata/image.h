// What the cluster is, at one offset of its metadata: an immutable value, shared by pointer. Records make a Delta of
// it, a Delta makes the next one, and the two share all that did not change. The same code interprets the records in
// the controller and in the broker. Source: org.apache.kafka.image.MetadataImage.
//
// Everything here may be read from any thread for as long as the pointer is held.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "base/uuid.h"
#include "metadata/features.h"
#include "metadata/metadata_version.h"
#include "metadata/partition_registration.h"
#include "metadata/persistent_map.h"
#include "metadata/record.h"

namespace klamm::metadata {

// Up to where an image reaches in the metadata log.
struct Provenance {
  Offset offset = no_offset;  // of the last record in it
  LeaderEpoch epoch = no_leader_epoch;
  Timestamp last_append = no_timestamp;

  bool operator==(const Provenance&) const = default;
};

struct Topic {
  std::string name;
  Uuid id;
  PersistentMap<std::int32_t, PartitionRegistration> partitions;

  // Null when there is none.
  const PartitionRegistration* partition(std::int32_t index) const;
  std::size_t partition_count() const { return partitions.size(); }
};
using TopicRef = std::shared_ptr<const Topic>;

struct Endpoint {
  std::string listener;
  std::string host;
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL

  bool operator==(const Endpoint&) const = default;
};

// A broker that registered. Source: org.apache.kafka.metadata.BrokerRegistration.
struct BrokerRegistration {
  BrokerId id;
  BrokerEpoch epoch;
  Uuid incarnation_id;
  std::vector<Endpoint> endpoints;  // by listener
  std::map<std::string, VersionRange, std::less<>> supported_features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  bool is_migrating_zk_broker = false;
  std::vector<Uuid> directories;                          // ascending
  std::optional<std::vector<Uuid>> cordoned_directories;  // nothing until the broker said it

  const Endpoint* endpoint(std::string_view listener) const;
  bool is_active() const { return !fenced && !in_controlled_shutdown; }
  // Reserved ids count as online: nothing is known against them.
  bool has_online_directory(Uuid directory) const;
  bool has_uncordoned_directories() const;

  static BrokerRegistration from(const protocol::RegisterBrokerRecord& record);
  Record to_record(MetadataVersion version) const;
  bool operator==(const BrokerRegistration&) const = default;
};
using BrokerRegistrationRef = std::shared_ptr<const BrokerRegistration>;

// org.apache.kafka.common.config.ConfigResource.Type
enum class ConfigResourceType : std::int8_t {
  unknown = 0,
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::unknown;
  std::string name;  // empty for the default of all brokers

  auto operator<=>(const ConfigResource&) const = default;
};
using ConfigEntries = std::map<std::string, std::string, std::less<>>;

// Who a client quota is for: entity type ("user", "client-id", "ip") to name; no name means the default entity.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;
using QuotaValues = std::map<std::string, double>;

struct ScramKey {
  std::int8_t mechanism = 0;
  std::string user;

  auto operator<=>(const ScramKey&) const = default;
};

class Image;
using ImageRef = std::shared_ptr<const Image>;

class Image {
 public:
  // Before the first record: no metadata.version, nothing in it.
  static ImageRef empty();

  const Provenance& provenance() const { return provenance_; }

  // Nothing before the first FeatureLevelRecord for it.
  std::optional<MetadataVersion> metadata_version() const { return metadata_version_; }
  // Without metadata.version and kraft.version.
  const std::map<std::string, std::int16_t, std::less<>>& finalized_features() const { return *features_; }
  // 0 when it is not finalized. Not for metadata.version and kraft.version.
  std::int16_t feature_level(std::string_view feature) const;
  bool elr_enabled() const { return feature_level(elr_version_feature) >= 1; }

  // Null when there is none; valid as long as this image is held.
  const Topic* topic(std::string_view name) const;
  const Topic* topic(Uuid id) const;
  const PartitionRegistration* partition(std::string_view topic, std::int32_t index) const;
  const PartitionRegistration* partition(Uuid topic, std::int32_t index) const;
  struct NameOf {
    std::string_view operator()(const TopicRef& topic) const { return topic->name; }
  };
  struct IdOf {
    Uuid operator()(const TopicRef& topic) const { return topic->id; }
  };
  // In the order of their names, and of their ids.
  const PersistentSet<TopicRef, NameOf>& topics() const { return topics_by_name_; }
  const PersistentSet<TopicRef, IdOf>& topics_by_id() const { return topics_by_id_; }
  // Over all topics.
  std::size_t partition_count() const { return partition_count_; }

  // Null when no such broker is registered.
  const BrokerRegistration* broker(BrokerId id) const;
  const PersistentMap<BrokerId, BrokerRegistrationRef>& brokers() const { return brokers_; }
  const PersistentMap<std::int32_t, protocol::RegisterControllerRecord>& controllers() const { return controllers_; }

  // What was set for the resource; empty when nothing was.
  const ConfigEntries& config(const ConfigResource& resource) const;
  const PersistentMap<ConfigResource, std::shared_ptr<const ConfigEntries>>& configs() const { return configs_; }

  // The first producer id nobody was given; 0 before the first block.
  ProducerId next_producer_id() const { return ProducerId(std::max<std::int64_t>(next_producer_id_, 0)); }

  const PersistentMap<QuotaEntity, std::shared_ptr<const QuotaValues>>& client_quotas() const { return client_quotas_; }
  const PersistentMap<ScramKey, protocol::UserScramCredentialRecord>& scram_credentials() const { return scram_; }
  const PersistentMap<Uuid, protocol::AccessControlEntryRecord>& acls() const { return acls_; }
  const PersistentMap<std::string, protocol::DelegationTokenRecord>& delegation_tokens() const { return tokens_; }

  // The records that make this image out of an empty one, at the versions its metadata.version prescribes, in Kafka's
  // order; `use` is called with one after the other. What the level cannot express is left out.
  void each_record(const std::function<void(Record)>& use) const;
  Records to_records() const;

  // Equal contents, wherever they come from.
  bool same_contents(const Image& other) const;

 private:
  friend class Delta;
  Image();

  std::uint64_t edition_ = 1;
  Provenance provenance_;
  std::optional<MetadataVersion> metadata_version_;
  std::shared_ptr<const std::map<std::string, std::int16_t, std::less<>>> features_;
  PersistentSet<TopicRef, NameOf> topics_by_name_;
  PersistentSet<TopicRef, IdOf> topics_by_id_;
  std::size_t partition_count_ = 0;
  PersistentMap<BrokerId, BrokerRegistrationRef> brokers_;
  PersistentMap<std::int32_t, protocol::RegisterControllerRecord> controllers_;
  PersistentMap<ConfigResource, std::shared_ptr<const ConfigEntries>> configs_;
  PersistentMap<QuotaEntity, std::shared_ptr<const QuotaValues>> client_quotas_;
  std::int64_t next_producer_id_ = -1;
  PersistentMap<Uuid, protocol::AccessControlEntryRecord> acls_;
  PersistentMap<ScramKey, protocol::UserScramCredentialRecord> scram_;
  PersistentMap<std::string, protocol::DelegationTokenRecord> tokens_;
};

}  // namespace klamm::metadata
