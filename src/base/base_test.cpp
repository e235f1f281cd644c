#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace klamm {
namespace {

TEST(Crc32c, GivesTheCheckValueOfTheCastagnoliPolynomial) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
}

TEST(Crc32c, IsTheSameFastAndPortableAtEveryLengthAndInParts) {
  ByteVector data(5000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 131 + (i >> 3));
  for (std::size_t size = 0; size < data.size(); size += size < 600 ? 1 : 97) {
    const Bytes bytes{data.data(), size};
    ASSERT_EQ(crc32c(bytes), crc32c_portable(bytes)) << size;
    ASSERT_EQ(crc32c(bytes.subspan(size / 3), crc32c(bytes.first(size / 3))), crc32c(bytes)) << size;
  }
}

TEST(Uuid, IsWrittenAndReadAsKafkaDoes) {
  EXPECT_EQ(zero_uuid.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ(metadata_topic_id.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
  const Uuid id{0x0123456789abcdefull, 0xfedcba9876543210ull};
  EXPECT_EQ(Uuid::parse(id.to_string()), id);
  EXPECT_EQ(Uuid::parse("not-a-uuid"), std::nullopt);
  EXPECT_EQ(Uuid::parse("AAAAAAAAAAAAAAAAAAAA+/"), std::nullopt);
}

TEST(Uuid, FromRandomIsVersionFourAndNeverStartsWithADash) {
  EXPECT_EQ(Uuid::from_random(62ull << 58, 7), std::nullopt);
  const auto id = Uuid::from_random(0x1111111111111111ull, 0x2222222222222222ull);
  ASSERT_TRUE(id);
  EXPECT_EQ((id->high >> 12) & 15, 4u);
  EXPECT_EQ(id->low >> 62, 2u);
}

TEST(Varint, RoundTripsItsEdges) {
  for (const std::int32_t value : {0, -1, 1, 63, 64, -64, -65, INT32_MAX, INT32_MIN}) {
    std::byte raw[varint_bytes_max];
    const auto size = store_varint(raw, value);
    EXPECT_EQ(size, varint_size(value));
    const auto back = load_varint(Bytes{raw, size});
    EXPECT_EQ(back.value, value);
    EXPECT_EQ(back.size, size);
    EXPECT_FALSE(load_varint(Bytes{raw, size - 1})) << "a cut varint is no varint";
  }
  for (const std::int64_t value : {std::int64_t{0}, INT64_MAX, INT64_MIN, std::int64_t{-300}}) {
    std::byte raw[varlong_bytes_max];
    const auto size = store_varlong(raw, value);
    EXPECT_EQ(load_varlong(Bytes{raw, size}).value, value);
  }
}

TEST(Varint, RefusesOneThatNeverEnds) {
  const ByteVector endless(20, std::byte{0xff});
  EXPECT_FALSE(load_varint(endless));
  EXPECT_FALSE(load_varlong(endless));
}

TEST(ErrorCode, KnowsNamesAndRetriability) {
  EXPECT_EQ(error_name(ErrorCode::unknown_topic_or_partition), "UNKNOWN_TOPIC_OR_PARTITION");
  EXPECT_TRUE(is_retriable(ErrorCode::not_leader_or_follower));
  EXPECT_FALSE(is_retriable(ErrorCode::topic_already_exists));
  EXPECT_EQ(error_code_of(9999), ErrorCode::unknown_server_error);
}

}  // namespace
}  // namespace klamm
