#include "controller/topics.h"

#include <gtest/gtest.h>

#include "controller/testing.h"

namespace klamm::controller {
namespace {

using testing::ControllerStory;

class TopicsTest : public ::testing::Test {
 protected:
  TopicsTest() { story.start_broker(1); }

  // (error code, message) of a request for one topic.
  std::pair<int, std::string> create(const protocol::CreateTopicsRequest& request) {
    const auto response = story.request(request);
    const auto& topic = response.topics.at(0);
    return {topic.error_code, topic.error_message.value_or("<null>")};
  }
  protocol::CreateTopicsRequest with_config(std::string key, std::optional<std::string> value) {
    auto request = ControllerStory::topic("wa", 1, 1);
    auto& config = request.topics[0].configs.emplace_back();
    config.name = std::move(key);
    config.value = std::move(value);
    return request;
  }
  protocol::CreateTopicsRequest assigned(std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> partitions) {
    auto request = ControllerStory::topic("wa", -1, -1);
    for (auto& [index, brokers] : partitions) {
      auto& assignment = request.topics[0].assignments.emplace_back();
      assignment.partition_index = index;
      assignment.broker_ids = std::move(brokers);
    }
    return request;
  }

  ControllerStory story;
};

TEST_F(TopicsTest, ATopicIsCreatedWithItsConfigurationAndPartitions) {
  auto request = with_config("retention.ms", "1000");
  request.topics[0].num_partitions = 2;
  const auto response = story.request(request);
  const auto& topic = response.topics.at(0);
  EXPECT_EQ(topic.error_code, 0);
  EXPECT_FALSE(topic.error_message);
  EXPECT_EQ(topic.num_partitions, 2);
  EXPECT_EQ(topic.replication_factor, 1);
  ASSERT_EQ(topic.configs->size(), 4u);
  EXPECT_EQ(topic.configs->at(2).name, "retention.ms");
  EXPECT_EQ(topic.configs->at(2).value, "1000");
  EXPECT_EQ(topic.configs->at(2).config_source, 1);
  EXPECT_EQ(topic.configs->at(0).config_source, 5);
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"TOPIC_RECORD v0", "CONFIG_RECORD v0",
                                                            "PARTITION_RECORD v2", "PARTITION_RECORD v2"}));
  const auto* partition = story.image().partition("wa", 1);
  ASSERT_NE(partition, nullptr);
  EXPECT_EQ(partition->leader, 1);
  EXPECT_EQ(partition->isr, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(partition->directories, (std::vector<Uuid>{{200, 1}}));
  EXPECT_EQ(story.image().topic("wa")->id, topic.topic_id);
}

TEST_F(TopicsTest, MinusOneMeansTheDefaults) {
  story.settings.num_partitions = 3;
  const auto response = story.request(ControllerStory::topic("wb", -1, -1));
  EXPECT_EQ(response.topics.at(0).num_partitions, 3);
  EXPECT_EQ(response.topics.at(0).replication_factor, 1);
}

TEST_F(TopicsTest, MinInsyncReplicasClearsTheEligibleLeaders) {
  story.request(with_config("min.insync.replicas", "1"));
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"TOPIC_RECORD v0", "CONFIG_RECORD v0",
                                                            "CLEAR_ELR_RECORD v0", "PARTITION_RECORD v2"}));
}

