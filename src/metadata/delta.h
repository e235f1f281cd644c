// What happens to an image: records are replayed one after the other, then finish() gives the next image. Afterwards it
// says what changed, so that a subscriber looks at that alone. Source: org.apache.kafka.image.MetadataDelta.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "metadata/image.h"

namespace klamm::metadata {

struct TopicChange {
  TopicRef before;                    // empty: the topic is new
  TopicRef after;                     // empty: it was deleted
  std::set<std::int32_t> partitions;  // those that are new or changed; all that there were when it was deleted
};

class Delta {
 public:
  explicit Delta(ImageRef base);
  Delta(const Delta&) = delete;
  Delta& operator=(const Delta&) = delete;

  // Throws BadRecord; the delta is worth nothing then.
  void replay(const Record& record);
  ImageRef finish(Provenance provenance);

  // No record since the base changed anything.
  bool empty() const;
  const ImageRef& base() const { return base_; }
  // After finish().
  const ImageRef& image() const { return image_; }

  // --- what changed, after finish() ----------------------------------------------------------------------------------
  const std::map<Uuid, TopicChange>& topics() const { return topics_; }
  const std::set<ConfigResource>& configs() const { return configs_; }
  const std::set<BrokerId>& brokers() const { return brokers_; }
  const std::set<std::int32_t>& controllers() const { return controllers_; }
  bool features_changed() const { return features_changed_; }
  bool metadata_version_changed() const { return metadata_version_changed_; }
  const std::set<QuotaEntity>& client_quotas() const { return client_quotas_; }
  bool producer_ids_changed() const { return producer_ids_changed_; }
  bool acls_changed() const { return acls_changed_; }
  bool scram_changed() const { return scram_changed_; }
  bool delegation_tokens_changed() const { return tokens_changed_; }

 private:
  // The working copy of a topic of this delta.
  struct WorkingTopic {
    std::shared_ptr<Topic> topic;
    TopicRef before;
    std::set<std::int32_t> partitions;
  };
  WorkingTopic& working(Uuid id, std::string_view action);
  void put_partition(WorkingTopic& topic, std::int32_t index, PartitionRegistration registration);
  void clear_elr(WorkingTopic& topic);
  BrokerRegistration& working_broker(std::int32_t id, std::int64_t epoch, std::string_view action);

  void apply(const protocol::RegisterBrokerRecord& record);
  void apply(const protocol::UnregisterBrokerRecord& record);
  void apply(const protocol::TopicRecord& record);
  void apply(const protocol::PartitionRecord& record);
  void apply(const protocol::ConfigRecord& record);
  void apply(const protocol::PartitionChangeRecord& record);
  void apply(const protocol::FenceBrokerRecord& record);
  void apply(const protocol::UnfenceBrokerRecord& record);
  void apply(const protocol::RemoveTopicRecord& record);
  void apply(const protocol::DelegationTokenRecord& record);
  void apply(const protocol::UserScramCredentialRecord& record);
  void apply(const protocol::FeatureLevelRecord& record);
  void apply(const protocol::ClientQuotaRecord& record);
  void apply(const protocol::ProducerIdsRecord& record);
  void apply(const protocol::BrokerRegistrationChangeRecord& record);
  void apply(const protocol::AccessControlEntryRecord& record);
  void apply(const protocol::RemoveAccessControlEntryRecord& record);
  void apply(const protocol::NoOpRecord&) {}
  // Left over from a migration: nothing reads it any more.
  void apply(const protocol::ZkMigrationStateRecord&) {}
  void apply(const protocol::RemoveUserScramCredentialRecord& record);
  // Transactions are resolved before records come here.
  void apply(const protocol::BeginTransactionRecord&) {}
  void apply(const protocol::EndTransactionRecord&) {}
  void apply(const protocol::AbortTransactionRecord&) {}
  void apply(const protocol::RemoveDelegationTokenRecord& record);
  void apply(const protocol::RegisterControllerRecord& record);
  void apply(const protocol::ClearElrRecord& record);
  void apply(const protocol::UnregisterControllerRecord& record);

  ImageRef base_;
  ImageRef image_;
  std::shared_ptr<Image> next_;
  std::map<Uuid, WorkingTopic> working_;
  std::map<std::string, Uuid, std::less<>> working_names_;  // of the topics that are new
  std::set<Uuid> deleted_;                                  // topics of the base
  std::map<Uuid, TopicChange> topics_;
  std::map<BrokerId, BrokerRegistration> working_brokers_;
  std::map<ConfigResource, ConfigEntries> working_configs_;
  std::map<std::string, std::int16_t, std::less<>> features_;
  std::set<ConfigResource> configs_;
  std::set<BrokerId> brokers_;
  std::set<std::int32_t> controllers_;
  std::set<QuotaEntity> client_quotas_;
  bool features_changed_ = false;
  bool metadata_version_changed_ = false;
  bool producer_ids_changed_ = false;
  bool acls_changed_ = false;
  bool scram_changed_ = false;
  bool tokens_changed_ = false;
};

}  // namespace klamm::metadata
