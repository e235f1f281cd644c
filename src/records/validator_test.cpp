#include "records/validator.h"

#include <gtest/gtest.h>

#include <random>

#include "records/control_record.h"
#include "records/fixtures_for_tests.h"
#include "records/record_reader.h"

namespace klamm::records {
namespace {

using namespace testing;

constexpr Timestamp now{fixture_time};

class ProduceValidatorTest : public ::testing::Test {
 protected:
  static ValidationOptions topic() {
    return {.topic = "orders", .partition = PartitionIndex(3), .now = now, .timestamp_after_max_ms = 3'600'000};
  }
  static std::vector<OwnedRecord> two_records() {
    return {{0, fixture_time, "k0", "v0", {}}, {1, fixture_time - 7, "k1", "v1", {}}};
  }
  static BatchOptions codec(CompressionType type) { return {.compression = {type}}; }

  ValidatedBatch accept(MutableBytes records, const ValidationOptions& options) {
    auto result = validator_.validate(records, options);
    EXPECT_TRUE(result) << result.error().message;
    return result ? std::move(*result) : ValidatedBatch();
  }
  ValidationError refuse(ByteVector records, const ValidationOptions& options) {
    auto result = validator_.validate(records, options);
    EXPECT_FALSE(result);
    return result ? ValidationError{.code = ErrorCode::none} : std::move(result.error());
  }
  std::vector<OwnedRecord> read(Bytes batch) {
    EXPECT_TRUE(RecordBatchView(batch).check());
    Decompressor decompressor;
    std::vector<OwnedRecord> records;
    RecordReader reader(RecordBatchView(batch), decompressor);
    while (reader.next()) records.push_back(own(reader.record()));
    EXPECT_TRUE(reader.ok());
    return records;
  }

