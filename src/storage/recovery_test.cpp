// What a crash, a bad disk or another broker's leftovers make of a log, and what opening it makes of that.
#include "storage/checkpoint_file.h"
#include "storage/index_entries.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

using namespace std::chrono_literals;

// What must hold of any log: offsets grow, every batch is whole, every record can be read from its offset on, and the
// indexes say what the segment says.
void check_invariants(LogWorld& world, const LogRef& log, bool index_files = true) {
  const auto offsets = log->offsets();
  ASSERT_LE(offsets.log_start, offsets.high_watermark);
  ASSERT_LE(offsets.high_watermark, offsets.log_end);
  const auto all = world.offsets_from(log, offsets.log_start);
  ASSERT_TRUE(std::ranges::is_sorted(all));
  for (const auto offset : all) {
    const auto read = world.read(log, Offset(offset), 100);
    ASSERT_TRUE(read);
    const auto bytes = world.bytes_of(*read);
    ASSERT_GE(bytes.size(), records::batch_overhead);
    ASSERT_EQ(records::BatchHeader(bytes.data()).base_offset(), Offset(offset));
  }
  for (const auto& [path, node] : world.disk.state.names) {
    const Bytes bytes = node->content;
    if (!index_files) return;
    if (path.ends_with(".index")) {
      ASSERT_EQ(bytes.size() % OffsetEntry::bytes, 0u);
      for (std::size_t at = OffsetEntry::bytes; at < bytes.size(); at += OffsetEntry::bytes) {
        const auto before = OffsetEntry::load(bytes.data() + at - OffsetEntry::bytes);
        const auto entry = OffsetEntry::load(bytes.data() + at);
        ASSERT_LT(before.last, entry.last);
        ASSERT_LT(before.position, entry.position);
      }
    }
    if (path.ends_with(".timeindex")) {
      ASSERT_EQ(bytes.size() % TimeEntry::bytes, 0u);
      for (std::size_t at = TimeEntry::bytes; at < bytes.size(); at += TimeEntry::bytes) {
        const auto before = TimeEntry::load(bytes.data() + at - TimeEntry::bytes);
        const auto entry = TimeEntry::load(bytes.data() + at);
        ASSERT_LT(before.timestamp, entry.timestamp);
        ASSERT_LT(before.offset, entry.offset);
      }
    }
  }
}

// A life with all that changes files: appends of two producers, rolls, syncs, a truncation, deletions, a clean stop.
struct Life {
  std::vector<DiskState> images;       // before every operation
  std::vector<std::size_t> acked_at;   // number of images when so many records were acknowledged
  std::vector<std::size_t> synced_at;  // the same for those known to be on disk
};

Life live(const LogSettings& settings) {
  LogWorld world(settings);
  Life life;
  world.disk.before = [&](std::string_view, const std::string&) {
    life.images.push_back(world.disk.state.after_crash(false));
  };
  // after_crash(false) loses what was synced; both are kept.
  std::vector<DiskState> synced;
  world.disk.before = [&](std::string_view, const std::string&) {
    DiskState image;
    for (const auto& [name, node] : world.disk.state.names)
      image.names[name] = std::make_shared<DiskState::Node>(*node);
    for (const auto& [name, node] : world.disk.state.synced_names)
      image.synced_names[name] = std::make_shared<DiskState::Node>(*node);
    image.directories = world.disk.state.directories;
    image.synced_directories = world.disk.state.synced_directories;
    life.images.push_back(std::move(image));
  };
  auto log = world.open_leading(LeaderEpoch(1));
  for (int i = 0; i < 14; ++i) {
    world.produced(log, {.producer = ProducerId(i % 2), .sequence = i / 2});
    life.acked_at.push_back(life.images.size());
    if (i % 3 == 0) EXPECT_TRUE(world.run(log->synced(world.first, log->log_end())));
    while (life.synced_at.size() < static_cast<std::size_t>(log->recovery_point().value))
      life.synced_at.push_back(life.images.size());
    log->update_high_watermark(log->log_end());
  }
  world.settle();
  EXPECT_TRUE(*world.run(log->advance_log_start(world.first, Offset(5), LogStartReason::client_record_deletion)));
  EXPECT_GT(world.run(log->delete_old_segments(world.first)), 0u);
  world.clock.pass(61s);
  world.run(log->upkeep(world.first));
  EXPECT_TRUE(world.run(log->close(world.first, true)));
  return life;
}

