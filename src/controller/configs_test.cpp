#include "controller/configs.h"

#include <gtest/gtest.h>

#include "controller/testing.h"

namespace klamm::controller {
namespace {

using metadata::ConfigResourceType;
using testing::ControllerStory;

class ConfigsTest : public ::testing::Test {
 protected:
  ConfigsTest() {
    story.start_broker(1);
    story.request(ControllerStory::topic("w1", 1, 1));
  }

  std::pair<int, std::string> change(std::int8_t type, std::string resource, std::string key, std::int8_t operation,
                                     std::optional<std::string> value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& altered = request.resources.emplace_back();
    altered.resource_type = type;
    altered.resource_name = std::move(resource);
    auto& config = altered.configs.emplace_back();
    config.name = std::move(key);
    config.config_operation = operation;
    config.value = std::move(value);
    const auto response = story.request(request);
    return {response.responses.at(0).error_code, response.responses.at(0).error_message.value_or("<null>")};
  }
  std::string value(const std::string& key) {
    const auto& entries = story.image().config({ConfigResourceType::topic, "w1"});
    const auto found = entries.find(key);
    return found == entries.end() ? "<none>" : found->second;
  }

  ControllerStory story;
};
using Expected = std::pair<int, std::string>;

TEST_F(ConfigsTest, KeysAreSetDeletedAppendedToAndSubtractedFrom) {
  EXPECT_EQ(change(2, "w1", "retention.ms", 0, "5"), Expected(0, "<null>"));
  EXPECT_EQ(value("retention.ms"), "5");
  change(2, "w1", "retention.ms", 0, "5");
  EXPECT_TRUE(story.records.empty());  // nothing changed
  change(2, "w1", "retention.ms", 1, std::nullopt);
  EXPECT_EQ(value("retention.ms"), "<none>");
  change(2, "w1", "cleanup.policy", 2, "compact");
  EXPECT_EQ(value("cleanup.policy"), "delete,compact");  // on top of the default
  change(2, "w1", "cleanup.policy", 2, "delete,compact");
  EXPECT_EQ(value("cleanup.policy"), "delete,compact");
  change(2, "w1", "cleanup.policy", 3, "delete");
  EXPECT_EQ(value("cleanup.policy"), "compact");
}

TEST_F(ConfigsTest, WhatCannotBeIsRefusedWithKafkasWords) {
  EXPECT_EQ(change(2, "w1", "no.such", 0, "1"), Expected(40, "Unknown topic config name: no.such"));
  EXPECT_EQ(change(2, "w1", "no.such", 1, {}), Expected(0, "<null>"));
  EXPECT_EQ(change(2, "w1", "retention.ms", 2, "1"),
            Expected(40, "Can't APPEND to key retention.ms because its type is not LIST."));
  EXPECT_EQ(change(2, "w1", "retention.ms", 3, "1"),
            Expected(40, "Can't SUBTRACT to key retention.ms because its type is not LIST."));
  EXPECT_EQ(change(2, "wnone", "retention.ms", 0, "1"), Expected(3, "The topic 'wnone' does not exist."));
  EXPECT_EQ(change(2, "", "retention.ms", 0, "1"), Expected(42, "Default topic resources are not allowed."));
  EXPECT_EQ(change(2, "a b", "retention.ms", 0, "1").first, 17);
  EXPECT_EQ(change(2, "w1", "retention.ms", 9, "1"), Expected(-1, "<null>"));
  EXPECT_EQ(change(4, "x", "k", 0, "1"), Expected(42, "Unable to parse broker name as a base 10 number."));
  EXPECT_EQ(change(4, "-1", "k", 0, "1"), Expected(42, "Invalid negative broker ID."));
  EXPECT_EQ(change(4, "9", "k", 0, "1"), Expected(102, "No node with id 9 found."));
  EXPECT_EQ(change(9, "x", "k", 0, "1"), Expected(35, "Unknown resource type 9."));
  EXPECT_EQ(change(32, "", "k", 0, "1"), Expected(42, "Default group resources are not allowed."));
  EXPECT_EQ(change(8, "1", "k", 0, "1"), Expected(42, "Unknown resource type BROKER_LOGGER"));
  EXPECT_EQ(
      change(4, "", "k", 0, std::string(32768, 'x')),
      Expected(40,
               "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."));
}

TEST_F(ConfigsTest, BrokerKeysAreWrittenAgainAlsoWhenTheyDoNotChange) {
  EXPECT_EQ(change(4, "", "message.max.bytes", 0, "7"), Expected(0, "<null>"));
  EXPECT_EQ(change(4, "", "message.max.bytes", 0, "7"), Expected(0, "<null>"));
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"CONFIG_RECORD v0"}));
}

