#include "cli/storage_tool.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/version.h"
#include "cli/run_tool_test.h"
#include "cli/scram.h"
#include "protocol/records/user_scram_credential_record.h"
#include "runtime/os/clock.h"

namespace klamm::cli {
namespace {

class StorageTool : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) / fmt::format("klamm-storage-tool-{}", ::getpid());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    write("combined.properties", fmt::format("process.roles=broker,controller\n"
                                             "node.id=1\n"
                                             "listeners=PLAINTEXT://localhost:29092,CONTROLLER://localhost:29093\n"
                                             "controller.listener.names=CONTROLLER\n"
                                             "controller.quorum.bootstrap.servers=localhost:29093\n"
                                             "log.dirs={}\n",
                                             data()));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string data() const { return (directory_ / "data").string(); }
  std::string file(std::string_view name) const { return (directory_ / name).string(); }
  void write(std::string_view name, std::string_view text) const { std::ofstream(directory_ / name) << text; }
  std::string read(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  // `arguments` separated by blanks; $C is the properties file.
  ToolRun run(std::string_view command) const {
    std::vector<std::string> arguments;
    std::istringstream words{std::string(command)};
    for (std::string word; words >> word;) arguments.push_back(word == "$C" ? file("combined.properties") : word);
    return run_in_test([&](Streams& streams) { return storage_tool(arguments, streams); });
  }
  // Standard output, with the data directory's name replaced.
  std::string told(std::string text) const {
    for (std::size_t at; (at = text.find(data())) != std::string::npos;) text.replace(at, data().size(), "$DATA");
    return text;
  }

  std::filesystem::path directory_;
};

TEST_F(StorageTool, FormatsOnceAndTellsOfIt) {
  ToolRun ran = run("info -c $C");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(told(ran.out), "Found problem:\n  $DATA does not exist\n\n");

  ran = run("format -t 5L6g3nShT-eMCtK--X86sw --standalone -c $C");
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(
      ran.out.starts_with("Bootstrap metadata: BootstrapMetadata(records=[ApiMessageAndVersion(FeatureLevelRecord(name="
                          "'metadata.version', featureLevel=30) at version 0)"));
  EXPECT_TRUE(
      told(ran.out).ends_with("\nFormatting dynamic metadata voter directory $DATA with metadata.version 4.3-IV0.\n"));
  EXPECT_TRUE(read(data() + "/meta.properties").contains("cluster.id=5L6g3nShT-eMCtK--X86sw\n"));
  EXPECT_TRUE(std::filesystem::exists(data() + "/bootstrap.checkpoint"));
  EXPECT_TRUE(std::filesystem::exists(data() + "/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"));

  ran = run("info -c $C");
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(told(ran.out).starts_with(
      "Found log directory:\n  $DATA\n\nFound metadata: {cluster.id=5L6g3nShT-eMCtK--X86sw, directory.id="));
  EXPECT_TRUE(ran.out.ends_with(", node.id=1, version=1}\n\n"));

  ran = run("format -t 5L6g3nShT-eMCtK--X86sw --standalone -c $C");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(told(ran.error),
            "Log directory $DATA is already formatted. Use --ignore-formatted to ignore this directory and format the "
            "others.\n");

  ran = run("format -t 5L6g3nShT-eMCtK--X86sw --standalone --ignore-formatted -c $C");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "All of the log directories are already formatted.\n");

  ran = run("format -t another --standalone -c $C");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(told(ran.error),
            "Exception in thread \"main\" java.lang.RuntimeException: Invalid cluster.id in: $DATA/meta.properties. "
            "Expected another, but read 5L6g3nShT-eMCtK--X86sw\n");
}

TEST_F(StorageTool, RefusesInKafkasWordsAndLeavesTheDiskAlone) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"format -t id -c $C",
       "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
       "--standalone, "
       "--initial-controllers, or --no-initial-controllers.\n"},
      {"format -t id --standalone --feature nope=1 -c $C",
       "Unsupported feature: nope. Supported features are: eligible.leader.replicas.version, group.version, "
       "kraft.version, "
       "share.version, streams.version, transaction.version\n"},
      {"format -t id --standalone --feature share.version=9 -c $C",
       "Exception in thread \"main\" java.lang.IllegalArgumentException: No feature:share.version with feature level "
       "9\n"},
      {"format -t id --standalone --add-scram SCRAM-SHA-256=[name=alice] -c $C",
       "You must supply one of 'password' or 'saltedpassword' to add-scram\n"},
      {"format -t id --initial-controllers bogus -c $C",
       "Exception in thread \"main\" java.lang.IllegalArgumentException: No @ found in dynamic voter string.\n"},
      {"format -t id --standalone -c /no/such.properties",
       "Exception in thread \"main\" java.nio.file.NoSuchFileException: /no/such.properties\n"},
      {"format -t id --feature kraft.version=0 --no-initial-controllers -c $C",
       "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, "
       "--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the "
       "--feature "
       "flag for kraft.version.\n"},
      {"feature-dependencies --feature nope=2", "Unknown feature: nope\n"},
      {"feature-dependencies --feature x",
       "Invalid feature format: x. Expected format: 'feature=version' (e.g. 'group.version=1')\n"},
  };
  for (const auto& [command, error] : cases) {
    const ToolRun ran = run(command);
    EXPECT_EQ(ran.code, 1) << command;
    EXPECT_EQ(ran.error, error);
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_TRUE(
      run("format -t id --standalone --release-version 1.0 -c $C")
          .error.starts_with("Unknown metadata.version '1.0'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, "));
  EXPECT_FALSE(std::filesystem::exists(data()));
}