TEST(Recovery, AfterAKillBeforeAnyOperationEveryAcknowledgedRecordIsThere) {
  const LogSettings settings{.segment_bytes = 400, .index_interval_bytes = 1};
  const auto life = live(settings);
  ASSERT_GT(life.images.size(), 60u);
  for (std::size_t i = 0; i < life.images.size(); ++i) {
    SCOPED_TRACE(fmt::format("killed before operation {}", i));
    LogWorld world(settings, life.images[i].after_crash(false));
    const auto log = world.open(false);
    check_invariants(world, log);
    const auto acked = std::ranges::count_if(life.acked_at, [&](std::size_t at) { return at <= i; });
    ASSERT_GE(log->log_end(), Offset(acked));
    // It goes on: appends, and the producers' sequences hold.
    world.lead(log, LeaderEpoch(9));
    const auto next = log->log_end().value;
    const auto producer = ProducerId(next % 2);
    if (next >= 2 && next < 14) {
      const auto duplicate = world.produce(
          log, {.producer = ProducerId((next - 1) % 2), .sequence = static_cast<std::int32_t>((next - 1) / 2)});
      ASSERT_TRUE(duplicate) << duplicate.error().message;
      ASSERT_TRUE(duplicate->duplicate);
      ASSERT_EQ(world.produced(log, {.producer = producer, .sequence = static_cast<std::int32_t>(next / 2)}),
                Offset(next));
    } else {
      world.produced(log);
    }
  }
}

TEST(Recovery, AfterAPowerCutBeforeAnyOperationEverySyncedRecordIsThere) {
  const LogSettings settings{.segment_bytes = 400, .index_interval_bytes = 1};
  const auto life = live(settings);
  for (std::size_t i = 0; i < life.images.size(); ++i) {
    SCOPED_TRACE(fmt::format("power cut before operation {}", i));
    LogWorld world(settings, life.images[i].after_crash(true));
    const auto log = world.open(false);
    check_invariants(world, log);
    const auto synced = std::ranges::count_if(life.synced_at, [&](std::size_t at) { return at <= i; });
    ASSERT_GE(log->log_end(), Offset(synced));
    world.lead(log, LeaderEpoch(9));
    world.produced(log);
  }
}

TEST(Recovery, IndexesThatWereMadeAnewAreOnDiskAfterwards) {
  const LogSettings settings{.segment_bytes = 400, .index_interval_bytes = 1};
  DiskState stopped;
  {
    LogWorld world(settings);
    const auto log = world.open_leading();
    for (int i = 0; i < 12; ++i) world.produced(log);
    EXPECT_TRUE(world.run(log->close(world.first, true)));
    stopped = world.disk.state.after_crash(true);
  }
  const std::string rolled = "/data/orders-0/00000000000000000004";
  const std::string active = "/data/orders-0/00000000000000000008";  // below the recovery point too: no flush follows
  for (const auto& segment : {rolled, active}) {
    ASSERT_TRUE(stopped.names.contains(segment + ".log"));
    auto damaged = stopped.after_crash(true);
    const auto whole = stopped.names.at(segment + ".index")->content;
    ASSERT_FALSE(whole.empty());
    damaged.names.erase(segment + ".index");
    LogWorld world(settings, std::move(damaged));
    const auto log = world.open(true);
    world.run(log->upkeep(world.first));
    for (const auto* const suffix : {".index", ".timeindex"}) {
      const auto& file = *world.disk.state.names.at(segment + suffix);
      EXPECT_FALSE(file.content.empty()) << segment << suffix;
      EXPECT_EQ(file.synced, file.content) << segment << suffix;
    }
    EXPECT_EQ(world.disk.state.names.at(segment + ".index")->content, whole) << segment;
    EXPECT_TRUE(world.run(log->close(world.first, true)));
  }
}

TEST(Recovery, ACrashDuringRecoveryIsRecoveredFrom) {  // KAFKA-10471
  const LogSettings settings{.segment_bytes = 400, .index_interval_bytes = 1};
  DiskState killed;
  {
    LogWorld world(settings);
    const auto log = world.open_leading();
    for (int i = 0; i < 11; ++i) world.produced(log, {.producer = ProducerId(1), .sequence = i});
    killed = world.disk.state.after_crash(false);
    killed.names.at("/data/orders-0/00000000000000000008.log")->content.resize(250);
  }
  std::vector<DiskState> images;
  {
    LogWorld world(settings, killed.after_crash(false));
    world.disk.before = [&](std::string_view, const std::string&) {
      images.push_back(world.disk.state.after_crash(false));
    };
    EXPECT_EQ(world.open(false)->log_end(), Offset(10));
    world.settle();
  }
  ASSERT_GT(images.size(), 10u);
  for (auto& image : images) {
    LogWorld world(settings, std::move(image));
    const auto log = world.open(false);
    ASSERT_EQ(log->log_end(), Offset(10));
    check_invariants(world, log);
    world.lead(log);
    ASSERT_EQ(world.produced(log, {.producer = ProducerId(1), .sequence = 10}), Offset(10));
  }
}

