// Stories of generated messages: what is in which version, what is dropped and what must not be.
#include <gtest/gtest.h>

#include "protocol/catalog.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/controlled_shutdown.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/write_share_group_state.h"
#include "protocol/records/consumer_group_member_metadata_value.h"
#include "protocol/records/request_header.h"

namespace klamm::protocol {
namespace {

template <typename T>
ByteVector encoded(const T& message, std::int16_t version) {
  ByteVector bytes;
  Writer writer(bytes);
  message.encode(writer, version);
  EXPECT_TRUE(writer.ok()) << writer.error();
  EXPECT_EQ(bytes.size(), message.encoded_size(version));
  return bytes;
}

template <typename T>
T decoded(Bytes bytes, std::int16_t version) {
  Reader reader(bytes);
  T message;
  message.decode(reader, version);
  EXPECT_TRUE(reader.ok()) << reader.error();
  EXPECT_EQ(reader.remaining(), 0u);
  return message;
}

template <typename T>
std::string error_of_writing(const T& message, std::int16_t version) {
  Writer counter;
  message.encode(counter, version);
  return counter.error();
}

TEST(Messages, AMetadataRequestByteByByte) {
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::MetadataRequestTopic>{{.name = "ab"}};
  EXPECT_EQ(to_hex(encoded(request, 0)),
            "00000001"
            "00026162");
  // Version 12: topic ids, compact encoding, tagged fields.
  EXPECT_EQ(to_hex(encoded(request, 12)),
            "02"
            "00000000000000000000000000000000"
            "036162"
            "00"
            "01"
            "00"
            "00");
  request.topics.reset();
  EXPECT_EQ(to_hex(encoded(request, 1)), "ffffffff");
  EXPECT_EQ(error_of_writing(request, 0), "non-nullable field topics was null");
}

// docs/schemas.md shows these bytes.
TEST(Messages, TheWorkedExample) {
  const WriteShareGroupStateRequest request{.group_id = "g",
                                            .topics = {{.topic_id = {0, 1}, .partitions = {{.partition = 3}}}}};
  EXPECT_EQ(to_hex(encoded(request, 1)),
            "0267"
            "02"
            "00000000000000000000000000000001"
            "02"
            "00000003"
            "00000000"
            "00000000"
            "0000000000000000"
            "ffffffff"
            "01"
            "00"
            "00"
            "00");
  EXPECT_EQ(decoded<WriteShareGroupStateRequest>(encoded(request, 1), 1), request);
}

TEST(Messages, AFieldThatTheVersionLacks) {
  FetchRequest request;
  request.max_bytes = 7;  // may be dropped
  EXPECT_EQ(error_of_writing(request, 2), "");
  request.replica_state.replica_id = 5;  // says who asks: may not
  EXPECT_EQ(error_of_writing(request, 14), "Attempted to write a non-default replicaState at version 14");
  EXPECT_EQ(error_of_writing(request, 15), "");

  OffsetCommitRequest commit;
  commit.topics.push_back({.topic_id = {1, 1}});
  EXPECT_EQ(error_of_writing(commit, 9), "") << "the id may be dropped, the name is there";
  InitProducerIdRequest init{.enable_2pc = true};
  EXPECT_EQ(error_of_writing(init, 5), "Attempted to write a non-default enable2Pc at version 5");
}

TEST(Messages, VersionsThatDoNotExist) {
  EXPECT_EQ(error_of_writing(ProduceRequest{}, 14), "Can't write version 14 of ProduceRequest");
  Reader reader({});
  ProduceRequest request;
  request.decode(reader, -1);
  EXPECT_EQ(reader.error(), "Can't read version -1 of ProduceRequest");
}

TEST(Messages, DefaultsComeFromTheSchema) {
  EXPECT_EQ(FetchRequest{}.max_bytes, 0x7fffffff);
  EXPECT_EQ(FetchRequest{}.replica_id, -1);
  EXPECT_EQ(ProduceRequest{}.transactional_id, std::nullopt);
  EXPECT_TRUE(ProduceRequest::PartitionProduceData{}.records.is_null());
  EXPECT_EQ(FetchRequest::FetchPartition{}.high_watermark, std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(MetadataRequest{}.allow_auto_topic_creation);
  // Nullable, but not null unless set so: Kafka's schema names no default here.
  EXPECT_TRUE(ConsumerGroupMemberMetadataValue{}.classic_member_metadata.has_value());
  EXPECT_EQ(InitProducerIdRequest::max_version, 5);
  EXPECT_EQ(InitProducerIdRequest::highest_version, 6);
}

TEST(Messages, DecodingForgetsWhatWasThere) {
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::MetadataRequestTopic>{{.name = "old"}};
  request.include_topic_authorized_operations = true;
  const ByteVector bytes = encoded(MetadataRequest{}, 4);
  Reader reader(bytes);
  request.decode(reader, 4);
  EXPECT_EQ(request, MetadataRequest{});
}

TEST(Messages, ANullableStruct) {
  ConsumerGroupHeartbeatResponse response;
  EXPECT_EQ(response.assignment, std::nullopt);
  const auto without = encoded(response, 0);
  response.assignment.emplace().topic_partitions.push_back({.topic_id = {1, 2}, .partitions = {1, 2, 3}});
  const auto with = encoded(response, 0);
  EXPECT_GT(with.size(), without.size());
  EXPECT_EQ(decoded<ConsumerGroupHeartbeatResponse>(with, 0), response);
  EXPECT_EQ(decoded<ConsumerGroupHeartbeatResponse>(without, 0).assignment, std::nullopt);
}

TEST(Messages, ANullableStructInATag) {
  ConsumerGroupMemberMetadataValue value;
  for (const bool is_null : {false, true}) {
    if (is_null) value.classic_member_metadata.reset();
    EXPECT_EQ(decoded<ConsumerGroupMemberMetadataValue>(encoded(value, 0), 0), value);
  }
  value.classic_member_metadata.emplace().session_timeout_ms = 45000;
  EXPECT_EQ(decoded<ConsumerGroupMemberMetadataValue>(encoded(value, 0), 0), value);
}

TEST(Messages, UnknownTagsAreKept) {
  ApiVersionsRequest request{.client_software_name = "x", .client_software_version = "1"};
  request.unknown_tagged_fields = {{9, {std::byte{1}, std::byte{2}}}, {1000, {}}};
  const auto bytes = encoded(request, 3);
  EXPECT_EQ(to_hex(bytes),
            "0278"
            "0231"
            "02"
            "09020102"
            "e80700");
  EXPECT_EQ(decoded<ApiVersionsRequest>(bytes, 3), request);
  request.client_software_name = request.client_software_version = "";
  EXPECT_EQ(error_of_writing(request, 2),
            "Tagged fields were set, but version 2 of this message does not support them.");
}

TEST(Messages, ATagOfALaterVersion) {
  FetchRequest request;
  request.topics.push_back({.partitions = {{.replica_directory_id = {1, 1}}}});
  const auto bytes = encoded(request, 17);
  Reader reader(bytes);
  FetchRequest earlier;
  earlier.decode(reader, 16);
  EXPECT_EQ(reader.error(), "Tag 0 is not valid for version 16");
}

TEST(Messages, ATagThatComesTwice) {
  ProduceResponse response;
  response.node_endpoints.push_back({.node_id = 1, .host = "a"});
  auto bytes = encoded(response, 10);
  const std::size_t tags_at = 1 + 4;  // an empty array, the throttle time
  const ByteVector tag(bytes.begin() + tags_at + 1, bytes.end());
  bytes[tags_at] = std::byte{2};
  append_bytes(bytes, tag);
  EXPECT_EQ(decoded<ProduceResponse>(bytes, 10), response) << "the last one counts";
}

TEST(Messages, TheClientIdKeepsItsOldEncoding) {
  RequestHeader header{.request_api_key = 18, .request_api_version = 3, .correlation_id = 1, .client_id = "ab"};
  EXPECT_EQ(to_hex(encoded(header, 1)),
            "0012"
            "0003"
            "00000001"
            "00026162");
  EXPECT_EQ(to_hex(encoded(header, 2)),
            "0012"
            "0003"
            "00000001"
            "00026162"
            "00");
  EXPECT_EQ(to_hex(encoded(header, 0)),
            "0012"
            "0003"
            "00000001");
}

// Every message, every version: the bytes of the default message, cut anywhere, are refused; whole, they come back.
TEST(Messages, TruncationAtEveryByte) {
  std::size_t cuts = 0;
  for (const MessageType& type : message_types()) {
    for (std::int16_t version = type.min_version; version <= type.highest_version; ++version) {
      ByteVector bytes;
      Writer writer(bytes);
      type.make()->encode(writer, version);
      if (!writer.ok()) continue;  // records that are null in a version that knows no null
      for (std::size_t size = 0; size < bytes.size(); ++size, ++cuts) {
        Reader reader(Bytes(bytes).first(size));
        type.make()->decode(reader, version);
        ASSERT_FALSE(reader.ok()) << type.name << " " << version << " cut at " << size << " of " << bytes.size();
      }
      Reader reader(bytes);
      const auto back = type.make();
      back->decode(reader, version);
      ASSERT_TRUE(reader.ok()) << type.name << " " << version << ": " << reader.error();
      ASSERT_EQ(reader.remaining(), 0u);
      ByteVector again;
      Writer rewriter(again);
      back->encode(rewriter, version);
      ASSERT_EQ(again, bytes) << type.name << " " << version;
    }
  }
  EXPECT_GT(cuts, 9000u);
}

// Noise: no crash, no memory beyond what the frame can back (the sanitizer builds watch), for any message.
TEST(Messages, NoiseIsRefusedOrRead) {
  std::uint64_t state = 88172645463325252ull;
  const auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  for (const MessageType& type : message_types()) {
    for (std::int16_t version = type.min_version; version <= type.highest_version; ++version) {
      for (int round = 0; round < 20; ++round) {
        ByteVector noise(next() % 200);
        for (auto& byte : noise) byte = static_cast<std::byte>(next() % 4 ? next() % 6 : next());
        Reader reader(noise);
        const auto message = type.make();
        message->decode(reader, version);
        if (!reader.ok()) continue;
        ByteVector again;
        Writer writer(again);
        message->encode(writer, version);
        message->to_json(version);
      }
    }
  }
}

}  // namespace
}  // namespace klamm::protocol
