#include <gtest/gtest.h>

#include <random>

#include "base/crc32c.h"
#include "base/varint.h"
#include "records/control_record.h"
#include "records/crc_patch.h"
#include "records/fixtures_for_tests.h"
#include "records/record_batch_builder.h"
#include "records/record_batch_view.h"
#include "records/record_parser.h"
#include "records/record_reader.h"

namespace klamm::records {
namespace {

using namespace testing;

std::vector<OwnedRecord> read_all(Bytes batch, Decompressor& decompressor) {
  std::vector<OwnedRecord> records;
  RecordReader reader(RecordBatchView(batch), decompressor);
  while (reader.next()) records.push_back(own(reader.record()));
  EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().message);
  return records;
}

TEST(RecordBatch, EveryFieldOfAKafkaBatchIsRead) {
  const auto batch = RecordBatchView::parse(kafka_batch("v2-transactional"));
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->check());
  EXPECT_EQ(batch->base_offset(), Offset(9));
  EXPECT_EQ(batch->last_offset(), Offset(13));
  EXPECT_EQ(batch->next_offset(), Offset(14));
  EXPECT_EQ(batch->size_bytes(), static_cast<std::int64_t>(batch->bytes().size()));
  EXPECT_EQ(batch->partition_leader_epoch(), LeaderEpoch(12));
  EXPECT_EQ(batch->magic(), 2);
  EXPECT_EQ(batch->compression(), CompressionType::none);
  EXPECT_EQ(batch->timestamp_type(), TimestampType::create_time);
  EXPECT_TRUE(batch->is_transactional());
  EXPECT_FALSE(batch->is_control());
  EXPECT_FALSE(batch->delete_horizon());
  EXPECT_EQ(batch->base_timestamp(), Timestamp(fixture_time));
  EXPECT_EQ(batch->max_timestamp(), Timestamp(fixture_time + 70000));
  EXPECT_EQ(batch->producer_id(), ProducerId(4711));
  EXPECT_EQ(batch->producer_epoch(), ProducerEpoch(3));
  EXPECT_EQ(batch->base_sequence(), 17);
  EXPECT_EQ(batch->last_sequence(), 21);
  EXPECT_EQ(batch->record_count(), 5);
  EXPECT_EQ(batch->to_string(),
            fmt::format("RecordBatch(magic=2, offsets=[9, 13], sequence=[17, 21], partitionLeaderEpoch=12, "
                        "isTransactional=true, isControlBatch=false, compression=none, timestampType=CreateTime, "
                        "crc={})",
                        batch->crc()));
}

TEST(RecordBatch, SequencesWrapAfterTheLargestInteger) {
  const auto batch = RecordBatchView::parse(kafka_batch("v2-idempotent"));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->base_sequence(), 2147483646);
  EXPECT_EQ(batch->last_sequence(), 2);
  RecordCursor cursor(*batch);
  std::vector<std::int32_t> sequences;
  while (cursor.next()) sequences.push_back(cursor.record().sequence);
  EXPECT_EQ(sequences, (std::vector<std::int32_t>{2147483646, 2147483647, 0, 1, 2}));
  EXPECT_EQ(decrement_sequence(2, 4), 2147483646);
}

TEST(RecordBatch, RecordsOfEveryCodecAreReadAsKafkaWroteThem) {
  Decompressor decompressor;
  for (const std::string codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    SCOPED_TRACE(codec);
    const auto& bytes = kafka_batch("v2-" + codec);
    ASSERT_TRUE(RecordBatchView::parse(bytes)->check());
    EXPECT_EQ(compression_name(RecordBatchView(bytes).compression()), codec);
    EXPECT_EQ(read_all(bytes, decompressor), sample_records(42, true));
    if (codec != "none") {
      EXPECT_EQ(read_all(kafka_batch("v2-many-" + codec), decompressor), many_records());
    }
  }
}

TEST(RecordBatch, TheAppendTimeStandsForEveryRecord) {
  const auto batch = RecordBatchView::parse(kafka_batch("v2-log-append-time"));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->timestamp_type(), TimestampType::log_append_time);
  RecordCursor cursor(*batch);
  while (cursor.next()) EXPECT_EQ(cursor.record().timestamp, Timestamp(fixture_time + 123));
  EXPECT_TRUE(cursor.ok());
  EXPECT_EQ(cursor.index(), 5);
}

