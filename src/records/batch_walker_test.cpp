#include "records/batch_walker.h"

#include <gtest/gtest.h>

#include <random>

#include "records/fixtures_for_tests.h"
#include "records/record_reader.h"

namespace klamm::records {
namespace {

using namespace testing;
using Step = BatchWalker::Step;

ByteVector concatenated(std::initializer_list<const char*> names) {
  ByteVector all;
  for (const auto* name : names) append_bytes(all, kafka_batch(name));
  return all;
}

TEST(BatchWalker, WalksEntriesOfAllMagicsInOneLog) {
  const auto log = concatenated({"v0-gzip", "v1-lz4", "v2-none", "control-commit"});
  BatchWalker walker(log);
  std::vector<std::string> seen;
  while (walker.next() == Step::entry) {
    const auto& entry = walker.entry();
    EXPECT_TRUE(entry.check());
    seen.push_back(fmt::format("{}: magic {} {} {} last {} {} {}", walker.position(), entry.magic(),
                               compression_name(entry.compression()), timestamp_type_name(entry.timestamp_type()),
                               entry.last_offset(), entry.max_timestamp() - Timestamp(fixture_time),
                               entry.is_control()));
  }
  EXPECT_EQ(walker.position(), log.size());
  EXPECT_EQ(walker.next(), Step::end);
  EXPECT_EQ(seen, (std::vector<std::string>{
                      "0: magic 0 gzip NoTimestampType last 34 -1700000000001 false",
                      "139: magic 1 lz4 CreateTime last 34 70000 false",
                      "339: magic 2 none CreateTime last 46 70000 false",
                      "495: magic 2 none CreateTime last 50 0 true",
                  }));
}

TEST(BatchWalker, ReadersTakeAnyEntry) {
  const auto log = concatenated({"v0-none", "v0-snappy", "v1-gzip", "v2-zstd", "v2-none"});
  Decompressor decompressor;
  std::size_t records = 0;
  for (BatchWalker walker(log); walker.next() == Step::entry;) {
    RecordReader reader(walker.entry(), decompressor);
    while (reader.next()) ++records;
    EXPECT_TRUE(reader.ok());
  }
  EXPECT_EQ(records, 25u);
}

TEST(BatchWalker, EveryTruncationIsAPartialEntryThatSaysWhatItWants) {
  const auto log = concatenated({"v1-none", "v2-none"});
  const auto first_size = static_cast<std::size_t>(load_big<std::int32_t>(log.data() + 8)) + 12;
  for (std::size_t size = 1; size < log.size(); ++size) {
    const auto cut = to_vector(Bytes(log).first(size));
    BatchWalker walker(cut);
    Step step;
    while ((step = walker.next()) == Step::entry) {
    }
    if (step == Step::end) continue;  // cut exactly between two entries
    ASSERT_EQ(step, Step::partial) << size;
    EXPECT_GT(walker.wanted(), size - walker.position());
    if (size < first_size) {
      EXPECT_EQ(walker.position(), 0u);
      EXPECT_EQ(walker.wanted(), size < header_up_to_magic ? header_up_to_magic : first_size);
    }
    // Asked again it says the same.
    EXPECT_EQ(walker.next(), Step::partial);
  }
}

TEST(BatchWalker, SizesAndMagicsThatCannotBeAreCorrupt) {
  const auto with = [](std::size_t at, auto value) {
    auto batch = kafka_batch("v2-none");
    store_big(batch.data() + at, value);
    return batch;
  };
  const auto text = [](const ByteVector& bytes, std::int32_t max = std::numeric_limits<std::int32_t>::max()) {
    BatchWalker walker(bytes, max);
    EXPECT_EQ(walker.next(), Step::corrupt);
    EXPECT_EQ(walker.error().code, ErrorCode::corrupt_message);
    EXPECT_EQ(walker.next(), Step::corrupt) << "and stays so";
    return walker.error().message;
  };
  EXPECT_EQ(text(with(8, std::int32_t{13})), "Record size 13 is less than the minimum record overhead (14)");
  EXPECT_EQ(text(with(8, std::int32_t{-1})), "Record size -1 is less than the minimum record overhead (14)");
  EXPECT_EQ(text(with(8, std::numeric_limits<std::int32_t>::min())),
            "Record size -2147483648 is less than the minimum record overhead (14)");
  EXPECT_EQ(text(with(16, std::int8_t{3})), "Invalid magic found in record: 3");
  EXPECT_EQ(text(with(16, std::int8_t{-1})), "Invalid magic found in record: -1");
  EXPECT_EQ(text(kafka_batch("v2-none"), 100), "Record size 144 exceeds the largest allowable message size (100).");
  // Twelve bytes are enough to know that a size is wrong.
  auto cut = with(8, std::int32_t{0});
  cut.resize(12);
  EXPECT_EQ(text(cut), "Record size 0 is less than the minimum record overhead (14)");
}

TEST(BatchWalker, ASizeOfTwoGigabytesIsOnlyPartial) {
  auto batch = kafka_batch("v2-none");
  store_big(batch.data() + 8, std::numeric_limits<std::int32_t>::max());
  BatchWalker walker(batch);
  EXPECT_EQ(walker.next(), Step::partial);
  EXPECT_EQ(walker.wanted(), std::size_t{2147483647} + 12);
}

TEST(BatchWalker, ABatchTooSmallForItsHeaderFailsItsCheck) {
  auto batch = kafka_batch("v2-none");
  batch.resize(40);
  store_big(batch.data() + 8, std::int32_t{28});
  BatchWalker walker(batch);
  ASSERT_EQ(walker.next(), Step::entry);
  EXPECT_EQ(walker.entry().check().error().message,
            "Record batch is corrupt (the size 40 is smaller than the minimum allowed overhead 61)");
}

TEST(BatchWalker, GarbageNeverCrashes) {
  std::mt19937 random(13);
  Decompressor decompressor;
  for (int i = 0; i < 3000; ++i) {
    auto log = concatenated({"v0-gzip", "v1-none", "v2-lz4", "v1-snappy"});
    for (int flips = 0; flips < 6; ++flips) log[random() % log.size()] = static_cast<std::byte>(random());
    for (BatchWalker walker(log); walker.next() == Step::entry;) {
      const auto exact = to_vector(walker.entry().bytes());
      const EntryView entry(exact, walker.entry().magic());
      if (entry.is_batch() && entry.size_bytes() < batch_overhead) continue;
      (void)entry.check();
      (void)entry.last_offset();
      (void)entry.max_timestamp();
      RecordReader reader(entry, decompressor);
      while (reader.next()) own(reader.record());
    }
  }
}

}  // namespace
}  // namespace klamm::records
