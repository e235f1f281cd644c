#include "protocol/writer.h"

#include <gtest/gtest.h>

#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/reader.h"

namespace klamm::protocol {
namespace {

TEST(Writer, CountsWithoutABuffer) {
  Writer counter;
  counter.write_int32(7);
  counter.write_string("abc", "s", true);
  counter.write_unsigned_varint(300);
  EXPECT_EQ(counter.wire_size(), 4u + 4u + 2u);
  EXPECT_TRUE(counter.ok());
}

TEST(Writer, AppendsToWhatIsThere) {
  ByteVector buffer(3);
  Writer writer(buffer);
  writer.write_int16(-1);
  EXPECT_EQ(to_hex(buffer), "000000ffff");
  EXPECT_EQ(writer.wire_size(), 2u);
}

TEST(Writer, AStringThatIsTooLong) {
  ByteVector buffer;
  Writer writer(buffer);
  writer.write_string(std::string(32768, 'x'), "name", true);
  EXPECT_EQ(writer.error(), "'name' field is too long to be serialized");
}

TEST(Writer, NullWhereNoneIsAllowed) {
  Writer counter;
  counter.write_nullable_string(std::optional<std::string>(), "name", true, false);
  EXPECT_FALSE(counter.ok());
}

FetchResponse fetch_with_holes() {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  topic.topic_id = {1, 2};
  topic.partitions.push_back({.partition_index = 0, .high_watermark = 10, .records = Payload::hole(1000, 17)});
  topic.partitions.push_back({.partition_index = 1, .high_watermark = 20, .records = Payload::view({})});
  topic.partitions.push_back({.partition_index = 2, .high_watermark = 30, .records = Payload::hole(5, 18)});
  return response;
}

// A fetch answers with slices of files: the response is encoded around them, and splicing the slices in gives exactly
// what encoding the bytes themselves would have given.
TEST(Writer, HolesAreWhereTheBytesBelong) {
  const FetchResponse response = fetch_with_holes();
  ByteVector buffer;
  std::vector<PayloadHole> holes;
  Writer writer(buffer, &holes);
  response.encode(writer, 13);
  ASSERT_TRUE(writer.ok());
  ASSERT_EQ(holes.size(), 2u);
  EXPECT_EQ(holes[0].id, 17u);
  EXPECT_EQ(holes[1].size, 5u);
  EXPECT_EQ(writer.wire_size(), buffer.size() + 1005);
  EXPECT_EQ(response.encoded_size(13), writer.wire_size());

  const ByteVector first(1000, std::byte{0xaa});
  const ByteVector second(5, std::byte{0xbb});
  ByteVector spliced(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(holes[0].position));
  append_bytes(spliced, first);
  append_bytes(spliced, Bytes(buffer).subspan(holes[0].position, holes[1].position - holes[0].position));
  append_bytes(spliced, second);
  append_bytes(spliced, Bytes(buffer).subspan(holes[1].position));

  FetchResponse whole = fetch_with_holes();
  whole.responses[0].partitions[0].records = Payload::view(first);
  whole.responses[0].partitions[2].records = Payload::view(second);
  ByteVector expected;
  Writer plain(expected);
  whole.encode(plain, 13);
  EXPECT_EQ(spliced, expected);
}

TEST(Writer, TaggedFieldsStandInTheOrderOfTheirTags) {
  ByteVector buffer;
  Writer writer(buffer);
  const std::vector<RawTaggedField> unknown = {{0, {std::byte{9}}}, {7, {}}};
  TaggedFieldWriter tags(writer, unknown, 1);
  const auto start = tags.begin(5);
  writer.write_string("abc", "s", true);
  tags.end(start);
  tags.finish();
  EXPECT_EQ(to_hex(buffer),
            "03"
            "000109"
            "050404616263"
            "0700");
}

// The size of a tag is put before what was written: sizes that take two bytes and tags inside tags must come out right.
TEST(Writer, ALongTaggedField) {
  ProduceResponse response;
  for (int i = 0; i < 40; ++i)
    response.node_endpoints.push_back({.node_id = i, .host = "host", .port = 9092, .rack = "r"});
  for (auto& node : response.node_endpoints) node.unknown_tagged_fields = {{3, ByteVector(200)}};
  ByteVector buffer;
  Writer writer(buffer);
  response.encode(writer, 10);
  EXPECT_EQ(buffer.size(), response.encoded_size(10));
  Reader reader(buffer);
  ProduceResponse back;
  back.decode(reader, 10);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_EQ(back, response);
}

TEST(Writer, UnknownTagsOutOfOrderAreOurMistake) {
  Writer counter;
  counter.write_unknown_tagged_fields(std::vector<RawTaggedField>{{7, {}}, {7, {}}});
  EXPECT_EQ(counter.error(), "Invalid raw tag field list: tag 7 comes after tag 7, but is not higher than it.");
}

TEST(Writer, AnUnknownTagThatIsKnown) {
  FetchRequest request{.cluster_id = "c", .unknown_tagged_fields = {{0, {}}}};
  Writer counter;
  request.encode(counter, 13);
  EXPECT_EQ(counter.error(), "Invalid raw tag field list: tag 0 comes after tag 0, but is not higher than it.");
}

}  // namespace
}  // namespace klamm::protocol
