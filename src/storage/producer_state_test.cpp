#include "storage/producer_state.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "storage/producer_snapshot.h"

namespace klamm::storage {
namespace {

using namespace std::chrono_literals;

class ProducerStateTest : public testing::Test {
 protected:
  ProducerAppend batch(int id, int epoch, int first_sequence, int count, bool transactional = false) {
    const Offset base = end_;
    return {.id = ProducerId(id),
            .epoch = ProducerEpoch(static_cast<std::int16_t>(epoch)),
            .base_sequence = first_sequence,
            .last_sequence = records::increment_sequence(first_sequence, count - 1),
            .base_offset = base,
            .last_offset = base + (count - 1),
            .max_timestamp = Timestamp(now_),
            .transactional = transactional};
  }
  ProducerAppend marker(int id, int epoch, records::ControlRecordType type, int coordinator_epoch = 0) {
    return {.id = ProducerId(id),
            .epoch = ProducerEpoch(static_cast<std::int16_t>(epoch)),
            .base_offset = end_,
            .last_offset = end_,
            .transactional = true,
            .control = true,
            .marker = records::EndTransactionMarker{type, coordinator_epoch},
            .marker_timestamp = Timestamp(now_)};
  }
  ErrorCode append(const ProducerAppend& batch, ProducerCheck check = ProducerCheck::client, int version = 0) {
    ProducerState::Update update(state_, "orders-0");
    const auto ok = update.add(batch, check, version);
    if (!ok) {
      message_ = ok.error().message;
      return ok.error().code;
    }
    state_.apply(update);
    end_ = batch.last_offset + 1;
    for (const auto& completed : ProducerState::completed(update)) {
      last_stable_ = state_.last_stable_after(completed);
      aborted_ = completed.aborted;
      state_.complete(completed);
    }
    return ErrorCode::none;
  }

  ProducerState state_;
  Offset end_{0};
  Offset last_stable_{-1};
  bool aborted_ = false;
  std::int64_t now_ = 1000;
  std::string message_;
};

TEST_F(ProducerStateTest, AResentBatchIsFoundAmongTheLastFiveOnly) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(append(batch(1, 0, i * 2, 2)), ErrorCode::none);
  EXPECT_EQ(state_.find_duplicate(batch(1, 0, 0, 2)), std::nullopt);
  const auto found = state_.find_duplicate(batch(1, 0, 2, 2));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->first_offset(), Offset(2));
  EXPECT_EQ(found->last_offset, Offset(3));
  EXPECT_EQ(state_.find_duplicate(batch(1, 1, 2, 2)), std::nullopt);  // another epoch
  EXPECT_EQ(state_.find_duplicate(batch(1, 0, 2, 1)), std::nullopt);  // another range
}

TEST_F(ProducerStateTest, AGapIsRefusedInKafkasWords) {
  EXPECT_EQ(append(batch(1, 0, 0, 3)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 0, 4, 1)), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(message_,
            "Out of order sequence number for producer 1 at offset 3 in partition orders-0: 4 (incoming seq. number), "
            "2 (current end sequence number)");
  EXPECT_EQ(append(batch(1, 0, 3, 1)), ErrorCode::none);
}

TEST_F(ProducerStateTest, AnUnknownProducerMayGoOnWithAnySequence) {  // KIP-360
  EXPECT_EQ(append(batch(7, 3, 4711, 1)), ErrorCode::none);
  EXPECT_EQ(append(batch(7, 3, 4712, 1)), ErrorCode::none);
}

TEST_F(ProducerStateTest, ANewEpochBeginsAtZeroAndAnOldOneIsFenced) {
  EXPECT_EQ(append(batch(1, 1, 0, 1)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 2, 5, 1)), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(append(batch(1, 2, 0, 1)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 1, 1, 1)), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(message_, "Epoch of producer 1 at offset 2 in orders-0 is 1, which is < the last seen epoch 2 (TV0)");
}

TEST_F(ProducerStateTest, SequencesWrap) {
  EXPECT_EQ(append(batch(1, 0, std::numeric_limits<std::int32_t>::max() - 1, 2)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 0, 0, 1)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 0, 1, 1)), ErrorCode::none);
}