TEST_F(TopicsTest, WhatCannotBeIsRefusedWithKafkasWords) {
  story.request(ControllerStory::topic("w1", 1, 1));
  story.request(ControllerStory::topic("w_1", 1, 1));
  using Expected = std::pair<int, std::string>;
  EXPECT_EQ(create(ControllerStory::topic("w1", 1, 1)), Expected(36, "Topic 'w1' already exists."));
  EXPECT_EQ(create(ControllerStory::topic("wa", 0, 1)),
            Expected(37, "Number of partitions was set to an invalid non-positive value."));
  EXPECT_EQ(create(ControllerStory::topic("wa", -2, 1)),
            Expected(37, "Number of partitions was set to an invalid non-positive value."));
  EXPECT_EQ(
      create(ControllerStory::topic("wa", 1, 2)),
      Expected(38,
               "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached "
               "because only 1 broker(s) are registered or some brokers have all their log directories cordoned."));
  EXPECT_EQ(create(ControllerStory::topic("wa", 1, 0)),
            Expected(38, "Replication factor must be larger than 0, or -1 to use the default value."));
  EXPECT_EQ(create(with_config("no.such", "1")), Expected(40, "Unknown topic config name: no.such"));
  EXPECT_EQ(create(with_config("retention.ms", "x")),
            Expected(40, "Invalid value x for configuration retention.ms: Not a number of type LONG"));
  EXPECT_EQ(create(with_config("retention.ms", std::nullopt)),
            Expected(40, "Null value not supported for topic configs: retention.ms"));
  auto both = assigned({{0, {1}}});
  both.topics[0].replication_factor = 1;
  EXPECT_EQ(create(both),
            Expected(42, "A manual partition assignment was specified, but replication factor was not set to -1."));
  both = assigned({{0, {1}}});
  both.topics[0].num_partitions = 1;
  EXPECT_EQ(create(both),
            Expected(42, "A manual partition assignment was specified, but numPartitions was not set to -1."));
  EXPECT_EQ(create(assigned({{1, {1}}})), Expected(39, "partitions should be a consecutive 0-based integer sequence"));
  EXPECT_EQ(create(assigned({{0, {1}}, {0, {1}}})),
            Expected(39, "Found multiple manual partition assignments for partition 0"));
  EXPECT_EQ(create(assigned({{0, {9}}})),
            Expected(39, "The manual partition assignment includes broker 9, but no such broker is registered."));
  EXPECT_EQ(create(assigned({{0, {1, 1}}})),
            Expected(39, "The manual partition assignment includes the broker 1 more than once."));
  EXPECT_EQ(create(assigned({{0, {}}})),
            Expected(39, "The manual partition assignment includes an empty replica list."));
  EXPECT_EQ(create(ControllerStory::topic("", 1, 1)),
            Expected(17, "Topic name is invalid: the empty string is not allowed"));
  EXPECT_EQ(create(ControllerStory::topic("w.1", 1, 1)), Expected(17, "Topic 'w.1' collides with existing topic: w_1"));
  EXPECT_EQ(create(ControllerStory::topic("__cluster_metadata", 1, 1)),
            Expected(42, "Creation of internal topic __cluster_metadata is prohibited."));
  EXPECT_EQ(create(ControllerStory::topic("wbig", 1'000'000, 1)),
            Expected(44, "Excessively large number of partitions per request."));
  EXPECT_EQ(create(ControllerStory::topic("wbig", 10'000, 1)),
            Expected(44, "Unable to perform excessively large batch operation."));
  EXPECT_EQ(story.image().topics().size(), 2u);
}

TEST_F(TopicsTest, OfSeveralTopicsTheGoodOnesAreCreated) {
  auto request = ControllerStory::topic("a", 1, 1);
  for (const char* name : {"dup", "dup", "b c", "d"}) {
    request.topics.push_back(ControllerStory::topic(name, 1, 1).topics[0]);
  }
  const auto response = story.request(request);
  ASSERT_EQ(response.topics.size(), 4u);
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[1].name, "b c");
  EXPECT_EQ(response.topics[1].error_code, 17);
  EXPECT_EQ(response.topics[2].error_code, 0);
  EXPECT_EQ(response.topics[3].name, "dup");
  EXPECT_EQ(response.topics[3].error_message, "Duplicate topic name.");
  EXPECT_NE(story.image().topic("d"), nullptr);
  EXPECT_EQ(story.image().topic("dup"), nullptr);
}

TEST_F(TopicsTest, ValidateOnlyChangesNothing) {
  auto request = ControllerStory::topic("wval", 1, 1);
  request.validate_only = true;
  EXPECT_EQ(story.request(request).topics.at(0).error_code, 0);
  EXPECT_TRUE(story.records.empty());
  EXPECT_EQ(story.image().topic("wval"), nullptr);
}

TEST_F(TopicsTest, WithSeveralDirectoriesTheBrokerDecidesWhere) {
  story.start_broker(2, {{201, 1}, {201, 2}});
  story.request(assigned({{0, {2}}}));
  EXPECT_EQ(story.image().partition("wa", 0)->directories, (std::vector<Uuid>{directory_unassigned}));
}

TEST_F(TopicsTest, OlderLevelsWriteOlderRecords) {
  ControllerStory old(14, false);
  old.start_broker(1);
  old.request(ControllerStory::topic("t", 1, 1));
  EXPECT_EQ(old.record_types(), (std::vector<std::string>{"TOPIC_RECORD v0", "PARTITION_RECORD v0"}));
  EXPECT_EQ(old.image().partition("t", 0)->directories, (std::vector<Uuid>{directory_migrating}));
}

TEST_F(TopicsTest, WithoutALivingBrokerNothingIsPlaced) {
  ControllerStory empty;
  EXPECT_EQ(empty.request(ControllerStory::topic("t", 1, 1)).topics[0].error_message,
            "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log "
            "directories cordoned.");
}

struct DeleteCase {
  std::optional<std::string> name;
  Uuid id;
  int error;
  std::string message;
};

TEST_F(TopicsTest, TopicsAreDeletedByNameAndById) {
  story.request(ControllerStory::topic("wdel", 1, 1));
  const Uuid id = story.image().topic("wdel")->id;
  const DeleteCase cases[] = {
      {"wnone", zero_uuid, 3, "This server does not host this topic-partition."},
      {std::nullopt, {4, 4}, 100, "This server does not host this topic ID."},
      {"wdel", id, 42, "You may not specify both topic name and topic id."},
      {std::nullopt, zero_uuid, 42, "Neither topic name nor id were specified."},
      {"a b", zero_uuid, 3, "This server does not host this topic-partition."},
      {"wdel", zero_uuid, 0, "<null>"},
      {"wdel", zero_uuid, 3, "This server does not host this topic-partition."},
  };
  for (const auto& [name, topic_id, error, message] : cases) {
    protocol::DeleteTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.topic_id = topic_id;
    const auto response = story.request(request);
    ASSERT_EQ(response.responses.size(), 1u);
    EXPECT_EQ(response.responses[0].error_code, error) << name.value_or("<null>");
    EXPECT_EQ(response.responses[0].error_message.value_or("<null>"), message);
    if (error == 0) EXPECT_EQ(response.responses[0].topic_id, id);
  }
  story.request(ControllerStory::topic("wdel", 1, 1));
  protocol::DeleteTopicsRequest request;
  request.topic_names = {"wdel", "wdel"};
  EXPECT_EQ(story.request(request, 1).responses.at(0).error_message, "Duplicate topic name.");
  request.topic_names = {"wdel"};
  EXPECT_EQ(story.request(request, 1).responses.at(0).error_code, 0);
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"REMOVE_TOPIC_RECORD v0"}));
  EXPECT_EQ(story.image().topic("wdel"), nullptr);
}

