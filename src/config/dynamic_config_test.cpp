#include "config/dynamic_config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

namespace klamm::config {
namespace {

DynamicConfigRef config_of(const Properties& file, const Properties& cluster = {}, const Properties& broker = {},
                           std::vector<std::string>* problems = nullptr) {
  auto parsed = BrokerConfig::parse(file);
  EXPECT_TRUE(parsed.has_value());
  return DynamicConfig::of(std::move(*parsed))->with(cluster, broker, problems);
}

std::string_view source_name(ConfigSource source) {
  switch (source) {
    case ConfigSource::dynamic_topic:
      return "TOPIC";
    case ConfigSource::dynamic_broker:
      return "BROKER";
    case ConfigSource::dynamic_default_broker:
      return "CLUSTER";
    case ConfigSource::static_broker:
      return "STATIC";
    case ConfigSource::default_config:
      return "DEFAULT";
    case ConfigSource::group:
      return "GROUP";
    case ConfigSource::client_metrics:
      return "METRICS";
    default:
      return "?";
  }
}

// "7 from BROKER {BROKER:log.retention.ms=7, DEFAULT:…}"
std::string told(const std::vector<DescribedConfig>& configs, std::string_view name) {
  const auto found = std::ranges::find(configs, name, &DescribedConfig::name);
  if (found == configs.end()) return "absent";
  std::string synonyms;
  for (const DescribedSynonym& synonym : found->synonyms) {
    synonyms += fmt::format("{}{}:{}={}", synonyms.empty() ? "" : ", ", source_name(synonym.source), synonym.name,
                            synonym.value.value_or("null"));
  }
  return fmt::format("{}{}{} from {} {{{}}}", found->value.value_or("null"), found->read_only ? " read-only" : "",
                     found->sensitive ? " sensitive" : "", source_name(found->source), synonyms);
}

std::string topic(const DynamicConfigRef& config, const Properties& overrides, std::string_view name) {
  const auto described = config->describe_topic(overrides);
  return described ? told(*described, name) : described.error().message;
}

TEST(DynamicConfig, LaysTheLayersOverOneAnother) {
  const auto config =
      config_of({{"log.retention.hours", "1"}, {"message.max.bytes", "10"}},
                {{"log.retention.ms", "5"}, {"message.max.bytes", "11"}}, {{"message.max.bytes", "12"}});
  EXPECT_EQ(config->current().log_retention(), Milliseconds(5));
  EXPECT_EQ(config->current().message_max_bytes(), 12);
  EXPECT_EQ(config->file().message_max_bytes(), 10);
}

TEST(DynamicConfig, LetsTheStrongerLayerWinEvenWithTheWeakerKey) {
  const auto config = config_of({{"log.roll.ms", "1000"}}, {{"log.roll.ms", "7200000"}}, {});
  EXPECT_EQ(config->current().log_roll(), std::chrono::hours(2));
}

TEST(DynamicConfig, TellsABrokersKeys) {
  const auto config = config_of(
      {{"message.max.bytes", "10"}, {"allow.everyone.if.no.acl.found", "true"}, {"ssl.key.password", "secret"}},
      {{"message.max.bytes", "11"}}, {{"message.max.bytes", "12"}, {"leader.replication.throttled.rate", "9"}});
  const auto broker = config->describe_broker();
  EXPECT_EQ(told(broker, "message.max.bytes"),
            "12 from BROKER {BROKER:message.max.bytes=12, CLUSTER:message.max.bytes=11, STATIC:message.max.bytes=10, "
            "DEFAULT:message.max.bytes=1048588}");
  EXPECT_EQ(told(broker, "num.partitions"), "1 read-only from DEFAULT {DEFAULT:num.partitions=1}");
  EXPECT_EQ(told(broker, "broker.rack"), "null read-only from DEFAULT {}");
  EXPECT_EQ(told(broker, "ssl.key.password"), "null sensitive from STATIC {STATIC:ssl.key.password=null}");
  EXPECT_EQ(told(broker, "allow.everyone.if.no.acl.found"),
            "null read-only sensitive from STATIC {STATIC:allow.everyone.if.no.acl.found=null}");
  EXPECT_EQ(told(broker, "leader.replication.throttled.rate"),
            "9 from BROKER {BROKER:leader.replication.throttled.rate=9}");
  EXPECT_EQ(told(broker, "config.providers"), " from DEFAULT {DEFAULT:config.providers=}");
  EXPECT_EQ(told(broker, "klamm.io.uring"), "absent");
  EXPECT_EQ(told(broker, "log.initial.task.delay.ms"), "absent");
  EXPECT_EQ(told(config->describe_cluster_default(), "message.max.bytes"),
            "11 from CLUSTER {CLUSTER:message.max.bytes=11}");
  EXPECT_EQ(config->describe_cluster_default().size(), 1u);
  EXPECT_TRUE(std::ranges::is_sorted(broker, {}, &DescribedConfig::name));
}

TEST(DynamicConfig, TellsKeysThatASetByAListener) {
  const auto broker = config_of({{"listener.name.internal.ssl.keystore.password", "x"},
                                 {"listener.name.internal.max.connections", "5"}})
                          ->describe_broker();
  EXPECT_EQ(told(broker, "listener.name.internal.ssl.keystore.password"),
            "null read-only sensitive from STATIC {STATIC:listener.name.internal.ssl.keystore.password=null}");
  EXPECT_EQ(
      told(broker, "listener.name.internal.max.connections"),
      "5 read-only from STATIC {STATIC:listener.name.internal.max.connections=5, DEFAULT:max.connections=2147483647}");
}

// The lines of kafka-configs --describe --all for a topic.
TEST(DynamicConfig, TellsATopicsKeys) {
  const auto config = config_of({}, {{"min.insync.replicas", "1"}}, {});
  EXPECT_EQ(topic(config, {}, "cleanup.policy"), "delete from DEFAULT {DEFAULT:log.cleanup.policy=delete}");
  EXPECT_EQ(topic(config, {}, "retention.ms"), "604800000 from DEFAULT {}");
  EXPECT_EQ(topic(config, {}, "flush.ms"), "9223372036854775807 from DEFAULT {}");
  EXPECT_EQ(topic(config, {}, "min.insync.replicas"),
            "1 from CLUSTER {CLUSTER:min.insync.replicas=1, DEFAULT:min.insync.replicas=1}");
  EXPECT_EQ(topic(config, {}, "min.cleanable.dirty.ratio"),
            "0.5 from DEFAULT {DEFAULT:log.cleaner.min.cleanable.ratio=0.5}");
  EXPECT_EQ(topic(config, {}, "internal.segment.bytes"), "absent");
  EXPECT_EQ(topic(config, {{"cleanup.policy", "compact, delete"}}, "cleanup.policy"),
            "compact,delete from TOPIC {TOPIC:cleanup.policy=compact,delete, DEFAULT:log.cleanup.policy=delete}");
  EXPECT_EQ(topic(config, {{"retention.ms", "60000"}}, "retention.ms"), "60000 from TOPIC {TOPIC:retention.ms=60000}");
  EXPECT_EQ(topic(config, {{"of.a.newer.release", "1"}}, "of.a.newer.release"),
            "null sensitive from TOPIC {TOPIC:of.a.newer.release=null}");
  EXPECT_EQ(config->describe_topic({})->size(), 33u);
}

TEST(DynamicConfig, TellsATopicWhatTheFileSetsInHours) {
  const auto config = config_of({{"log.retention.hours", "24"}});
  EXPECT_EQ(topic(config, {}, "retention.ms"), "86400000 from DEFAULT {}");  // as Kafka: only the first synonym is told
  EXPECT_EQ(told(config->effective_topic({}), "retention.ms"), "86400000 from STATIC {}");
  EXPECT_EQ(told(config->effective_topic({{"retention.ms", "1"}}), "retention.ms"), "1 from TOPIC {}");
  EXPECT_EQ(told(config->effective_topic({}), "segment.ms"), "604800000 from DEFAULT {}");
  EXPECT_EQ(config->effective_topic({}).size(), 33u);
}

TEST(DynamicConfig, TellsGroupsAndSubscriptions) {
  const auto config = config_of({{"group.consumer.session.timeout.ms", "46000"}});
  const auto group = config->describe_group({{"share.auto.offset.reset", "earliest"}});
  EXPECT_EQ(told(group, "consumer.session.timeout.ms"),
            "46000 from STATIC {STATIC:group.consumer.session.timeout.ms=46000, "
            "DEFAULT:group.consumer.session.timeout.ms=45000}");
  EXPECT_EQ(told(group, "share.auto.offset.reset"),
            "earliest from GROUP {GROUP:share.auto.offset.reset=earliest, DEFAULT:share.auto.offset.reset=latest}");
  const auto metrics = DynamicConfig::describe_client_metrics({{"metrics", "*"}});
  EXPECT_EQ(told(metrics, "metrics"), "* from METRICS {METRICS:metrics=*}");
  EXPECT_EQ(told(metrics, "interval.ms"), "300000 from DEFAULT {}");
}

std::string change_error(const Properties& change, bool per_broker, const Properties& file = {}) {
  const auto checked = config_of(file)->validate_broker_change(change, per_broker);
  if (checked) return "";
  EXPECT_EQ(checked.error().to_error().code, ErrorCode::invalid_request);
  return checked.error().message;
}

TEST(DynamicConfig, SaysWhichChangesItRefuses) {
  EXPECT_EQ(change_error({{"log.retention.ms", "5"}}, false), "");
  EXPECT_EQ(change_error({{"num.partitions", "5"}}, true), "Cannot update these configs dynamically: [num.partitions]");
  EXPECT_EQ(change_error({{"log.retention.ms", "x"}}, true),
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG");
  EXPECT_EQ(change_error({{"log.retention.ms", "0"}}, true),
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
  EXPECT_EQ(change_error({{"ssl.keystore.location", "x"}}, true),
            "These security configs can be dynamically updated only per-listener using the listener prefix: "
            "[ssl.keystore.location]");
  EXPECT_EQ(change_error({{"cordoned.log.dirs", "*"}}, false),
            "Cannot update these configs at default cluster level, broker id must be specified: [cordoned.log.dirs]");
  EXPECT_EQ(change_error({{"listener.name.internal.ssl.keystore.location", "x"}}, false),
            "Cannot update these configs at default cluster level, broker id must be specified: "
            "[listener.name.internal.ssl.keystore.location]");
  EXPECT_EQ(change_error({{"listener.name.internal.max.connections", "5"}}, false), "");
  EXPECT_EQ(change_error({{"num.io.threads", "16"}}, false), "");
  EXPECT_EQ(
      change_error({{"num.io.threads", "17"}}, false),
      "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for "
      "num.io.threads=17, value should not be greater than double the current value 8 for configuration Invalid "
      "dynamic configuration");
  EXPECT_EQ(change_error({{"any.custom.key", "5"}}, true), "");
  EXPECT_EQ(change_error({{"listeners", "PLAINTEXT://:9999"}}, true),
            "Listeners cannot be changed while the broker runs; change the file and restart.");
  EXPECT_EQ(change_error({{"metric.reporters", "x.Y"}}, false), "metric.reporters=x.Y: Java classes cannot be loaded.");
}

TEST(DynamicConfig, LeavesOutWhatTheMetadataShouldNotHold) {
  std::vector<std::string> problems;
  const auto config =
      config_of({}, {{"message.max.bytes", "7"}, {"cordoned.log.dirs", "*"}},
                {{"num.partitions", "5"}, {"log.retention.ms", "x"}, {"ssl.key.password", "p"}}, &problems);
  EXPECT_EQ(config->current().message_max_bytes(), 7);
  EXPECT_EQ(config->current().num_partitions(), 1);
  EXPECT_EQ(problems,
            (std::vector<std::string>{
                "Per-broker configs defined at default cluster level will be ignored: [cordoned.log.dirs]",
                "Dynamic broker config contains invalid values in: [log.retention.ms], these configs will be ignored",
                "Non-dynamic configs will be ignored: [num.partitions]",
                "Security configs can be dynamically updated only using listener prefix, base configs will be ignored: "
                "[ssl.key.password]"}));
}

TEST(DynamicConfig, KeepsWhatHoldsWhenALayerMakesNoSense) {
  std::vector<std::string> problems;
  const auto before = config_of({}, {{"log.retention.ms", "5"}}, {});
  const auto after = before->with({{"log.retention.ms", "0"}}, {}, &problems);
  EXPECT_EQ(after->current().log_retention(), Milliseconds(5));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems[0].starts_with("Dynamic configuration could not be applied: requirement failed"));
}

TEST(DynamicConfig, AltersTheLayersOfBrokers) {
  using A = DynamicConfig::Alteration;
  const auto config = config_of({}, {}, {{"log.cleanup.policy", "delete"}});
  const auto altered = [&](std::vector<A> alterations) { return config->altered_broker_layer(alterations, true); };
  EXPECT_EQ(altered({{"log.cleanup.policy", AlterOperation::append, "compact,delete"}}),
            (Properties{{"log.cleanup.policy", "delete,compact"}}));
  EXPECT_EQ(altered({{"log.cleanup.policy", AlterOperation::subtract, "delete"}}),
            (Properties{{"log.cleanup.policy", ""}}));
  EXPECT_EQ(altered({{"log.cleanup.policy", AlterOperation::remove, ""}}), (Properties{}));
  EXPECT_EQ(altered({{"x", AlterOperation::append, "1"}}).error().message, "Unknown config name: x");
  EXPECT_EQ(altered({{"log.retention.ms", AlterOperation::append, "1"}}).error().message,
            "Config value append is not allowed for config key: log.retention.ms");
}

TEST(AlteredValue, AppendsAndSubtractsFromLists) {
  const auto altered = [](std::string_view key, std::optional<std::string> current, AlterOperation operation,
                          std::string_view value) {
    const auto result = altered_value(ConfiguredKind::topic, key, current, operation, value);
    return result ? result->value_or("gone") : result.error().message;
  };
  EXPECT_EQ(altered("cleanup.policy", {}, AlterOperation::append, "compact"), "delete,compact");
  EXPECT_EQ(altered("cleanup.policy", "compact", AlterOperation::append, "compact"), "compact");
  EXPECT_EQ(altered("cleanup.policy", "compact,delete", AlterOperation::subtract, "compact,x"), "delete");
  EXPECT_EQ(altered("cleanup.policy", "compact", AlterOperation::subtract, "compact"), "");
  EXPECT_EQ(altered("retention.ms", "1", AlterOperation::set, "2"), "2");
  EXPECT_EQ(altered("retention.ms", "1", AlterOperation::remove, ""), "gone");
  EXPECT_EQ(altered("retention.ms", {}, AlterOperation::append, "1"),
            "Can't APPEND to key retention.ms because its type is not LIST.");
  EXPECT_EQ(altered("no.such", {}, AlterOperation::subtract, "1"),
            "Can't SUBTRACT to key no.such because its type is not LIST.");
}

TEST(Sensitivity, CoversPasswordsAndWhatNobodyKnows) {
  EXPECT_TRUE(is_sensitive(ConfiguredKind::broker, "ssl.key.password"));
  EXPECT_TRUE(is_sensitive(ConfiguredKind::broker, "listener.name.a.ssl.key.password"));
  EXPECT_TRUE(is_sensitive(ConfiguredKind::topic, "no.such"));
  EXPECT_FALSE(is_sensitive(ConfiguredKind::topic, "retention.ms"));
  EXPECT_FALSE(is_sensitive(ConfiguredKind::broker, "leader.replication.throttled.rate"));
}

}  // namespace
}  // namespace klamm::config
