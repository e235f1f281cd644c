#include "config/topic_config.h"

#include <gtest/gtest.h>

namespace klamm::config {
namespace {

BrokerConfigRef broker(const Properties& properties = {}) {
  auto config = BrokerConfig::parse(properties);
  EXPECT_TRUE(config.has_value());
  return config.value_or(nullptr);
}

std::string topic_error(const NullableProperties& overrides, const Properties& existing = {}) {
  const auto checked = validate_topic_overrides(*broker(), existing, overrides);
  return checked ? "" : std::string(error_name(checked.error().to_error().code)) + " " + checked.error().message;
}

TEST(TopicConfig, OfAnUnconfiguredBrokerIsTheDefault) {
  EXPECT_EQ(topic_config(*broker(), {}), TopicConfig{});
}

TEST(TopicConfig, TakesTheBrokersValuesUnderTheTopicsNames) {
  const auto topic = topic_config(*broker({{"log.retention.hours", "24"},
                                           {"log.roll.ms", "1000"},
                                           {"message.max.bytes", "5"},
                                           {"log.cleanup.policy", "compact,delete"},
                                           {"log.message.timestamp.type", "LogAppendTime"},
                                           {"log.flush.interval.messages", "1"},
                                           {"compression.type", "zstd"}}),
                                  {});
  ASSERT_TRUE(topic.has_value());
  EXPECT_EQ(topic->retention_ms, std::chrono::days(1));
  EXPECT_EQ(topic->segment_ms, std::chrono::seconds(1));
  EXPECT_EQ(topic->max_message_bytes, 5);
  EXPECT_TRUE(topic->compact && topic->delete_old);
  EXPECT_EQ(topic->message_timestamp_type, MessageTimestampType::log_append_time);
  EXPECT_EQ(topic->flush_messages, 1);
  EXPECT_EQ(topic->compression_type, BrokerCompression::zstd);
}

TEST(TopicConfig, PrefersTheTopicsOwnAndLeavesKeysOfNewerReleasesAlone) {
  const auto topic = topic_config(
      *broker({{"log.retention.ms", "5"}}),
      {{"retention.ms", "7"}, {"cleanup.policy", ""}, {"remote.copy.lag.ms", "1"}, {"internal.segment.bytes", "100"}});
  ASSERT_TRUE(topic.has_value());
  EXPECT_EQ(topic->retention_ms, Milliseconds(7));
  EXPECT_FALSE(topic->compact || topic->delete_old);
  EXPECT_EQ(topic->effective_segment_bytes(), 100);
}

TEST(TopicConfig, RefusesOverridesInKafkasWords) {
  EXPECT_EQ(topic_error({{"retention.ms", "1000"}}), "");
  EXPECT_EQ(topic_error({{"no.such", "1"}}), "INVALID_CONFIG Unknown topic config name: no.such");
  EXPECT_EQ(topic_error({{"retention.ms", "x"}}),
            "INVALID_CONFIG Invalid value x for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(topic_error({{"retention.ms", std::nullopt}}),
            "INVALID_CONFIG Null value not supported for topic configs: retention.ms");
  EXPECT_EQ(
      topic_error({{"cleanup.policy", "foo"}}),
      "INVALID_CONFIG Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete");
  EXPECT_EQ(topic_error({{"compression.type", ""}}),
            "INVALID_CONFIG Invalid value  for configuration compression.type: String must be one of: uncompressed, "
            "zstd, lz4, snappy, gzip, producer");
  EXPECT_EQ(topic_error({{"min.compaction.lag.ms", "5"}, {"max.compaction.lag.ms", "4"}}),
            "INVALID_CONFIG conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)");
  EXPECT_EQ(topic_error({{"remote.storage.enable", "true"}}),
            "INVALID_CONFIG Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
            "remote log storage.");
  EXPECT_TRUE(topic_error({}, {{"remote.storage.enable", "true"}})
                  .starts_with("INVALID_CONFIG It is invalid to disable remote storage without deleting remote data."));
}

TEST(GroupConfig, RefusesOverridesInKafkasWords) {
  const auto error = [](const NullableProperties& overrides) {
    const auto checked = validate_group_overrides(*broker(), overrides);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "50000"}}), "");
  EXPECT_EQ(error({{"nope", "1"}}), "Unknown group config name: nope");
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "1"}}),
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms");
  EXPECT_EQ(error({{"streams.num.standby.replicas", "9"}}),
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas");
  EXPECT_EQ(error({{"share.auto.offset.reset", std::nullopt}}),
            "Null value not supported for group configs: share.auto.offset.reset");
}

TEST(ClientMetrics, RefuseInKafkasWords) {
  const auto error = [](const NullableProperties& keys, std::string_view name = "m") {
    const auto checked = validate_client_metrics(name, keys);
    return checked ? "" : std::string(error_name(checked.error().to_error().code)) + " " + checked.error().message;
  };
  EXPECT_EQ(error({{"interval.ms", "100"}, {"metrics", "*"}, {"match", "client_id=a.*"}}), "");
  EXPECT_EQ(error({{"interval.ms", "1"}}),
            "INVALID_REQUEST Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
  EXPECT_EQ(error({{"nope", "1"}}), "INVALID_REQUEST Unknown client metrics configuration: nope");
  EXPECT_EQ(error({{"match", "nope=1"}}), "INVALID_CONFIG Illegal client matching pattern: nope=1");
  EXPECT_EQ(error({}, ""), "INVALID_REQUEST Subscription name can't be empty");
}

}  // namespace
}  // namespace klamm::config