// --- the tail ------------------------------------------------------------------------------------------------------

class TornTail : public testing::Test {
 protected:
  void SetUp() override {
    LogWorld world;
    const auto log = world.open_leading();
    world.produced(log, {.count = 3});
    world.produced(log, {.count = 2});
    whole_ = world.disk.content(world.file("00000000000000000000.log"));
    first_ = static_cast<std::size_t>(records::BatchHeader(whole_.data()).size_bytes());
    image_ = world.disk.state.after_crash(false);
  }
  Offset end_with(ByteVector content) {
    LogWorld world({}, image_.after_crash(false));
    world.disk.content("/data/orders-0/00000000000000000000.log") = std::move(content);
    const auto log = world.open(false);
    check_invariants(world, log);
    world.lead(log, LeaderEpoch(1));
    EXPECT_EQ(world.produced(log), log->log_end() - 1);
    check_invariants(world, log);
    return log->log_end() - 1;
  }
  ByteVector whole_;
  std::size_t first_ = 0;
  DiskState image_;
};

TEST_F(TornTail, CutAtEveryByteOfTheLastBatch) {
  for (std::size_t size = 0; size <= whole_.size(); ++size) {
    ByteVector cut(whole_.begin(), whole_.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(end_with(std::move(cut)), Offset(size == whole_.size() ? 5 : size >= first_ ? 3 : 0)) << size;
  }
}

TEST_F(TornTail, FilledWithZerosFromEveryByteOfTheLastBatchOn) {
  for (std::size_t size = first_; size < whole_.size(); ++size) {
    auto zeroed = whole_;
    std::fill(zeroed.begin() + static_cast<std::ptrdiff_t>(size), zeroed.end(), std::byte{0});
    zeroed.resize(zeroed.size() + 4096);
    const auto end = end_with(std::move(zeroed));
    // The last bytes of a batch can be zeros already.
    ASSERT_TRUE(end == Offset(3) || (end == Offset(5) && whole_[size] == std::byte{0})) << size;
  }
}

TEST_F(TornTail, FollowedByGarbage) {
  CountedRandom random;
  for (int i = 0; i < 200; ++i) {
    auto garbage = whole_;
    for (std::uint64_t bytes = random.next() % 300 + 1; bytes > 0; --bytes)
      garbage.push_back(static_cast<std::byte>(random.next() >> 56));
    ASSERT_EQ(end_with(std::move(garbage)), Offset(5));
  }
}

TEST_F(TornTail, AFlippedBitInTheLastBatchTakesThatBatchOnly) {
  for (std::size_t bit = first_ * 8; bit < whole_.size() * 8; bit += 3) {
    auto flipped = whole_;
    flipped[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto end = end_with(std::move(flipped));
    const auto in_batch = bit / 8 - first_;
    // Leader epoch and base offset lie outside of the checksum, as in Kafka.
    if (in_batch >= 8 && !(in_batch >= 12 && in_batch < 16)) ASSERT_EQ(end, Offset(3)) << bit;
  }
}

TEST(Recovery, WhatFollowsABrokenSegmentGoesToo) {
  LogWorld world({.segment_bytes = 200});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  auto image = world.disk.state.after_crash(false);
  image.names.at("/data/orders-0/00000000000000000002.log")->content.back() ^= std::byte{1};
  LogWorld restarted({.segment_bytes = 200}, std::move(image));
  const auto again = restarted.open(false);
  EXPECT_EQ(again->log_end(), Offset(3));
  EXPECT_EQ(again->segment_count(), 2u);
  EXPECT_TRUE(restarted.lines.has("Corruption found in segment 2, truncating to offset 3"));
  EXPECT_TRUE(restarted.lines.has("Recovering unflushed segment 2. 1 recovered for orders-0."));
}

TEST(Recovery, SegmentsThatRecoveryDroppedDoNotComeBackWithAPowerCut) {
  LogWorld world({.segment_bytes = 200});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  world.settle();
  auto image = world.disk.state.after_crash(false);
  image.names.at("/data/orders-0/00000000000000000002.log")->content.back() ^= std::byte{1};
  LogWorld restarted({.segment_bytes = 200}, std::move(image));
  EXPECT_EQ(restarted.open(false)->log_end(), Offset(3));
  for (const auto& [name, node] : restarted.disk.state.after_crash(true).names) {
    EXPECT_FALSE(name.ends_with("04.log") || name.ends_with("06.log")) << name;
  }
}

TEST(Recovery, ALeftoverOfADroppedSegmentIsNotPartOfTheLogThatWasWrittenInItsPlace) {
  LogWorld world({.segment_bytes = 100'000});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  for (const bool empty : {false, true}) {
    auto image = world.disk.state.after_crash(false);
    auto leftover = std::make_shared<DiskState::Node>();
    if (empty) {
      leftover->content.resize(68);
    } else {
      leftover->content = world.stamped({}, Offset(4), LeaderEpoch(0));
    }
    image.names["/data/orders-0/00000000000000000004.log"] = leftover;
    LogWorld restarted({.segment_bytes = 100'000}, std::move(image));
    const auto again = restarted.open(false);
    EXPECT_EQ(again->log_end(), Offset(8));
    EXPECT_EQ(again->segment_count(), 1u);
    EXPECT_TRUE(restarted.lines.has("Segment 4 begins before the end 8 of the one before, truncating to offset 8"));
    check_invariants(restarted, again);
    restarted.lead(again);
    EXPECT_EQ(restarted.produced(again), Offset(8));
  }
}

TEST(Recovery, SegmentsBelowTheRecoveryPointAreNotRead) {  // KAFKA-7283
  LogWorld world({.segment_bytes = 200});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  world.settle();
  EXPECT_EQ(log->recovery_point(), Offset(6));
  LogWorld restarted({.segment_bytes = 200}, world.disk.state.after_crash(false));
  EXPECT_EQ(restarted.open(false, Offset(6))->log_end(), Offset(8));
  EXPECT_FALSE(restarted.lines.has("Recovering unflushed segment 4."));
  EXPECT_TRUE(restarted.lines.has("Recovering unflushed segment 6."));
}

// --- files that are missing or wrong -------------------------------------------------------------------------------

struct Damage {
  const char* name;
  std::function<void(ByteVector&)> damage;  // empty: the file is removed
};

TEST(Recovery, DerivedFilesThatAreMissingOrWrongAreMadeAnewAndNothingIsRefused) {  // KAFKA-2012
  const LogSettings settings{.segment_bytes = 2000, .index_interval_bytes = 1};
  DiskState stopped;
  std::vector<std::int64_t> expected;
  {
    LogWorld world(settings);
    const auto log = world.open_leading(LeaderEpoch(3));
    for (int i = 0; i < 50; ++i)
      world.produced(log, {.timestamp = Timestamp(1000 + i * 10), .producer = ProducerId(1), .sequence = i});
    expected = world.offsets_from(log, Offset(0));
    ASSERT_TRUE(world.run(log->close(world.first, true)));
    stopped = world.disk.state.after_crash(false);
  }
  const Damage damages[] = {
      {"missing", {}},
      {"empty", [](ByteVector& bytes) { bytes.clear(); }},
      {"cut in an entry",
       [](ByteVector& bytes) { bytes.resize(bytes.size() - std::min<std::size_t>(bytes.size(), 3)); }},
      {"cut at an entry", [](ByteVector& bytes) { bytes.resize(bytes.size() / 48 * 24); }},
      {"zeros", [](ByteVector& bytes) { std::ranges::fill(bytes, std::byte{0}); }},
      {"ones", [](ByteVector& bytes) { std::ranges::fill(bytes, std::byte{0xff}); }},
      {"zeros behind", [](ByteVector& bytes) { bytes.resize(bytes.size() + 240); }},
      {"a flipped bit",
       [](ByteVector& bytes) {
         if (!bytes.empty()) bytes[bytes.size() / 2] ^= std::byte{4};
       }},
      {"reversed", [](ByteVector& bytes) { std::ranges::reverse(bytes); }},
  };
  for (const auto& [path, node] : stopped.names) {
    if (path.ends_with(".log") || path.ends_with("partition.metadata")) continue;
    for (const auto& damage : damages) {
      for (const bool clean : {true, false}) {
        SCOPED_TRACE(fmt::format("{} {} {}", path, damage.name, clean ? "clean" : "unclean"));
        auto image = stopped.after_crash(false);
        if (damage.damage) {
          damage.damage(image.names.at(path)->content);
        } else {
          image.names.erase(path);
        }
        LogWorld world(settings, std::move(image));
        const auto log = world.open(clean, clean ? Offset(50) : Offset(0));
        ASSERT_EQ(log->log_end(), Offset(50));
        ASSERT_EQ(world.offsets_from(log, Offset(0), 400), expected);
        for (int i = 0; i < 50; ++i) {
          const auto found = world.run(log->find_timestamp(world.first, Timestamp(1000 + i * 10)));
          ASSERT_TRUE(found && *found);
          ASSERT_EQ((*found)->offset, Offset(i));
        }
        ASSERT_EQ((*world.run(log->find_max_timestamp(world.first)))->offset, Offset(49));
        // A wrong index that was never asked stays as it is; one that was is put right by the next upkeep.
        check_invariants(world, log, !clean);
        if (log->due() <= world.clock.mono) world.run(log->upkeep(world.first));
        check_invariants(world, log, !clean);
        ASSERT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(3), Offset(0)}}));
        world.lead(log, LeaderEpoch(4));
        ASSERT_EQ(world.produced(log, {.producer = ProducerId(1), .sequence = 50}), Offset(50));
      }
    }
  }
}

// The snapshot of a clean stop holds the last batch of each producer alone, as Kafka's does: of several requests on
// their way only the last is recognised when it is sent again. A scan, after a crash, knows the last five.
TEST(Recovery, AfterACleanStopAnOlderBatchThatIsSentAgainIsOutOfOrder) {
  DiskState stopped;
  DiskState killed;
  {
    LogWorld world;
    const auto log = world.open_leading();
    for (int i = 0; i < 4; ++i) world.produced(log, {.count = 2, .producer = ProducerId(7), .sequence = i * 2});
    killed = world.disk.state.after_crash(false);
    ASSERT_TRUE(world.run(log->close(world.first, true)));
    stopped = world.disk.state.after_crash(false);
  }
  const auto again = [](LogWorld& world, const LogRef& log, int batch) {
    return world.produce(log, {.count = 2, .producer = ProducerId(7), .sequence = batch * 2});
  };
  {
    LogWorld world({}, std::move(stopped));
    const auto log = world.open(true, Offset(8));
    world.lead(log);
    const auto last = again(world, log, 3);
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->duplicate);
    EXPECT_EQ(last->first_offset, Offset(6));
    const auto older = again(world, log, 2);
    ASSERT_FALSE(older);
    EXPECT_EQ(older.error().code, ErrorCode::out_of_order_sequence_number);
    // What a client does then: the next epoch, from sequence 0 on. The log cannot know that it has these records.
    EXPECT_EQ(
        world.produced(log, {.count = 2, .producer = ProducerId(7), .producer_epoch = ProducerEpoch(1), .sequence = 0}),
        Offset(8));
  }
  LogWorld world({}, std::move(killed));
  const auto log = world.open(false);
  world.lead(log);
  for (int i = 0; i < 4; ++i) {
    const auto known = again(world, log, i);
    ASSERT_TRUE(known) << i;
    EXPECT_TRUE(known->duplicate) << i;
  }
  EXPECT_EQ(log->log_end(), Offset(8));
}

