// Stories of records that are larger than what is decompressed at a time, where only their sizes are asked for.
#include <gtest/gtest.h>

#include <random>

#include "base/varint.h"
#include "records/compression.h"
#include "records/fixtures_for_tests.h"
#include "records/record_reader.h"

namespace klamm::records::testing {
namespace {

constexpr CompressionType codecs[] = {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4,
                                      CompressionType::zstd};

struct Sizes {
  std::int64_t offset, timestamp;
  std::int32_t bytes, key, value;
  bool operator==(const Sizes&) const = default;
};

std::vector<Sizes> sizes_of(const ByteVector& batch, Decompressor& decompressor, RecordReader::Large large,
                            std::optional<Error>* error = nullptr) {
  std::vector<Sizes> sizes;
  RecordReader reader(RecordBatchView(batch), decompressor, large);
  while (reader.next()) {
    const auto& r = reader.record();
    sizes.push_back({r.offset.value, r.timestamp.value, r.size_bytes, r.key_size, r.value_size});
  }
  if (error && !reader.ok()) *error = reader.error();
  return sizes;
}

std::vector<OwnedRecord> large_records() {
  std::string noise(150'000, 'a');
  std::mt19937 random(3);
  for (char& c : noise) c = static_cast<char>(random());
  const std::string zeros(3'000'000, '\0');
  return {{0, fixture_time, "small", "s", {}},
          {1, fixture_time + 5, zeros, noise, {{"h", noise}, {"empty", std::nullopt}}},
          {2, fixture_time + 1, std::nullopt, zeros, {}},
          {3, fixture_time + 2, noise, std::nullopt, {{std::string(70'000, 'k'), "v"}}},
          {4, fixture_time + 3, "last", "l", {}}};
}

// A batch whose plain records are these bytes.
ByteVector packed(CompressionType type, const std::string& plain, std::int32_t count) {
  ByteVector batch(batch_overhead);
  Compressor().compress({type}, as_bytes(plain), batch);
  store_big(batch.data() + batch_field::length, static_cast<std::int32_t>(batch.size() - log_overhead));
  batch[batch_field::magic] = std::byte{2};
  store_big(batch.data() + batch_field::attributes, static_cast<std::int16_t>(type));
  store_big(batch.data() + batch_field::record_count, count);
  store_big(batch.data() + batch_field::last_offset_delta, count - 1);
  fix_crc(batch);
  return batch;
}

std::string varint_of(std::int32_t value) {
  std::byte bytes[varint_bytes_max];
  return std::string(as_text(Bytes(bytes).first(store_varint(bytes, value))));
}

TEST(LargeRecords, TheirSizesAreTheSameReadAndCountedOver) {
  const auto records = large_records();
  for (const auto type : codecs) {
    SCOPED_TRACE(compression_name(type));
    const auto batch = make_batch({.compression = {type}}, records);
    Decompressor whole;
    Decompressor counted;
    const auto expected = sizes_of(batch, whole, RecordReader::Large::whole);
    ASSERT_EQ(expected.size(), records.size());
    EXPECT_EQ(sizes_of(batch, counted, RecordReader::Large::sizes), expected);
  }
}

TEST(LargeRecords, CountedOverTheyTakeNoMemory) {
  const auto batch = packed(
      CompressionType::zstd,
      varint_of(50'000'007) + std::string("\0\0\0\1", 4) + varint_of(49'999'998) + std::string(49'999'999, '\0'), 1);
  Decompressor decompressor;
  RecordReader reader(RecordBatchView(batch), decompressor, RecordReader::Large::sizes);
  ASSERT_TRUE(reader.next()) << reader.error().message;
  EXPECT_EQ(reader.record().value_size, 49'999'998);
  EXPECT_LE(decompressor.scratch().capacity(), 128u << 10);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(LargeRecords, LiesInThemAreFoundAllTheSame) {
  const std::string zeros(200'000, '\0');
  const std::string head("\0\0\0", 3);
  struct Lie {
    const char* what;
    std::string body;
    std::int32_t size;  // that it claims; -1: its own
    const char* text;
  };
  const Lie lies[] = {
      {"ends early", head + "\1" + varint_of(200'000) + zeros, 2'000'000,
       "Invalid record size: expected 2000000 bytes in record payload, but the record payload reached EOF."},
      {"key beyond the record", head + varint_of(300'000) + zeros, -1, "Found invalid record structure"},
      {"value beyond the record", head + "\1" + varint_of(300'000) + zeros, -1, "Found invalid record structure"},
      {"varint without end", head + "\xff\xff\xff\xff\xff\xff" + zeros, -1, "Found invalid record structure"},
      {"negative header count", head + "\1\1" + varint_of(-7) + zeros, -1, "Found invalid number of record headers -7"},
      {"headers without number", head + "\1\1" + varint_of(2'000'000) + zeros, -1,
       "Found invalid number of record headers. 2000000 is larger than the remaining size of the buffer"},
      {"negative header key", head + "\1\1" + varint_of(2) + varint_of(-3) + zeros, -1,
       "Invalid negative header key size -3"},
      {"header beyond the record", head + "\1\1" + varint_of(1) + varint_of(400'000) + zeros, -1,
       "Found invalid record structure"},
      {"bytes left over", head + "\1\1" + std::string(1, '\0') + zeros, -1,
       "Invalid record size: expected to read 200006 bytes in record payload, but instead read 6"},
  };
  for (const auto type : codecs) {
    for (const Lie& lie : lies) {
      SCOPED_TRACE(fmt::format("{}, {}", compression_name(type), lie.what));
      const auto size = lie.size < 0 ? static_cast<std::int32_t>(lie.body.size()) : lie.size;
      const auto batch = packed(type, varint_of(size) + lie.body, 1);
      Decompressor decompressor;
      std::optional<Error> whole;
      std::optional<Error> counted;
      sizes_of(batch, decompressor, RecordReader::Large::whole, &whole);
      sizes_of(batch, decompressor, RecordReader::Large::sizes, &counted);
      ASSERT_TRUE(whole && counted);
      EXPECT_EQ(counted->code, ErrorCode::invalid_record);
      EXPECT_EQ(counted->message, lie.text);
      EXPECT_EQ(whole->message, counted->message);
    }
  }
}

TEST(LargeRecords, WhatFollowsThemIsSeen) {
  const std::string record =
      varint_of(100'007) + std::string("\0\0\0\1", 4) + varint_of(99'999) + std::string(100'000, '\0');
  for (const auto type : codecs) {
    Decompressor decompressor;
    std::optional<Error> error;
    sizes_of(packed(type, record + "x", 1), decompressor, RecordReader::Large::sizes, &error);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->message, "Incorrect declared batch size, records still remaining in file");
  }
}

TEST(LargeRecords, CutPayloadsAreRefusedAtEveryPlace) {
  for (const auto type : codecs) {
    SCOPED_TRACE(compression_name(type));
    const auto good = make_batch({.compression = {type}}, large_records());
    Decompressor decompressor;
    const std::size_t step = std::max<std::size_t>(1, good.size() / 30);
    for (std::size_t size = batch_overhead; size < good.size() - 12; size += step) {
      std::optional<Error> error;
      sizes_of(to_vector(Bytes(good).first(size)), decompressor, RecordReader::Large::sizes, &error);
      ASSERT_TRUE(error) << size;
    }
  }
}

}  // namespace
}  // namespace klamm::records::testing