TEST_F(ProducerStateTest, AFollowerTakesWhatTheLeaderTook) {
  EXPECT_EQ(append(batch(1, 5, 100, 1), ProducerCheck::replication), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 4, 7, 1), ProducerCheck::replication), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 4, 7, 1), ProducerCheck::client), ErrorCode::out_of_order_sequence_number);
}

TEST_F(ProducerStateTest, ATransactionHoldsTheLastStableOffsetUntilItsMarkerIsReplicated) {
  EXPECT_EQ(append(batch(1, 0, 0, 2, true)), ErrorCode::none);
  EXPECT_EQ(append(batch(2, 0, 0, 1, true)), ErrorCode::none);
  EXPECT_EQ(state_.first_unstable(), Offset(0));
  EXPECT_EQ(append(marker(1, 0, records::ControlRecordType::abort), ProducerCheck::coordinator), ErrorCode::none);
  EXPECT_TRUE(aborted_);
  EXPECT_EQ(last_stable_, Offset(2));             // the other transaction is still open
  EXPECT_EQ(state_.first_unstable(), Offset(0));  // the marker at 3 is not below the high watermark
  state_.high_watermark_moved(Offset(3));
  EXPECT_EQ(state_.first_unstable(), Offset(0));
  state_.high_watermark_moved(Offset(4));
  EXPECT_EQ(state_.first_unstable(), Offset(2));
  EXPECT_EQ(append(marker(2, 0, records::ControlRecordType::commit), ProducerCheck::coordinator), ErrorCode::none);
  EXPECT_EQ(last_stable_, Offset(5));
  state_.high_watermark_moved(Offset(5));
  EXPECT_EQ(state_.first_unstable(), std::nullopt);
}

TEST_F(ProducerStateTest, APlainBatchInsideATransactionIsRefused) {
  EXPECT_EQ(append(batch(1, 0, 0, 1, true)), ErrorCode::none);
  EXPECT_EQ(append(batch(1, 0, 1, 1, false)), ErrorCode::invalid_txn_state);
}

