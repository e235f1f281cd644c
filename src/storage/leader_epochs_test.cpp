#include "storage/leader_epochs.h"

#include <gtest/gtest.h>

namespace klamm::storage {
namespace {

LeaderEpoch epoch(int value) {
  return LeaderEpoch(value);
}

LeaderEpochs epochs_of(std::initializer_list<std::pair<int, int>> entries) {
  LeaderEpochs epochs;
  for (const auto& [number, start] : entries) epochs.assign(epoch(number), Offset(start));
  return epochs;
}

TEST(LeaderEpochs, NotesWhereAnEpochBeginsAndIgnoresWhatItKnows) {
  LeaderEpochs epochs;
  EXPECT_TRUE(epochs.assign(epoch(1), Offset(0)));
  EXPECT_FALSE(epochs.assign(epoch(1), Offset(7)));
  EXPECT_TRUE(epochs.assign(epoch(3), Offset(10)));
  EXPECT_EQ(epochs.to_text(), "0\n2\n1 0\n3 10\n");
}

TEST(LeaderEpochs, ANewEntryDropsThoseItContradicts) {
  auto epochs = epochs_of({{1, 0}, {2, 10}, {3, 20}});
  EXPECT_TRUE(epochs.assign(epoch(4), Offset(10)));
  EXPECT_EQ(epochs, (epochs_of({{1, 0}, {4, 10}})));
  EXPECT_TRUE(epochs.assign(epoch(2), Offset(5)));
  EXPECT_EQ(epochs, (epochs_of({{1, 0}, {2, 5}})));
}

TEST(LeaderEpochs, AnswersTheLargestEpochNotAboveTheOneAskedForAndItsEnd) {  // KIP-279
  const auto epochs = epochs_of({{2, 5}, {4, 10}, {7, 20}});
  const struct {
    int asked;
    EpochEndOffset answer;
  } rows[] = {
      {-1, {}},
      {1, {epoch(1), Offset(5)}},  // older than anything: read on from where the first known one begins
      {2, {epoch(2), Offset(10)}},
      {3, {epoch(2), Offset(10)}},
      {4, {epoch(4), Offset(20)}},
      {7, {epoch(7), Offset(33)}},
      {8, {}},
  };
  for (const auto& row : rows) EXPECT_EQ(epochs.end_offset_of(epoch(row.asked), Offset(33)), row.answer) << row.asked;
  EXPECT_EQ(LeaderEpochs().end_offset_of(epoch(0), Offset(33)), EpochEndOffset());
}

TEST(LeaderEpochs, ForgetsFromBothEnds) {
  auto epochs = epochs_of({{1, 0}, {2, 10}, {3, 20}});
  EXPECT_TRUE(epochs.truncate_from_end(Offset(20)));
  EXPECT_FALSE(epochs.truncate_from_end(Offset(20)));
  EXPECT_EQ(epochs, (epochs_of({{1, 0}, {2, 10}})));
  EXPECT_TRUE(epochs.truncate_from_start(Offset(15)));
  EXPECT_FALSE(epochs.truncate_from_start(Offset(15)));
  EXPECT_EQ(epochs, (epochs_of({{2, 15}})));
}

TEST(LeaderEpochs, KnowsWhoWroteAnOffset) {
  const auto epochs = epochs_of({{1, 3}, {2, 10}});
  EXPECT_EQ(epochs.epoch_of(Offset(2)), std::nullopt);
  EXPECT_EQ(epochs.epoch_of(Offset(9)), epoch(1));
  EXPECT_EQ(epochs.epoch_of(Offset(10)), epoch(2));
}

TEST(LeaderEpochs, ReadsItsFileAndRefusesWhatIsNone) {
  EXPECT_EQ(*LeaderEpochs::parse("0\n2\n1 0\n3 3917\n", "f"), (epochs_of({{1, 0}, {3, 3917}})));
  EXPECT_TRUE(LeaderEpochs::parse("", "f")->empty());
  EXPECT_TRUE(LeaderEpochs::parse("0\n0\n", "f")->empty());
  EXPECT_EQ(LeaderEpochs::parse("1\n0\n", "f").error().message,
            "Unrecognised version:1, expected version: 0 in checkpoint file at: f");
  EXPECT_EQ(LeaderEpochs::parse("0\n2\n1 0\n", "f").error().message,
            "Expected [2] entries in checkpoint file [f], but found only [1]");
  EXPECT_EQ(LeaderEpochs::parse("0\n1\n1 x\n", "f").error().message, "Malformed line in checkpoint file [f]: 1 x");
  EXPECT_FALSE(LeaderEpochs::parse("0\n1\n-1 -1\n", "f"));
  EXPECT_FALSE(LeaderEpochs::parse(std::string(64, '\0'), "f"));
}

}  // namespace
}  // namespace klamm::storage