TEST(RecordBatch, TheBuilderWritesKafkasBytes) {
  const auto build = [](BatchOptions options, bool headers) {
    return to_hex(make_batch(options, sample_records(options.base_offset.value, headers)));
  };
  EXPECT_EQ(build({.base_offset = Offset(42)}, true), to_hex(kafka_batch("v2-none")));
  EXPECT_EQ(build({.base_offset = Offset(7),
                   .timestamp_type = TimestampType::log_append_time,
                   .log_append_time = Timestamp(fixture_time + 123)},
                  true),
            to_hex(kafka_batch("v2-log-append-time")));
  BatchOptions producer{.base_offset = Offset(9),
                        .producer_id = ProducerId(4711),
                        .producer_epoch = ProducerEpoch(3),
                        .base_sequence = 2147483646,
                        .partition_leader_epoch = LeaderEpoch(12)};
  EXPECT_EQ(build(producer, false), to_hex(kafka_batch("v2-idempotent")));
  producer.base_sequence = 17;
  producer.transactional = true;
  EXPECT_EQ(build(producer, false), to_hex(kafka_batch("v2-transactional")));
}

TEST(RecordBatch, TheExampleInDocsRecordsIsTrue) {
  const auto batch = make_batch(
      {.base_offset = Offset(42), .partition_leader_epoch = LeaderEpoch(3)},
      {{42, fixture_time, "k", "hello", {{"h", "1"}}}, {43, fixture_time + 5, std::nullopt, std::nullopt, {}}});
  EXPECT_EQ(to_hex(batch),
            "000000000000002a"
            "00000049"
            "00000003"
            "02"
            "37ac6c7c"
            "0000"
            "00000001"
            "0000018bcfe56800"
            "0000018bcfe56805"
            "ffffffffffffffff"
            "ffff"
            "ffffffff"
            "00000002"
            "20"
            "00"
            "00"
            "00"
            "02"
            "6b"
            "0a"
            "68656c6c6f"
            "02"
            "02"
            "68"
            "02"
            "31"
            "0c"
            "00"
            "0a"
            "02"
            "01"
            "01"
            "00");
}

TEST(RecordBatch, CompactionsBatchesAreKafkasToo) {
  const auto horizon = make_batch({.base_offset = Offset(100),
                                   .partition_leader_epoch = LeaderEpoch(5),
                                   .delete_horizon = Timestamp(fixture_time + 1000)},
                                  {{103, fixture_time, "k", std::nullopt, {}}, {110, fixture_time + 2, "l", "v", {}}});
  EXPECT_EQ(to_hex(horizon), to_hex(kafka_batch("v2-delete-horizon")));
  EXPECT_EQ(RecordBatchView(horizon).delete_horizon(), Timestamp(fixture_time + 1000));
  const auto empty = empty_batch({.base_offset = Offset(20),
                                  .producer_id = ProducerId(99),
                                  .producer_epoch = ProducerEpoch(1),
                                  .base_sequence = 5,
                                  .partition_leader_epoch = LeaderEpoch(4)},
                                 Offset(29), Timestamp(fixture_time));
  EXPECT_EQ(to_hex(empty), to_hex(kafka_batch("v2-empty")));
  EXPECT_EQ(RecordBatchView(empty).last_sequence(), 14);
}

TEST(RecordBatch, ControlBatchesAreKafkas) {
  const ControlBatchOptions at50{Offset(50), Timestamp(fixture_time), LeaderEpoch(6)};
  const ControlBatchOptions at51{Offset(51), Timestamp(fixture_time), LeaderEpoch(6)};
  EXPECT_EQ(to_hex(end_transaction_batch(at50, ProducerId(4711), ProducerEpoch(3), {ControlRecordType::commit, 21})),
            to_hex(kafka_batch("control-commit")));
  EXPECT_EQ(to_hex(end_transaction_batch(at51, ProducerId(4711), ProducerEpoch(3), {ControlRecordType::abort, 22})),
            to_hex(kafka_batch("control-abort")));
  for (const auto& [name, type] :
       std::map<std::string, ControlRecordType>{{"control-leader-change", ControlRecordType::leader_change},
                                                {"control-snapshot-header", ControlRecordType::snapshot_header},
                                                {"control-snapshot-footer", ControlRecordType::snapshot_footer},
                                                {"control-kraft-version", ControlRecordType::kraft_version}}) {
    SCOPED_TRACE(name);
    const RecordBatchView theirs(kafka_batch(name));
    EXPECT_TRUE(theirs.is_control());
    RecordCursor cursor(theirs);
    ASSERT_TRUE(cursor.next());
    EXPECT_EQ(control_record_type(cursor.record()), type);
    const auto ours =
        kraft_control_batch({theirs.base_offset(), cursor.record().timestamp, theirs.partition_leader_epoch()}, type,
                            cursor.record().value());
    EXPECT_EQ(to_hex(ours), to_hex(theirs.bytes()));
  }
}

