#include "server/group_shards.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "coordination/placement.h"
#include "groups/record.h"

namespace klamm::server {

// --- records ---------------------------------------------------------------------------------------------------------

hosting::LogEntry GroupsKind::encode(const groups::Record& record) {
  if (record.end) {
    return {.key = {},
            .value = {},
            .producer = record.producer,
            .producer_epoch = record.producer_epoch,
            .end = hosting::TransactionEnd{record.end->commit, record.end->coordinator_epoch,
                                           record.end->transaction_version}};
  }
  groups::Encoded encoded = groups::encode(record);
  return {std::move(encoded.key), std::move(encoded.value), record.producer, record.producer_epoch, record.ends_seen};
}

void GroupsKind::load(Machine& machine, const records::RecordBatchView& batch, const records::RecordView& record) {
  if (!record.has_key()) throw std::runtime_error("a record without a key");
  auto decoded = groups::decode(record.key(), record.nullable_value());
  if (!decoded) {
    throw std::runtime_error(decoded.error().message.empty() ? std::string(error_message(decoded.error().code))
                                                             : decoded.error().message);
  }
  if (!*decoded) return;  // of a kind that is of no use here, or of a later release
  groups::Record& known = **decoded;
  if (batch.is_transactional()) {
    known.producer = batch.producer_id();
    known.producer_epoch = batch.producer_epoch();
  }
  machine.apply(record.offset, batch.partition_leader_epoch(), record.timestamp, {&known, 1});
}

std::vector<groups::Call> GroupsKind::after_load() const {
  std::vector<groups::Call> calls;
  if (metadata::ImageRef image = metadata_->latest()) calls.emplace_back(groups::ImageChanged{.image = image});
  calls.emplace_back(groups::Loaded{});
  return calls;
}

std::vector<groups::Call> GroupsKind::after_change(const metadata::Delta& delta) const {
  groups::TopicsDeleted deleted;
  auto topics = std::make_shared<groups::ImageChanged::Topics>();
  for (const auto& [id, change] : delta.topics()) {
    topics->changed.push_back(change.after ? change.after->name : change.before->name);
    if (!change.before) topics->some_are_new = true;
    if (change.before && !change.after) deleted.topics.push_back({change.before->name, id});
  }
  std::vector<groups::Call> calls;
  calls.emplace_back(groups::ImageChanged{.image = delta.image(), .topics = std::move(topics)});
  if (!deleted.topics.empty()) calls.emplace_back(std::move(deleted));
  return calls;
}

// --- settings --------------------------------------------------------------------------------------------------------

namespace {

groups::MigrationPolicy migration_policy(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  if (name == "DISABLED") return groups::MigrationPolicy::disabled;
  if (name == "UPGRADE") return groups::MigrationPolicy::upgrade;
  if (name == "DOWNGRADE") return groups::MigrationPolicy::downgrade;
  return groups::MigrationPolicy::bidirectional;
}

records::Compression offsets_compression(std::int32_t codec) {
  switch (codec) {
    case 1:
      return {.type = records::CompressionType::gzip};
    case 2:
      return {.type = records::CompressionType::snappy};
    case 3:
      return {.type = records::CompressionType::lz4};
    case 4:
      return {.type = records::CompressionType::zstd};
    default:
      return {};
  }
}

// Kafka's own may also be given by their classes.
std::string assignor_name(const std::string& given) {
  if (given.ends_with(".UniformAssignor")) return "uniform";
  if (given.ends_with(".RangeAssignor")) return "range";
  return given;
}

groups::Settings groups_settings(const config::ConfigValues& values) {
  using std::chrono::milliseconds;
  groups::Settings settings;
  settings.session_timeout_min = milliseconds(values.get_int("group.min.session.timeout.ms"));
  settings.session_timeout_max = milliseconds(values.get_int("group.max.session.timeout.ms"));
  settings.initial_rebalance_delay = milliseconds(values.get_int("group.initial.rebalance.delay.ms"));
  settings.group_size_max = values.get_int("group.max.size");
  const auto bounded = [&](std::string_view name) {
    const auto read = [&](std::string_view which) {
      return milliseconds(values.get_int(fmt::format("group.consumer.{}{}", which, name)));
    };
    return groups::BoundedTime{.usual = read(""), .min = read("min."), .max = read("max.")};
  };
  settings.consumer_session_timeout = bounded("session.timeout.ms");
  settings.consumer_heartbeat_interval = bounded("heartbeat.interval.ms");
  settings.consumer_assignment_interval = bounded("assignment.interval.ms");
  settings.regex_refresh_interval = milliseconds(values.get_int("group.consumer.regex.refresh.interval.ms"));
  settings.assignors.clear();
  for (const std::string& name : values.get_list("group.consumer.assignors")) {
    settings.assignors.push_back(assignor_name(name));
  }
  settings.consumer_group_size_max = values.get_int("group.consumer.max.size");
  settings.migration_policy = migration_policy(values.get_string("group.consumer.migration.policy"));
  settings.offset_metadata_bytes_max = values.get_int("offset.metadata.max.bytes");
  settings.offsets_retention = std::chrono::minutes(values.get_int("offsets.retention.minutes"));
  settings.offsets_retention_check_interval = milliseconds(values.get_long("offsets.retention.check.interval.ms"));
  return settings;
}

}  // namespace

GroupShardsSettings group_shards_settings(const config::BrokerConfig& config) {
  const config::ConfigValues& values = config.values();
  GroupShardsSettings settings;
  settings.node_id = config.node_id();
  settings.groups = groups_settings(values);
  const auto protocols = values.get_list("group.coordinator.rebalance.protocols");
  settings.consumer_groups = std::ranges::find(protocols, "consumer") != protocols.end();
  settings.memory_bytes = static_cast<std::size_t>(values.get_long("klamm.groups.memory.bytes"));
  settings.partitions = values.get_int("offsets.topic.num.partitions");
  settings.replication_factor = static_cast<std::int16_t>(values.get_int("offsets.topic.replication.factor"));
  settings.segment_bytes = values.get_int("offsets.topic.segment.bytes");
  settings.load_bytes = static_cast<std::size_t>(values.get_int("offsets.load.buffer.size"));
  settings.commit_timeout = std::chrono::milliseconds(values.get_int("offsets.commit.timeout.ms"));
  settings.creation_timeout = config.request_timeout();
  settings.writer.compression = offsets_compression(values.get_int("offsets.topic.compression.codec"));
  // A batch has to fit a segment too.
  settings.writer.batch_bytes_max =
      static_cast<std::size_t>(std::min(values.get_int("message.max.bytes"), settings.segment_bytes));
  settings.groups.record_bytes_max = settings.writer.record_bytes_max();
  return settings;
}

namespace {

InternalTopic internal_topic(const GroupShardsSettings& settings) {
  return {.name = std::string(offsets_topic),
          .partitions = settings.partitions,
          .replication_factor = settings.replication_factor,
          .configs = {{"compression.type", "producer"},
                      {"cleanup.policy", "compact"},
                      {"segment.bytes", std::to_string(settings.segment_bytes)}},
          .creation_timeout = settings.creation_timeout};
}

}  // namespace

// --- the shards ------------------------------------------------------------------------------------------------------

GroupShards::GroupShards(runtime::Environment& environment, hosting::MetadataPublisher& metadata,
                         const replication::PartitionTable& partitions, GroupShardsSettings settings)
    : metadata_(metadata),
      settings_(std::move(settings)),
      log_(environment.log, "org.apache.kafka.coordinator.group.GroupCoordinatorService",
           fmt::format("[GroupCoordinator id={}] ", settings_.node_id)),
      partition_count_(settings_.partitions),
      creation_(internal_topic(settings_), log_),
      memory_(settings_.memory_bytes),
      shards_(environment, metadata, partitions,
              hosting::HostedTopicSettings{.topic = std::string(offsets_topic),
                                           .self = settings_.node_id,
                                           .writer = settings_.writer,
                                           .load_bytes = settings_.load_bytes},
              GroupsKind(settings_.groups, memory_, metadata, log_), log_) {}

runtime::Task<void> GroupShards::start(runtime::Reactor& home) {
  log_.info("Starting up.");
  if (const metadata::ImageRef image = metadata_.latest()) {
    if (const metadata::Topic* topic = image->topic(offsets_topic)) {
      partition_count_ = static_cast<std::int32_t>(topic->partition_count());
    }
  }
  auto starting = shards_.start(home);
  co_await std::move(starting);
  log_.info("Startup complete.");
}

runtime::Task<void> GroupShards::stop(runtime::Reactor& home) {
  log_.info("Shutting down.");
  auto stopping = shards_.stop(home);
  co_await std::move(stopping);
  log_.info("Shutdown complete.");
}

PartitionIndex GroupShards::partition_of(std::string_view group_id) const {
  return coordination::partition_for(group_id, partition_count_);
}

bool GroupShards::serves_consumer_groups(const metadata::Image& image) const {
  return settings_.consumer_groups && image.feature_level(metadata::group_version_feature) >= 1;
}

runtime::Task<groups::Answer> GroupShards::ask(runtime::Reactor& reactor, PartitionIndex partition, groups::Call call) {
  return shards_.ask(reactor, partition, std::move(call), reactor.now() + settings_.commit_timeout);
}

runtime::Task<groups::Answer> GroupShards::ask_and_wait(runtime::Reactor& reactor, PartitionIndex partition,
                                                        groups::Call call) {
  return shards_.ask(reactor, partition, std::move(call));
}

}  // namespace klamm::server