  ProduceValidator validator_;
};

TEST_F(ProduceValidatorTest, AnHonestBatchIsStampedWhereItLies) {
  auto bytes = make_batch({.producer_id = ProducerId(4), .producer_epoch = ProducerEpoch(1), .base_sequence = 10},
                          two_records());
  auto batch = accept(bytes, topic());
  EXPECT_EQ(batch.bytes.data(), bytes.data());
  EXPECT_FALSE(batch.rebuilt);
  EXPECT_FALSE(batch.opened);
  EXPECT_EQ(batch.record_count, 2);
  EXPECT_EQ(batch.max_timestamp, now);
  EXPECT_EQ(batch.producer_id, ProducerId(4));
  EXPECT_EQ(batch.base_sequence, 10);
  EXPECT_EQ(batch.last_sequence, 11);
  stamp(batch, {Offset(500), LeaderEpoch(8), now});
  EXPECT_EQ(batch.base_offset, Offset(500));
  EXPECT_EQ(batch.last_offset, Offset(501));
  EXPECT_EQ(batch.offset_of_max_timestamp(), Offset(501));
  EXPECT_EQ(batch.log_append_time, no_timestamp);
  const RecordBatchView stored{Bytes(bytes)};
  EXPECT_TRUE(stored.check());
  EXPECT_EQ(stored.base_offset(), Offset(500));
  EXPECT_EQ(stored.partition_leader_epoch(), LeaderEpoch(8));
}

TEST_F(ProduceValidatorTest, TheUncompressedPathTakesNothingFromTheHeap) {
  auto bytes = make_batch({}, many_records());
  auto append_time = topic();
  append_time.timestamp_type = TimestampType::log_append_time;
  auto again = bytes;
  const auto before = allocations();
  auto first = validator_.validate(bytes, topic());
  stamp(*first, {Offset(5), LeaderEpoch(1), now});
  auto second = validator_.validate(again, append_time);
  stamp(*second, {Offset(6), LeaderEpoch(1), now});
  EXPECT_EQ(allocations(), before);
  EXPECT_TRUE(first && second);
}

TEST_F(ProduceValidatorTest, AppendTimeIsStampedAtTheLastMoment) {
  auto options = topic();
  options.timestamp_type = TimestampType::log_append_time;
  for (const auto type : {CompressionType::none, CompressionType::lz4}) {
    // Its own timestamps do not matter then, however wrong.
    auto records = two_records();
    records[0].timestamp = fixture_time + 999'999'999;
    auto bytes = make_batch(codec(type), records);
    auto batch = accept(bytes, options);
    stamp(batch, {Offset(9), LeaderEpoch(0), now + 17});
    EXPECT_EQ(batch.log_append_time, now + 17);
    EXPECT_EQ(batch.max_timestamp, now + 17);
    EXPECT_FALSE(batch.opened);
    for (const auto& record : read(batch.bytes)) EXPECT_EQ(record.timestamp, fixture_time + 17);
    EXPECT_EQ(RecordBatchView(Bytes(batch.bytes)).timestamp_type(), TimestampType::log_append_time);
  }
}

TEST_F(ProduceValidatorTest, CompressedPayloadsOfOrdinaryTopicsPassUnopened) {
  for (const auto type :
       {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4, CompressionType::zstd}) {
    SCOPED_TRACE(compression_name(type));
    auto bytes = make_batch(codec(type), two_records());
    auto batch = accept(bytes, topic());
    EXPECT_FALSE(batch.opened);
    EXPECT_EQ(batch.source_compression, type);
    EXPECT_EQ(batch.max_timestamp, now);
    auto strict = topic();
    strict.strict = true;
    batch = accept(bytes, strict);
    EXPECT_TRUE(batch.opened);
    EXPECT_FALSE(batch.rebuilt);
    stamp(batch, {Offset(30), LeaderEpoch(2), now});
    EXPECT_EQ(read(batch.bytes).front().offset, 30);
  }
}

TEST_F(ProduceValidatorTest, LiesInsideOfAPayloadAreSeenInStrictModeOnly) {
  // Two records announced, three inside.
  auto records = two_records();
  records.push_back({2, fixture_time, "k2", "v2", {}});
  auto bytes = make_batch(codec(CompressionType::zstd), records);
  store_big(bytes.data() + batch_field::last_offset_delta, std::int32_t{1});
  store_big(bytes.data() + batch_field::record_count, std::int32_t{2});
  fix_crc(bytes);
  accept(bytes, topic());
  auto strict = topic();
  strict.strict = true;
  const auto error = refuse(bytes, strict);
  EXPECT_EQ(error.code, ErrorCode::invalid_record);
  EXPECT_EQ(error.message, "Incorrect declared batch size, records still remaining in file");
}

TEST_F(ProduceValidatorTest, PayloadsThatCannotBeTheirCodecAreRefusedUnopened) {
  auto bytes = make_batch({}, two_records());
  for (const auto type : std::initializer_list<std::int16_t>{1, 3, 4}) {
    store_big(bytes.data() + batch_field::attributes, type);
    fix_crc(bytes);
    EXPECT_EQ(refuse(bytes, topic()).code, ErrorCode::corrupt_message);
  }
  auto liar = make_batch(codec(CompressionType::zstd), two_records());
  store_big(liar.data() + batch_field::last_offset_delta, std::int32_t{2'000'000'000 - 1});
  store_big(liar.data() + batch_field::record_count, std::int32_t{2'000'000'000});
  fix_crc(liar);
  EXPECT_EQ(refuse(liar, topic()).code, ErrorCode::invalid_record);
}

TEST_F(ProduceValidatorTest, AnUndecodablePayloadIsCorruptWhereItIsOpened) {
  auto strict = topic();
  strict.strict = true;
  for (const auto type :
       {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4, CompressionType::zstd}) {
    SCOPED_TRACE(compression_name(type));
    auto bytes = make_batch(codec(type), two_records());
    for (std::size_t i = batch_overhead; i < bytes.size(); ++i) bytes[i] = std::byte{0xff};
    fix_crc(bytes);
    EXPECT_EQ(refuse(bytes, strict).code, ErrorCode::corrupt_message);
  }
}

TEST_F(ProduceValidatorTest, CodecsThatDoNotExistAreInvalidRecords) {
  auto bytes = make_batch({}, two_records());
  for (const auto type : std::initializer_list<std::int16_t>{5, 6, 7}) {
    store_big(bytes.data() + batch_field::attributes, type);
    fix_crc(bytes);
    const auto error = refuse(bytes, topic());
    EXPECT_EQ(error.code, ErrorCode::invalid_record);
    EXPECT_EQ(error.message, fmt::format("Unknown compression type id: {}", type));
  }
}

TEST_F(ProduceValidatorTest, CompactedTopicsNeedKeys) {
  auto options = topic();
  options.compacted = true;
  std::vector<OwnedRecord> records = {{0, fixture_time, "k", "v", {}},
                                      {1, fixture_time, std::nullopt, "v", {}},
                                      {2, fixture_time, std::nullopt, std::nullopt, {}}};
  for (const auto type : {CompressionType::none, CompressionType::snappy, CompressionType::zstd}) {
    const auto error = refuse(make_batch(codec(type), records), options);
    EXPECT_EQ(error.code, ErrorCode::invalid_record);
    EXPECT_EQ(error.metric, RejectionMetric::no_key);
    EXPECT_TRUE(error.message_for_client);
    EXPECT_TRUE(error.with_log_start_offset);
    const std::string text = "Compacted topic cannot accept message without key in topic partition orders-3";
    EXPECT_EQ(error.record_errors, (std::vector<RecordError>{{1, text}, {2, text}}));
    EXPECT_EQ(error.message,
              fmt::format("One or more records have been rejected due to 2 record errors in total, and only showing "
                          "the first three errors at most: [RecordError(batchIndex=1, message='{}'), "
                          "RecordError(batchIndex=2, message='{}')]",
                          text, text));
    auto fine = make_batch(codec(type), two_records());
    EXPECT_EQ(accept(fine, options).opened, type != CompressionType::none);
  }
}

TEST_F(ProduceValidatorTest, AnAnswerListsNoMoreThanTenThousandRecordErrors) {
  auto options = topic();
  options.compacted = true;
  std::vector<OwnedRecord> records;
  for (int i = 0; i < 30'000; ++i) records.push_back({i, fixture_time, std::nullopt, "", {}});
  const auto error = refuse(make_batch({}, records), options);
  EXPECT_EQ(error.record_errors.size(), 10'000u);
  EXPECT_NE(error.message.find("due to 30000 record errors in total"), std::string::npos);
}

TEST_F(ProduceValidatorTest, TimestampsHaveLimits) {
  auto options = topic();
  options.timestamp_before_max_ms = 1000;
  auto records = two_records();
  records[1].timestamp = fixture_time - 1001;
  records.push_back({2, fixture_time + 3'600'001, "k", "v", {}});
  records.push_back({3, -1, "k", "v", {}});  // none: fine
  for (const auto type : {CompressionType::none, CompressionType::gzip, CompressionType::lz4}) {
    const auto error = refuse(make_batch(codec(type), records), options);
    EXPECT_EQ(error.code, ErrorCode::invalid_timestamp);
    EXPECT_EQ(error.message, "One or more records have been rejected due to invalid timestamp");
    ASSERT_EQ(error.record_errors.size(), 2u);
    EXPECT_EQ(error.record_errors[0].message,
              "Timestamp 1699999998999 of message with offset 1 is out of range. The timestamp should be within "
              "[1699999999000, 1700003600000]");
    EXPECT_EQ(error.record_errors[1].batch_index, 2);
  }
  // Without a lower limit Kafka prints what is left of it in 64 bits.
  records = two_records();
  records[0].timestamp = fixture_time + 7'200'000;
  EXPECT_EQ(refuse(make_batch(codec(CompressionType::zstd), records), topic()).record_errors.at(0).message,
            "Timestamp 1700007200000 of message with offset 0 is out of range. The timestamp should be within "
            "[-9223370336854775807, 1700003600000]");
}

TEST_F(ProduceValidatorTest, AFiniteLowerLimitOpensPayloadsBecauseTheirHeaderDoesNotKnowTheOldest) {
  auto options = topic();
  options.timestamp_before_max_ms = 86'400'000;
  auto bytes = make_batch(codec(CompressionType::lz4), two_records());
  EXPECT_TRUE(accept(bytes, options).opened);
  options.timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max() - 5;
  EXPECT_FALSE(accept(bytes, options).opened);
}

TEST_F(ProduceValidatorTest, AHeaderThatLiesAboutTimeIsPutRight) {
  auto bytes = make_batch({}, two_records());
  store_big(bytes.data() + batch_field::max_timestamp, std::int64_t{1});
  fix_crc(bytes);
  auto batch = accept(bytes, topic());
  EXPECT_EQ(batch.max_timestamp, now);
  EXPECT_TRUE(RecordBatchView(Bytes(bytes)).check());
  EXPECT_EQ(RecordBatchView(Bytes(bytes)).max_timestamp(), now);
  // A client that claims the log's clock: its time counts as its own.
  store_big(bytes.data() + batch_field::attributes, std::int16_t{0x08});
  fix_crc(bytes);
  batch = accept(bytes, topic());
  EXPECT_EQ(RecordBatchView(Bytes(bytes)).timestamp_type(), TimestampType::create_time);
  EXPECT_TRUE(RecordBatchView(Bytes(bytes)).check());
}

TEST_F(ProduceValidatorTest, ClientsDoNotSetTheAppendTimeWhereTheLogDoes) {
  auto options = topic();
  options.timestamp_type = TimestampType::log_append_time;
  std::vector<OwnedRecord> records = {{0, fixture_time, std::nullopt, "four", {}}};
  const auto claimed = [&](CompressionType type) {
    auto bytes = make_batch(codec(type), records);
    store_big(bytes.data() + batch_field::attributes, static_cast<std::int16_t>(0x08 | static_cast<int>(type)));
    fix_crc(bytes);
    return refuse(bytes, options).record_errors.at(0).message;
  };
  EXPECT_EQ(claimed(CompressionType::none),
            "Invalid timestamp type in message DefaultRecord(offset=0, timestamp=1700000000000, key=0 bytes, value=4 "
            "bytes). Producer should not set timestamp type to LogAppendTime.");
  EXPECT_EQ(claimed(CompressionType::gzip),
            "Invalid timestamp type in message PartialDefaultRecord(offset=0, timestamp=1700000000000, key=-1 bytes, "
            "value=4 bytes). Producer should not set timestamp type to LogAppendTime.");
}

TEST_F(ProduceValidatorTest, TheTopicsCodecWins) {
  const auto codecs = {CompressionType::none, CompressionType::gzip, CompressionType::snappy, CompressionType::lz4,
                       CompressionType::zstd};
  for (const auto source : codecs) {
    for (const auto target : codecs) {
      SCOPED_TRACE(fmt::format("{} to {}", compression_name(source), compression_name(target)));
      auto options = topic();
      options.target_compression = Compression{target};
      auto records = sample_records(0, true);
      auto bytes = make_batch({.compression = {source},
                               .producer_id = ProducerId(5),
                               .producer_epoch = ProducerEpoch(0),
                               .base_sequence = 1,
                               .transactional = true},
                              records);
      auto batch = accept(bytes, options);
      EXPECT_EQ(batch.rebuilt, source != target);
      stamp(batch, {Offset(0), LeaderEpoch(4), now});
      EXPECT_EQ(read(batch.bytes), records);
      const RecordBatchView stored{Bytes(batch.bytes)};
      EXPECT_EQ(stored.compression(), target);
      EXPECT_EQ(stored.producer_id(), ProducerId(5));
      EXPECT_EQ(stored.last_sequence(), 5);
      EXPECT_TRUE(stored.is_transactional());
      EXPECT_EQ(stored.max_timestamp(), Timestamp(fixture_time + 70000));
    }
  }
}

TEST_F(ProduceValidatorTest, ARewrittenBatchTakesTheAppendTimeToo) {
  auto options = topic();
  options.timestamp_type = TimestampType::log_append_time;
  options.target_compression = Compression{CompressionType::zstd};
  auto bytes = make_batch({}, two_records());
  auto batch = accept(bytes, options);
  auto moved = std::move(batch);
  stamp(moved, {Offset(77), LeaderEpoch(4), now + 3});
  for (const auto& record : read(moved.bytes)) EXPECT_EQ(record.timestamp, fixture_time + 3);
}

TEST_F(ProduceValidatorTest, OffsetsThatAreNotConsecutiveAreAssignedAnew) {
  // Some old clients gave every record offset 0; what they sent is stored as they meant it.
  for (const auto type : {CompressionType::none, CompressionType::zstd}) {
    auto records = two_records();
    auto bytes =
        make_batch({.base_offset = Offset(-1)}, {{0, fixture_time, "k0", "v0", {}}, {5, fixture_time, "k1", "v1", {}}});
    store_big(bytes.data(), std::int64_t{0});
    store_big(bytes.data() + batch_field::last_offset_delta, std::int32_t{1});
    if (type != CompressionType::none) {
      Compressor compressor;
      auto packed = to_vector(Bytes(bytes).first(batch_overhead));
      compressor.compress({type}, Bytes(bytes).subspan(batch_overhead), packed);
      bytes = packed;
      store_big(bytes.data() + batch_field::length, static_cast<std::int32_t>(bytes.size() - log_overhead));
      store_big(bytes.data() + batch_field::attributes, static_cast<std::int16_t>(type));
    }
    fix_crc(bytes);
    auto strict = topic();
    strict.strict = true;
    auto batch = accept(bytes, strict);
    EXPECT_TRUE(batch.rebuilt);
    stamp(batch, {Offset(100), LeaderEpoch(0), now});
    const auto stored = read(batch.bytes);
    ASSERT_EQ(stored.size(), 2u);
    EXPECT_EQ(stored[0].offset, 100);
    EXPECT_EQ(stored[1].offset, 101);
  }
}

TEST_F(ProduceValidatorTest, ARequestHoldsOneBatchOfMagicTwo) {
  const auto good = make_batch({}, two_records());
  auto twice = good;
  append_bytes(twice, good);
  EXPECT_EQ(refuse(twice, topic()).message,
            "Produce requests with version 13 are only allowed to contain exactly one record batch per partition");
  EXPECT_EQ(refuse({}, topic()).message,
            "Produce requests with version 13 must have at least one record batch per partition");
  EXPECT_EQ(refuse(kafka_batch("v1-none"), topic()).message,
            "Produce requests with version 13 are only allowed to contain record batches with magic version 2");
  auto old = topic();
  old.produce_version = 6;
  const auto zstd = refuse(make_batch(codec(CompressionType::zstd), two_records()), old);
  EXPECT_EQ(zstd.code, ErrorCode::unsupported_compression_type);
  EXPECT_EQ(zstd.message, "Produce requests with version 6 are not allowed to use ZStandard compression");
  EXPECT_FALSE(zstd.with_log_start_offset);
  EXPECT_FALSE(zstd.message_for_client);

  // What makes no whole entry is cut off behind the batch.
  auto trailing = good;
  trailing.resize(good.size() + 5);
  EXPECT_EQ(accept(trailing, topic()).bytes.size(), good.size());
  // Twelve bytes with a size of zero are an entry that is broken.
  trailing.resize(good.size() + 12);
  EXPECT_EQ(refuse(trailing, topic()).code, ErrorCode::corrupt_message);
}

TEST_F(ProduceValidatorTest, HeadersThatLieAreRefusedWithKafkasTexts) {
  const auto with = [&](std::size_t at, auto value, bool fix = true) {
    auto bytes = make_batch({}, two_records());
    store_big(bytes.data() + at, value);
    if (fix) fix_crc(bytes);
    return refuse(bytes, topic());
  };
  EXPECT_EQ(with(batch_field::base_offset, std::int64_t{100}).message,
            "The baseOffset of the record batch in the append to orders-3 should be 0, but it is 100");
  auto error = with(batch_field::crc, std::uint32_t{5}, false);
  EXPECT_EQ(error.message, "Record is corrupt (stored crc = 5) in topic partition orders-3.");
  EXPECT_EQ(error.code, ErrorCode::corrupt_message);
  EXPECT_EQ(error.metric, RejectionMetric::checksum);
  EXPECT_FALSE(error.with_log_start_offset);
  EXPECT_EQ(with(batch_field::last_offset_delta, std::int32_t{-1}).message,
            "Batch has an invalid offset range: [0, -1] in topic partition orders-3");
  EXPECT_EQ(with(batch_field::record_count, std::int32_t{0}).message,
            "Invalid reported count for record batch: 0 in topic partition orders-3");
  error = with(batch_field::last_offset_delta, std::int32_t{7});
  EXPECT_EQ(error.message, "Inconsistent batch offset range [0, 7] and count of records 2 in topic partition orders-3");
  EXPECT_EQ(error.metric, RejectionMetric::offset);
  EXPECT_TRUE(error.with_log_start_offset);
  EXPECT_EQ(with(batch_field::attributes, batch_attribute::control).message,
            "Clients are not allowed to write control records in topic partition orders-3");
  error = with(batch_field::producer_id, std::int64_t{12});
  EXPECT_EQ(error.message, "Invalid sequence number -1 in record batch with producerId 12 in topic partition orders-3");
  EXPECT_EQ(error.metric, RejectionMetric::sequence);
}

TEST_F(ProduceValidatorTest, BatchesHaveALargestSizeBeforeAndAfterTheyAreRewritten) {
  auto options = topic();
  const auto bytes = make_batch({}, two_records());
  options.batch_bytes_max = static_cast<std::int32_t>(bytes.size()) - 1;
  auto error = refuse(bytes, options);
  EXPECT_EQ(error.code, ErrorCode::message_too_large);
  EXPECT_EQ(error.message, fmt::format("The record batch size in the append to orders-3 is {} bytes which exceeds the "
                                       "maximum configured value of {}).",
                                       bytes.size(), bytes.size() - 1));
  options.batch_bytes_max = 10'000;
  options.target_compression = Compression{};
  error =
      refuse(make_batch(codec(CompressionType::zstd), {{0, fixture_time, "k", std::string(20'000, 'a'), {}}}), options);
  EXPECT_EQ(error.code, ErrorCode::message_too_large);
  EXPECT_NE(error.message.find("in append to partition orders-3 which exceeds the maximum configured size of 10000."),
            std::string::npos);
}

TEST_F(ProduceValidatorTest, BombsAreRefusedWhereTheyWouldBeOpened) {
  ProduceValidator validator(DecompressionLimits{.plain_bytes_max = 1'000'000});
  auto bytes = make_batch(codec(CompressionType::gzip), {{0, fixture_time, "k", std::string(30'000'000, '\0'), {}}});
  EXPECT_TRUE(validator.validate(bytes, topic())) << "unopened it harms nobody here";
  auto options = topic();
  options.target_compression = Compression{CompressionType::lz4};
  EXPECT_EQ(validator.validate(bytes, options).error().code, ErrorCode::message_too_large);
  options = topic();
  options.strict = true;
  EXPECT_EQ(validator.validate(bytes, options).error().code, ErrorCode::message_too_large);
}

TEST_F(ProduceValidatorTest, CoordinatorsWriteMarkers) {
  auto options = topic();
  options.origin = AppendOrigin::coordinator;
  options.target_compression = Compression{CompressionType::lz4};
  auto bytes =
      end_transaction_batch({.timestamp = now}, ProducerId(9), ProducerEpoch(2), {ControlRecordType::commit, 4});
  auto batch = accept(bytes, options);
  EXPECT_TRUE(batch.control);
  EXPECT_FALSE(batch.rebuilt) << "control records are not compressed";
  EXPECT_EQ(batch.base_sequence, no_sequence);
}

TEST_F(ProduceValidatorTest, WhatARequestIsAskedFirst) {
  auto plain = make_batch({}, two_records());
  EXPECT_FALSE(produce_flags(plain)->transactional);
  auto transactional = make_batch(
      {.producer_id = ProducerId(1), .producer_epoch = ProducerEpoch(0), .base_sequence = 0, .transactional = true},
      two_records());
  EXPECT_TRUE(produce_flags(transactional)->transactional);
  EXPECT_TRUE(produce_flags(transactional)->idempotent);
  EXPECT_EQ(produce_flags(transactional)->transaction_producer, ProducerId(1));
  EXPECT_EQ(produce_flags(transactional)->transaction_epoch, ProducerEpoch(0));
  auto twice = transactional;
  twice.insert(twice.end(), transactional.begin(), transactional.end());
  EXPECT_FALSE(produce_flags(twice)->several_transactions);
  const auto other = make_batch(
      {.producer_id = ProducerId(2), .producer_epoch = ProducerEpoch(0), .base_sequence = 0, .transactional = true},
      two_records());
  twice.insert(twice.end(), other.begin(), other.end());
  EXPECT_TRUE(produce_flags(twice)->several_transactions);
  plain[16] = std::byte{3};
  EXPECT_EQ(produce_flags(plain).error().message, "Invalid magic found in record: 3");
  EXPECT_TRUE(produce_flags({}));
}

TEST_F(ProduceValidatorTest, NoCutAndNoFlippedByteCrashes) {
  std::mt19937 random(17);
  auto options = topic();
  for (const auto type : {CompressionType::none, CompressionType::gzip, CompressionType::snappy, CompressionType::lz4,
                          CompressionType::zstd}) {
    const auto good = make_batch(codec(type), sample_records(0, true));
    for (std::size_t size = 0; size < good.size(); ++size) refuse(to_vector(Bytes(good).first(size)), options);
    for (int i = 0; i < 4000; ++i) {
      auto bad = good;
      for (int flips = 0; flips < 3; ++flips) bad[random() % bad.size()] = static_cast<std::byte>(random());
      fix_crc(bad);
      options.strict = random() % 2;
      options.compacted = random() % 2;
      options.timestamp_type = random() % 2 ? TimestampType::create_time : TimestampType::log_append_time;
      options.target_compression = random() % 2 ? std::optional(Compression{CompressionType::lz4}) : std::nullopt;
      auto result = validator_.validate(bad, options);
      if (!result) continue;
      stamp(*result, {Offset(1), LeaderEpoch(1), now});
      EXPECT_TRUE(RecordBatchView(Bytes(result->bytes)).check());
    }
  }
}

}  // namespace
}  // namespace klamm::records
