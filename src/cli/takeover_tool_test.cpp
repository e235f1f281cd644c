#include "cli/takeover_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/run_tool_test.h"
#include "runtime/os/disk.h"
#include "storage/partition_metadata.h"

namespace klamm::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

// Directories that Apache Kafka wrote lie beside the tests of hosting.
fs::path written_by(std::string_view kafka) {
  return fs::path(__FILE__).parent_path().parent_path() / "hosting" / "testdata" / kafka;
}

class TakeoverTool : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / fmt::format("klamm-takeover-tool-{}", ::getpid());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path data() const { return root_ / "data"; }
  void copy(std::string_view kafka) const { fs::copy(written_by(kafka), data(), fs::copy_options::recursive); }
  static std::string content(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
  void make_log(std::string_view name, Uuid topic_id) const {
    fs::create_directories(data() / name);
    write(data() / name / storage::partition_metadata_name, storage::partition_metadata_text(topic_id));
    write(data() / name / "00000000000000000000.log", "");
  }
  // Every file with its content.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      found[entry.path().string()] = entry.is_regular_file() ? content(entry.path()) : "";
    }
    return found;
  }
  // Looks, and whatever it finds, it leaves everything as it was.
  ToolRun check(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"--check", data().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto before = files();
    ToolRun ran = run_in_test([&](Streams& streams) { return takeover_tool(arguments, streams); });
    EXPECT_EQ(files(), before);
    return ran;
  }

  fs::path root_;
};

TEST_F(TakeoverTool, SaysThatDirectoriesOfEachVersionCanBeOpened) {
  for (const auto& [kafka, version] : std::map<std::string, std::string>{{"kafka-3.9.2-static", "3.9-IV0"},
                                                                         {"kafka-4.3.1-static", "4.3-IV0"},
                                                                         {"kafka-4.3.1-standalone", "4.3-IV0"},
                                                                         {"kafka-4.4.0-standalone", "4.4-IV"}}) {
    fs::remove_all(data());
    copy(kafka);
    const ToolRun ran = check();
    EXPECT_EQ(ran.code, 0) << ran.out << ran.error;
    EXPECT_THAT(ran.out, HasSubstr("node 1 of cluster ")) << kafka;
    EXPECT_THAT(ran.out, HasSubstr("metadata.version " + version)) << kafka;
    EXPECT_THAT(ran.out, HasSubstr("It can be opened.\n")) << kafka;
  }
}

TEST_F(TakeoverTool, KnowsDirectoriesThatAreEmptyOrNotThere) {
  fs::create_directories(data());
  EXPECT_THAT(check().out, HasSubstr("is not formatted: a start without process.roles does that by itself."));
  const ToolRun ran = check({(root_ / "other").string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("other is not there, or is no directory."));
}

TEST_F(TakeoverTool, RefusesWhatABrokerRefuses) {
  copy("kafka-4.3.1-static");
  const std::string good = content(data() / "meta.properties");
  const auto refused = [&] {
    const ToolRun ran = check();
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.out, HasSubstr("It cannot be opened:"));
    return ran.out;
  };

  write(data() / "meta.properties", "version=0\nbroker.id=1\n");
  EXPECT_THAT(refused(), HasSubstr("whose metadata lives in ZooKeeper, which is not supported yet."));
  fs::remove(data() / "meta.properties");
  EXPECT_THAT(refused(), HasSubstr("holds partitions but no meta.properties."));
  write(data() / "meta.properties", good);

  fs::create_directories(data() / "lost+found");
  EXPECT_THAT(refused(), HasSubstr("lost+found is no directory of a partition"));
  fs::remove(data() / "lost+found");

  write(data() / "__cluster_metadata-0/quorum-state",
        R"({"clusterId":"","leaderId":2,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,)"
        R"("currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0})");
  EXPECT_THAT(refused(), HasSubstr("The voters of the metadata quorum are the nodes 1, 2, not this node (1) alone."));
}

TEST_F(TakeoverTool, RefusesDirectoriesThatDoNotBelongTogether) {
  copy("kafka-4.3.1-static");
  const fs::path other = root_ / "other";
  fs::create_directories(other);
  write(other / "meta.properties", "version=1\nnode.id=1\ncluster.id=another\n");
  const ToolRun ran = check({other.string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("are not of the same node of the same cluster."));
}

TEST_F(TakeoverTool, RefusesLogsWithoutTheMetadataLog) {
  copy("kafka-4.3.1-static");
  fs::rename(data() / "__cluster_metadata-0", root_ / "away");
  make_log("orders-0", Uuid{1, 2});
  const ToolRun ran = check();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("None of these directories holds the metadata log"));
}

TEST_F(TakeoverTool, TellsWhatAnOpeningWillDo) {
  copy("kafka-4.3.1-static");
  make_log("nobody-0", Uuid{1, 2});
  make_log("orders-0.0123456789abcdef0123456789abcdef-delete", Uuid{1, 2});
  std::ofstream(data() / "__cluster_metadata-0/00000000000000000000.log", std::ios::app) << "the end of a torn write";
  const ToolRun ran = check();
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("1 log of topics that the metadata does not have: renamed to -stray"));
  EXPECT_THAT(ran.out, HasSubstr("-delete is deleted for good when opened."));
  EXPECT_THAT(ran.out, HasSubstr("The metadata log is cut at its end: "));
  EXPECT_THAT(ran.out, HasSubstr("was not stopped cleanly"));
}

TEST_F(TakeoverTool, RefusesMetadataThatIsDamagedBeforeItsEnd) {
  copy("kafka-4.3.1-static");
  const fs::path log = data() / "__cluster_metadata-0/00000000000000000000.log";
  // A second segment: the first one is not the end any more.
  const std::string bytes = content(log);
  write(log, bytes.substr(0, bytes.size() - 5));
  write(data() / "__cluster_metadata-0/00000000000000009999.log", "");
  const ToolRun ran = check();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("The metadata cannot be read: "));
}

TEST_F(TakeoverTool, SeesThatABrokerRuns) {
  copy("kafka-4.3.1-static");
  runtime::os::OsDisk disk;
  auto lock = disk.try_lock((data() / ".lock").string());
  EXPECT_THAT(check().out, HasSubstr("is in use: a broker holds its .lock."));
  lock.reset();
  EXPECT_THAT(check().out, Not(HasSubstr("is in use")));
}

TEST_F(TakeoverTool, NeedsADirectory) {
  const std::vector<std::string> none{"--check", ","};
  const ToolRun ran = run_in_test([&](Streams& streams) { return takeover_tool(none, streams); });
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.error, HasSubstr("--check needs a directory."));
}

}  // namespace
}  // namespace klamm::cli