TEST(Recovery, ACleanStopOfALogWhoseRecordsWereAllDeletedLeavesItsEndAsTheRecoveryPoint) {
  LogWorld world({.flush_messages = 1});
  const auto log = world.open_leading();
  world.produced(log, {.producer = ProducerId(1)});
  log->update_high_watermark(Offset(1));
  ASSERT_TRUE(world.run(log->flush_all(world.first)));
  ASSERT_TRUE(*world.run(log->delete_records_before(world.first, Offset(1))));
  world.settle();
  ASSERT_TRUE(world.run(log->close(world.first, true)));
  EXPECT_EQ(log->recovery_checkpoint(), Offset(1));
}

TEST(Recovery, ACleanlyStoppedLogIsNotScanned) {
  const LogSettings settings{.segment_bytes = 100000};
  LogWorld world(settings);
  {
    const auto log = world.open_leading();
    for (int i = 0; i < 500; ++i) world.produced(log, {.value_bytes = 1000, .producer = ProducerId(1), .sequence = i});
    ASSERT_TRUE(world.run(log->close(world.first, true)));
  }
  world.disk.calls.clear();
  const auto log = world.open();
  EXPECT_EQ(log->log_end(), Offset(500));
  EXPECT_LE(world.disk.calls["read_at"], 20u);
  EXPECT_EQ(world.disk.calls["write_at"], 0u);
  EXPECT_EQ(world.disk.calls["sync_data"], 0u);
  world.disk.calls.clear();
  ASSERT_TRUE(world.run(log->close(world.first, true)));  // and one that nobody touched costs nothing to stop
  EXPECT_TRUE(world.disk.calls.empty());
}