TEST(RecordBatch, MarkersAreReadAndBrokenOnesAreNot) {
  const auto marker_of = [](Bytes batch) {
    RecordCursor cursor{RecordBatchView(batch)};
    EXPECT_TRUE(cursor.next());
    return parse_end_transaction_marker(cursor.record());
  };
  EXPECT_EQ(marker_of(kafka_batch("control-commit"))->coordinator_epoch, 21);
  EXPECT_EQ(marker_of(kafka_batch("control-abort"))->type, ControlRecordType::abort);
  EXPECT_EQ(marker_of(kafka_batch("control-leader-change")).error().code, ErrorCode::invalid_record);

  const auto type_of = [](const ByteVector& key) {
    RecordView record;
    record.key_data = key.data();
    record.key_size = static_cast<std::int32_t>(key.size());
    return control_record_type(record);
  };
  EXPECT_EQ(type_of(from_hex("000000")).error().message,
            "Invalid value size found for control record key. Must have at least 4 bytes, but found only 3");
  EXPECT_EQ(type_of(from_hex("ffff0000")).error().message,
            "Invalid version found for control record: -1. May indicate data corruption");
  EXPECT_EQ(type_of(from_hex("00050001")), ControlRecordType::commit);
  EXPECT_EQ(type_of(from_hex("00000063")), ControlRecordType::unknown);
  EXPECT_EQ(control_record_name(ControlRecordType::kraft_voters), "KRAFT_VOTERS");
}

TEST(RecordBatch, CompressedBatchesComeBackWhateverTheLevel) {
  Decompressor decompressor;
  const std::vector<Compression> compressions = {
      {CompressionType::none},     {CompressionType::gzip, 1}, {CompressionType::gzip, 9},
      {CompressionType::gzip, -1}, {CompressionType::snappy},  {CompressionType::lz4, 1},
      {CompressionType::lz4},      {CompressionType::lz4, 17}, {CompressionType::zstd, -131072},
      {CompressionType::zstd},     {CompressionType::zstd, 22}};
  for (const auto& compression : compressions) {
    SCOPED_TRACE(fmt::format("{} {}", compression_name(compression.type), compression.level.value_or(0)));
    const auto batch = make_batch({.compression = compression}, many_records());
    ASSERT_TRUE(RecordBatchView::parse(batch)->check());
    EXPECT_EQ(read_all(batch, decompressor), many_records());
  }
}

TEST(RecordBatch, SizesAreKnownBeforeARecordIsAppended) {
  RecordBatchBuilder builder({.base_offset = Offset(5)});
  for (const auto& record : sample_records(5, true)) {
    std::vector<HeaderView> headers;
    for (const auto& [key, value] : record.headers)
      headers.push_back({key, value ? std::optional(as_bytes(*value)) : std::nullopt});
    const RecordFields fields{.timestamp = Timestamp(record.timestamp),
                              .key = record.key ? std::optional(as_bytes(*record.key)) : std::nullopt,
                              .value = record.value ? std::optional(as_bytes(*record.value)) : std::nullopt,
                              .headers = headers};
    const auto expected = builder.plain_bytes_after(fields);
    EXPECT_LE(expected - builder.plain_bytes() + batch_overhead, batch_size_upper_bound(fields));
    builder.append(fields);
    EXPECT_EQ(builder.plain_bytes(), expected);
  }
  EXPECT_EQ(builder.estimated_bytes(0.5), builder.plain_bytes());
  EXPECT_EQ(builder.finish().size(), builder.plain_bytes());
  RecordBatchBuilder squeezed({.compression = {CompressionType::lz4}});
  squeezed.append({.value = as_bytes(std::string_view("0123456789"))});
  EXPECT_LT(squeezed.estimated_bytes(0.5), squeezed.plain_bytes());
}

