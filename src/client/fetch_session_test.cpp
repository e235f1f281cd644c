#include "client/fetch_session.h"

#include <gtest/gtest.h>

#include "protocol/messages/fetch.h"

namespace klamm::client {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;

constexpr Uuid id_a{1, 1};
constexpr Uuid id_b{2, 2};
using Wanted = std::vector<std::pair<TopicPartition, FetchPosition>>;

TopicPartition partition(const char* topic, std::int32_t number) {
  return {topic, PartitionIndex(number)};
}

FetchResponse accepted(std::int32_t session) {
  FetchResponse response;
  response.session_id = session;
  return response;
}

TEST(FetchSession, NamesEverythingFirstAndThenWhatChanged) {
  FetchSession session;
  FetchRequest first;
  session.fill(first, {{partition("a", 0), {id_a, 5, 0, 100}},
                       {partition("a", 1), {id_a, 7, 0, 100}},
                       {partition("b", 0), {id_b, 0, 0, 100}}});
  EXPECT_EQ(first.session_id, 0);
  EXPECT_EQ(first.session_epoch, 0);
  ASSERT_EQ(first.topics.size(), 2u);
  EXPECT_EQ(first.topics[0].partitions.size(), 2u);
  EXPECT_TRUE(session.uses_ids());
  EXPECT_TRUE(session.answered(accepted(77)));

  FetchRequest second;
  session.fill(second, {{partition("a", 0), {id_a, 6, 0, 100}}, {partition("b", 0), {id_b, 0, 0, 100}}});
  EXPECT_EQ(second.session_id, 77);
  EXPECT_EQ(second.session_epoch, 1);
  ASSERT_EQ(second.topics.size(), 1u);
  EXPECT_EQ(second.topics[0].partitions[0].fetch_offset, 6);
  ASSERT_EQ(second.forgotten_topics_data.size(), 1u);
  EXPECT_EQ(second.forgotten_topics_data[0].partitions, std::vector<std::int32_t>{1});
}

TEST(FetchSession, ABrokerWithoutRoomGetsEverythingEachTime) {
  FetchSession session;
  const Wanted wanted{{partition("a", 0), {id_a, 5, 0, 100}}};
  FetchRequest first, second;
  session.fill(first, wanted);
  EXPECT_TRUE(session.answered(accepted(0)));
  session.fill(second, wanted);
  EXPECT_EQ(second.session_epoch, 0);
  EXPECT_EQ(second.topics.size(), 1u);
}

TEST(FetchSession, ALostAnswerStartsAnewUnderTheSameId) {
  FetchSession session;
  const Wanted wanted{{partition("a", 0), {id_a, 5, 0, 100}}};
  FetchRequest first, second;
  session.fill(first, wanted);
  EXPECT_TRUE(session.answered(accepted(77)));
  session.lost();
  session.fill(second, wanted);
  EXPECT_EQ(second.session_id, 77);  // the broker closes the old one
  EXPECT_EQ(second.session_epoch, 0);
  EXPECT_EQ(second.topics.size(), 1u);
}

TEST(FetchSession, AForgottenSessionStartsAnewWithoutId) {
  FetchSession session;
  const Wanted wanted{{partition("a", 0), {id_a, 5, 0, 100}}};
  FetchRequest first, second;
  session.fill(first, wanted);
  EXPECT_TRUE(session.answered(accepted(77)));
  FetchResponse gone;
  gone.error_code = wire_of(ErrorCode::fetch_session_id_not_found);
  EXPECT_FALSE(session.answered(gone));
  session.fill(second, wanted);
  EXPECT_EQ(second.session_id, 0);
  EXPECT_EQ(second.session_epoch, 0);
}

TEST(FetchSession, ARecreatedTopicTakesThePlaceOfTheOldOne) {
  FetchSession session;
  FetchRequest first, second;
  session.fill(first, {{partition("a", 0), {id_a, 5, 0, 100}}});
  EXPECT_TRUE(session.answered(accepted(77)));
  session.fill(second, {{partition("a", 0), {id_b, 0, 0, 100}}});
  ASSERT_EQ(second.topics.size(), 1u);
  EXPECT_EQ(second.topics[0].topic_id, id_b);
  ASSERT_EQ(second.forgotten_topics_data.size(), 1u);
  EXPECT_EQ(second.forgotten_topics_data[0].topic_id, id_a);
}

TEST(FetchSession, ATopicWithoutIdEndsTheUseOfIds) {
  FetchSession session;
  FetchRequest first, second;
  session.fill(first, {{partition("a", 0), {id_a, 5, 0, 100}}});
  EXPECT_TRUE(session.answered(accepted(77)));
  session.fill(second, {{partition("a", 0), {id_a, 5, 0, 100}}, {partition("old", 0), {Uuid{}, 0, 0, 100}}});
  EXPECT_FALSE(session.uses_ids());
  EXPECT_EQ(second.session_epoch, 0);
  EXPECT_EQ(second.topics.size(), 2u);
}

}  // namespace
}  // namespace klamm::client
