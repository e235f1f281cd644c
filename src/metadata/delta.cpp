#include "metadata/delta.h"

#include <fmt/format.h>

#include <utility>

#include "base/ensure.h"

namespace klamm::metadata {
namespace {

QuotaEntity entity_of(const protocol::ClientQuotaRecord& record) {
  QuotaEntity entity;
  for (const auto& part : record.entity) entity[part.entity_type] = part.entity_name;
  return entity;
}

ConfigResource resource_of(const protocol::ConfigRecord& record) {
  return {static_cast<ConfigResourceType>(record.resource_type), record.resource_name};
}

// Records that an image keeps whole go into snapshots again. Tagged fields that nobody here knows do not, as in Kafka's
// images; they may stand in an order in which they cannot be written.
template <typename R>
R known_fields(R record) {
  record.unknown_tagged_fields.clear();
  return record;
}
protocol::RegisterControllerRecord known_fields(protocol::RegisterControllerRecord record) {
  record.unknown_tagged_fields.clear();
  for (auto& end_point : record.end_points) end_point.unknown_tagged_fields.clear();
  for (auto& feature : record.features) feature.unknown_tagged_fields.clear();
  return record;
}

}  // namespace

Delta::Delta(ImageRef base) : base_(std::move(base)), next_(new Image(*base_)), features_(*base_->features_) {
  const std::uint64_t edition = ++next_->edition_;
  next_->topics_by_name_.begin_edition(edition);
  next_->topics_by_id_.begin_edition(edition);
  next_->brokers_.begin_edition(edition);
  next_->controllers_.begin_edition(edition);
  next_->configs_.begin_edition(edition);
  next_->client_quotas_.begin_edition(edition);
  next_->acls_.begin_edition(edition);
  next_->scram_.begin_edition(edition);
  next_->tokens_.begin_edition(edition);
}

void Delta::replay(const Record& record) {
  ENSURE(!image_);
  std::visit([this](const auto& message) { apply(message); }, record.message);
}

bool Delta::empty() const {
  return working_.empty() && deleted_.empty() && configs_.empty() && brokers_.empty() && controllers_.empty() &&
         client_quotas_.empty() && !features_changed_ && !metadata_version_changed_ && !producer_ids_changed_ &&
         !acls_changed_ && !scram_changed_ && !tokens_changed_;
}

ImageRef Delta::finish(Provenance provenance) {
  ENSURE(!image_);
  for (const Uuid id : deleted_) {
    TopicRef before = *base_->topics_by_id_.find(id);
    next_->topics_by_id_.erase(id);
    next_->topics_by_name_.erase(before->name);
    next_->partition_count_ -= before->partition_count();
    TopicChange& change = topics_[id];
    for (const auto& [index, partition] : before->partitions) change.partitions.insert(index);
    change.before = std::move(before);
  }
  for (auto& [id, topic] : working_) {
    next_->partition_count_ += topic.topic->partition_count();
    if (topic.before) next_->partition_count_ -= topic.before->partition_count();
    const TopicRef after = std::move(topic.topic);
    next_->topics_by_id_.put(after);
    next_->topics_by_name_.put(after);
    topics_[id] = {std::move(topic.before), after, std::move(topic.partitions)};
  }
  working_.clear();
  for (auto& [id, broker] : working_brokers_) {
    next_->brokers_.put({id, std::make_shared<const BrokerRegistration>(std::move(broker))});
  }
  for (auto& [resource, entries] : working_configs_) {
    if (entries.empty()) {
      next_->configs_.erase(resource);
    } else {
      next_->configs_.put({resource, std::make_shared<const ConfigEntries>(std::move(entries))});
    }
  }
  if (features_changed_) {
    next_->features_ = std::make_shared<const std::map<std::string, std::int16_t, std::less<>>>(std::move(features_));
  }
  next_->provenance_ = provenance;
  image_ = std::move(next_);
  return image_;
}

Delta::WorkingTopic& Delta::working(Uuid id, std::string_view action) {
  if (const auto found = working_.find(id); found != working_.end()) return found->second;
  const TopicRef* before = deleted_.contains(id) ? nullptr : base_->topics_by_id_.find(id);
  if (!before)
    throw BadRecord(fmt::format("Tried to {} {}, but no topic with that ID was found.", action, id.to_string()));
  WorkingTopic& topic = working_[id];
  topic.before = *before;
  topic.topic = std::make_shared<Topic>(**before);
  topic.topic->partitions.begin_edition(next_->edition_);
  return topic;
}

void Delta::put_partition(WorkingTopic& topic, std::int32_t index, PartitionRegistration registration) {
  topic.topic->partitions.put({index, std::move(registration)});
  topic.partitions.insert(index);
}

void Delta::apply(const protocol::TopicRecord& record) {
  const auto named = working_names_.find(record.name);
  const Topic* existing = base_->topic(record.name);
  if (existing && deleted_.contains(existing->id)) existing = nullptr;
  if (named != working_names_.end() || existing) {
    throw BadRecord(
        fmt::format("Found duplicate TopicRecord for {} with topic ID {}", record.name, record.topic_id.to_string()));
  }
  if (working_.contains(record.topic_id) || base_->topic(record.topic_id)) {
    throw BadRecord(fmt::format("Found duplicate TopicRecord for topic ID {}", record.topic_id.to_string()));
  }
  WorkingTopic& topic = working_[record.topic_id];
  topic.topic = std::make_shared<Topic>(Topic{record.name, record.topic_id, {}});
  topic.topic->partitions.begin_edition(next_->edition_);
  working_names_[record.name] = record.topic_id;
}

void Delta::apply(const protocol::PartitionRecord& record) {
  WorkingTopic& topic = working(record.topic_id, "create a partition of");
  put_partition(topic, record.partition_id, PartitionRegistration::from(record));
}

void Delta::apply(const protocol::PartitionChangeRecord& record) {
  WorkingTopic& topic = working(record.topic_id, "change a partition of");
  const PartitionRegistration* before = topic.topic->partition(record.partition_id);
  if (!before) {
    throw BadRecord(fmt::format("Unable to find partition {}:{}", record.topic_id.to_string(), record.partition_id));
  }
  put_partition(topic, record.partition_id, before->changed_by(record));
}

void Delta::apply(const protocol::RemoveTopicRecord& record) {
  std::string name;
  if (const auto found = working_.find(record.topic_id); found != working_.end()) {
    name = found->second.topic->name;
    if (found->second.before) {
      deleted_.insert(record.topic_id);
    } else {
      working_names_.erase(name);
    }
    working_.erase(found);
  } else {
    const Topic* topic = deleted_.contains(record.topic_id) ? nullptr : base_->topic(record.topic_id);
    if (!topic) {
      throw BadRecord(
          fmt::format("Unable to delete topic with id {}: no such topic found.", record.topic_id.to_string()));
    }
    name = topic->name;
    deleted_.insert(record.topic_id);
  }
  const ConfigResource resource{ConfigResourceType::topic, name};
  if (working_configs_.contains(resource) || base_->configs_.contains(resource)) {
    working_configs_[resource].clear();
    configs_.insert(resource);
  }
}

void Delta::clear_elr(WorkingTopic& topic) {
  std::vector<std::pair<std::int32_t, PartitionRegistration>> cleared;
  for (const auto& [index, partition] : topic.topic->partitions) {
    if (partition.elr.empty() && partition.last_known_elr.empty()) continue;
    protocol::PartitionChangeRecord change;
    change.eligible_leader_replicas.emplace();
    change.last_known_elr.emplace();
    cleared.emplace_back(index, partition.changed_by(change));
  }
  for (auto& [index, partition] : cleared) put_partition(topic, index, std::move(partition));
}

void Delta::apply(const protocol::ClearElrRecord& record) {
  const auto has_elr = [](const Topic& topic) {
    for (const auto& [index, partition] : topic.partitions) {
      if (!partition.elr.empty() || !partition.last_known_elr.empty()) return true;
    }
    return false;
  };
  if (record.topic_name.empty()) {
    for (const TopicRef& topic : base_->topics_by_id_) {
      if (!deleted_.contains(topic->id) && !working_.contains(topic->id) && has_elr(*topic)) {
        clear_elr(working(topic->id, "clear the ELR of"));
      }
    }
    for (auto& [id, topic] : working_) clear_elr(topic);
    return;
  }
  if (const auto named = working_names_.find(record.topic_name); named != working_names_.end()) {
    clear_elr(working(named->second, "clear the ELR of"));
    return;
  }
  const Topic* topic = base_->topic(record.topic_name);
  if (!topic) {
    throw BadRecord(fmt::format("Unable to clear elr for topic with name {}: no such topic found.", record.topic_name));
  }
  if (deleted_.contains(topic->id)) return;
  if (working_.contains(topic->id) || has_elr(*topic)) clear_elr(working(topic->id, "clear the ELR of"));
}

void Delta::apply(const protocol::RegisterBrokerRecord& record) {
  working_brokers_[BrokerId(record.broker_id)] = BrokerRegistration::from(record);
  brokers_.insert(BrokerId(record.broker_id));
}

BrokerRegistration& Delta::working_broker(std::int32_t id, std::int64_t epoch, std::string_view action) {
  const BrokerId broker(id);
  auto found = working_brokers_.find(broker);
  if (found == working_brokers_.end()) {
    const auto* registered = next_->brokers_.find(broker);
    if (!registered) {
      throw BadRecord(fmt::format("Tried to {} broker {}, but that broker was not registered.", action, id));
    }
    found = working_brokers_.emplace(broker, *registered->second).first;
  }
  if (found->second.epoch.value != epoch) {
    throw BadRecord(
        fmt::format("Tried to {} broker {}, but the given epoch, {}, did not match the current broker epoch, {}",
                    action, id, epoch, found->second.epoch));
  }
  brokers_.insert(broker);
  return found->second;
}

void Delta::apply(const protocol::UnregisterBrokerRecord& record) {
  working_broker(record.broker_id, record.broker_epoch, "unregister");
  working_brokers_.erase(BrokerId(record.broker_id));
  next_->brokers_.erase(BrokerId(record.broker_id));
}

void Delta::apply(const protocol::FenceBrokerRecord& record) {
  working_broker(record.id, record.epoch, "fence").fenced = true;
}

void Delta::apply(const protocol::UnfenceBrokerRecord& record) {
  working_broker(record.id, record.epoch, "unfence").fenced = false;
}

void Delta::apply(const protocol::BrokerRegistrationChangeRecord& record) {
  BrokerRegistration& broker = working_broker(record.broker_id, record.broker_epoch, "change");
  if (record.fenced < -1 || record.fenced > 1) {
    throw BadRecord(fmt::format("Unable to replay a BrokerRegistrationChangeRecord: unknown value for fenced field: {}",
                                record.fenced));
  }
  if (record.in_controlled_shutdown < 0 || record.in_controlled_shutdown > 1) {
    throw BadRecord(fmt::format(
        "Unable to replay a BrokerRegistrationChangeRecord: unknown value for inControlledShutdown field: {}",
        record.in_controlled_shutdown));
  }
  if (record.fenced != 0) broker.fenced = record.fenced == 1;
  if (record.in_controlled_shutdown == 1) broker.in_controlled_shutdown = true;
  if (!record.log_dirs.empty()) {
    broker.directories = record.log_dirs;
    std::ranges::sort(broker.directories);
  }
  if (record.cordoned_log_dirs) broker.cordoned_directories = record.cordoned_log_dirs;
}

void Delta::apply(const protocol::RegisterControllerRecord& record) {
  next_->controllers_.put({record.controller_id, known_fields(record)});
  controllers_.insert(record.controller_id);
}

void Delta::apply(const protocol::UnregisterControllerRecord& record) {
  if (!next_->controllers_.erase(record.controller_id)) {
    throw BadRecord(fmt::format("Unable to unregister controller {}: no controller registration found for that id",
                                record.controller_id));
  }
  controllers_.insert(record.controller_id);
}

void Delta::apply(const protocol::ConfigRecord& record) {
  const ConfigResource resource = resource_of(record);
  auto found = working_configs_.find(resource);
  if (found == working_configs_.end()) found = working_configs_.emplace(resource, base_->config(resource)).first;
  if (record.value) {
    found->second[record.name] = *record.value;
  } else {
    found->second.erase(record.name);
  }
  configs_.insert(resource);
}

void Delta::apply(const protocol::FeatureLevelRecord& record) {
  if (record.name == metadata_version_feature) {
    const auto version = metadata_version_of_level(record.feature_level);
    if (!version) {
      throw BadRecord(
          fmt::format("Unsupported metadata version - if you are currently upgrading your cluster, please ensure the "
                      "metadata version is set to {} (or higher) before updating the software version. The metadata "
                      "version can be updated via the `kafka-features` command-line tool. {}",
                      metadata_version_min.name(), unknown_metadata_level_text(record.feature_level)));
    }
    next_->metadata_version_ = version;
    metadata_version_changed_ = true;
    return;
  }
  // It is kept in control records; here it would be a leftover (KAFKA-18979).
  if (record.name == kraft_version_feature) return;
  if (record.feature_level == 0) {
    features_.erase(record.name);
  } else {
    features_[record.name] = record.feature_level;
  }
  features_changed_ = true;
}

void Delta::apply(const protocol::ClientQuotaRecord& record) {
  const QuotaEntity entity = entity_of(record);
  const auto* before = next_->client_quotas_.find(entity);
  auto values = before ? *before->second : QuotaValues{};
  if (record.remove) {
    values.erase(record.key);
  } else {
    values[record.key] = record.value;
  }
  if (values.empty()) {
    next_->client_quotas_.erase(entity);
  } else {
    next_->client_quotas_.put({entity, std::make_shared<const QuotaValues>(std::move(values))});
  }
  client_quotas_.insert(entity);
}

void Delta::apply(const protocol::ProducerIdsRecord& record) {
  next_->next_producer_id_ = record.next_producer_id;
  producer_ids_changed_ = true;
}

void Delta::apply(const protocol::AccessControlEntryRecord& record) {
  next_->acls_.put({record.id, known_fields(record)});
  acls_changed_ = true;
}

void Delta::apply(const protocol::RemoveAccessControlEntryRecord& record) {
  if (!next_->acls_.erase(record.id)) {
    throw BadRecord(
        fmt::format("Failed to find existing ACL with ID {} in either image or changes", record.id.to_string()));
  }
  acls_changed_ = true;
}

void Delta::apply(const protocol::UserScramCredentialRecord& record) {
  next_->scram_.put({{record.mechanism, record.name}, known_fields(record)});
  scram_changed_ = true;
}

void Delta::apply(const protocol::RemoveUserScramCredentialRecord& record) {
  next_->scram_.erase(ScramKey{record.mechanism, record.name});
  scram_changed_ = true;
}

void Delta::apply(const protocol::DelegationTokenRecord& record) {
  next_->tokens_.put({record.token_id, known_fields(record)});
  tokens_changed_ = true;
}

void Delta::apply(const protocol::RemoveDelegationTokenRecord& record) {
  next_->tokens_.erase(record.token_id);
  tokens_changed_ = true;
}

}  // namespace klamm::metadata
