// Our files beside those that Apache Kafka 4.3.1 wrote in the same life (testdata/GoldenLog.java): byte for byte. And
// what Kafka wrote in older formats, read.
#include <filesystem>
#include <fstream>

#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t t0 = 1'700'000'000'000;
const Uuid topic_id = *Uuid::parse("vgbAAAAAQACAAAAAAAAAAA");

std::map<std::string, ByteVector> kafka_files(const std::string& directory) {
  std::map<std::string, ByteVector> found;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(__FILE__).parent_path() / "testdata" / directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    found[entry.path().filename()] = to_vector(as_bytes(content));
  }
  return found;
}

void put_files(LogWorld& world, const std::map<std::string, ByteVector>& content) {
  world.disk.state.directories.insert("/data/orders-0");
  for (const auto& [name, bytes] : content) {
    auto node = std::make_shared<DiskState::Node>();
    node->content = node->synced = bytes;
    world.disk.state.names[world.file(name)] = node;
  }
}

const LogSettings golden{.segment_bytes = 1500, .segment_index_bytes = 4096, .index_interval_bytes = 200};

class GoldenLog : public LogWorld, public testing::Test {
 protected:
  GoldenLog() : LogWorld(golden) { clock.time = Timestamp(t0); }

  ByteVector records_of(int count, std::int64_t timestamp, records::BatchOptions options = {}) {
    records::RecordBatchBuilder builder(options);
    const std::string value(40, 'v');
    for (int i = 0; i < count; ++i) {
      const auto key = fmt::format("k{}", i);
      builder.append({.timestamp = Timestamp(timestamp + i), .key = as_bytes(key), .value = as_bytes(value)});
    }
    return builder.take();
  }
  void appended(const LogRef& log, ByteVector bytes) {
    const auto result = append(log, std::move(bytes));
    ASSERT_TRUE(result) << result.error().message;
  }
  static records::BatchOptions of(int producer, int epoch, int sequence, bool transactional) {
    return {.producer_id = ProducerId(producer),
            .producer_epoch = ProducerEpoch(static_cast<std::int16_t>(epoch)),
            .base_sequence = sequence,
            .transactional = transactional};
  }
  void live() {
    const auto log = open_leading(LeaderEpoch(0));
    ASSERT_TRUE(log->assign_topic_id(topic_id));
    const std::int64_t times[] = {0, 10, 20, 15, 30, 30, 5, 50, 60, 70, 65, 80};
    for (int i = 0; i < 12; ++i) appended(log, records_of(i % 3 + 1, t0 + times[i]));
    for (int i = 0; i < 7; ++i) appended(log, records_of(2, t0 + 100 + i, of(1 + i % 2, 0, i / 2 * 2, false)));
    log->update_high_watermark(log->log_end());
    lead(log, LeaderEpoch(3));
    appended(log, records_of(3, t0 + 200, of(5, 1, 0, true)));
    appended(log, records_of(1, t0 + 201, of(6, 0, 0, true)));
    appended(log, records::end_transaction_batch({.timestamp = Timestamp(t0 + 210)}, ProducerId(5), ProducerEpoch(1),
                                                 {records::ControlRecordType::abort, 4}));
    appended(log, records::end_transaction_batch({.timestamp = Timestamp(t0 + 211)}, ProducerId(6), ProducerEpoch(0),
                                                 {records::ControlRecordType::commit, 4}));
    appended(log, records_of(2, t0 + 220, of(5, 1, 3, true)));
    ASSERT_TRUE(run(log->close(first, true)));
  }
};

TEST_F(GoldenLog, EveryFileIsWhatKafkaWrites) {
  live();
  const auto theirs = kafka_files("golden-0");
  ASSERT_EQ(theirs.size(), 15u);
  std::set<std::string> names;
  for (const auto& [name, bytes] : theirs) {
    names.insert(name);
    ASSERT_TRUE(disk.exists(file(name))) << name;
    EXPECT_EQ(to_hex(disk.content(file(name))), to_hex(bytes)) << name;
  }
  EXPECT_EQ(files(), names);
}

TEST_F(GoldenLog, KafkasFilesAreOpenedAndOursAfterACrashAreTheSameAgain) {
  const auto theirs = kafka_files("golden-0");
  for (const bool clean : {true, false}) {
    LogWorld world(golden);
    world.clock.time = Timestamp(t0 + 1000);
    put_files(world, theirs);
    const auto log = world.open(clean, clean ? Offset(46) : Offset(0));
    EXPECT_EQ(log->log_end(), Offset(46));
    EXPECT_EQ(log->topic_id(), topic_id);
    EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(3), Offset(38)}}));
    log->update_high_watermark(Offset(46));
    EXPECT_EQ(log->last_stable_offset(), Offset(44));
    const auto read = world.read(log, Offset(38), 1 << 20, true, ReadIsolation::last_stable);
    EXPECT_EQ(read->aborted, (std::vector<AbortedTransaction>{{ProducerId(5), Offset(38)}}));
    ASSERT_TRUE(world.run(log->close(world.first, true)));
    for (const auto& [name, bytes] : theirs) {
      // Snapshots at the last two segments are made anew, with what was known there.
      ASSERT_TRUE(world.disk.exists(world.file(name))) << name;
      EXPECT_EQ(to_hex(world.disk.content(world.file(name))), to_hex(bytes)) << name << clean;
    }
  }
}

TEST_F(GoldenLog, OldMessageFormatsAreReadAndRecovered) {
  for (const bool clean : {true, false}) {
    LogWorld world;
    put_files(world, kafka_files("formats-0"));
    const auto log = world.open(clean, clean ? Offset(26) : Offset(0));
    EXPECT_EQ(log->log_end(), Offset(26));
    for (Offset from(0); from < Offset(26); from = from + 1) {
      const auto bytes = world.bytes_of(*world.read(log, from, 100));
      records::BatchWalker walker(bytes);
      ASSERT_EQ(walker.next(), records::BatchWalker::Step::entry);
      EXPECT_TRUE(walker.entry().check());
      EXPECT_GE(walker.entry().last_offset(), from);
    }
    const auto at = [&](std::int64_t time) { return world.run(log->find_timestamp(world.first, Timestamp(time))); };
    EXPECT_EQ((**at(t0 + 1001)).offset, Offset(8));
    EXPECT_EQ((**at(t0 + 2003)).offset, Offset(13));
    EXPECT_EQ((**at(t0 + 3001)).offset, Offset(16));
    EXPECT_EQ((**at(t0 + 4008)).offset, Offset(25));
    EXPECT_FALSE(*at(t0 + 4009));
    world.lead(log, LeaderEpoch(1));
    EXPECT_EQ(world.produced(log), Offset(26));
  }
}

}  // namespace
}  // namespace klamm::storage::test