TEST_F(StorageTool, SaysWhatIsWrongWithTheFile) {
  write("combined.properties", "process.roles=broker,controller\nnum.partitions=x\n");
  const ToolRun ran = run("info -c $C");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(
      ran.error,
      "Exception in thread \"main\" org.apache.kafka.common.config.ConfigException: Missing required configuration "
      "\"node.id\" which has no default value.\n");
}

TEST_F(StorageTool, FormatsAnEmbeddedNodeToo) {
  write("combined.properties", fmt::format("log.dirs={0}/a,{0}/b\n", data()));
  const ToolRun ran = run("format -t id -c $C");
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(
      told(ran.out).ends_with("Formatting metadata directory $DATA/a with metadata.version 4.3-IV0.\n"
                              "Formatting data directory $DATA/b with metadata.version 4.3-IV0.\n"));
}

TEST_F(StorageTool, WritesScramCredentials) {
  const ToolRun ran =
      run("format -t id --standalone --release-version 3.9 --add-scram "
          "SCRAM-SHA-256=[name=alice,password=alice-secret,iterations=4096] -c $C");
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(
      ran.out.contains("featureLevel=21) at version 0), ApiMessageAndVersion(UserScramCredentialRecord(name='alice', "
                       "mechanism=1, salt=["));
}

TEST_F(StorageTool, MapsReleasesToFeatures) {
  EXPECT_EQ(run("version-mapping").out,
            "metadata.version=30 (4.3-IV0)\nkraft.version=1\ntransaction.version=2\ngroup.version=1\n"
            "eligible.leader.replicas.version=1\nshare.version=1\nstreams.version=1\n");
  EXPECT_EQ(run("version-mapping --release-version 4.0").out,
            "metadata.version=25 (4.0)\nkraft.version=1\ntransaction.version=2\ngroup.version=1\n"
            "eligible.leader.replicas.version=0\nshare.version=0\nstreams.version=0\n");
  EXPECT_EQ(run("version-mapping --release-version 9.9").code, 1);
  EXPECT_EQ(run("feature-dependencies --feature metadata.version=20 -f transaction.version=2").out,
            "metadata.version=20 (3.8-IV0) has no dependencies.\ntransaction.version=2 has no dependencies.\n");
  EXPECT_EQ(run("random-uuid").out.size(), 23u);
}

std::string hex(const ByteVector& bytes) {
  return to_hex(bytes);
}

// The vectors of RFC 7677 and RFC 4231.
TEST(Scram, ComputesWhatTheRfcsSay) {
  const ByteVector salt = to_vector(as_bytes("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"));
  const ByteVector salted = scram_salted_password(ScramHash::sha256, "pencil", salt, 4096);
  EXPECT_EQ(hex(salted), "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d");
  EXPECT_EQ(hex(scram_hmac(ScramHash::sha256, as_bytes("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(scram_digest(ScramHash::sha256, as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(scram_digest(ScramHash::sha512, as_bytes("abc"))).substr(0, 32), "ddaf35a193617abacc417349ae204131");
}

TEST(Scram, ReadsArgumentsAsKafkaDoes) {
  runtime::os::SystemRandom random;
  const auto error = [&](std::string_view argument) -> std::string {
    try {
      parse_scram_argument(argument, random);
      return "";
    } catch (const ScramError& failure) {
      return failure.what();
    }
  };
  EXPECT_EQ(error("x"), "Failed to find equals sign in SCRAM argument 'x'");
  EXPECT_EQ(error("SCRAM-SHA-1=[name=a]"), "The add-scram mechanism SCRAM-SHA-1 is not supported.");
  EXPECT_EQ(error("SCRAM-SHA-256=name=a"), "Expected configuration string to start with [");
  EXPECT_EQ(error("SCRAM-SHA-256=[name=a"), "Expected configuration string to end with ]");
  EXPECT_EQ(error("SCRAM-SHA-256=[password=a]"), "You must supply 'name' to add-scram");
  EXPECT_EQ(error("SCRAM-SHA-256=[name=a,saltedpassword=\"YCE=\"]"),
            "You must supply 'salt' with 'saltedpassword' to add-scram");
  EXPECT_EQ(error("SCRAM-SHA-256=[name=a,password=b,iterations=1]"),
            "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256");
  EXPECT_EQ(error("SCRAM-SHA-512=[name=a,password=b,iterations=16385]"),
            "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_512");
  EXPECT_EQ(error("SCRAM-SHA-256=[name=a,password=b,x=1]"), "Unknown SCRAM configurations: x");
  EXPECT_EQ(error("SCRAM-SHA-256=[name=a,password=b,salt=!]"), "Failed to decode given salt: !");
  const auto record =
      parse_scram_argument("SCRAM-SHA-512=[name=alice,iterations=8192,salt=\"N3E=\",saltedpassword=\"YCE=\"]", random);
  const auto& credential = std::get<protocol::UserScramCredentialRecord>(record.message);
  EXPECT_EQ(credential.name, "alice");
  EXPECT_EQ(credential.mechanism, 2);
  EXPECT_EQ(hex(credential.salt), "3771");
  EXPECT_EQ(credential.iterations, 8192);
  EXPECT_EQ(credential.stored_key.size(), 64u);
}

}  // namespace
}  // namespace klamm::cli
