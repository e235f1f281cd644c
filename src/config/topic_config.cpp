#include "config/topic_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/ensure.h"
#include "config/broker_rules.h"
#include "config/keys.h"

namespace klamm::config {
namespace {

bool contains(const List& list, std::string_view entry) {
  return std::ranges::find(list, entry) != list.end();
}

BrokerCompression compression_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, BrokerCompression>, 6> names{{
      {"producer", BrokerCompression::producer},
      {"uncompressed", BrokerCompression::uncompressed},
      {"gzip", BrokerCompression::gzip},
      {"snappy", BrokerCompression::snappy},
      {"lz4", BrokerCompression::lz4},
      {"zstd", BrokerCompression::zstd},
  }};
  for (const auto& [each, value] : names) {
    if (each == name) return value;
  }
  ENSURE(false, "compression.type was validated");
}

TopicConfig from_values(const ConfigValues& values) {
  const auto ms = [&](std::string_view key) { return Milliseconds(values.get_long(key)); };
  TopicConfig topic;
  topic.segment_bytes = values.get_int("segment.bytes");
  topic.internal_segment_bytes = values.find_int("internal.segment.bytes");
  topic.segment_ms = ms("segment.ms");
  topic.segment_jitter_ms = ms("segment.jitter.ms");
  topic.segment_index_bytes = values.get_int("segment.index.bytes");
  topic.flush_messages = values.get_long("flush.messages");
  topic.flush_ms = ms("flush.ms");
  topic.retention_bytes = values.get_long("retention.bytes");
  topic.retention_ms = ms("retention.ms");
  topic.max_message_bytes = values.get_int("max.message.bytes");
  topic.index_interval_bytes = values.get_int("index.interval.bytes");
  topic.delete_retention_ms = ms("delete.retention.ms");
  topic.min_compaction_lag_ms = ms("min.compaction.lag.ms");
  topic.max_compaction_lag_ms = ms("max.compaction.lag.ms");
  topic.file_delete_delay_ms = ms("file.delete.delay.ms");
  topic.min_cleanable_dirty_ratio = values.get_double("min.cleanable.dirty.ratio");
  topic.compact = contains(values.get_list("cleanup.policy"), "compact");
  topic.delete_old = contains(values.get_list("cleanup.policy"), "delete");
  topic.unclean_leader_election_enable = values.get_bool("unclean.leader.election.enable");
  topic.min_insync_replicas = values.get_int("min.insync.replicas");
  topic.compression_type = compression_of(values.get_string("compression.type"));
  topic.compression_gzip_level = values.get_int("compression.gzip.level");
  topic.compression_lz4_level = values.get_int("compression.lz4.level");
  topic.compression_zstd_level = values.get_int("compression.zstd.level");
  topic.preallocate = values.get_bool("preallocate");
  topic.message_timestamp_type = values.get_string("message.timestamp.type") == "LogAppendTime"
                                     ? MessageTimestampType::log_append_time
                                     : MessageTimestampType::create_time;
  topic.message_timestamp_before_max_ms = ms("message.timestamp.before.max.ms");
  topic.message_timestamp_after_max_ms = ms("message.timestamp.after.max.ms");
  topic.leader_replication_throttled_replicas = values.get_list("leader.replication.throttled.replicas");
  topic.follower_replication_throttled_replicas = values.get_list("follower.replication.throttled.replicas");
  topic.remote_storage_enable = values.get_bool("remote.storage.enable");
  topic.local_retention_ms = ms("local.retention.ms");
  topic.local_retention_bytes = values.get_long("local.retention.bytes");
  topic.remote_log_copy_disable = values.get_bool("remote.log.copy.disable");
  topic.remote_log_delete_on_disable = values.get_bool("remote.log.delete.on.disable");
  return topic;
}

// Drops the marks of null, once there are none.
Checked<Properties> without_nulls(const NullableProperties& properties, std::string_view of_what) {
  Properties out;
  std::vector<std::string_view> nulls;
  for (const auto& [key, value] : properties) {
    if (value) {
      out.emplace(key, *value);
    } else {
      nulls.push_back(key);
    }
  }
  if (nulls.empty()) return out;
  return refuse(ErrorKind::invalid_configuration,
                fmt::format("Null value not supported for {} configs: {}", of_what, fmt::join(nulls, ",")));
}

Checked<void> check_remote_storage(const BrokerConfig& broker, const Properties& existing, const ConfigValues& values) {
  if (values.get_bool("remote.storage.enable")) {
    if (broker.values().get_bool("remote.log.storage.system.enable")) return {};
    return refuse(
        ErrorKind::config,
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.");
  }
  const auto before = existing.find("remote.storage.enable");
  const bool was_enabled = before != existing.end() && before->second == "true";
  if (!was_enabled || values.get_bool("remote.log.delete.on.disable")) return {};
  return refuse(
      ErrorKind::invalid_configuration,
      "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote data and "
      "turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If you want to disable "
      "remote storage and delete all remote data, please set "
      "`remote.storage.enable=false,remote.log.delete.on.disable=true`.");
}

// A group's key and the broker's keys that bound it.
struct GroupBounds {
  std::string_view key;
  std::string_view min;  // empty: no lower bound
  std::string_view max;
};
constexpr GroupBounds group_bounds[] = {
    {"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms",
     "group.consumer.max.heartbeat.interval.ms"},
    {"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms",
     "group.consumer.max.assignment.interval.ms"},
    {"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
    {"share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"},
    {"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms",
     "group.share.max.record.lock.duration.ms"},
    {"share.delivery.count.limit", "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit"},
    {"share.partition.max.record.locks", "group.share.min.partition.max.record.locks",
     "group.share.max.partition.max.record.locks"},
    {"share.assignment.interval.ms", "group.share.min.assignment.interval.ms",
     "group.share.max.assignment.interval.ms"},
    {"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms",
     "group.streams.max.heartbeat.interval.ms"},
    {"streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"},
    {"streams.num.standby.replicas", "", "group.streams.max.standby.replicas"},
    {"streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms",
     "group.streams.max.assignment.interval.ms"},
};

Checked<void> check_group_bounds(const BrokerConfig& broker, const ConfigValues& group) {
  for (const GroupBounds& bounds : group_bounds) {
    const std::int32_t value = group.get_int(bounds.key);
    if (!bounds.min.empty() && value < broker.values().get_int(bounds.min)) {
      return refuse(ErrorKind::invalid_configuration,
                    fmt::format("{} must be greater than or equal to {}", bounds.key, bounds.min));
    }
    if (value > broker.values().get_int(bounds.max)) {
      return refuse(ErrorKind::invalid_configuration,
                    fmt::format("{} must be less than or equal to {}", bounds.key, bounds.max));
    }
  }
  for (const std::string_view kind : {"consumer", "share", "streams"}) {
    const std::string session = fmt::format("{}.session.timeout.ms", kind);
    const std::string heartbeat = fmt::format("{}.heartbeat.interval.ms", kind);
    if (group.get_int(session) <= group.get_int(heartbeat)) {
      return refuse(ErrorKind::invalid_configuration, fmt::format("{} must be greater than {}", session, heartbeat));
    }
  }
  return {};
}

constexpr std::string_view client_match_keys[] = {"client_id",
                                                  "client_instance_id",
                                                  "client_software_name",
                                                  "client_software_version",
                                                  "client_source_address",
                                                  "client_source_port"};

Checked<void> check_client_match(const List& patterns) {
  for (const std::string& pattern : patterns) {
    const std::size_t equals = pattern.find('=');
    const bool one_equals = equals != std::string::npos && equals + 1 < pattern.size() &&
                            pattern.find('=', equals + 1) == std::string::npos;
    const std::string_view key =
        one_equals ? java_trim(std::string_view(pattern).substr(0, equals)) : std::string_view();
    if (std::ranges::find(client_match_keys, key) == std::end(client_match_keys)) {
      return refuse(ErrorKind::invalid_configuration, fmt::format("Illegal client matching pattern: {}", pattern));
    }
  }
  return {};
}

}  // namespace

Checked<void> check_compaction_lags(const ConfigValues& topic) {
  const std::int64_t min = topic.get_long("min.compaction.lag.ms");
  const std::int64_t max = topic.get_long("max.compaction.lag.ms");
  if (min <= max) return {};
  return refuse(
      ErrorKind::invalid_configuration,
      fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})", min, max));
}

Checked<ConfigValues> topic_values(const BrokerConfig& broker, const Properties& overrides) {
  ConfigValues values = broker.topic_defaults();
  for (const Key* key : topic_keys().keys()) {
    const auto own = overrides.find(key->name);
    if (own == overrides.end()) {
      if (auto checked = key->validator.check(key->name, values.value(key->name)); !checked)
        return std::unexpected(checked.error());
      continue;
    }
    auto value = topic_keys().parse_value(*key, own->second);
    if (!value) return std::unexpected(value.error());
    values.set(key->name, std::move(*value));
  }
  return values;
}

Checked<TopicConfig> topic_config(const BrokerConfig& broker, const Properties& overrides) {
  const auto values = topic_values(broker, overrides);
  if (!values) return std::unexpected(values.error());
  return from_values(*values);
}

Checked<void> validate_topic_overrides(const BrokerConfig& broker, const Properties& existing,
                                       const NullableProperties& overrides) {
  const auto own = without_nulls(overrides, "topic");
  if (!own) return std::unexpected(own.error());
  for (const std::string& name : topic_keys().unknown(*own)) {
    return refuse(ErrorKind::invalid_configuration, fmt::format("Unknown topic config name: {}", name));
  }
  const auto values = topic_values(broker, *own);
  if (!values) return std::unexpected(values.error());
  if (auto checked = check_compaction_lags(*values); !checked) return checked;
  return check_remote_storage(broker, existing, *values);
}

Checked<void> validate_group_overrides(const BrokerConfig& broker, const NullableProperties& overrides) {
  const auto own = without_nulls(overrides, "group");
  if (!own) return std::unexpected(own.error());
  for (const std::string& name : group_override_keys().unknown(*own)) {
    return refuse(ErrorKind::invalid_configuration, fmt::format("Unknown group config name: {}", name));
  }
  auto values = group_override_keys().parse(*own);
  if (!values) return std::unexpected(values.error());
  // What the group does not set, the broker says.
  for (const Key* key : group_override_keys().keys()) {
    const auto synonym = group_synonym(key->name);
    if (synonym && !own->contains(key->name)) values->set(key->name, broker.values().value(*synonym));
  }
  return check_group_bounds(broker, *values);
}

Checked<void> validate_client_metrics(std::string_view subscription, const NullableProperties& keys) {
  const auto own = without_nulls(keys, "client metrics");
  if (!own) return std::unexpected(own.error());
  if (subscription.empty()) return refuse(ErrorKind::invalid_request, "Subscription name can't be empty");
  for (const std::string& name : client_metrics_keys().unknown(*own)) {
    return refuse(ErrorKind::invalid_request, fmt::format("Unknown client metrics configuration: {}", name));
  }
  const auto values = client_metrics_keys().parse(*own);
  if (!values) return std::unexpected(values.error());
  const std::int32_t interval = values->get_int("interval.ms");
  if (interval < 100 || interval > 3'600'000) {
    return refuse(
        ErrorKind::invalid_request,
        fmt::format("Invalid value {} for interval.ms, interval must be between 100 and 3600000 (1 hour)", interval));
  }
  return check_client_match(values->get_list("match"));
}

}  // namespace klamm::config
