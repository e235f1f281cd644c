#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hosting/checkpoint.h"
#include "hosting/format.h"
#include "hosting/machine_test.h"
#include "hosting/quorum_state.h"
#include "metadata/delta.h"
#include "metadata/transaction_filter.h"
#include "storage/meta_properties.h"

namespace klamm::hosting {
namespace {

using testing::Machine;
using testing::testdata;

TEST(QuorumStateTest, IsWrittenAsKafkaWritesIt) {
  EXPECT_EQ(
      quorum_state_text({.leader_id = 1, .leader_epoch = LeaderEpoch(1), .voters = {1}, .data_version = 0}),
      R"({"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],)"
      R"("data_version":0})");
  EXPECT_EQ(
      quorum_state_text({.leader_id = 1, .leader_epoch = LeaderEpoch(3), .data_version = 1}),
      R"({"leaderId":1,"leaderEpoch":3,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
}

TEST(QuorumStateTest, WhatKafkaWroteIsReadAndWouldBeWrittenAgainTheSame) {
  Machine machine;
  for (const char* kafka :
       {"kafka-3.9.2-static", "kafka-4.3.1-static", "kafka-4.3.1-standalone", "kafka-4.4.0-standalone"}) {
    const std::string directory = testdata() + "/" + kafka + "/__cluster_metadata-0";
    const auto state = read_quorum_state(machine.disk(), directory);
    ASSERT_TRUE(state) << kafka;
    EXPECT_EQ(state->leader_id, 1);
    EXPECT_EQ(state->leader_epoch, LeaderEpoch(1));
    const ByteVector bytes = machine.disk().read_file(directory + "/quorum-state", 1000);
    EXPECT_EQ(quorum_state_text(*state), as_text(bytes));
  }
}

TEST(QuorumStateTest, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "{", "{}", "[]", R"({"data_version":2})", R"({"data_version":0)", R"({"data_version":0}x)",
        R"({"leaderId":"1","data_version":0})", R"({"leaderId":99999999999,"data_version":0})",
        R"({"currentVoters":[{"voterId":1,"data_version":0})", R"({"votedDirectoryId":"x","data_version":1})",
        R"({"unknown":1,"data_version":0})", R"({"clusterId":"\u0041","data_version":0})"}) {
    EXPECT_FALSE(parse_quorum_state(text)) << text;
  }
  EXPECT_EQ(parse_quorum_state(R"({"data_version":7})").error().message,
            "data_version (7) is not within the min (0) and max (1) supported version");
}

TEST(CheckpointTest, NamesAreKafkas) {
  EXPECT_EQ(snapshot_name({Offset(129), LeaderEpoch(1)}), "00000000000000000129-0000000001.checkpoint");
  const auto parsed = parse_snapshot_name("00000000000000000129-0000000001.checkpoint");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->id, (SnapshotId{Offset(129), LeaderEpoch(1)}));
  EXPECT_FALSE(parsed->leftover);
  EXPECT_TRUE(parse_snapshot_name("00000000000000000129-0000000001-8372.checkpoint.part")->leftover);
  EXPECT_TRUE(parse_snapshot_name("00000000000000000129-0000000001.checkpoint.deleted")->leftover);
  for (const char* name :
       {"bootstrap.checkpoint", "leader-epoch-checkpoint", "0000000000000000012x-0000000001.checkpoint",
        "00000000000000000129-0000000001x.checkpoint", ".checkpoint", "00000000000000000000.log"}) {
    EXPECT_FALSE(parse_snapshot_name(name)) << name;
  }
}

// Reads the log of a fixture into an image, as a start does.
metadata::ImageRef read_log(Machine& machine, const std::string& kafka, QuorumRecords& quorum) {
  const std::string path = testdata() + "/" + kafka + "/__cluster_metadata-0/00000000000000000000.log";
  metadata::Delta delta(metadata::Image::empty());
  metadata::TransactionFilter transactions;
  const BatchReader reader{
      .record =
          [&](Offset offset, metadata::Record record) {
            for (const auto& ready : transactions.pass(offset, std::move(record))) delta.replay(ready);
          },
      .control = [&](Offset offset, records::ControlRecordType type,
                     Bytes value) { note_control_record(offset, type, value, quorum); },
  };
  const auto file = machine.disk().open(path, runtime::OpenMode::read);
  Offset last = no_offset;
  each_batch(*file, 0, file->size(), [&](const records::RecordBatchView& batch) {
    EXPECT_EQ(batch.base_offset(), last + 1);
    last = batch.last_offset();
    reader.read(batch, path);
  });
  return delta.finish({last, LeaderEpoch(1), Timestamp(0)});
}

