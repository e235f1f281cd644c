#include "client/accumulator.h"

#include <gtest/gtest.h>

#include "records/record_reader.h"

namespace klamm::client {
namespace {

using namespace std::chrono_literals;
using runtime::MonoTime;

class Zeros final : public runtime::Random {
 public:
  std::uint64_t next() override { return 0; }
};

class AccumulatorTest : public ::testing::Test {
 protected:
  AccumulatorSettings settings() {
    AccumulatorSettings s;
    s.batch_bytes = 200;
    s.memory_bytes = 10'000;
    s.linger = 5ms;
    s.retry_backoff = 100ms;
    s.retry_backoff_max = 1s;
    s.delivery_timeout = 30s;
    return s;
  }

  Accumulator::Appended append(Accumulator& to, std::string_view value, std::int32_t partition = 0) {
    const RecordView record{.topic = "orders", .value = value, .partition = partition};
    records::RecordFields fields;
    fields.timestamp = Timestamp(1000);
    fields.value = as_bytes(value);
    return to.append(
        record, fields, partition, leaders, [this](const Result<Produced>& result) { results.push_back(result); }, now);
  }
  std::vector<ProducerBatchRef> drain(Accumulator& from, Sequences* sequences = nullptr) {
    return from.drain(1, leader_of, sequences, now);
  }
  std::string text_of(const ProducerBatch& batch) {
    std::string text;
    records::Decompressor decompressor;
    for (records::RecordReader reader(records::RecordBatchView(batch.bytes()), decompressor); reader.next();) {
      text += std::string(as_text(reader.record().value())) + " ";
    }
    return text;
  }

