#include "metadata/image.h"

#include <algorithm>

namespace klamm::metadata {
namespace {

// Sharing one empty value, so that config() can return a reference.
const ConfigEntries no_entries;

}  // namespace

const PartitionRegistration* Topic::partition(std::int32_t index) const {
  const auto* found = partitions.find(index);
  return found ? &found->second : nullptr;
}

const Endpoint* BrokerRegistration::endpoint(std::string_view listener) const {
  const auto found = std::ranges::find(endpoints, listener, &Endpoint::listener);
  return found == endpoints.end() ? nullptr : &*found;
}

bool BrokerRegistration::has_online_directory(Uuid directory) const {
  // Nothing is known of a broker of before directories were registered.
  if (directory == directory_unassigned || directory == directory_migrating) return true;
  if (directory == directory_lost) return false;
  return directories.empty() || std::ranges::find(directories, directory) != directories.end();
}

bool BrokerRegistration::has_uncordoned_directories() const {
  if (directories.empty() || !cordoned_directories) return true;
  return std::ranges::any_of(directories, [&](Uuid directory) {
    return std::ranges::find(*cordoned_directories, directory) == cordoned_directories->end();
  });
}

BrokerRegistration BrokerRegistration::from(const protocol::RegisterBrokerRecord& record) {
  BrokerRegistration broker;
  broker.id = BrokerId(record.broker_id);
  broker.epoch = BrokerEpoch(record.broker_epoch);
  broker.incarnation_id = record.incarnation_id;
  for (const auto& endpoint : record.end_points) {
    broker.endpoints.push_back({endpoint.name, endpoint.host, endpoint.port, endpoint.security_protocol});
  }
  for (const auto& feature : record.features) {
    broker.supported_features[feature.name] = {feature.min_supported_version, feature.max_supported_version};
  }
  broker.rack = record.rack;
  broker.fenced = record.fenced;
  broker.in_controlled_shutdown = record.in_controlled_shutdown;
  broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
  broker.directories = record.log_dirs;
  std::ranges::sort(broker.directories);
  broker.cordoned_directories = record.cordoned_log_dirs;
  return broker;
}

Record BrokerRegistration::to_record(MetadataVersion version) const {
  protocol::RegisterBrokerRecord record;
  record.broker_id = id.value;
  record.broker_epoch = epoch.value;
  record.incarnation_id = incarnation_id;
  record.rack = rack;
  record.fenced = fenced;
  record.in_controlled_shutdown = in_controlled_shutdown;
  if (version.supports_migration()) record.is_migrating_zk_broker = is_migrating_zk_broker;
  if (version.supports_directory_assignment()) record.log_dirs = directories;
  if (version.supports_cordoned_directories()) record.cordoned_log_dirs = cordoned_directories;
  for (const Endpoint& endpoint : endpoints) {
    auto& to = record.end_points.emplace_back();
    to.name = endpoint.listener;
    to.host = endpoint.host;
    to.port = endpoint.port;
    to.security_protocol = endpoint.security_protocol;
  }
  for (const auto& [name, range] : supported_features) {
    auto& to = record.features.emplace_back();
    to.name = name;
    to.min_supported_version = range.min;
    to.max_supported_version = range.max;
  }
  return {std::move(record), version.register_broker_record_version()};
}

Image::Image() : features_(std::make_shared<const std::map<std::string, std::int16_t, std::less<>>>()) {}

ImageRef Image::empty() {
  return ImageRef(new Image);
}

std::int16_t Image::feature_level(std::string_view feature) const {
  const auto found = features_->find(feature);
  return found == features_->end() ? std::int16_t{0} : found->second;
}

const Topic* Image::topic(std::string_view name) const {
  const TopicRef* found = topics_by_name_.find(name);
  return found ? found->get() : nullptr;
}

const Topic* Image::topic(Uuid id) const {
  const TopicRef* found = topics_by_id_.find(id);
  return found ? found->get() : nullptr;
}

const PartitionRegistration* Image::partition(std::string_view name, std::int32_t index) const {
  const Topic* found = topic(name);
  return found ? found->partition(index) : nullptr;
}

const PartitionRegistration* Image::partition(Uuid id, std::int32_t index) const {
  const Topic* found = topic(id);
  return found ? found->partition(index) : nullptr;
}

const BrokerRegistration* Image::broker(BrokerId id) const {
  const auto* found = brokers_.find(id);
  return found ? found->second.get() : nullptr;
}

const ConfigEntries& Image::config(const ConfigResource& resource) const {
  const auto* found = configs_.find(resource);
  return found ? *found->second : no_entries;
}

void Image::each_record(const std::function<void(Record)>& use) const {
  const MetadataVersion version = metadata_version_.value_or(metadata_version_min);
  const auto feature = [&](std::string_view name, std::int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    use({std::move(record), 0});
  };
  // First, because readers may need it to make sense of what follows.
  if (metadata_version_) feature(metadata_version_feature, version.level());
  for (const auto& [name, level] : *features_) feature(name, level);

  for (const auto& [id, broker] : brokers_) use(broker->to_record(version));
  if (version.supports_controller_registration()) {
    for (const auto& [id, controller] : controllers_) use({controller, 0});
  }
  for (const TopicRef& topic : topics_by_id_) {
    protocol::TopicRecord record;
    record.name = topic->name;
    record.topic_id = topic->id;
    use({std::move(record), 0});
    for (const auto& [index, partition] : topic->partitions) {
      use(partition.to_record(topic->id, index, version, elr_enabled()));
    }
  }
  for (const auto& [resource, entries] : configs_) {
    for (const auto& [name, value] : *entries) {
      protocol::ConfigRecord record;
      record.resource_type = static_cast<std::int8_t>(resource.type);
      record.resource_name = resource.name;
      record.name = name;
      record.value = value;
      use({std::move(record), 0});
    }
  }
  for (const auto& [entity, values] : client_quotas_) {
    for (const auto& [key, value] : *values) {
      protocol::ClientQuotaRecord record;
      for (const auto& [type, name] : entity) {
        auto& part = record.entity.emplace_back();
        part.entity_type = type;
        part.entity_name = name;
      }
      record.key = key;
      record.value = value;
      use({std::move(record), 0});
    }
  }
  if (next_producer_id_ >= 0) {
    protocol::ProducerIdsRecord record;
    record.broker_id = -1;
    record.broker_epoch = -1;
    record.next_producer_id = next_producer_id_;
    use({std::move(record), 0});
  }
  for (const auto& [id, acl] : acls_) use({acl, 0});
  if (version.supports_scram()) {
    for (const auto& [key, credential] : scram_) use({credential, 0});
  }
  if (version.supports_delegation_tokens()) {
    for (const auto& [id, token] : tokens_) use({token, 0});
  }
}

Records Image::to_records() const {
  Records records;
  each_record([&](Record record) { records.push_back(std::move(record)); });
  return records;
}

bool Image::same_contents(const Image& other) const {
  return to_records() == other.to_records();
}

}  // namespace klamm::metadata