TEST_F(ProducerStateTest, MarkersOfZombieCoordinatorsAndLateOnesAreFenced) {
  EXPECT_EQ(append(batch(1, 0, 0, 1, true)), ErrorCode::none);
  EXPECT_EQ(append(marker(1, 0, records::ControlRecordType::commit, 5), ProducerCheck::coordinator), ErrorCode::none);
  EXPECT_EQ(append(marker(1, 0, records::ControlRecordType::commit, 4), ProducerCheck::coordinator),
            ErrorCode::transaction_coordinator_fenced);
  EXPECT_EQ(append(batch(1, 0, 1, 1, true)), ErrorCode::none);
  EXPECT_EQ(append(marker(1, 0, records::ControlRecordType::commit, 5), ProducerCheck::coordinator, 2),
            ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(append(marker(1, 1, records::ControlRecordType::commit, 5), ProducerCheck::coordinator, 2),
            ErrorCode::none);
  EXPECT_EQ(append(marker(1, 1, records::ControlRecordType::commit, 5), ProducerCheck::coordinator, 2), ErrorCode::none)
      << "KAFKA-19999: the same marker again";
}

TEST_F(ProducerStateTest, IdleProducersExpireButNotThoseWithAnOpenTransaction) {
  for (int id = 0; id < 20; ++id) EXPECT_EQ(append(batch(id, 0, 0, 1, id == 3)), ErrorCode::none);
  state_.expire(Timestamp(now_ + 59), 60ms);
  EXPECT_EQ(state_.size(), 20u);
  now_ += 30;
  EXPECT_EQ(append(batch(5, 0, 1, 1)), ErrorCode::none);
  state_.expire(Timestamp(1060), 60ms);
  EXPECT_EQ(state_.size(), 2u);
  EXPECT_NE(state_.find(ProducerId(3)), nullptr);
  EXPECT_NE(state_.find(ProducerId(5)), nullptr);
  EXPECT_EQ(state_.find(ProducerId(4)), nullptr);
}

TEST_F(ProducerStateTest, ManyProducersAreFound) {
  for (int id = 0; id < 1000; ++id) EXPECT_EQ(append(batch(id * 7, 0, 0, 1)), ErrorCode::none);
  for (int id = 0; id < 1000; ++id) ASSERT_NE(state_.find(ProducerId(id * 7)), nullptr);
  EXPECT_EQ(state_.find(ProducerId(8)), nullptr);
}

TEST_F(ProducerStateTest, ASnapshotRemembersTheLastBatchAndTheOpenTransaction) {
  EXPECT_EQ(append(batch(9, 2, 0, 5)), ErrorCode::none);
  EXPECT_EQ(append(batch(4, 1, 7, 2, true)), ErrorCode::none);
  const auto bytes = encode_producer_snapshot(state_.producers());
  EXPECT_EQ(bytes.size(), 10u + 2 * 46u);
  const auto entries = decode_producer_snapshot(bytes);
  ASSERT_TRUE(entries);
  ProducerState loaded;
  for (const auto& entry : *entries) loaded.load(entry);
  EXPECT_EQ(loaded.find(ProducerId(4))->transaction_start, Offset(5));
  EXPECT_EQ(loaded.first_unstable(), Offset(5));
  EXPECT_EQ(loaded.find(ProducerId(9))->last_sequence(), 4);
  EXPECT_EQ(loaded
                .find_duplicate(ProducerAppend{
                    .id = ProducerId(9), .epoch = ProducerEpoch(2), .base_sequence = 0, .last_sequence = 4})
                ->first_offset(),
            Offset(0));
}

// Kafka's snapshot has room for one batch of each producer, so after a clean restart an older batch that is sent again,
// because its answer was lost, is not known any more: it is refused as out of order, and so is the answer Kafka gives.
// Clients then take a new epoch and send what was under way once more: those records stand twice. With one request in
// flight that cannot be: the last batch is known.
TEST_F(ProducerStateTest, AfterACleanRestartAResendOfTheLastBatchIsKnownAndOneOfAnOlderBatchIsOutOfOrder) {
  const auto older = batch(9, 0, 0, 5);
  EXPECT_EQ(append(older), ErrorCode::none);
  const auto last = batch(9, 0, 5, 5);
  EXPECT_EQ(append(last), ErrorCode::none);
  EXPECT_TRUE(state_.find_duplicate(older));

  const auto entries = decode_producer_snapshot(encode_producer_snapshot(state_.producers()));
  ASSERT_TRUE(entries);
  state_ = {};
  for (const auto& entry : *entries) state_.load(entry);
  EXPECT_EQ(state_.find_duplicate(last)->first_offset(), Offset(5));
  EXPECT_EQ(state_.find_duplicate(older), std::nullopt);
  EXPECT_EQ(append(batch(9, 0, 0, 5)), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(message_,
            "Out of order sequence number for producer 9 at offset 10 in partition orders-0: 0 (incoming seq. number), "
            "9 (current end sequence number)");
  // The next epoch begins at 0 again, and nothing tells the records from new ones.
  EXPECT_EQ(append(batch(9, 1, 0, 5)), ErrorCode::none);
  EXPECT_EQ(end_, Offset(15));
}

TEST(ProducerSnapshot, OfNobodyIsKafkasTenBytes) {
  EXPECT_EQ(to_hex(encode_producer_snapshot({})), "000148674bc700000000");
}

TEST(ProducerSnapshot, EveryFlippedBitAndEveryCutIsSeen) {
  ProducerEntry entry{.id = ProducerId(1), .epoch = ProducerEpoch(0)};
  entry.add(ProducerEpoch(0),
            {.last_offset = Offset(4), .timestamp = Timestamp(5), .last_sequence = 4, .offset_delta = 4});
  const auto bytes = encode_producer_snapshot(std::span(&entry, 1));
  ASSERT_TRUE(decode_producer_snapshot(bytes));
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    auto flipped = bytes;
    flipped[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    EXPECT_FALSE(decode_producer_snapshot(flipped)) << i;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_producer_snapshot(Bytes(bytes).first(size))) << size;
  }
}

}  // namespace
}  // namespace klamm::storage
