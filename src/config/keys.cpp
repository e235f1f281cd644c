#include "config/keys.h"

#include <array>
#include <initializer_list>
#include <utility>

#include "config/key_table.h"

namespace klamm::config {
namespace {

std::vector<const Key*> pointers(std::initializer_list<std::span<const Key>> tables) {
  std::vector<const Key*> keys;
  for (const std::span<const Key> table : tables) {
    for (const Key& key : table) keys.push_back(&key);
  }
  return keys;
}

std::vector<const Key*> dynamic_keys() {
  std::vector<const Key*> keys = pointers({dynamic_only_keys()});
  for (const Key* key : broker_keys().keys()) {
    if (key->update != Update::read_only) keys.push_back(key);
  }
  return keys;
}

std::vector<const Key*> keys_of_client(std::uint8_t client) {
  std::vector<const Key*> keys;
  for (const auto table : {client_table(), client_security_table()}) {
    for (const ClientKey& row : table) {
      if ((row.clients & client) != 0) keys.push_back(&row.key);
    }
  }
  return keys;
}

constexpr std::int64_t minutes = 60'000;
constexpr std::int64_t hours = 60 * minutes;

constexpr TopicSynonym segment_ms[] = {{"log.roll.ms"}, {"log.roll.hours", hours}};
constexpr TopicSynonym segment_jitter_ms[] = {{"log.roll.jitter.ms"}, {"log.roll.jitter.hours", hours}};
constexpr TopicSynonym flush_ms[] = {{"log.flush.interval.ms"}, {"log.flush.scheduler.interval.ms"}};
constexpr TopicSynonym retention_ms[] = {
    {"log.retention.ms"}, {"log.retention.minutes", minutes}, {"log.retention.hours", hours}};

struct ManySynonyms {
  std::string_view topic_key;
  std::span<const TopicSynonym> broker_keys;
};
constexpr ManySynonyms many_synonyms[] = {
    {"segment.ms", segment_ms},
    {"segment.jitter.ms", segment_jitter_ms},
    {"flush.ms", flush_ms},
    {"retention.ms", retention_ms},
};

struct OneSynonym {
  std::string_view topic_key;
  TopicSynonym broker_key;
};
constexpr OneSynonym one_synonym[] = {
    {"segment.bytes", {"log.segment.bytes"}},
    {"segment.index.bytes", {"log.index.size.max.bytes"}},
    {"flush.messages", {"log.flush.interval.messages"}},
    {"retention.bytes", {"log.retention.bytes"}},
    {"max.message.bytes", {"message.max.bytes"}},
    {"index.interval.bytes", {"log.index.interval.bytes"}},
    {"delete.retention.ms", {"log.cleaner.delete.retention.ms"}},
    {"min.compaction.lag.ms", {"log.cleaner.min.compaction.lag.ms"}},
    {"max.compaction.lag.ms", {"log.cleaner.max.compaction.lag.ms"}},
    {"file.delete.delay.ms", {"log.segment.delete.delay.ms"}},
    {"min.cleanable.dirty.ratio", {"log.cleaner.min.cleanable.ratio"}},
    {"cleanup.policy", {"log.cleanup.policy"}},
    {"unclean.leader.election.enable", {"unclean.leader.election.enable"}},
    {"min.insync.replicas", {"min.insync.replicas"}},
    {"compression.type", {"compression.type"}},
    {"compression.gzip.level", {"compression.gzip.level"}},
    {"compression.lz4.level", {"compression.lz4.level"}},
    {"compression.zstd.level", {"compression.zstd.level"}},
    {"preallocate", {"log.preallocate"}},
    {"message.timestamp.type", {"log.message.timestamp.type"}},
    {"message.timestamp.before.max.ms", {"log.message.timestamp.before.max.ms"}},
    {"message.timestamp.after.max.ms", {"log.message.timestamp.after.max.ms"}},
    {"local.retention.ms", {"log.local.retention.ms"}},
    {"local.retention.bytes", {"log.local.retention.bytes"}},
};

constexpr std::pair<std::string_view, std::string_view> group_synonyms[] = {
    {"consumer.session.timeout.ms", "group.consumer.session.timeout.ms"},
    {"consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
    {"consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms"},
    {"share.session.timeout.ms", "group.share.session.timeout.ms"},
    {"share.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"},
    {"share.assignment.interval.ms", "group.share.assignment.interval.ms"},
    {"share.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
    {"share.delivery.count.limit", "group.share.delivery.count.limit"},
    {"share.partition.max.record.locks", "group.share.partition.max.record.locks"},
    {"streams.session.timeout.ms", "group.streams.session.timeout.ms"},
    {"streams.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"},
    {"streams.assignment.interval.ms", "group.streams.assignment.interval.ms"},
    {"streams.num.standby.replicas", "group.streams.num.standby.replicas"},
    {"streams.initial.rebalance.delay.ms", "group.streams.initial.rebalance.delay.ms"},
};

// Keys that stand behind a listener's prefix and the name of a SASL mechanism.
constexpr std::string_view mechanism_keys[] = {
    "sasl.jaas.config",          "sasl.login.callback.handler.class",
    "sasl.login.class",          "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
};

constexpr std::string_view prefixed_only[] = {
    "ssl.keystore.type",   "ssl.keystore.location",       "ssl.keystore.password",   "ssl.key.password",
    "ssl.truststore.type", "ssl.truststore.location",     "ssl.truststore.password", "ssl.keystore.certificate.chain",
    "ssl.keystore.key",    "ssl.truststore.certificates",
};

}  // namespace

const ConfigDef& broker_keys() {
  static const ConfigDef keys(pointers({remote_storage_keys(), server_keys(), kraft_keys(), network_keys(),
                                        replication_keys(), group_keys(), log_keys(), share_keys(), transaction_keys(),
                                        quorum_keys(), metrics_keys(), security_keys(), sasl_keys(), own_keys()}));
  return keys;
}
const ConfigDef& dynamic_broker_keys() {
  static const ConfigDef keys(dynamic_keys());
  return keys;
}
const ConfigDef& topic_keys() {
  static const ConfigDef keys(pointers({topic_table()}));
  return keys;
}
const ConfigDef& group_override_keys() {
  static const ConfigDef keys(pointers({group_override_table()}));
  return keys;
}
const ConfigDef& client_metrics_keys() {
  static const ConfigDef keys(pointers({client_metrics_table()}));
  return keys;
}
const ConfigDef& client_quota_keys() {
  static const ConfigDef keys(pointers({client_quota_table()}));
  return keys;
}
const ConfigDef& ip_quota_keys() {
  static const ConfigDef keys(pointers({ip_quota_table()}));
  return keys;
}
const ConfigDef& producer_keys() {
  static const ConfigDef keys(keys_of_client(producer));
  return keys;
}
const ConfigDef& consumer_keys() {
  static const ConfigDef keys(keys_of_client(consumer));
  return keys;
}
const ConfigDef& admin_keys() {
  static const ConfigDef keys(keys_of_client(admin));
  return keys;
}

std::span<const TopicSynonym> topic_synonyms(std::string_view topic_key) {
  for (const ManySynonyms& row : many_synonyms) {
    if (row.topic_key == topic_key) return row.broker_keys;
  }
  for (const OneSynonym& row : one_synonym) {
    if (row.topic_key == topic_key) return {&row.broker_key, 1};
  }
  return {};
}

std::optional<std::string_view> group_synonym(std::string_view group_key) {
  for (const auto& [key, broker_key] : group_synonyms) {
    if (key == group_key) return broker_key;
  }
  return std::nullopt;
}

std::optional<std::string_view> listener_base_key(std::string_view key) {
  constexpr std::string_view prefix = "listener.name.";
  if (!key.starts_with(prefix)) return std::nullopt;
  const std::size_t dot = key.find('.', prefix.size());
  if (dot == std::string_view::npos) return std::nullopt;
  return key.substr(dot + 1);
}

std::vector<std::string> broker_synonyms(std::string_view key, bool with_listener_override) {
  for (const ManySynonyms& row : many_synonyms) {
    // log.flush.scheduler.interval.ms only stands in for log.flush.interval.ms, not the other way round.
    const bool one_way = row.topic_key == "flush.ms";
    const auto names = one_way ? row.broker_keys.first(1) : row.broker_keys;
    for (const TopicSynonym& synonym : names) {
      if (synonym.broker_key != key) continue;
      std::vector<std::string> all;
      for (const TopicSynonym& each : row.broker_keys) all.emplace_back(each.broker_key);
      return all;
    }
  }
  if (with_listener_override) {
    if (const auto base = listener_base_key(key)) {
      for (const std::string_view mechanism_key : mechanism_keys) {
        if (base->ends_with(mechanism_key)) return {std::string(key), std::string(mechanism_key)};
      }
      return {std::string(key), std::string(*base)};
    }
  }
  return {std::string(key)};
}

bool needs_listener_prefix(std::string_view key) {
  for (const std::string_view each : prefixed_only) {
    if (each == key) return true;
  }
  return false;
}

}  // namespace klamm::config