TEST(RecordBatch, ABuilderIsUsedAgain) {
  Compressor compressor;
  RecordBatchBuilder builder({.compression = {CompressionType::zstd}});
  const auto fill = [&] {
    for (const auto& record : sample_records(0, true)) append(builder, record);
    return to_hex(builder.finish(compressor));
  };
  const auto first = fill();
  builder.reset({.compression = {CompressionType::zstd}});
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(fill(), first);
  builder.set_producer_state(ProducerId(7), ProducerEpoch(1), 3, false);
  const auto stamped = builder.finish(compressor);
  EXPECT_EQ(RecordBatchView(stamped).producer_id(), ProducerId(7));
  EXPECT_EQ(RecordBatchView(stamped).last_sequence(), 7);
  EXPECT_TRUE(RecordBatchView(stamped).check());
}

TEST(RecordBatch, WhatALeaderStampsLeavesTheBatchValid) {
  auto bytes = kafka_batch("v2-none");
  auto batch = MutableRecordBatch::parse(bytes).value();
  batch.set_last_offset(Offset(1004));
  batch.set_partition_leader_epoch(LeaderEpoch(33));
  EXPECT_TRUE(batch.check());
  EXPECT_EQ(batch.base_offset(), Offset(1000));
  EXPECT_EQ(batch.partition_leader_epoch(), LeaderEpoch(33));

  batch.set_max_timestamp(TimestampType::log_append_time, Timestamp(5));
  EXPECT_TRUE(batch.check());
  EXPECT_EQ(batch.timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(batch.max_timestamp(), Timestamp(5));
  batch.set_max_timestamp(TimestampType::create_time, Timestamp(fixture_time + 70000));
  batch.set_last_offset(Offset(46));
  batch.set_partition_leader_epoch(no_leader_epoch);
  EXPECT_EQ(to_hex(bytes), to_hex(kafka_batch("v2-none")));

  batch.set_producer_state(ProducerId(8), ProducerEpoch(2), 40, true);
  EXPECT_TRUE(batch.check());
  EXPECT_TRUE(batch.is_transactional());
  EXPECT_EQ(batch.last_sequence(), 44);
}

TEST(RecordBatch, APatchedChecksumIsTheComputedOne) {
  std::mt19937_64 random(7);
  for (const std::size_t behind : {0, 1, 7, 18, 255, 4096, 100'003, 5'000'000}) {
    ByteVector bytes(22 + behind);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    const auto before = to_vector(Bytes(bytes).first(22));
    const auto crc = crc32c(bytes);
    for (std::size_t i = 0; i < 22; i += 3) bytes[i] = static_cast<std::byte>(random());
    EXPECT_EQ(patch_crc32c(crc, crc32c_shift_factor(behind), before, Bytes(bytes).first(22)), crc32c(bytes)) << behind;
  }
}

TEST(RecordBatch, AFlippedBitAnywhereBehindTheEpochIsNoticed) {
  const auto& good = kafka_batch("v2-none");
  for (std::size_t i = batch_field::magic; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= std::byte{0x10};
    const auto batch = RecordBatchView::parse(bad);
    EXPECT_FALSE(batch && batch->check()) << i;
  }
}

TEST(RecordBatch, TruncatedAnywhereItIsNotABatch) {
  for (const std::string name : {"v2-none", "v2-gzip", "control-commit"}) {
    const auto& good = kafka_batch(name);
    for (std::size_t size = 0; size < good.size(); ++size) {
      const auto cut = to_vector(Bytes(good).first(size));
      EXPECT_EQ(RecordBatchView::parse(cut).error().code, ErrorCode::corrupt_message) << name << " " << size;
    }
    auto more = good;
    more.resize(more.size() + 100);
    EXPECT_EQ(RecordBatchView::parse(more)->bytes().size(), good.size());
  }
}

// ---- records that lie

ByteVector plain_batch(std::string_view records_hex, std::int32_t count) {
  auto batch = make_batch({}, {{0, fixture_time, std::nullopt, "x", {}}});
  batch.resize(batch_overhead);
  append_bytes(batch, from_hex(records_hex));
  store_big(batch.data() + batch_field::length, static_cast<std::int32_t>(batch.size() - log_overhead));
  store_big(batch.data() + batch_field::last_offset_delta, count - 1);
  store_big(batch.data() + batch_field::record_count, count);
  fix_crc(batch);
  return batch;
}

// The same records in a gzip payload.
ByteVector gzip_batch(const ByteVector& plain) {
  Compressor compressor;
  auto batch = to_vector(Bytes(plain).first(batch_overhead));
  compressor.compress({CompressionType::gzip}, Bytes(plain).subspan(batch_overhead), batch);
  store_big(batch.data() + batch_field::length, static_cast<std::int32_t>(batch.size() - log_overhead));
  store_big(batch.data() + batch_field::attributes, std::int16_t{1});
  fix_crc(batch);
  return batch;
}

struct Lie {
  const char* what;
  const char* records;
  std::int32_t count;
  const char* text;
};

TEST(RecordBatch, RecordsThatLieAreFoundOut) {
  // An honest record: 0e (length 7) 00 00 00 01 (null key) 02 78 ("x") 00
  const Lie lies[] = {
      {"one record too few", "0e000000010278000e00000201027800", 3,
       "Incorrect declared batch size, premature EOF reached"},
      {"one record too many", "0e000000010278000e00000201027800", 1,
       "Incorrect declared batch size, records still remaining in file"},
      {"negative count", "0e00000001027800", -1, "Found invalid record count -1 in magic v2 batch"},
      {"largest count", "0e00000001027800", 2147483647, "Incorrect declared batch size, premature EOF reached"},
      {"length beyond the batch", "1000000001027800", 1,
       "Invalid record size: expected 8 bytes in record payload, but instead the buffer has only 7 remaining bytes."},
      {"length of two gigabytes", "feffffff0f00000001027800", 1,
       "Invalid record size: expected 2147483647 bytes in record payload, but instead the buffer has only 7 remaining "
       "bytes."},
      {"negative length", "0d00000001027800", 1, "Found invalid record structure"},
      {"empty record", "00", 1, "Found invalid record structure"},
      {"length without an end", "ffffffffffffffff", 1, "Found invalid record structure"},
      {"key beyond the record", "0e00000064027800", 1, "Found invalid record structure"},
      {"value beyond the record", "0e00000001647800", 1, "Found invalid record structure"},
      {"key of two gigabytes", "16000000feffffff0f02780000", 1, "Found invalid record structure"},
      {"bytes left over", "100000000102780000", 1,
       "Invalid record size: expected to read 8 bytes in record payload, but instead read 7"},
      {"negative header count", "0e00000001027801", 1, "Found invalid number of record headers -1"},
      {"more headers than bytes", "0e000000010278fe", 1, "Found invalid record structure"},
      {"127 headers in no bytes", "10000000010278fe01", 1,
       "Found invalid number of record headers. 127 is larger than the remaining size of the buffer"},
      {"header with a negative key size", "12000000010278020100", 1, "Invalid negative header key size -1"},
      {"header key beyond the record", "12000000010278026400", 1, "Found invalid record structure"},
      {"timestamp without an end", "1e00ffffffffffffffffffff0000010000", 1, "Found invalid record structure"},
  };
  Decompressor decompressor;
  for (const auto& lie : lies) {
    SCOPED_TRACE(lie.what);
    const auto plain = plain_batch(lie.records, lie.count);
    RecordCursor cursor{RecordBatchView(plain)};
    while (cursor.next()) own(cursor.record());
    ASSERT_FALSE(cursor.ok());
    EXPECT_EQ(cursor.error().code, ErrorCode::invalid_record);
    if (lie.text) {
      EXPECT_EQ(cursor.error().message, lie.text);
    }
    const auto packed = gzip_batch(plain);
    RecordReader reader(RecordBatchView(packed), decompressor);
    while (reader.next()) own(reader.record());
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().code, ErrorCode::invalid_record);
  }
}

TEST(RecordBatch, ALengthThatIsOnlyClaimedTakesNoMemory) {
  const auto packed = gzip_batch(plain_batch("feffffff0f00000001027800", 1));
  Decompressor decompressor;
  RecordReader reader(RecordBatchView(packed), decompressor);
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.error().message,
            "Invalid record size: expected 2147483647 bytes in record payload, but the record payload reached EOF.");
  EXPECT_LE(decompressor.scratch().capacity(), 128u << 10);
}