// --- leftovers -----------------------------------------------------------------------------------------------------

class Leftovers : public LogWorld, public testing::Test {
 protected:
  void SetUp() override {
    settings.segment_bytes = 200;
    const auto log = open_leading();
    for (int i = 0; i < 8; ++i) produced(log);  // segments 0, 2, 4, 6
    ASSERT_TRUE(run(log->close(first, true)));
  }
  void copy(const std::string& from, const std::string& to) {
    disk.state.names[file(to)] = std::make_shared<DiskState::Node>(*disk.state.names.at(file(from)));
  }
};

TEST_F(Leftovers, DeletedAndCleanedFilesGo) {
  copy("00000000000000000002.log", "00000000000000000002.log.cleaned");
  copy("00000000000000000002.log", "00000000000000000099.log.deleted");
  copy("00000000000000000002.log", "00000000000000000004-0000000001.checkpoint.deleted");
  const auto log = open();
  EXPECT_EQ(log->log_end(), Offset(8));
  EXPECT_FALSE(files().contains("00000000000000000002.log.cleaned"));
  EXPECT_FALSE(files().contains("00000000000000000099.log.deleted"));
  EXPECT_TRUE(files().contains("00000000000000000004-0000000001.checkpoint.deleted"));
}

TEST_F(Leftovers, AFinishedSwapReplacesTheSegmentsItCovers) {  // KAFKA-12520
  // Segments 2 and 4 were compacted into one, based at 2, that keeps 2 and 5.
  auto merged = stamped({}, Offset(2), LeaderEpoch(0));
  append_bytes(merged, stamped({}, Offset(5), LeaderEpoch(0)));
  copy("00000000000000000002.log", "00000000000000000002.log.swap");
  copy("00000000000000000002.index", "00000000000000000002.index.swap");
  copy("00000000000000000002.timeindex", "00000000000000000002.timeindex.swap");
  disk.content(file("00000000000000000002.log.swap")) = merged;
  disk.content(file("00000000000000000002.index.swap")).clear();
  const auto log = open();
  EXPECT_EQ(offsets_from(log, Offset(0)), (std::vector<std::int64_t>{0, 1, 2, 5, 6, 7}));
  EXPECT_FALSE(files().contains("00000000000000000004.log"));
  EXPECT_FALSE(files().contains("00000000000000000002.log.swap"));
}

