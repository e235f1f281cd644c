// Stories of frames that lie: whatever the bytes say, memory is taken only for what the frame can back.
#include "protocol/reader.h"

#include <gtest/gtest.h>

#include "protocol/messages/fetch.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/writer.h"

namespace klamm::protocol {
namespace {

ByteVector bytes_of(std::initializer_list<int> values) {
  ByteVector bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(Reader, AnErrorSticksAndLaterReadsGiveNothing) {
  const auto frame = bytes_of({0, 1, 2});
  Reader reader(frame);
  EXPECT_EQ(reader.read_int32(), 0);
  EXPECT_EQ(reader.error(), "java.nio.BufferUnderflowException");
  EXPECT_EQ(reader.read_int8(), 0);
  EXPECT_EQ(reader.read_string("name", true), "");
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_EQ(reader.error(), "java.nio.BufferUnderflowException");
}

TEST(Reader, NumbersAreBigEndian) {
  const auto frame = bytes_of({1, 0xff, 0xfe, 0x80, 0, 0, 1, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0});
  Reader reader(frame);
  EXPECT_TRUE(reader.read_bool());
  EXPECT_EQ(reader.read_int16(), -2);
  EXPECT_EQ(reader.read_uint32(), 0x80000001u);
  EXPECT_EQ(reader.read_float64(), 1.0);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, StringsComeInTwoEncodings) {
  const auto frame = bytes_of({0, 2, 'a', 'b', 3, 'c', 'd', 0xff, 0xff, 0});
  Reader reader(frame);
  EXPECT_EQ(reader.read_string("s", false), "ab");
  EXPECT_EQ(reader.read_string("s", true), "cd");
  EXPECT_EQ(reader.read_nullable_string("s", false, true), std::nullopt);
  EXPECT_EQ(reader.read_nullable_string("s", true, true), std::nullopt);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, NullWhereNoneIsAllowedNamesTheField) {
  const auto frame = bytes_of({0xff, 0xff});
  Reader reader(frame);
  reader.read_string("name", false);
  EXPECT_EQ(reader.error(), "non-nullable field name was serialized as null");
}

TEST(Reader, ACompactStringLongerThanStringsMayBe) {
  ByteVector frame(40000);
  Writer writer(frame);
  frame.clear();
  writer.write_unsigned_varint(32769);
  frame.resize(40000);
  Reader reader(frame);
  reader.read_string("name", true);
  EXPECT_EQ(reader.error(), "string field name had invalid length 32768");
}

TEST(Reader, BytesThatAreNotThere) {
  const auto frame = bytes_of({0, 0, 0, 9, 1, 2});
  Reader reader(frame);
  reader.read_bytes("data", false);
  EXPECT_EQ(reader.error(), "Error reading byte array of 9 byte(s): only 2 byte(s) available");
}

struct CountCase {
  std::uint32_t count;
  const char* what;
};

TEST(Reader, CountsThatTheFrameCannotBackTakeNoMemory) {
  for (const CountCase& one : {CountCase{0x7fffffff, "the largest"}, CountCase{1'000'001, "above the limit"},
                               CountCase{5, "one too many"}, CountCase{0x40000000, "a size that overflows"}}) {
    ByteVector frame;
    append_big(frame, static_cast<std::int32_t>(one.count));
    frame.resize(frame.size() + 4 * sizeof(std::int32_t));
    Reader reader(frame);
    std::vector<std::int32_t> out;
    reader.read_array(out, "replicas", false, false);
    EXPECT_FALSE(reader.ok()) << one.what;
    EXPECT_EQ(out.capacity(), 0u) << one.what;
    EXPECT_EQ(
        reader.error(),
        fmt::format("Tried to allocate a collection of size {}, but there are only 16 bytes remaining.", one.count));
  }
}

TEST(Reader, AnArrayAboveAMillionIsRefusedEvenWhenItIsThere) {
  ByteVector frame;
  append_big(frame, std::int32_t{1'000'001});
  frame.resize(frame.size() + 1'000'001);
  Reader reader(frame);
  std::vector<std::int8_t> out;
  reader.read_array(out, "values", false, false);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(out.capacity(), 0u);
}

TEST(Reader, ArraysTogetherHaveABound) {
  ByteVector frame;
  append_big(frame, std::int32_t{1000});
  frame.resize(frame.size() + 2000);
  Reader reader(frame, {.array_bytes_max = 16 << 10});
  std::vector<std::string> out;
  reader.read_array(out, "names", false, false);  // a thousand empty strings: 2,000 bytes of frame, 32,000 of memory
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(out.capacity(), 0u);
}

TEST(Reader, VarintsThatNeverEnd) {
  const auto endless = bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  Reader reader(endless);
  reader.read_unsigned_varint();
  EXPECT_EQ(reader.error(), "Varint is too long, the most significant bit in the 5th byte is set");
  Reader longer(endless);
  longer.read_varlong();
  EXPECT_FALSE(longer.ok());
  const auto cut = bytes_of({0xff, 0xff});
  Reader shorter(cut);
  shorter.read_unsigned_varint();
  EXPECT_EQ(shorter.error(), "java.nio.BufferUnderflowException");
}

// A compact length near 2^32 is negative for Kafka, so a null. It must not become a length.
TEST(Reader, ACompactLengthThatOverflowsIsNull) {
  const auto frame = bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f});
  Reader reader(frame);
  EXPECT_EQ(reader.read_nullable_bytes("data", true, true), std::nullopt);
  EXPECT_TRUE(reader.ok());
  Reader strict(frame);
  strict.read_bytes("data", true);
  EXPECT_EQ(strict.error(), "non-nullable field data was serialized as null");
}

TEST(Reader, TaggedFieldsHaveALimit) {
  ByteVector frame;
  Writer writer(frame);
  writer.write_unsigned_varint(10'001);
  frame.resize(frame.size() + 40'000);
  Reader reader(frame);
  std::vector<RawTaggedField> unknown;
  reader.read_unknown_tagged_fields(unknown);
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(unknown.empty());
}

TEST(Reader, AHostileTopicCountInAMetadataRequest) {
  const auto frame = bytes_of({0x7f, 0xff, 0xff, 0xff, 0, 1, 'a'});
  Reader reader(frame);
  MetadataRequest request;
  request.decode(reader, 1);
  EXPECT_EQ(reader.error(), "Tried to allocate a collection of size 2147483647, but there are only 3 bytes remaining.");
}

TEST(Reader, RecordsAreAViewOfTheFrame) {
  ProduceRequest request{.acks = 1, .timeout_ms = 1000};
  const auto batch = bytes_of({1, 2, 3, 4, 5});
  request.topic_data.push_back({.name = "t"});
  request.topic_data[0].partition_data.push_back({.index = 3, .records = Payload::view(batch)});
  ByteVector frame;
  Writer writer(frame);
  request.encode(writer, 9);
  Reader reader(frame);
  ProduceRequest back;
  back.decode(reader, 9);
  ASSERT_TRUE(reader.ok());
  const Bytes records = back.topic_data.at(0).partition_data.at(0).records.bytes();
  EXPECT_TRUE(same_bytes(records, batch));
  EXPECT_GE(records.data(), frame.data());
  EXPECT_LE(records.data() + records.size(), frame.data() + frame.size());
}

}  // namespace
}  // namespace klamm::protocol
