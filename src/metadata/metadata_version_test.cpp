#include "metadata/metadata_version.h"

#include <gtest/gtest.h>

#include "metadata/features.h"
#include "metadata/topic_name.h"

namespace klamm::metadata {
namespace {

struct NamedVersion {
  std::string_view asked;
  std::int16_t level;  // 0: unknown
  bool unstable = false;
};

TEST(MetadataVersionTest, IsFoundByReleaseByNameAndByPatchRelease) {
  const NamedVersion cases[] = {
      {"3.3-IV3", 7}, {"3.3", 7},       {"3.5", 11},   {"3.9", 21},           {"3.9.2", 21},
      {"4.0", 25},    {"4.3", 30},      {"4.3.1", 30}, {"4.3-IV0", 30},       {"4.4", 0},
      {"4.4-IV2", 0}, {"4.4", 0, true}, {"1.0", 0},    {"4.4-IV2", 33, true}, {"3.9-IV0.junk", 21},
      {"4", 0},       {"", 0},
  };
  for (const auto& [asked, level, unstable] : cases) {
    const auto found = metadata_version_of_name(asked, unstable);
    EXPECT_EQ(found ? found->level() : 0, level) << asked;
  }
}

TEST(MetadataVersionTest, SaysWhatThereIsWhenItKnowsNoSuchVersion) {
  EXPECT_EQ(
      metadata_version_of_name("1.0", false).error().message,
      "Unknown metadata.version '1.0'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, 3.5-IV0, 3.5-IV1, 3.5-IV2, "
      "3.6-IV0, 3.6-IV1, 3.6-IV2, 3.7-IV0, 3.7-IV1, 3.7-IV2, 3.7-IV3, 3.7-IV4, 3.8-IV0, 3.9-IV0, 4.0-IV0, 4.0-IV1, "
      "4.0-IV2, 4.0-IV3, 4.1-IV0, 4.1-IV1, 4.2-IV0, 4.2-IV1, 4.3-IV0");
  EXPECT_FALSE(metadata_version_of_level(6));
  EXPECT_FALSE(metadata_version_of_level(34));
  EXPECT_EQ(unknown_metadata_level_text(6),
            "No MetadataVersion with feature level 6. Valid feature levels are from 7 to 33.");
}

TEST(MetadataVersionTest, PrescribesTheVersionsOfRecords) {
  struct Row {
    std::int16_t level, register_broker, partition;
  };
  for (const auto& [level, register_broker, partition] :
       {Row{7, 1, 0}, Row{8, 2, 0}, Row{16, 2, 0}, Row{17, 3, 1}, Row{22, 3, 1}, Row{23, 3, 2}, Row{29, 3, 2},
        Row{30, 4, 2}, Row{33, 4, 2}}) {
    const auto version = known_metadata_version(level);
    EXPECT_EQ(version.register_broker_record_version(), register_broker) << level;
    EXPECT_EQ(version.partition_record_version(), partition) << level;
  }
}

TEST(MetadataVersionTest, KnowsWhichStepsChangeRecords) {
  EXPECT_FALSE(metadata_changed_between(known_metadata_version(30), known_metadata_version(31)));
  EXPECT_TRUE(metadata_changed_between(known_metadata_version(29), known_metadata_version(30)));
  EXPECT_TRUE(metadata_changed_between(known_metadata_version(33), known_metadata_version(31)));
  EXPECT_FALSE(metadata_changed_between(known_metadata_version(25), known_metadata_version(25)));
}

TEST(FeaturesTest, AFreshDirectoryGetsWhatItsLevelImplies) {
  const auto levels = [](std::int16_t level) {
    std::map<std::string, int> out;
    for (const Feature& feature : features()) {
      out[std::string(feature.name)] = feature.default_level(known_metadata_version(level));
    }
    return out;
  };
  EXPECT_EQ(levels(30), (std::map<std::string, int>{{"kraft.version", 1},
                                                    {"transaction.version", 2},
                                                    {"group.version", 1},
                                                    {"eligible.leader.replicas.version", 1},
                                                    {"share.version", 1},
                                                    {"streams.version", 1}}));
  EXPECT_EQ(levels(25).at("eligible.leader.replicas.version"), 0);
  EXPECT_EQ(levels(20).at("kraft.version"), 0);
  EXPECT_EQ(levels(33).at("share.version"), 2);
}

TEST(FeaturesTest, TheSupportedRangesAreThoseOf44) {
  const auto& supported = supported_features();
  EXPECT_EQ(supported.at("metadata.version"), (VersionRange{7, 33}));
  EXPECT_EQ(supported.at("share.version"), (VersionRange{0, 2}));
  EXPECT_EQ(supported.at("kraft.version"), (VersionRange{0, 1}));
  EXPECT_EQ(supported.size(), 7u);
}

TEST(FeaturesTest, EligibleLeaderReplicasNeedTheirRecords) {
  const Feature& elr = *find_feature("eligible.leader.replicas.version");
  const FeatureLevel& one = *elr.find_level(1, false);
  EXPECT_TRUE(check_feature_dependencies(elr, one, {{"metadata.version", 23}}));
  EXPECT_EQ(check_feature_dependencies(elr, one, {{"metadata.version", 22}}).error().message,
            "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23");
  EXPECT_EQ(elr.find_level(9, true), nullptr);
}

TEST(TopicNameTest, IsRefusedWithKafkasWords) {
  EXPECT_TRUE(check_topic_name("a.b_C-9"));
  EXPECT_TRUE(check_topic_name(std::string(249, 'x')));
  EXPECT_EQ(check_topic_name("").error().message, "Topic name is invalid: the empty string is not allowed");
  EXPECT_EQ(check_topic_name("..").error().message, "Topic name is invalid: '..' is not allowed");
  EXPECT_EQ(
      check_topic_name("a b").error().message,
      "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'");
  EXPECT_EQ(
      check_topic_name(std::string(250, 'x')).error().message,
      "Topic name is invalid: the length of '" + std::string(250, 'x') + "' is longer than the max allowed length 249");
}

}  // namespace
}  // namespace klamm::metadata