TEST_F(Leftovers, ASwapOfAnUnfinishedSplitGoes) {  // KAFKA-6264
  copy("00000000000000000004.log", "00000000000000000004.log.swap");
  copy("00000000000000000002.log", "00000000000000000003.log.cleaned");
  const auto log = open();
  EXPECT_EQ(offsets_from(log, Offset(0)).size(), 8u);
  EXPECT_FALSE(files().contains("00000000000000000004.log.swap"));
}

TEST_F(Leftovers, IndexesWithoutALogGo) {
  disk.state.names.erase(file("00000000000000000000.log"));
  const auto log = open();
  EXPECT_EQ(log->log_start(), Offset(2));
  EXPECT_FALSE(files().contains("00000000000000000000.index"));
}

TEST_F(Leftovers, ALogThatEndsBelowItsCheckpointedStartBeginsAnew) {
  const auto log = open(true, Offset(8), Offset(20));
  EXPECT_EQ(log->log_start(), Offset(20));
  EXPECT_EQ(log->log_end(), Offset(20));
  EXPECT_TRUE(lines.has("Deleting all segments because logEndOffset (8) is smaller than logStartOffset 20."));
  lead(log, LeaderEpoch(1));
  EXPECT_EQ(produced(log), Offset(20));
}

TEST(Recovery, ASegmentWhoseOffsetsOverflowIsSplit) {  // KAFKA-5413, KAFKA-6264
  const auto far = Offset((std::int64_t{1} << 31) + 5);
  const LogSettings compacted{.compact = true};  // nothing else leaves such gaps
  LogWorld world(compacted);
  const auto log = world.open_leading();
  world.produced(log, {.count = 2});
  auto image = world.disk.state.after_crash(false);
  auto& content = image.names.at("/data/orders-0/00000000000000000000.log")->content;
  append_bytes(content, world.stamped({.count = 3}, far, LeaderEpoch(0)));
  append_bytes(content, world.stamped({.count = 1}, far + 3, LeaderEpoch(0)));
  std::vector<DiskState> images;
  {
    LogWorld restarted(compacted, image.after_crash(false));
    restarted.disk.before = [&](std::string_view, const std::string&) {
      images.push_back(restarted.disk.state.after_crash(false));
    };
    const auto again = restarted.open(false);
    EXPECT_EQ(again->segment_count(), 2u);
    EXPECT_EQ(restarted.offsets_from(again, Offset(0)), (std::vector<std::int64_t>{0, far.value, far.value + 3}));
  }
  for (auto& crashed : images) {
    LogWorld again(compacted, std::move(crashed));
    EXPECT_EQ(again.offsets_from(again.open(false), Offset(0)),
              (std::vector<std::int64_t>{0, far.value, far.value + 3}));
  }
}