TEST(CheckpointTest, WhatKafkaRecordedIsUnderstood) {
  Machine machine;
  for (const auto& [kafka, level, kraft] : {std::tuple{"kafka-3.9.2-static", 21, 0},
                                            {"kafka-4.3.1-static", 30, 0},
                                            {"kafka-4.3.1-standalone", 30, 1},
                                            {"kafka-4.4.0-standalone", 33, 1}}) {
    QuorumRecords quorum;
    const auto image = read_log(machine, kafka, quorum);
    EXPECT_EQ(image->metadata_version()->level(), level) << kafka;
    EXPECT_EQ(quorum.kraft_version, kraft);
    EXPECT_EQ(quorum.voters.has_value(), kraft == 1);
    EXPECT_EQ(image->topic("alpha")->partition_count(), 5u);
    EXPECT_EQ(image->topic("gone"), nullptr);
    EXPECT_EQ(image->config({metadata::ConfigResourceType::topic, "alpha"}),
              (metadata::ConfigEntries{{"cleanup.policy", "compact"}, {"retention.ms", "1000000"}}));
    EXPECT_EQ(image->next_producer_id(), ProducerId(1000));
    EXPECT_TRUE(image->broker(BrokerId(1))->fenced);
    EXPECT_EQ(image->elr_enabled(), level >= 26);
    // A snapshot of it makes the same image again.
    metadata::Delta again(metadata::Image::empty());
    for (const auto& record : image->to_records()) again.replay(record);
    EXPECT_TRUE(again.finish(image->provenance())->same_contents(*image));
  }
}

TEST(CheckpointTest, BootstrapFilesOfEveryLevelAreRead) {
  Machine machine;
  for (std::int16_t level = metadata::metadata_level_min; level <= metadata::metadata_level_max; ++level) {
    const std::string path = fmt::format("{}/levels/{:02}.checkpoint", testdata(), level);
    metadata::Delta delta(metadata::Image::empty());
    const auto contents = read_checkpoint(machine.disk(), path, [&](metadata::Record record) { delta.replay(record); });
    EXPECT_TRUE(contents.complete);
    EXPECT_EQ(contents.quorum.kraft_version, 0);
    EXPECT_EQ(delta.finish({})->metadata_version()->level(), level);
    // The same records, formatted by us.
    FormatRequest request{.node_id = 1, .cluster_id = "c"};
    request.release_version = metadata::metadata_version_of_level(level);
    request.unstable_enabled = true;
    metadata::Records theirs;
    read_checkpoint(machine.disk(), path, [&](metadata::Record record) { theirs.push_back(std::move(record)); });
    EXPECT_EQ(bootstrap_records(request), theirs) << level;
  }
}

TEST(CheckpointTest, WhatIsWrittenIsReadAgain) {
  Machine machine;
  const std::string path = machine.directory() + "/x.checkpoint";
  protocol::VotersRecord voters;
  voters.voters.emplace_back().voter_id = 7;
  metadata::Records records;
  for (int i = 0; i < 50'000; ++i) {
    protocol::TopicRecord topic;
    topic.name = fmt::format("topic-{}", i);
    topic.topic_id = Uuid{1, static_cast<std::uint64_t>(i)};
    records.push_back({topic, 0});
  }
  CheckpointWriter writer(machine.disk(), path,
                          {.epoch = LeaderEpoch(3),
                           .last_contained_log_timestamp = Timestamp(99),
                           .now = Timestamp(1000),
                           .kraft_version = 1,
                           .voters = voters});
  for (const auto& record : records) writer.add(record);
  writer.finish();
  EXPECT_EQ(read_checkpoint_timestamp(machine.disk(), path), Timestamp(99));
  metadata::Records read;
  const auto contents =
      read_checkpoint(machine.disk(), path, [&](metadata::Record record) { read.push_back(std::move(record)); });
  EXPECT_TRUE(contents.complete);
  EXPECT_EQ(contents.last_contained_log_timestamp, Timestamp(99));
  EXPECT_EQ(contents.quorum.voters, voters);
  EXPECT_EQ(read, records);
}