TEST_F(TopicsTest, ATopicNamedByIdAndByNameIsNotDeleted) {
  story.request(ControllerStory::topic("t", 1, 1));
  protocol::DeleteTopicsRequest request;
  request.topics.emplace_back().topic_id = story.image().topic("t")->id;
  request.topics.emplace_back().name = "t";
  const auto response = story.request(request);
  ASSERT_EQ(response.responses.size(), 1u);
  EXPECT_EQ(response.responses[0].error_message, "The provided topic name maps to an ID that was already supplied.");
  EXPECT_NE(story.image().topic("t"), nullptr);
}

TEST_F(TopicsTest, DeletionCanBeSwitchedOff) {
  story.settings.delete_topic_enable = false;
  protocol::DeleteTopicsRequest request;
  request.topic_names = {"t"};
  EXPECT_EQ(story.request(request, 4).responses.at(0).error_code, wire_of(ErrorCode::topic_deletion_disabled));
  EXPECT_EQ(story.request(request, 1).responses.at(0).error_code, wire_of(ErrorCode::invalid_request));
}

TEST_F(TopicsTest, ADeletedNameNoLongerCollides) {
  story.request(ControllerStory::topic("x_y", 1, 1));
  protocol::DeleteTopicsRequest request;
  request.topic_names = {"x_y"};
  story.request(request, 1);
  EXPECT_EQ(create(ControllerStory::topic("x.y", 1, 1)).first, 0);
}

TEST_F(TopicsTest, PartitionsAreAdded) {
  story.request(ControllerStory::topic("w2", 2, 1));
  struct Case {
    std::string name;
    std::int32_t count;
    std::optional<std::vector<std::vector<std::int32_t>>> assignments;
    int error;
    std::string message;
  };
  const Case cases[] = {
      {"w2", 1, {}, 37, "The topic w2 currently has 2 partition(s); 1 would not be an increase."},
      {"w2", 2, {}, 37, "Topic already has 2 partition(s)."},
      {"w2", -1, {}, 37, "The topic w2 currently has 2 partition(s); -1 would not be an increase."},
      {"wnone", 3, {}, 3, "<null>"},
      {"w2", 4, {{{1}}}, 39, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
      {"w2", 3, {{{9}}}, 39, "The manual partition assignment includes broker 9, but no such broker is registered."},
      {"w2", 2'000'000'000, {}, 44, "Unable to perform excessively large batch operation."},
      {"w2", 3, {{{1}}}, 0, "<null>"},
      {"w2", 5, {}, 0, "<null>"},
  };
  for (const Case& c : cases) {
    protocol::CreatePartitionsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = c.name;
    topic.count = c.count;
    topic.assignments.reset();
    if (c.assignments) {
      topic.assignments.emplace();
      for (const auto& brokers : *c.assignments) topic.assignments->emplace_back().broker_ids = brokers;
    }
    request.validate_only = true;
    const auto checked = story.request(request);
    EXPECT_TRUE(story.records.empty());
    EXPECT_EQ(checked.results.at(0).error_code, c.error) << c.name << c.count;
    EXPECT_EQ(checked.results.at(0).error_message.value_or("<null>"), c.message);
    request.validate_only = false;
    EXPECT_EQ(story.request(request), checked);
  }
  EXPECT_EQ(story.image().topic("w2")->partition_count(), 5u);
  EXPECT_EQ(story.image().partition("w2", 4)->leader, 1);
}

}  // namespace
}  // namespace klamm::controller
