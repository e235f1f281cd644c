#include "bench/group_member.h"

#include <gtest/gtest.h>

#include "base/error_code.h"
#include "bench/answers_testing.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/sync_group.h"

namespace klamm::bench {
namespace {

using namespace std::chrono_literals;

constexpr GroupVersions versions{
    .join = 9, .sync = 5, .heartbeat = 4, .commit = 9, .leave = 5, .consumer_heartbeat = 1};

MemberSettings settings() {
  return {.group = "g", .topic = "t", .topic_id = Uuid{1, 2}, .partitions = {0, 1, 2}, .versions = versions};
}

runtime::MonoTime at(runtime::Duration since) {
  return runtime::MonoTime{} + 1000s + since;
}

ByteVector join_answer(std::string member, std::string leader, std::vector<std::string> members = {}) {
  protocol::JoinGroupResponse response;
  response.generation_id = 4;
  response.protocol_type = "consumer";
  response.protocol_name = "range";
  response.leader = std::move(leader);
  response.member_id = std::move(member);
  for (auto& id : members) response.members.emplace_back().member_id = std::move(id);
  return answer_of(response, versions.join);
}

ByteVector refusal(ErrorCode code, std::string member) {
  protocol::JoinGroupResponse response;
  response.error_code = static_cast<std::int16_t>(code);
  response.member_id = std::move(member);
  return answer_of(response, versions.join);
}

ByteVector sync_answer(ByteVector assignment) {
  protocol::SyncGroupResponse response;
  response.assignment = std::move(assignment);
  return answer_of(response, versions.sync);
}

ByteVector heartbeat_answer(ErrorCode code) {
  protocol::HeartbeatResponse response;
  response.error_code = static_cast<std::int16_t>(code);
  return answer_of(response, versions.heartbeat);
}

// The leader of two, stable.
ClassicMember leader_of_two() {
  ClassicMember member(settings());
  EXPECT_EQ(member.due(at(0s))->question, Question::join);
  EXPECT_EQ(member.answered(Question::join, join_answer("a", "a", {"a", "b"}), at(0s)), "");
  EXPECT_EQ(member.due(at(0s))->question, Question::sync);
  EXPECT_EQ(member.answered(Question::sync, sync_answer(assignment_of(settings(), 0, 2, "a")), at(0s)), "");
  return member;
}

TEST(ClassicMember, JoinsAgainUnderTheIdThatItIsGiven) {
  ClassicMember member(settings());
  ASSERT_EQ(member.due(at(0s))->question, Question::join);
  EXPECT_FALSE(member.due(at(1s))) << "nothing while the join is out";
  EXPECT_EQ(member.answered(Question::join, refusal(ErrorCode::member_id_required, "a"), at(1s)), "");
  const auto again = member.due(at(1s));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->question, Question::join);
}

TEST(ClassicMember, WaitsForACoordinatorThatLoads) {
  ClassicMember member(settings());
  member.due(at(0s));
  EXPECT_EQ(member.answered(Question::join, refusal(ErrorCode::coordinator_load_in_progress, ""), at(0s)), "");
  EXPECT_FALSE(member.due(at(49ms)));
  EXPECT_EQ(member.next(), at(50ms));
  EXPECT_TRUE(member.due(at(50ms)));
}

TEST(ClassicMember, LeadsTheOthersAndOwnsEachPartitionOnceWithThem) {
  const ClassicMember member = leader_of_two();
  EXPECT_TRUE(member.stable());
  EXPECT_EQ(member.led(), 2U);
  EXPECT_EQ(member.generation(), 4);
  EXPECT_EQ(member.partitions_owned(), 2U);
  EXPECT_EQ(partitions_of_assignment(assignment_of(settings(), 1, 2, "b"), "b"), 1U);
}

TEST(ClassicMember, LeavesAtEveryVersionOfTheRequest) {
  for (std::int16_t version = 0; version <= 5; ++version) {
    MemberSettings old = settings();
    old.versions.leave = version;
    ClassicMember member(old);
    member.due(at(0s));
    member.answered(Question::join, join_answer("a", "a", {"a"}), at(0s));
    EXPECT_TRUE(as_text(member.leave().head).ends_with(version < 3 ? "a" : "")) << version;
  }
}

TEST(ClassicMember, RefusesTheAssignmentOfAnother) {
  ClassicMember member(settings());
  member.due(at(0s));
  member.answered(Question::join, join_answer("b", "a"), at(0s));
  member.due(at(0s));
  EXPECT_NE(member.answered(Question::sync, sync_answer(assignment_of(settings(), 0, 2, "a")), at(0s)), "");
  EXPECT_FALSE(member.stable());
  const ByteVector whole = assignment_of(settings(), 0, 2, "a");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(partitions_of_assignment(Bytes(whole).first(size), "a")) << size;
}

TEST(ClassicMember, HeartbeatsAndCommitsHaveTheirTimesWhateverTheAnswersDo) {
  ClassicMember member = leader_of_two();
  member.begin(at(10s), 0.5);
  EXPECT_EQ(member.next(), at(10'500ms));
  EXPECT_FALSE(member.due(at(10'499ms)));
  // Late by more than two seconds: what was due is sent all the same, and keeps its times.
  std::vector<std::pair<Question, runtime::MonoTime>> sent;
  while (const auto due = member.due(at(12'600ms))) sent.emplace_back(due->question, due->intended);
  const std::vector<std::pair<Question, runtime::MonoTime>> expected{{Question::heartbeat, at(11'500ms)},
                                                                     {Question::commit, at(10'500ms)},
                                                                     {Question::commit, at(11'500ms)},
                                                                     {Question::commit, at(12'500ms)}};
  EXPECT_EQ(sent, expected);
  EXPECT_EQ(member.next(), at(13'500ms));
}

TEST(ClassicMember, RejoinsWhenTheGroupRebalancesWhileItSettlesAndCallsItAFailureLater) {
  ClassicMember settling = leader_of_two();
  EXPECT_EQ(settling.due(at(500ms))->question, Question::heartbeat);
  EXPECT_EQ(settling.answered(Question::heartbeat, heartbeat_answer(ErrorCode::rebalance_in_progress), at(600ms)), "");
  EXPECT_EQ(settling.due(at(600ms))->question, Question::join);

  ClassicMember measured = leader_of_two();
  measured.begin(at(1s), 0);
  EXPECT_EQ(measured.due(at(1s))->question, Question::heartbeat);
  EXPECT_EQ(measured.answered(Question::heartbeat, heartbeat_answer(ErrorCode::rebalance_in_progress), at(2s)),
            "heartbeat: REBALANCE_IN_PROGRESS");
}

TEST(ClassicMember, EachNewSubscriptionDiffersFromTheOneBefore) {
  ClassicMember member = leader_of_two();
  member.subscribe_anew();
  const ByteVector first = member.due(at(1s))->frame->head;
  member.answered(Question::join, join_answer("a", "a", {"a", "b"}), at(1s));
  member.due(at(1s));
  member.answered(Question::sync, sync_answer(assignment_of(settings(), 0, 2, "a")), at(1s));
  member.subscribe_anew();
  const ByteVector second = member.due(at(1s))->frame->head;
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first, second);
}

ByteVector consumer_answer(std::int32_t epoch, std::optional<std::vector<std::int32_t>> partitions = {}) {
  protocol::ConsumerGroupHeartbeatResponse response;
  response.member_epoch = epoch;
  response.heartbeat_interval_ms = 5000;
  if (partitions) {
    auto& assignment = response.assignment.emplace();
    auto& topic = assignment.topic_partitions.emplace_back();
    topic.topic_id = Uuid{1, 2};
    topic.partitions = *partitions;
  }
  return answer_of(response, versions.consumer_heartbeat);
}

// A heartbeat with the rebalance timeout, of a minute, has all else too.
bool says_all(const Member::Due& due) {
  return as_text(due.frame->head).contains(std::string_view("\x00\x00\xEA\x60", 4));
}

TEST(ConsumerMember, AnswersAnAssignmentWithWhatItOwnsBeforeItIsStable) {
  ConsumerMember member(settings(), Uuid{3, 4});
  const auto joining = member.due(at(0s));
  ASSERT_EQ(joining->question, Question::heartbeat);
  EXPECT_TRUE(says_all(*joining));
  EXPECT_EQ(member.answered(Question::heartbeat, consumer_answer(1, {{0, 1, 2}}), at(0s)), "");
  EXPECT_FALSE(member.stable());
  EXPECT_EQ(member.partitions_owned(), 3U);
  const auto told = member.due(at(0s));
  ASSERT_TRUE(told);
  EXPECT_FALSE(says_all(*told)) << "it would be given its assignment again, and again";
  EXPECT_EQ(member.answered(Question::heartbeat, consumer_answer(1), at(0s)), "");
  EXPECT_TRUE(member.stable());
  EXPECT_EQ(member.generation(), 1);
}

TEST(ConsumerMember, AnAssignmentThatChangesWhileItIsMeasuredIsAFailure) {
  ConsumerMember member(settings(), Uuid{3, 4});
  member.due(at(0s));
  member.answered(Question::heartbeat, consumer_answer(1, {{0}}), at(0s));
  member.due(at(0s));
  member.answered(Question::heartbeat, consumer_answer(1), at(0s));
  member.begin(at(1s), 0);
  EXPECT_EQ(member.due(at(1s))->question, Question::heartbeat);
  EXPECT_NE(member.answered(Question::heartbeat, consumer_answer(2, {{1}}), at(1s)), "");
}

TEST(CommitFrame, ChangesTheOffsetOfEveryPartitionAndNothingElse) {
  CommitFrame frame({.group = "g", .member = {}, .topic = "t", .partitions = {0, 1, 7}}, 9);
  const ByteVector before = frame.with(5).head;
  const ByteVector after = frame.with(6).head;
  ASSERT_EQ(before.size(), after.size());
  std::size_t differing = 0;
  for (std::size_t i = 0; i < before.size(); ++i) differing += before[i] != after[i] ? 1U : 0U;
  EXPECT_EQ(differing, 3U) << "the last byte of each offset";
  EXPECT_EQ(frame.last(), 6);
}

TEST(CommitFrame, AnAnswerThatLeavesAPartitionOutIsWrong) {
  protocol::OffsetCommitResponse response;
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().partition_index = 0;
  EXPECT_EQ(commit_failure(answer_of(response, 9), 9, 1), "");
  EXPECT_EQ(commit_failure(answer_of(response, 9), 9, 2), "commit: 1 of 2 partitions answered");
  topic.partitions[0].error_code = static_cast<std::int16_t>(ErrorCode::illegal_generation);
  EXPECT_EQ(commit_failure(answer_of(response, 9), 9, 1), "commit: ILLEGAL_GENERATION");
  EXPECT_NE(commit_failure({}, 9, 1), "");
}

}  // namespace
}  // namespace klamm::bench
