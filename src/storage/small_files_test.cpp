// The text files beside the logs, byte for byte as Kafka writes them, and what becomes of wrong ones.
#include <gtest/gtest.h>

#include "storage/checkpoint_file.h"
#include "storage/log_file_names.h"
#include "storage/meta_properties.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {
namespace {

TEST(OffsetCheckpoint, IsWrittenAndReadBack) {
  const OffsetMap offsets{{{"a", PartitionIndex(0)}, Offset(5)}, {{"a", PartitionIndex(10)}, Offset(0)}};
  EXPECT_EQ(offset_checkpoint_text(offsets), "0\n2\na 0 5\na 10 0\n");
  EXPECT_EQ(*parse_offset_checkpoint("0\n2\na 0 5\na 10 0\n", "f"), offsets);
  EXPECT_TRUE(parse_offset_checkpoint("", "f")->empty());
}

TEST(OffsetCheckpoint, GarbageIsToldApartFromNothing) {  // KAFKA-1758
  for (const std::string text : {"x", "0\nx\n", "0\n-1\n", "0\n1\na 0\n", "0\n1\na b 5\n", "0\n1\na 0 5 6\n",
                                 "0\n2\na 0 5\n", "0\n1\na 99999999999 5\n", "0\n1\na 0 5\nb 0 5\n"}) {
    EXPECT_FALSE(parse_offset_checkpoint(text, "f")) << text;
  }
  EXPECT_FALSE(parse_offset_checkpoint(std::string(100, '\0'), "f"));
}

TEST(PartitionMetadata, IsKafkasTextWithoutALastNewline) {
  const auto id = *Uuid::parse("vgbAAAAAQACAAAAAAAAAAA");
  EXPECT_EQ(partition_metadata_text(id), "version: 0\ntopic_id: vgbAAAAAQACAAAAAAAAAAA");
  EXPECT_EQ(*parse_partition_metadata(partition_metadata_text(id), "f"), id);
  EXPECT_EQ(*parse_partition_metadata("version: 3\r\ntopic_id: vgbAAAAAQACAAAAAAAAAAA\r\n", "f"), id);
  EXPECT_EQ(parse_partition_metadata("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "f").error().message,
            "Invalid topic ID in partition metadata file (f)");
  EXPECT_EQ(parse_partition_metadata("version: x", "f").error().message,
            "Malformed line in partition metadata file [f]: version: x");
  EXPECT_FALSE(parse_partition_metadata("", "f"));
  EXPECT_FALSE(parse_partition_metadata("version: 0\ntopic_id: short", "f"));
}

TEST(MetaPropertiesFile, IsWhatKafkasFormatterWrites) {
  const auto id = *Uuid::parse("vgbAAAAAQACAAAAAAAAAAA");
  const MetaProperties properties{.version = 1, .cluster_id = "not-a-uuid", .node_id = BrokerId(1), .directory_id = id};
  const std::string text =
      "#\n#Mon Nov 23 05:45:16 UTC "
      "2026\nnode.id=1\ndirectory.id=vgbAAAAAQACAAAAAAAAAAA\nversion=1\ncluster.id=not-a-uuid\n";
  EXPECT_EQ(text.size(), 110u);  // as in Kafka 4.3.1's directory
  EXPECT_EQ(meta_properties_text(properties, Timestamp(1795412716000)), text);
  EXPECT_EQ(*parse_meta_properties(text), properties);
}

TEST(MetaPropertiesFile, OfTheZooKeeperEraIsRead) {
  const auto properties =
      parse_meta_properties("#\n#Thu Jan 01 00:00:00 UTC 2015\nversion=0\nbroker.id=3\ncluster.id=ab\\:c\n");
  EXPECT_EQ(*properties,
            (MetaProperties{.version = 0, .cluster_id = "ab:c", .node_id = BrokerId(3), .directory_id = {}}));
  EXPECT_EQ(parse_meta_properties("")->version, 0);
}

TEST(MetaPropertiesFile, RefusesInKafkasWords) {
  const std::pair<const char*, const char*> rows[] = {
      {"version=2\n", "Unknown meta.properties version number 2"},
      {"version=x\n", "Invalid meta.properties version string 'x'"},
      {"version=1\ncluster.id=a\n", "Failed to find node.id"},
      {"version=1\nnode.id=z\ncluster.id=a\n", "Unable to read node.id as a base-10 number."},
      {"version=1\nnode.id=1\n", "cluster.id was not found."},
  };
  for (const auto& [text, message] : rows) EXPECT_EQ(parse_meta_properties(text).error().message, message) << text;
  EXPECT_FALSE(parse_meta_properties("version=1\nnode.id=1\ncluster.id=a\ndirectory.id=%\n"));
  EXPECT_FALSE(parse_meta_properties("version=1\nnode.id=1\ncluster.id=\\u12\n"));
}

TEST(LogFileNames, SayWhatAFileIs) {
  EXPECT_EQ(segment_file_name(Offset(42), suffix::log), "00000000000000000042.log");
  EXPECT_EQ(offset_of_file_name("00000000000000000042.log.swap"), Offset(42));
  EXPECT_EQ(offset_of_file_name("leader-epoch-checkpoint"), std::nullopt);
  EXPECT_EQ(offset_of_file_name("partition.metadata"), std::nullopt);
  EXPECT_EQ(offset_of_file_name("99999999999999999999.log"), std::nullopt);
}

TEST(LogFileNames, OfPartitionDirectories) {
  const struct {
    const char* name;
    const char* topic;
    int partition;
    DirectoryKind kind;
  } rows[] = {
      {"orders-0", "orders", 0, DirectoryKind::current},
      {"a-b.c_d-12", "a-b.c_d", 12, DirectoryKind::current},
      {"wdel-0.0005194d52c64e988e7b041a327c0538-delete", "wdel", 0, DirectoryKind::deleted},
      {"x-3.0005194d52c64e988e7b041a327c0538-future", "x", 3, DirectoryKind::future},
      {"x.y-3.0005194d52c64e988e7b041a327c0538-stray", "x.y", 3, DirectoryKind::stray},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_partition_directory(row.name, "p");
    ASSERT_TRUE(parsed) << row.name;
    EXPECT_EQ(parsed->name, (TopicPartition{row.topic, PartitionIndex(row.partition)}));
    EXPECT_EQ(parsed->kind, row.kind);
  }
  for (const char* name : {"orders", "-0", "orders-", "orders-x", "lost+found", "orders-delete", "orders-0-delete"}) {
    EXPECT_FALSE(parse_partition_directory(name, "p")) << name;
  }
  const TopicPartition partition{std::string(249, 't'), PartitionIndex(7)};
  EXPECT_EQ(partition_directory_name(partition, DirectoryKind::deleted, {1, 2}).size(), 255u);
  EXPECT_TRUE(parse_partition_directory(partition_directory_name(partition, DirectoryKind::deleted, {1, 2}), "p"));
  EXPECT_EQ(partition_directory_name({"o", PartitionIndex(1)}, DirectoryKind::future, {1, 2}),
            "o-1.00000000000000010000000000000002-future");
}

}  // namespace
}  // namespace klamm::storage