TEST_F(ConfigsTest, MinInsyncReplicasIsTheClustersWhileThereAreEligibleLeaders) {
  EXPECT_EQ(change(4, "1", "min.insync.replicas", 0, "2"),
            Expected(40, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."));
  EXPECT_EQ(change(4, "", "min.insync.replicas", 1, std::nullopt),
            Expected(40, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."));
  EXPECT_EQ(change(4, "", "min.insync.replicas", 0, "2"), Expected(0, "<null>"));
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"CONFIG_RECORD v0", "CLEAR_ELR_RECORD v0"}));
  EXPECT_EQ(std::get<protocol::ClearElrRecord>(story.records.back().message).topic_name, "");
}

TEST_F(ConfigsTest, CordonedDirectoriesNeedTheirRecords) {
  ControllerStory old(29);
  old.start_broker(1);
  protocol::IncrementalAlterConfigsRequest request;
  request.resources.emplace_back().resource_type = 4;
  request.resources.back().resource_name = "1";
  request.resources.back().configs.emplace_back().name = "cordoned.log.dirs";
  request.resources.back().configs.back().value = "/a";
  EXPECT_EQ(old.request(request).responses.at(0).error_message,
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0");
}

TEST_F(ConfigsTest, AResourceNamedTwiceIsAnsweredOnceAndNotChanged) {
  protocol::IncrementalAlterConfigsRequest request;
  for (int i = 0; i < 2; ++i) {
    request.resources.emplace_back().resource_type = 2;
    request.resources.back().resource_name = "w1";
    request.resources.back().configs.emplace_back().name = "retention.ms";
    request.resources.back().configs.back().value = "1";
  }
  const auto response = story.request(request);
  ASSERT_EQ(response.responses.size(), 1u);
  EXPECT_EQ(response.responses[0].error_message, "Duplicate resource.");
  EXPECT_EQ(value("retention.ms"), "<none>");
}

TEST_F(ConfigsTest, AlterConfigsReplacesTheWhole) {
  change(2, "w1", "retention.ms", 0, "5");
  protocol::AlterConfigsRequest request;
  request.resources.emplace_back().resource_type = 2;
  request.resources.back().resource_name = "w1";
  request.resources.back().configs.emplace_back().name = "cleanup.policy";
  request.resources.back().configs.back().value = "compact";
  request.validate_only = true;
  EXPECT_EQ(story.request(request).responses.at(0).error_code, 0);
  EXPECT_TRUE(story.records.empty());
  request.validate_only = false;
  EXPECT_EQ(story.request(request).responses.at(0).error_code, 0);
  EXPECT_EQ(value("retention.ms"), "<none>");
  EXPECT_EQ(value("cleanup.policy"), "compact");
}

TEST_F(ConfigsTest, KeysOfAnOlderVersionStandInNobodysWay) {
  protocol::ConfigRecord old;
  old.resource_type = 2;
  old.resource_name = "w1";
  old.name = "message.format.version";
  old.value = "2.8";
  story.apply({{old, 0}});
  EXPECT_EQ(change(2, "w1", "retention.ms", 0, "5"), Expected(0, "<null>"));
  EXPECT_EQ(value("message.format.version"), "2.8");
  EXPECT_EQ(change(2, "w1", "message.format.version", 0, "3.0"),
            Expected(40, "Unknown topic config name: message.format.version"));
}

}  // namespace
}  // namespace klamm::controller
