#include "controller/table_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "controller/broker_configs.h"

namespace klamm::controller {
namespace {

using metadata::ConfigEntries;
using metadata::ConfigResourceType;

config::BrokerConfigRef file(const config::Properties& properties = {}) {
  auto parsed = config::BrokerConfig::parse(properties);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *parsed;
}

class TableRulesTest : public ::testing::Test {
 protected:
  EffectiveConfig effective(std::string_view key, const ConfigEntries& topic = {}, const ConfigEntries& broker = {},
                            const ConfigEntries& cluster = {}) {
    const auto all = rules.effective_topic_config({.all_brokers = cluster, .this_broker = broker, .topic = topic});
    const auto found = std::ranges::find(all, key, &EffectiveConfig::name);
    return found == all.end() ? EffectiveConfig{} : *found;
  }
  TableRules rules{file({{"log.retention.hours", "2"}, {"message.max.bytes", "777"}})};
};

TEST_F(TableRulesTest, ANewTopicIsToldAllItsKeysAsKafkaTellsThem) {
  const TableRules plain(file());
  const ConfigEntries none;
  const auto all = plain.effective_topic_config({.all_brokers = none, .this_broker = none, .topic = none});
  EXPECT_EQ(all.size(), 33u);
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &EffectiveConfig::name));
  EXPECT_EQ(all[0].name, "cleanup.policy");
  EXPECT_EQ(all[0].value, "delete");
  EXPECT_EQ(all[0].source, 5);
  EXPECT_EQ(all[2].name, "compression.lz4.level");
  EXPECT_EQ(all[2].value, "9");
  EXPECT_EQ(all[5].name, "delete.retention.ms");
  EXPECT_EQ(all[5].value, "86400000");
}

TEST_F(TableRulesTest, TheStrongestLayerThatSaysSomethingHolds) {
  EXPECT_EQ(effective("retention.ms").value, "7200000");  // hours of the file
  EXPECT_EQ(effective("retention.ms").source, 4);
  EXPECT_EQ(effective("retention.ms", {}, {}, {{"log.retention.ms", "3"}}).source, 3);
  EXPECT_EQ(effective("retention.ms", {}, {{"log.retention.minutes", "2"}}, {{"log.retention.ms", "3"}}).value,
            "120000");
  EXPECT_EQ(effective("retention.ms", {{"retention.ms", "1"}}, {{"log.retention.ms", "2"}}).source, 1);
  EXPECT_EQ(effective("max.message.bytes").value, "777");
  EXPECT_EQ(effective("segment.ms").source, 5);
  const ConfigEntries none;
  const ConfigEntries cluster{{"min.insync.replicas", "3"}};
  EXPECT_EQ(rules.effective_topic_value("min.insync.replicas", {cluster, none, none}), "3");
  EXPECT_EQ(rules.effective_topic_value("unclean.leader.election.enable", {none, none, none}), "false");
}

TEST_F(TableRulesTest, ValuesAreCheckedWithKafkasWords) {
  EXPECT_TRUE(rules.check_topic({{"retention.ms", "5"}, {"cleanup.policy", "compact,delete"}}, {}));
  EXPECT_EQ(rules.check_topic({{"no.such", "1"}}, {}).error(),
            (Error{ErrorCode::invalid_config, "Unknown topic config name: no.such"}));
  EXPECT_EQ(
      rules.check_topic({{"retention.ms", "x"}}, {}).error(),
      (Error{ErrorCode::invalid_config, "Invalid value x for configuration retention.ms: Not a number of type LONG"}));
  EXPECT_EQ(rules.check_client_metrics("m", {{"interval.ms", "1"}}).error(),
            (Error{ErrorCode::invalid_request,
                   "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)"}));
  EXPECT_TRUE(rules.check_group({{"consumer.session.timeout.ms", "50000"}}));
}

TEST_F(TableRulesTest, KnowsWhichKeysAreListsAndWhatTheirDefaultsAre) {
  EXPECT_TRUE(rules.is_list(ConfigResourceType::topic, "cleanup.policy"));
  EXPECT_FALSE(rules.is_list(ConfigResourceType::topic, "retention.ms"));
  EXPECT_FALSE(rules.is_list(ConfigResourceType::topic, "no.such"));
  EXPECT_EQ(rules.default_of(ConfigResourceType::topic, "cleanup.policy"), "delete");
  EXPECT_EQ(rules.default_of(ConfigResourceType::topic, "no.such"), std::nullopt);
  EXPECT_TRUE(rules.is_known(ConfigResourceType::group, "consumer.session.timeout.ms"));
  EXPECT_FALSE(rules.is_known(ConfigResourceType::topic, "message.format.version"));
}

// ---- what the broker looks at before the controller -----------------------------------------------------------------