TEST(Recovery, AnotherTopicsDirectoryIsRefused) {
  LogWorld world;
  const auto id = Uuid{1, 5};
  ASSERT_TRUE(world.open()->assign_topic_id(id));
  EXPECT_EQ(world.open()->topic_id(), id);
  EXPECT_THROW(Log::open(*world.directory, {.name = {"orders", PartitionIndex(0)},
                                            .directory_name = "orders-0",
                                            .settings = std::make_shared<LogSettings>(),
                                            .topic_id = Uuid{1, 6},
                                            .high_watermark = {}}),
               std::runtime_error);
  EXPECT_EQ(world.open()->assign_topic_id(Uuid{1, 6}).error().code, ErrorCode::inconsistent_topic_id);
}

TEST(Recovery, AHighWatermarkOutsideOfTheLogIsClamped) {  // KAFKA-3978
  LogWorld world;
  world.produced(world.open_leading(), {.count = 4});
  const auto open_with = [&](Offset high_watermark) {
    return Log::open(*world.directory, {.name = {"orders", PartitionIndex(0)},
                                        .directory_name = "orders-0",
                                        .settings = std::make_shared<LogSettings>(),
                                        .topic_id = {},
                                        .clean = false,
                                        .high_watermark = high_watermark});
  };
  EXPECT_EQ(open_with(Offset(3))->high_watermark(), Offset(3));
  EXPECT_EQ(open_with(Offset(30))->high_watermark(), Offset(4));
  EXPECT_TRUE(world.lines.has("High watermark 30 lies outside of the log [0, 4]; 4 is taken"));
  EXPECT_EQ(open_with(Offset(-30))->high_watermark(), Offset(0));
}

TEST(Recovery, ReadersGetAnErrorForABrokenBatchAndNoJump) {  // KAFKA-5211, KAFKA-5630
  LogWorld world;
  const auto log = world.open_leading();
  for (int i = 0; i < 3; ++i) world.produced(log);
  ASSERT_TRUE(world.run(log->close(world.first, true)));
  store_big(world.disk.content(world.file("00000000000000000000.log")).data() + 8, std::int32_t{-5});
  const auto again = world.open(true, Offset(3));
  // The first header says nonsense: nothing behind it can be trusted, which a start that looks at it finds out.
  EXPECT_EQ(again->log_end(), Offset(0));
}

TEST(Recovery, ATruncationKeepsNothingBehindDamageThatIsNoError) {
  LogWorld world;
  auto log = world.open_leading();
  for (int i = 0; i < 3; ++i) world.produced(log);
  ASSERT_TRUE(world.run(log->roll(world.first)));
  world.produced(log);
  ASSERT_TRUE(world.run(log->close(world.first, true)));
  // A length that goes beyond the file looks like a batch that is still being written.
  auto& bytes = world.disk.content(world.file("00000000000000000000.log"));
  store_big(bytes.data() + bytes.size() / 3 + 8, std::int32_t{1 << 28});
  log = world.open(true, Offset(4));
  ASSERT_EQ(log->log_end(), Offset(4));
  ASSERT_TRUE(world.run(log->truncate_to(world.first, Offset(2))));
  world.lead(log);
  ASSERT_EQ(world.produced(log), Offset(2));
  const auto read = world.read(log, Offset(2));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->data_offset, Offset(2));
  EXPECT_GT(read->bytes(), 0u);
}

