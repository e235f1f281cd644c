#include "runtime/os/line_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace klamm::runtime::os {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class LineLogTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("klamm-line-log-{}", ::getpid());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
};

TEST_F(LineLogTest, WritesKafkasPattern) {
  LineLog log({.descriptor = -1, .directory = directory_.string()});
  Logger(log, "kafka.server.BrokerServer", "[BrokerServer id=1] ")
      .info("Transition from {} to {}", "STARTING", "STARTED");
  const std::regex pattern(
      R"(\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] INFO \[BrokerServer id=1\] Transition from STARTING to STARTED \(kafka\.server\.BrokerServer\)\n)");
  EXPECT_TRUE(std::regex_match(content_of(directory_ / "server.log"), pattern))
      << content_of(directory_ / "server.log");
}

TEST_F(LineLogTest, ALevelHoldsForALoggerAndAllBelowIt) {
  LineLog log({.descriptor = -1, .directory = directory_.string()});
  EXPECT_FALSE(log.enabled("kafka.controller.Controller", LogLevel::debug));
  log.set_level("kafka.controller", LogLevel::trace);
  EXPECT_TRUE(log.enabled("kafka.controller.Controller", LogLevel::trace));
  EXPECT_FALSE(log.enabled("kafka.controllers", LogLevel::debug)) << "a name is whole parts, not a prefix of letters";
  EXPECT_TRUE(log.enabled("kafka.server", LogLevel::info));
}

TEST_F(LineLogTest, KnowsEveryLoggerAndTheLevelInForce) {
  using Levels = std::map<std::string, LogLevel>;
  LineLog log({.descriptor = -1, .directory = directory_.string()});
  const Logger apis(log, "kafka.server.KafkaApis");
  EXPECT_EQ(log.levels(), (Levels{{"root", LogLevel::info}, {"kafka.server.KafkaApis", LogLevel::info}}));
  log.set_level("kafka.server.KafkaApis", LogLevel::debug);
  EXPECT_TRUE(log.enabled("kafka.server.KafkaApis", LogLevel::debug));
  log.set_level("root", LogLevel::error);
  EXPECT_EQ(log.levels(), (Levels{{"root", LogLevel::error}, {"kafka.server.KafkaApis", LogLevel::debug}}));
  log.set_level("kafka.server.KafkaApis", std::nullopt);
  EXPECT_EQ(log.levels(), (Levels{{"root", LogLevel::error}, {"kafka.server.KafkaApis", LogLevel::error}}));
  log.set_level("root", std::nullopt);
  EXPECT_FALSE(log.enabled("kafka.server.KafkaApis", LogLevel::warn)) << "root always has a level";
}

TEST_F(LineLogTest, SaysWhyWhenItsDirectoryCannotBe) {
  EXPECT_THROW(LineLog({.descriptor = -1, .directory = "/proc/none/here"}), std::system_error);
}

}  // namespace
}  // namespace klamm::runtime::os