class BrokerConfigsTest : public ::testing::Test {
 protected:
  std::pair<int, std::string> ask(std::int8_t type, std::string name, std::string key, std::int8_t operation,
                                  std::optional<std::string> value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    auto& config = resource.configs.emplace_back();
    config.name = std::move(key);
    config.config_operation = operation;
    config.value = std::move(value);
    return answer(request);
  }
  std::pair<int, std::string> answer(const protocol::IncrementalAlterConfigsRequest& request) {
    const auto done = preprocess(request, *broker, [](const auto& resource, bool) -> Result<void> {
      return fail(ErrorCode::invalid_config, "Logger " + resource.configs.at(0).name + " does not exist!");
    });
    const auto& error = done.answers.at(0);
    if (!error) return {done.rest.resources.size() == 1 ? 1000 : -1000, "to the controller"};
    return {wire_of(error->code), error->message};
  }
  std::pair<int, std::string> ask_legacy(std::int8_t type, std::string name, std::string key,
                                         std::optional<std::string> value) {
    protocol::AlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    auto& config = resource.configs.emplace_back();
    config.name = std::move(key);
    config.value = std::move(value);
    const auto done = preprocess(request, *broker);
    const auto& error = done.answers.at(0);
    if (!error) return {1000, "to the controller"};
    return {wire_of(error->code), error->message};
  }
  config::DynamicConfigRef broker = config::DynamicConfig::of(file());
};
using Expected = std::pair<int, std::string>;
const Expected to_controller{1000, "to the controller"};

TEST_F(BrokerConfigsTest, OwnKeysAreCheckedHere) {
  EXPECT_EQ(ask(4, "1", "num.partitions", 0, "3"),
            Expected(42, "Cannot update these configs dynamically: [num.partitions]"));
  EXPECT_EQ(ask(4, "x", "message.max.bytes", 0, "3"), Expected(42, "Node id must be an integer, but it is: x"));
  EXPECT_EQ(ask(4, "9", "message.max.bytes", 0, "3"), Expected(42, "Unexpected broker id, expected 1, but received 9"));
  EXPECT_EQ(ask(4, "1", "message.max.bytes", 0, "3"), to_controller);
  EXPECT_EQ(ask(4, "", "message.max.bytes", 0, "3"), to_controller);
  EXPECT_EQ(ask(4, "1", "message.max.bytes", 9, "3"), Expected(42, "Unknown operations type 9"));
  EXPECT_EQ(ask_legacy(4, "1", "num.partitions", "3"),
            Expected(42, "Cannot update these configs dynamically: [num.partitions]"));
  EXPECT_EQ(ask_legacy(4, "1", "message.max.bytes", "3"), to_controller);
}

TEST_F(BrokerConfigsTest, TopicsGoToTheControllerUnlessTheRequestIsWrong) {
  EXPECT_EQ(ask(2, "w1", "no.such", 0, "1"), to_controller);
  EXPECT_EQ(ask(2, "w1", "retention.ms", 9, "1"), to_controller);
  EXPECT_EQ(ask(2, "w1", "retention.ms", 0, std::nullopt), Expected(42, "Null value not supported for : retention.ms"));
  EXPECT_EQ(ask(2, "w1", "retention.ms", 1, std::nullopt), to_controller);
  EXPECT_EQ(ask_legacy(2, "w1", "retention.ms", std::nullopt),
            Expected(42, "Null value not supported for : retention.ms"));
  EXPECT_EQ(ask_legacy(9, "x", "k", "v"), Expected(42, "Unknown resource type 9"));
  EXPECT_EQ(ask(8, "1", "kafka", 0, "NONSENSE"), Expected(40, "Logger kafka does not exist!"));
  EXPECT_EQ(ask_legacy(8, "1", "kafka", "INFO"), Expected(42, "Unknown resource type 8"));
  protocol::IncrementalAlterConfigsRequest twice;
  twice.resources.emplace_back().resource_type = 2;
  for (int i = 0; i < 2; ++i) {
    twice.resources[0].configs.emplace_back().name = "retention.ms";
    twice.resources[0].configs.back().value = "1";
  }
  EXPECT_EQ(answer(twice), Expected(42, "Error due to duplicate config keys"));
}

TEST_F(BrokerConfigsTest, TheAnswerIsPutTogetherInTheOrderOfTheRequest) {
  protocol::IncrementalAlterConfigsRequest request;
  for (const char* name : {"a", "b", "b", "c", "d"}) {
    request.resources.emplace_back().resource_type = 2;
    request.resources.back().resource_name = name;
  }
  const auto done = preprocess(request, *broker, {});
  EXPECT_EQ(done.rest.resources.size(), 3u);
  protocol::IncrementalAlterConfigsResponse theirs;
  for (const char* name : {"c", "a"}) {
    theirs.responses.emplace_back().resource_type = 2;
    theirs.responses.back().resource_name = name;
    theirs.responses.back().error_code = static_cast<std::int16_t>(name[0] == 'c' ? 40 : 0);
    theirs.responses.back().error_message.reset();
  }
  const auto response = reassemble(request, done.answers, theirs);
  ASSERT_EQ(response.responses.size(), 5u);
  EXPECT_EQ(response.responses[0].error_code, 0);
  EXPECT_EQ(response.responses[1].error_message, "Each resource must appear at most once.");
  EXPECT_EQ(response.responses[2].error_code, 42);
  EXPECT_EQ(response.responses[3].error_code, 40);
  EXPECT_EQ(response.responses[4].error_code, -1);  // the controller forgot it
}

}  // namespace
}  // namespace klamm::controller
