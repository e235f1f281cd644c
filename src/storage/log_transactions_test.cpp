#include "storage/log.h"
#include "storage/test_world.h"

namespace klamm::storage::test {
namespace {

TEST(LogTransactions, ReadCommittedStopsAtTheFirstOpenTransactionAndKnowsTheAbortedOnes) {
  LogWorld world;
  const auto log = world.open_leading();
  const auto marker = [&](int producer, records::ControlRecordType type) {
    return world.append(log, records::end_transaction_batch({}, ProducerId(producer), ProducerEpoch(0), {type, 0}));
  };
  world.append(log, world.batch({.count = 2, .producer = ProducerId(1), .transactional = true}));  // 0..1
  world.append(log, world.batch({.count = 1, .producer = ProducerId(2), .transactional = true}));  // 2
  ASSERT_TRUE(marker(1, records::ControlRecordType::abort));                                       // 3
  log->update_high_watermark(Offset(4));
  EXPECT_EQ(log->last_stable_offset(), Offset(2));
  ASSERT_TRUE(marker(2, records::ControlRecordType::commit));  // 4
  EXPECT_EQ(log->last_stable_offset(), Offset(2));             // the marker is not below the high watermark
  log->update_high_watermark(Offset(5));
  EXPECT_EQ(log->last_stable_offset(), Offset(5));
  const auto read = world.read(log, Offset(0), 1 << 20, true, ReadIsolation::last_stable);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->aborted, (std::vector<AbortedTransaction>{{ProducerId(1), Offset(0)}}));
  EXPECT_TRUE(world.files().contains("00000000000000000000.txnindex"));

  LogWorld restarted({}, world.disk.state.after_crash(false));
  const auto again = restarted.open(false);
  EXPECT_EQ(restarted.disk.content(restarted.file("00000000000000000000.txnindex")),
            world.disk.content(world.file("00000000000000000000.txnindex")));
  again->update_high_watermark(Offset(5));
  EXPECT_EQ(again->last_stable_offset(), Offset(5));
}

TEST(LogTransactions, AnOpenTransactionHoldsTheLastStableOffsetAfterARestart) {
  for (const bool clean : {true, false}) {
    LogWorld world;
    {
      const auto log = world.open_leading();
      world.produced(log);
      world.append(log, world.batch({.producer = ProducerId(1), .transactional = true}));
      world.produced(log);
      if (clean) ASSERT_TRUE(world.run(log->close(world.first, true)));
    }
    LogWorld restarted({}, world.disk.state.after_crash(false));
    const auto log = restarted.open(clean, clean ? Offset(3) : Offset(0));
    log->update_high_watermark(Offset(3));
    EXPECT_EQ(log->last_stable_offset(), Offset(1)) << clean;
  }
}

TEST(LogTransactions, AFailedTransactionIndexKeepsTheOffsetsAndFreezesTheLastStableOffset) {  // KAFKA-7866
  LogWorld world;
  const auto log = world.open_leading();
  world.append(log, world.batch({.producer = ProducerId(1), .transactional = true}));
  world.disk.before = [](std::string_view operation, const std::string& path) {
    if (operation == "write_at" && path.ends_with(".txnindex")) throw runtime::DiskError(EIO, "pwritev", path);
  };
  const auto ended = world.append(
      log, records::end_transaction_batch({}, ProducerId(1), ProducerEpoch(0), {records::ControlRecordType::abort, 0}));
  EXPECT_EQ(ended.error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(log->log_end(), Offset(2));
  log->update_high_watermark(Offset(2));
  EXPECT_EQ(log->last_stable_offset(), Offset(0));
}

TEST(LogTransactions, WhatWasVerifiedBeforeATransactionEndedIsRefused) {
  LogWorld world;
  const auto log = world.open_leading();
  const auto write = [&](std::int16_t epoch, std::optional<std::uint32_t> ends_seen) {
    const auto result = world.append(
        log, world.batch({.producer = ProducerId(1), .producer_epoch = ProducerEpoch(epoch), .transactional = true}),
        {.ends_seen = ends_seen});
    return result ? ErrorCode::none : result.error().code;
  };
  EXPECT_EQ(log->standing_of(ProducerId(1)).ends, 0u);
  EXPECT_EQ(write(4, 0), ErrorCode::none);
  EXPECT_TRUE(log->standing_of(ProducerId(1)).in_transaction);
  ASSERT_TRUE(world.append(log, records::end_transaction_batch({}, ProducerId(1), ProducerEpoch(4),
                                                               {records::ControlRecordType::commit, 0})));
  EXPECT_EQ(log->standing_of(ProducerId(1)).ends, 1u);
  EXPECT_FALSE(log->standing_of(ProducerId(1)).in_transaction);
  EXPECT_EQ(write(4, 0), ErrorCode::invalid_txn_state);
  EXPECT_EQ(write(3, 0), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(write(4, 1), ErrorCode::none);
  EXPECT_EQ(write(4, std::nullopt), ErrorCode::none);
}

// --- look-ups ------------------------------------------------------------------------------------------------------

}  // namespace
}  // namespace klamm::storage::test