TEST(Recovery, EpochsAreNotTakenFromOffsetsThatCannotBe) {
  LogWorld world;
  {
    const auto log = world.open_leading(LeaderEpoch(1));
    for (int i = 0; i < 3; ++i) world.produced(log);
    ASSERT_TRUE(world.run(log->roll(world.first)));
    world.produced(log);
    ASSERT_TRUE(world.run(log->close(world.first, true)));
  }
  auto& bytes = world.disk.content(world.file("00000000000000000000.log"));
  store_big(bytes.data() + bytes.size() / 3, std::int64_t{-55293});
  world.disk.state.names.erase(world.file("leader-epoch-checkpoint"));
  const auto log = world.open(false, Offset(3));
  EXPECT_EQ(log->log_end(), Offset(4));
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}}));
}

// --- retention -----------------------------------------------------------------------------------------------------

TEST(Retention, TakesWhatIsTooOldWhenItsTimeHasCome) {
  LogWorld world({.segment_bytes = 200, .retention_ms = 10000ms});
  const auto log = world.open_leading();
  for (int i = 0; i < 6; ++i) world.produced(log);
  log->update_high_watermark(Offset(6));
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 0u);
  world.clock.pass(10001ms);
  // The active segment is too old as well: a new one takes its place.
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 3u);
  EXPECT_EQ(log->log_start(), Offset(6));
  EXPECT_EQ(log->segment_count(), 1u);
  EXPECT_TRUE(world.files().contains("00000000000000000000.log.deleted"));
  EXPECT_EQ(world.read(log, Offset(3)).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(world.produced(log), Offset(6));
  EXPECT_TRUE(
      world.lines.has("due to log retention time 10000ms breach based on the largest record timestamp in the segment"));
  world.clock.pass(60001ms);
  EXPECT_LE(log->due(), world.clock.mono);
  world.run(log->upkeep(world.first));
  EXPECT_EQ(world.files().size(), 5u);  // .log .index .timeindex .snapshot leader-epoch-checkpoint
}

TEST(Retention, TakesTheOldestBeyondItsSize) {
  LogWorld world({.segment_bytes = 200, .retention_bytes = 400, .retention_ms = -1ms});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  log->update_high_watermark(Offset(8));
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 1u);
  EXPECT_EQ(log->log_start(), Offset(2));
  EXPECT_GE(log->size_bytes(), 400u);
}

TEST(Retention, NeverReachesTheHighWatermark) {  // KAFKA-5634
  LogWorld world({.segment_bytes = 200, .retention_bytes = 0});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  log->update_high_watermark(Offset(5));
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 2u);
  EXPECT_EQ(log->log_start(), Offset(4));
}

TEST(Retention, OfCompactedTopicsTakesOnlyWhatLiesBelowTheStart) {
  LogWorld world(
      {.segment_bytes = 200, .retention_bytes = 0, .retention_ms = 0ms, .delete_old = false, .compact = true});
  const auto log = world.open_leading();
  for (int i = 0; i < 8; ++i) world.produced(log);
  log->update_high_watermark(Offset(8));
  world.clock.pass(100000ms);
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 0u);
  EXPECT_EQ(world.run(log->delete_records_before(world.first, Offset(9))).error().code, ErrorCode::offset_out_of_range);
  ASSERT_TRUE(*world.run(log->delete_records_before(world.first, Offset(5))));
  EXPECT_EQ(world.run(log->delete_old_segments(world.first)), 2u);
  EXPECT_EQ(log->log_start(), Offset(5));
  EXPECT_EQ(log->first_segment_base(), Offset(4));
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch(0), Offset(5)}}));
}

TEST(Retention, ReadersOfADeletedSegmentFinish) {
  LogWorld world({.segment_bytes = 200, .retention_bytes = 0});
  const auto log = world.open_leading();
  for (int i = 0; i < 4; ++i) world.produced(log);
  log->update_high_watermark(Offset(4));
  const auto reading = world.read(log, Offset(0));
  EXPECT_GT(world.run(log->delete_old_segments(world.first)), 0u);
  EXPECT_EQ(world.bytes_of(*reading).size(), reading->bytes());
}

TEST(Log, SilentProducersAreForgotten) {
  LogWorld world;
  const auto log = world.open_leading();
  world.produced(log, {.producer = ProducerId(1)});
  world.run(log->rest(world.first, world.clock.time + 86'399'999));
  EXPECT_EQ(log->active_producers().size(), 1u);
  world.run(log->rest(world.first, world.clock.time + 86'400'000));
  EXPECT_EQ(log->active_producers().size(), 0u);
}

}  // namespace
}  // namespace klamm::storage::test
