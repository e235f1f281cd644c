#include "records/legacy.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "records/batch_walker.h"
#include "records/fixtures_for_tests.h"

namespace klamm::records {
namespace {

using namespace testing;

std::vector<OwnedRecord> read_all(Bytes log) {
  std::vector<OwnedRecord> records;
  Decompressor decompressor;
  BatchWalker walker(log);
  while (walker.next() == BatchWalker::Step::entry) {
    const auto entry = walker.entry().legacy();
    EXPECT_TRUE(entry && entry->check());
    LegacyRecordReader reader(*entry, decompressor);
    while (reader.next()) records.push_back(own(reader.record()));
    EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().message);
  }
  return records;
}

TEST(LegacyMessages, SetsOfBothMagicsAndEveryCodecAreRead) {
  auto expected = sample_records(30, false);
  for (const std::string codec : {"none", "gzip", "snappy", "lz4"}) {
    SCOPED_TRACE(codec);
    EXPECT_EQ(read_all(kafka_batch("v1-" + codec)), expected);
    auto without_time = expected;
    for (auto& record : without_time) record.timestamp = -1;
    EXPECT_EQ(read_all(kafka_batch("v0-" + codec)), without_time);
    auto append_time = expected;
    for (auto& record : append_time) record.timestamp = fixture_time + 123;
    EXPECT_EQ(read_all(kafka_batch("v1-log-append-time-" + codec)), append_time);
  }
}

// ---- what Kafka's writers never wrote

ByteVector entry_of(std::int64_t offset, std::int8_t magic, std::int8_t attributes, std::optional<Bytes> value) {
  ByteVector bytes;
  append_big(bytes, offset);
  append_big<std::int32_t>(bytes, 0);
  append_big<std::uint32_t>(bytes, 0);
  append_big(bytes, magic);
  append_big(bytes, attributes);
  if (magic == 1) append_big<std::int64_t>(bytes, fixture_time);
  append_big<std::int32_t>(bytes, -1);
  append_big<std::int32_t>(bytes, value ? static_cast<std::int32_t>(value->size()) : -1);
  if (value) append_bytes(bytes, *value);
  store_big(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - 12));
  const auto covered = Bytes(bytes).subspan(16);
  store_big(bytes.data() + 12, static_cast<std::uint32_t>(
                                   crc32_z(0, reinterpret_cast<const unsigned char*>(covered.data()), covered.size())));
  return bytes;
}

ByteVector wrapper_of(std::int64_t offset, std::int8_t magic, Bytes inner,
                      CompressionType type = CompressionType::gzip) {
  Compressor compressor;
  ByteVector packed;
  compressor.compress({type}, inner, packed);
  return entry_of(offset, magic, static_cast<std::int8_t>(type), packed);
}

std::string error_of(const ByteVector& bytes) {
  Decompressor decompressor(DecompressionLimits{.plain_bytes_max = 1'000'000});
  const auto entry = LegacyEntryView::parse(bytes);
  if (!entry) return entry.error().message;
  LegacyRecordReader reader(*entry, decompressor);
  while (reader.next()) own(reader.record());
  return reader.ok() ? "ok" : reader.error().message;
}

TEST(LegacyMessages, WrappersThatCannotBeAreRefused) {
  const auto message = entry_of(0, 1, 0, as_bytes("x"));
  EXPECT_EQ(error_of(wrapper_of(7, 1, wrapper_of(0, 1, message))), "Inner messages must not be compressed");
  EXPECT_EQ(error_of(wrapper_of(7, 1, {})), "Found invalid compressed record set with no inner records");
  EXPECT_EQ(error_of(entry_of(7, 1, 1, std::nullopt)),
            "Found invalid compressed record set with null value (magic = 1)");
  EXPECT_EQ(error_of(wrapper_of(7, 1, message, CompressionType::zstd)),
            "Invalid wrapper compressionType found in legacy deep record iterator 1");
  EXPECT_EQ(error_of(entry_of(7, 1, 6, as_bytes("x"))), "Unknown compression type id: 6");
  EXPECT_EQ(error_of(wrapper_of(7, 1, entry_of(9, 1, 0, as_bytes("x")))),
            "Found invalid wrapper offset in compressed v1 message set, wrapper offset '7' is less than the last inner "
            "message offset '9' and it is not zero.");
  EXPECT_EQ(error_of(wrapper_of(7, 1, from_hex("0000000000000000000000050000000000"))),
            "Record size is less than the minimum record overhead (14)");
  EXPECT_EQ(error_of(wrapper_of(7, 1, ByteVector(2'000'000))),
            "The decompressed records exceed the largest size that is accepted.");
  EXPECT_EQ(error_of(entry_of(7, 1, 1, as_bytes("not gzip"))).substr(0, 35), "Failed to decompress record stream:");
}

TEST(LegacyMessages, TheOffsetsOfOldLibrdkafkaStartAtZero) {
  // Its wrappers had offset 0 whatever stood inside.
  auto inner = entry_of(0, 1, 0, as_bytes("a"));
  append_bytes(inner, entry_of(1, 1, 0, as_bytes("b")));
  const auto records = read_all(wrapper_of(0, 1, inner));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].offset, 1);
  // Relative ones in a wrapper that the broker stamped.
  EXPECT_EQ(read_all(wrapper_of(101, 1, inner))[0].offset, 100);
  // Magic 0 has absolute ones.
  auto old = entry_of(55, 0, 0, as_bytes("a"));
  append_bytes(old, entry_of(58, 0, 0, as_bytes("b")));
  EXPECT_EQ(read_all(wrapper_of(58, 0, old))[0].offset, 55);
}

TEST(LegacyMessages, APartialLastMessageInAWrapperIsLeftOut) {
  auto inner = entry_of(0, 1, 0, as_bytes("a"));
  const auto second = entry_of(1, 1, 0, as_bytes("b"));
  append_bytes(inner, Bytes(second).first(second.size() - 1));
  EXPECT_EQ(read_all(wrapper_of(40, 1, inner)).size(), 1u);
}

TEST(LegacyMessages, TruncatedOrLyingEntriesAreRefused) {
  for (const std::string name : {"v0-none", "v1-none", "v0-lz4", "v1-lz4"}) {
    const auto& log = kafka_batch(name);
    const auto size = static_cast<std::size_t>(load_big<std::int32_t>(log.data() + 8)) + 12;
    for (std::size_t cut = 0; cut < size; ++cut) {
      const auto bytes = to_vector(Bytes(log).first(cut));
      EXPECT_FALSE(LegacyEntryView::parse(bytes)) << name << " " << cut;
    }
    auto flipped = to_vector(Bytes(log).first(size));
    flipped.back() ^= std::byte{1};
    const auto entry = LegacyEntryView::parse(flipped);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->check().error().code, ErrorCode::corrupt_message);
  }
  auto lying = entry_of(0, 0, 0, as_bytes("x"));
  store_big(lying.data() + 18, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(LegacyEntryView::parse(lying).error().message, "Found invalid record structure");
  auto other_magic = entry_of(0, 0, 0, as_bytes("x"));
  other_magic[16] = std::byte{9};
  EXPECT_EQ(LegacyEntryView::parse(other_magic).error().message, "Invalid magic found in record: 9");
}

}  // namespace
}  // namespace klamm::records