TEST(RecordBatch, ARecordLargerThanTheRoomIsReadWhole) {
  std::string large(3'000'000, 'a');
  for (std::size_t i = 0; i < large.size(); i += 97) large[i] = static_cast<char>('b' + i % 20);
  const std::vector<OwnedRecord> records = {
      {0, fixture_time, "small", "s", {}}, {1, fixture_time, "large", large, {}}, {2, fixture_time, "last", "l", {}}};
  for (const auto type :
       {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4, CompressionType::zstd}) {
    Decompressor decompressor;
    const auto batch = make_batch({.compression = {type}}, records);
    EXPECT_EQ(read_all(batch, decompressor), records);
    EXPECT_LE(decompressor.scratch().capacity(), 1u << 20) << "what a large batch made grow is given back";
  }
}

TEST(RecordBatch, ABombIsNotOpenedBeyondTheLimit) {
  const std::string zeros(50'000'000, '\0');
  for (const auto type :
       {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4, CompressionType::zstd}) {
    SCOPED_TRACE(compression_name(type));
    const auto batch = make_batch({.compression = {type}}, {{0, fixture_time, std::nullopt, zeros, {}}});
    Decompressor decompressor(DecompressionLimits{.plain_bytes_max = 1'000'000});
    RecordReader reader(RecordBatchView(batch), decompressor);
    EXPECT_FALSE(reader.next());
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().code, ErrorCode::message_too_large);
    EXPECT_LE(decompressor.scratch().capacity(), 4'000'000u);
  }
}

