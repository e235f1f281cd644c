#include "broker/loggers.h"

#include <gtest/gtest.h>

namespace klamm::broker {
namespace {

using Resource = protocol::IncrementalAlterConfigsRequest::AlterConfigsResource;
using Change = protocol::IncrementalAlterConfigsRequest::AlterableConfig;

struct Levels final : LogSink {
  bool enabled(std::string_view, LogLevel level) const override { return level >= LogLevel::warn; }
  void write(std::string_view, LogLevel, std::string_view message) override { lines.emplace_back(message); }
  std::map<std::string, LogLevel> levels() const override { return in_force; }
  void set_level(std::string_view logger, std::optional<LogLevel> level) override {
    in_force[std::string(logger)] = level.value_or(LogLevel::info);
  }

  std::map<std::string, LogLevel> in_force{{"root", LogLevel::info}, {"kafka.server.KafkaApis", LogLevel::info}};
  std::vector<std::string> lines;
};

struct World {
  Levels sink;
  Logger log{sink, "kafka.server.BrokerServer"};

  Result<void> alter(std::vector<Change> changes, const std::string& node = "1", bool validate_only = false) {
    Resource resource;
    resource.resource_type = 8;
    resource.resource_name = node;
    resource.configs = std::move(changes);
    return alter_loggers(sink, BrokerId(1), log, resource, validate_only);
  }
  std::string refusal(Change change, const std::string& node = "1") {
    const auto before = sink.in_force;
    const auto done = alter({std::move(change)}, node);
    EXPECT_EQ(sink.in_force, before);
    return done ? "" : fmt::format("{}: {}", static_cast<int>(done.error().code), done.error().message);
  }
};

Change change(std::string name, std::int8_t operation, std::optional<std::string> value = std::nullopt) {
  Change it;
  it.name = std::move(name);
  it.config_operation = operation;
  it.value = std::move(value);
  return it;
}

TEST(AlterLoggers, SetsALevelAndTakesItBack) {
  World world;
  ASSERT_TRUE(world.alter({change("kafka.server.KafkaApis", 0, "DEBUG")}));
  EXPECT_EQ(world.sink.in_force["kafka.server.KafkaApis"], LogLevel::debug);
  ASSERT_TRUE(world.alter({change("kafka.server.KafkaApis", 1)}));
  EXPECT_EQ(world.sink.in_force["kafka.server.KafkaApis"], LogLevel::info);
  EXPECT_EQ(world.sink.lines, (std::vector<std::string>{"Updated the log level of kafka.server.KafkaApis to DEBUG",
                                                        "Unset the log level of kafka.server.KafkaApis"}));
}

TEST(AlterLoggers, AllOrNothing) {
  World world;
  const auto before = world.sink.in_force;
  EXPECT_FALSE(world.alter({change("root", 0, "DEBUG"), change("kafka.server.KafkaApis", 0, "LOUD")}));
  EXPECT_EQ(world.sink.in_force, before);
  EXPECT_TRUE(world.alter({change("root", 0, "DEBUG")}, "1", true));
  EXPECT_EQ(world.sink.in_force, before);
}

TEST(AlterLoggers, WhatIsRefusedAndInWhichWords) {
  World world;
  EXPECT_EQ(world.refusal(change("root", 0, "INFO"), "one"), "42: Node id must be an integer, but it is: one");
  EXPECT_EQ(world.refusal(change("root", 0, "INFO"), "9"), "42: Unexpected node id. Expected 1, but received 9");
  EXPECT_EQ(world.refusal(change("kafka", 0, "INFO")), "40: Logger kafka does not exist!");
  EXPECT_EQ(world.refusal(change("kafka", 1)), "40: Logger kafka does not exist!");
  EXPECT_EQ(world.refusal(change("root", 0, "info")),
            "40: Cannot set the log level of root to info as it is not a supported log level. Valid log levels are "
            "DEBUG, ERROR, FATAL, INFO, TRACE, WARN");
  EXPECT_EQ(world.refusal(change("root", 1)), "42: Removing the log level of the root logger is not allowed");
  EXPECT_EQ(world.refusal(change("root", 2, "INFO")),
            "42: APPEND operation is not allowed for the BROKER_LOGGER resource");
  EXPECT_EQ(world.refusal(change("root", 3, "INFO")),
            "42: SUBTRACT operation is not allowed for the BROKER_LOGGER resource");
  EXPECT_EQ(world.refusal(change("root", 9, "INFO")),
            "42: Unknown operation type 9 is not allowed for the BROKER_LOGGER resource");
}

}  // namespace
}  // namespace klamm::broker