  Zeros random;
  MonoTime now{1h};
  std::vector<LeaderOf> leaders{{1, 0}, {1, 0}};
  Accumulator::Leaders leader_of = [this](const TopicPartition& partition) {
    return leaders[static_cast<std::size_t>(partition.partition.value)];
  };
  std::vector<Result<Produced>> results;
};

TEST_F(AccumulatorTest, ARecordLingersForOthers) {
  Accumulator accumulator(settings(), random);
  EXPECT_EQ(append(accumulator, "a"), Accumulator::Appended::something_to_do);
  EXPECT_EQ(append(accumulator, "b"), Accumulator::Appended::taken);
  Accumulator::Ready ready = accumulator.ready(leader_of, now);
  EXPECT_TRUE(ready.nodes.empty());
  EXPECT_EQ(ready.next_look, now + 5ms);

  now += 5ms;
  EXPECT_EQ(accumulator.ready(leader_of, now).nodes, std::vector<std::int32_t>{1});
  const auto batches = drain(accumulator);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(text_of(*batches[0]), "a b ");
  batches[0]->succeeded(100, -1);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[1]->offset, 101);
  EXPECT_EQ(results[1]->timestamp, 1000);
}

TEST_F(AccumulatorTest, AFullBatchGoesAtOnce) {
  Accumulator accumulator(settings(), random);
  append(accumulator, std::string(100, 'x'));
  EXPECT_EQ(append(accumulator, std::string(100, 'y')), Accumulator::Appended::something_to_do);
  EXPECT_EQ(accumulator.ready(leader_of, now).nodes.size(), 1u);
  EXPECT_EQ(drain(accumulator).size(), 1u);
  EXPECT_TRUE(drain(accumulator).empty());  // the second one lingers
}

TEST_F(AccumulatorTest, ALargeRecordTravelsInABatchOfItsOwn) {
  Accumulator accumulator(settings(), random);
  append(accumulator, std::string(5000, 'x'));
  EXPECT_EQ(accumulator.ready(leader_of, now).nodes.size(), 1u);
}

TEST_F(AccumulatorTest, NoMemoryNoRecord) {
  Accumulator accumulator(settings(), random);
  append(accumulator, std::string(9000, 'x'));
  EXPECT_EQ(append(accumulator, std::string(2000, 'x')), Accumulator::Appended::no_memory);
  const auto batches = drain(accumulator);
  batches[0]->succeeded(0, -1);
  accumulator.release(*batches[0]);
  EXPECT_EQ(accumulator.memory_used(), 0u);
  EXPECT_EQ(append(accumulator, std::string(2000, 'x')), Accumulator::Appended::something_to_do);
}

TEST_F(AccumulatorTest, FlushingEndsLingering) {
  Accumulator accumulator(settings(), random);
  append(accumulator, "a");
  const std::uint64_t last = accumulator.last_serial();
  accumulator.begin_flush();
  EXPECT_EQ(drain(accumulator).size(), 1u);
  EXPECT_TRUE(accumulator.incomplete_up_to(last));
  accumulator.end_flush();
}

TEST_F(AccumulatorTest, ATopicWithoutALeaderIsNamed) {
  Accumulator accumulator(settings(), random);
  leaders[1] = {-1, -1};
  append(accumulator, "a", 1);
  EXPECT_EQ(accumulator.ready(leader_of, now).leaderless_topics, std::vector<std::string>{"orders"});
}

TEST_F(AccumulatorTest, ABatchThatCameBackWaitsAndKeepsItsPlace) {
  Accumulator accumulator(settings(), random);
  Sequences sequences;
  sequences.set_producer({1, 0});
  accumulator.begin_flush();
  append(accumulator, "first");
  auto first = drain(accumulator, &sequences);
  append(accumulator, "second");
  auto second = drain(accumulator, &sequences);
  append(accumulator, "third");

  accumulator.enqueue_again(second[0], true, now);
  accumulator.enqueue_again(first[0], true, now);
  EXPECT_TRUE(drain(accumulator, &sequences).empty());
  const MonoTime look = accumulator.ready(leader_of, now).next_look;
  EXPECT_GT(look, now);
  EXPECT_LE(look, now + 120ms);

  now = look;
  const auto again = drain(accumulator, &sequences);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(text_of(*again[0]), "first ");
  EXPECT_EQ(records::BatchHeader(again[0]->bytes().data()).base_sequence(), 0);
}

TEST_F(AccumulatorTest, ANewLeaderEndsThePause) {
  Accumulator accumulator(settings(), random);
  accumulator.begin_flush();
  append(accumulator, "a");
  auto batches = drain(accumulator);
  accumulator.enqueue_again(batches[0], false, now);
  leaders[0] = {1, 1};
  EXPECT_EQ(drain(accumulator).size(), 1u);
}

TEST_F(AccumulatorTest, OneAtATimeWhereOrderHangsOnIt) {
  AccumulatorSettings muting = settings();
  muting.order_by_muting = true;
  Accumulator accumulator(muting, random);
  accumulator.begin_flush();
  append(accumulator, std::string(150, 'x'));
  append(accumulator, std::string(150, 'y'));
  EXPECT_EQ(drain(accumulator).size(), 1u);
  EXPECT_TRUE(drain(accumulator).empty());
  accumulator.unmute({"orders", PartitionIndex(0)});
  EXPECT_EQ(drain(accumulator).size(), 1u);
}

TEST_F(AccumulatorTest, ARequestTakesOneBatchOfEachPartitionUpToItsLimit) {
  AccumulatorSettings small = settings();
  small.request_bytes_max = 300;
  Accumulator accumulator(small, random);
  accumulator.begin_flush();
  append(accumulator, std::string(120, 'x'), 0);
  append(accumulator, std::string(120, 'y'), 1);
  const auto first = drain(accumulator);
  ASSERT_EQ(first.size(), 1u);
  const auto second = drain(accumulator);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(first[0]->partition(), second[0]->partition());
}

TEST_F(AccumulatorTest, ABatchTooLargeForTheBrokerIsSplit) {
  AccumulatorSettings large = settings();
  large.batch_bytes = 1000;
  Accumulator accumulator(large, random);
  Sequences sequences;
  sequences.set_producer({1, 0});
  for (const auto* value : {"one", "two", "three", "four"})
    append(accumulator, std::string(value) + std::string(30, '.'));
  accumulator.begin_flush();
  const auto whole = drain(accumulator, &sequences);
  ASSERT_EQ(whole.size(), 1u);
  sequences.forget(whole[0]->partition(), whole[0]->sequence);
  const auto pieces = accumulator.split(whole[0], now);
  ASSERT_GE(pieces.size(), 2u);
  std::int32_t records = 0;
  for (const ProducerBatchRef& piece : pieces) {
    EXPECT_EQ(piece->sequence.base, records);
    records += piece->record_count();
    sequences.adopt(piece->partition(), piece->sequence);
  }
  EXPECT_EQ(records, 4);
  accumulator.release(*whole[0]);
  EXPECT_TRUE(accumulator.has_incomplete());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto batches = drain(accumulator, &sequences);
    ASSERT_EQ(batches.size(), 1u);
    EXPECT_EQ(batches[0], pieces[i]);
    sequences.completed(batches[0]->partition(), batches[0]->sequence, 0);
    batches[0]->succeeded(10 * static_cast<std::int64_t>(i), -1);
    accumulator.release(*batches[0]);
  }
  EXPECT_EQ(results.size(), 4u);
  EXPECT_FALSE(accumulator.has_incomplete());
  EXPECT_EQ(accumulator.memory_used(), 0u);
}

TEST_F(AccumulatorTest, CompressedBatchesLearnHowWellTheirTopicCompresses) {
  AccumulatorSettings zipped = settings();
  zipped.batch_bytes = 4096;
  zipped.memory_bytes = 1 << 20;
  zipped.compression = {records::CompressionType::zstd, {}};
  Accumulator accumulator(zipped, random);
  std::size_t largest = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 50; ++i) append(accumulator, std::string(100, 'x'));
    for (const auto& batch : drain(accumulator)) {
      largest = std::max(largest, static_cast<std::size_t>(batch->record_count()));
      batch->succeeded(0, -1);
      accumulator.release(*batch);
    }
  }
  EXPECT_GT(largest, 60u);  // plain, a batch has 38 of them
}

TEST_F(AccumulatorTest, WhatWaitsTooLongComesOut) {
  Accumulator accumulator(settings(), random);
  append(accumulator, "a");
  EXPECT_EQ(accumulator.next_expiry(), now + 30s);
  now += 30s;
  EXPECT_EQ(accumulator.take_expired(now).size(), 1u);
  EXPECT_EQ(accumulator.next_expiry(), runtime::never);
}

TEST_F(AccumulatorTest, OneRecordTakesAsManyBytesAsKafkaSays) {
  records::RecordFields fields;
  const std::string value(32, 'x');
  fields.value = as_bytes(value);
  EXPECT_EQ(records::batch_size_upper_bound(fields), 117u);  // RecordTooLargeException names this number
}

}  // namespace
}  // namespace klamm::client