TEST(RecordBatch, CompressedPayloadsCutOrFlippedAnywhereNeverCrash) {
  Decompressor decompressor;
  std::mt19937 random(11);
  for (const std::string codec : {"gzip", "snappy", "lz4", "zstd"}) {
    SCOPED_TRACE(codec);
    const auto& good = kafka_batch("v2-" + codec);
    std::size_t refused = 0;
    for (std::size_t size = batch_overhead; size < good.size(); ++size) {
      auto cut = to_vector(Bytes(good).first(size));
      RecordReader reader(RecordBatchView(cut), decompressor);
      while (reader.next()) own(reader.record());
      refused += !reader.ok();
    }
    // gzip's trailer is only needed to know that the payload ended well; every byte before it is.
    EXPECT_EQ(refused, good.size() - batch_overhead);
    for (int i = 0; i < 3000; ++i) {
      auto bad = good;
      for (int flips = 0; flips < 3; ++flips)
        bad[batch_overhead + random() % (bad.size() - batch_overhead)] = static_cast<std::byte>(random());
      RecordReader reader(RecordBatchView(bad), decompressor);
      while (reader.next()) own(reader.record());
    }
  }
}

TEST(RecordBatch, RandomRecordBytesNeverCrash) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    auto batch = plain_batch("", static_cast<std::int32_t>(random() % 5));
    const auto size = random() % 60;
    for (std::size_t j = 0; j < size; ++j) {
      // Small values more often: they are lengths that nearly fit.
      batch.push_back(static_cast<std::byte>(random() % 3 == 0 ? random() : random() % 24));
    }
    const auto exact = to_vector(batch);  // so that a sanitizer sees the end
    RecordCursor cursor{RecordBatchView(exact)};
    while (cursor.next()) own(cursor.record());
  }
}

TEST(RecordBatch, FastAndCarefulParsersAgree) {
  std::mt19937 random(3);
  std::size_t taken = 0;
  for (int i = 0; i < 50000; ++i) {
    ByteVector bytes = from_hex("0e00000001027800");
    bytes.resize(40);
    for (int flips = 0; flips < 3; ++flips) bytes[random() % 9] = static_cast<std::byte>(random());
    RawRecord fast;
    const std::byte* end = parse_record_fast(bytes.data(), bytes.data() + bytes.size(), fast);
    if (!end) continue;
    ++taken;
    RawRecord careful;
    ASSERT_FALSE(parse_record(bytes, careful)) << to_hex(bytes);
    EXPECT_EQ(careful.end, end);
    EXPECT_EQ(careful.timestamp_delta, fast.timestamp_delta);
    EXPECT_EQ(careful.offset_delta, fast.offset_delta);
    EXPECT_EQ(careful.key_size, fast.key_size);
    EXPECT_EQ(careful.value_size, fast.value_size);
    EXPECT_EQ(careful.value, fast.value);
  }
  EXPECT_GT(taken, 100u);
}

}  // namespace
}  // namespace klamm::records