TEST(CheckpointTest, GarbageIsRefusedAndNeverRunsAway) {
  Machine machine;
  const std::string good = testdata() + "/kafka-4.3.1-standalone/bootstrap.checkpoint";
  const ByteVector bytes = machine.disk().read_file(good, 10'000);
  const std::string path = machine.directory() + "/bad.checkpoint";
  const auto read = [&](Bytes content) {
    const auto file = machine.disk().open(path, runtime::OpenMode::create);
    file->truncate(0);
    file->write_at(0, content);
    return read_checkpoint(machine.disk(), path, [](metadata::Record) {}).complete;
  };
  EXPECT_TRUE(read(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    bool complete = false;
    try {
      complete = read(Bytes(bytes).first(size));
    } catch (const std::runtime_error&) {
    }
    EXPECT_FALSE(complete) << "cut to " << size;
  }
  int refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    ByteVector damaged = bytes;
    damaged[at] ^= std::byte{0x40};
    try {
      read(damaged);
    } catch (const std::runtime_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused,
            static_cast<int>(bytes.size()) * 9 / 10);  // all but base offsets and epochs, which no checksum covers
}

// ---- formatting -----------------------------------------------------------------------------------------------------

struct Formatted {
  std::vector<std::string> lines;
  std::string error;
  std::string exception;
};

Formatted format(Machine& machine, const FormatRequest& request) {
  Formatted result;
  try {
    format_directories(machine.disk(), machine.random(), Timestamp(1795414643000), request,
                       [&](std::string line) { result.lines.push_back(std::move(line)); });
  } catch (const FormatError& error) {
    result.error = error.what();
    result.exception = error.java_exception();
  }
  return result;
}

TEST(FormatTest, SpeaksAsKafkasToolDoes) {
  Machine machine;
  const std::string data = machine.directory() + "/data";
  FormatRequest request{.node_id = 1, .cluster_id = "not-a-uuid", .directories = {data}, .metadata_directory = data};
  request.dynamic_quorum = true;
  request.initial_controllers = {{1, fresh_uuid(machine.random()), "localhost", 29093}};
  auto result = format(machine, request);
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(
      result.lines,
      (std::vector<std::string>{
          "Bootstrap metadata: "
          "BootstrapMetadata(records=[ApiMessageAndVersion(FeatureLevelRecord(name='metadata.version', "
          "featureLevel=30) at version 0), "
          "ApiMessageAndVersion(FeatureLevelRecord(name='eligible.leader.replicas.version', "
          "featureLevel=1) at version 0), ApiMessageAndVersion(FeatureLevelRecord(name='group.version', "
          "featureLevel=1) at "
          "version 0), ApiMessageAndVersion(FeatureLevelRecord(name='share.version', featureLevel=1) at version 0), "
          "ApiMessageAndVersion(FeatureLevelRecord(name='streams.version', featureLevel=1) at version 0), "
          "ApiMessageAndVersion(FeatureLevelRecord(name='transaction.version', featureLevel=2) at version 0)], "
          "metadataVersionLevel=30, source=format command)",
          "Formatting dynamic metadata voter directory " + data + " with metadata.version 4.3-IV0."}));
  const auto properties = storage::read_meta_properties(machine.disk(), data);
  ASSERT_TRUE(properties && *properties);
  EXPECT_EQ((*properties)->directory_id, request.initial_controllers[0].directory_id);
  EXPECT_EQ((*properties)->cluster_id, "not-a-uuid");

  EXPECT_EQ(format(machine, request).error,
            "Log directory " + data +
                " is already formatted. Use --ignore-formatted to ignore this directory and "
                "format the others.");
  request.ignore_formatted = true;
  EXPECT_EQ(format(machine, request).lines,
            (std::vector<std::string>{"All of the log directories are already formatted."}));
  request.cluster_id = "other";
  result = format(machine, request);
  EXPECT_EQ(result.error, "Invalid cluster.id in: " + data + "/meta.properties. Expected other, but read not-a-uuid");
  EXPECT_EQ(result.exception, "java.lang.RuntimeException");
}

TEST(FormatTest, SeveralDirectoriesGetIdsOfTheirOwn) {
  Machine machine;
  const std::string a = machine.directory() + "/a";
  const std::string b = machine.directory() + "/b";
  const auto result =
      format(machine, {.node_id = 1, .cluster_id = "c", .directories = {b, a, a}, .metadata_directory = b});
  ASSERT_EQ(result.lines.size(), 3u);
  EXPECT_EQ(result.lines[1], "Formatting data directory " + a + " with metadata.version 4.3-IV0.");
  EXPECT_EQ(result.lines[2], "Formatting metadata directory " + b + " with metadata.version 4.3-IV0.");
  EXPECT_FALSE(machine.disk().exists(a + "/bootstrap.checkpoint"));
  EXPECT_TRUE(machine.disk().exists(b + "/bootstrap.checkpoint"));
  EXPECT_FALSE(machine.disk().exists(b + "/__cluster_metadata-0"));  // no voters to write down
  EXPECT_NE((*storage::read_meta_properties(machine.disk(), a))->directory_id,
            (*storage::read_meta_properties(machine.disk(), b))->directory_id);
}

TEST(FormatTest, RefusesWhatDoesNotFitTogether) {
  Machine machine;
  const std::string data = machine.directory() + "/data";
  const auto error = [&](auto change) {
    FormatRequest request{.node_id = 1, .cluster_id = "c", .directories = {data}, .metadata_directory = data};
    change(request);
    const auto result = format(machine, request);
    EXPECT_FALSE(machine.disk().exists(data)) << "something was written";
    return (result.exception.empty() ? "" : result.exception + ": ") + result.error;
  };
  EXPECT_EQ(error([](auto& r) { r.feature_levels = {{"nope", 1}}; }),
            "Unsupported feature: nope. Supported features are: eligible.leader.replicas.version, group.version, "
            "kraft.version, share.version, streams.version, transaction.version");
  EXPECT_EQ(error([](auto& r) { r.feature_levels = {{"share.version", 9}}; }),
            "java.lang.IllegalArgumentException: No feature:share.version with feature level 9");
  EXPECT_EQ(
      error([](auto& r) {
        r.dynamic_quorum = true;
        r.feature_levels = {{"kraft.version", 0}};
      }),
      "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, "
      "--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the "
      "--feature flag for kraft.version.");
  EXPECT_THAT(error([](auto& r) { r.feature_levels = {{"kraft.version", 1}}; }),
              ::testing::StartsWith("Cannot set kraft.version to 1 unless controller.quorum.voters is empty"));
  EXPECT_EQ(error([](auto& r) {
              r.release_version = metadata::known_metadata_version(22);
              r.feature_levels = {{"eligible.leader.replicas.version", 1}};
            }),
            "java.lang.IllegalArgumentException: eligible.leader.replicas.version could not be set to 1 because it "
            "depends on "
            "metadata.version level 23");
  EXPECT_EQ(error([](auto& r) { r.release_version = metadata::known_metadata_version(33); }),
            "metadata.version 4.4-IV2 is not yet stable.");
  EXPECT_EQ(error([](auto& r) {
              r.release_version = metadata::known_metadata_version(30);
              r.feature_levels = {{"metadata.version", 30}};
            }),
            "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.");
  EXPECT_EQ(error([](auto& r) {
              r.release_version = metadata::known_metadata_version(9);
              r.additional_records.push_back({protocol::UserScramCredentialRecord{}, 0});
            }),
            "SCRAM is only supported in metadata.version 3.5-IV2 or later.");
}

TEST(FormatTest, VotersAndFeaturesAreParsedAsKafkaParsesThem) {
  const auto voters = parse_dynamic_voters("3@[::1]:9093:AAAAAAAAAAAAAAAAAAAAZA, 1@host:9092:AAAAAAAAAAAAAAAAAAAAZQ");
  ASSERT_EQ(voters.size(), 2u);
  EXPECT_EQ(voters[0].node_id, 1);
  EXPECT_EQ(voters[1].host, "::1");
  const auto message = [](const char* text) {
    try {
      parse_dynamic_voters(text);
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(message("bogus"), "No @ found in dynamic voter string.");
  EXPECT_EQ(message(""), "No voters given.");
  EXPECT_EQ(message("1@host"), "No colon following hostname could be found.");
  EXPECT_EQ(message("1@host:x:AAAAAAAAAAAAAAAAAAAAZQ"), "Failed to parse port in dynamic voter string.");
  EXPECT_EQ(message("1@h:1:AAAAAAAAAAAAAAAAAAAAZQ,1@h:1:AAAAAAAAAAAAAAAAAAAAZQ"),
            "Node id 1 was specified more than once.");
  EXPECT_EQ(parse_feature_levels({"a=1", "b=2"}), (std::map<std::string, std::int16_t>{{"a", 1}, {"b", 2}}));
  EXPECT_THROW(parse_feature_levels({"a"}), FormatError);
  EXPECT_THROW(parse_feature_levels({"a=x"}), FormatError);
}

}  // namespace
}  // namespace klamm::hosting
