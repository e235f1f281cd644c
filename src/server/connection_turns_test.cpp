// Stories of pipelines: whoever asks thousands of things takes turns with those who ask one.
#include <gmock/gmock.h>

#include "server/connection.h"
#include "server/testing.h"

namespace klamm::server::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ConnectionTurns, ThousandsOfTinyPipelinedRequestsNeedNeitherStackNorMemory) {
  Stage stage;
  const auto wire = stage.connect();
  for (int i = 0; i < 20'000; ++i) send(*wire, heartbeat(i));
  stage.turns(400);
  const auto ids = answers(*wire);
  ASSERT_EQ(ids.size(), 20'000u);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(ConnectionTurns, APipelineOfThousandsDoesNotKeepASingleRequestWaiting) {
  Stage stage;
  const auto greedy = stage.connect();
  const auto modest = stage.connect();
  for (int i = 0; i < 20'000; ++i) send(*greedy, heartbeat(i));
  stage.turns(3);
  send(*modest, heartbeat(1));
  stage.turns(2);
  EXPECT_THAT(answers(*modest), ElementsAre(1));
  EXPECT_LT(answers(*greedy).size(), 1'000u);
}

TEST(ConnectionTurns, SeveralPipelinesMoveTogether) {
  Stage stage;
  std::vector<std::shared_ptr<Wire>> wires;
  for (int c = 0; c < 10; ++c) {
    wires.push_back(stage.connect());
    for (int i = 0; i < 2'000; ++i) send(*wires.back(), heartbeat(i));
  }
  stage.turns(100);
  std::size_t least = SIZE_MAX;
  std::size_t most = 0;
  for (const auto& wire : wires) {
    const auto answered = answers(*wire).size();
    least = std::min(least, answered);
    most = std::max(most, answered);
  }
  EXPECT_GT(least, 0u);
  EXPECT_LE(most - least, 2u * Connection::share_requests);
}

TEST(ConnectionTurns, LargeAnswersUseTheShareUpEarlier) {
  Stage stage;
  stage.echo_->answer_bytes_ = 20'000;
  const auto greedy = stage.connect();
  const auto modest = stage.connect();
  for (int i = 0; i < 40; ++i) send(*greedy, heartbeat(i));
  stage.turn();
  EXPECT_EQ(stage.echo_->answered_, 2) << "one when it came, one when it was its turn again";
  send(*modest, heartbeat(1));
  stage.turn();
  EXPECT_THAT(answers(*modest), ElementsAre(1));
  stage.turns(60);
  EXPECT_EQ(answers(*greedy).size(), 40u);
  EXPECT_EQ(stage.pool_used(), 0u);
}

// Their input is in memory because we have not come to it: it must not count as theirs to hurry.
TEST(ConnectionTurns, WhoWaitsForItsTurnIsNotCalledSlow) {
  Stage stage({.request_pool_bytes = 4 << 20});
  std::vector<std::shared_ptr<Wire>> wires;
  const auto frame_bytes = heartbeat(0).size();
  const auto count = static_cast<int>(Connection::read_bytes / frame_bytes);
  for (int c = 0; c < 60; ++c) {
    wires.push_back(stage.connect("10.0.1." + std::to_string(c)));
    for (int i = 0; i < count; ++i) send(*wires.back(), heartbeat(i));
  }
  for (int i = 0; i < 4'000; ++i) stage.advance(1ms);
  for (const auto& wire : wires) {
    ASSERT_FALSE(wire->closed_by_server);
    ASSERT_EQ(answers(*wire).size(), static_cast<std::size_t>(count));
  }
  EXPECT_THAT(stage.log_.lines_, IsEmpty());
  EXPECT_EQ(stage.pool_used(), 0u);
}

// Closing a socket is slow, and thousands may go at the same moment.
TEST(ConnectionTurns, ThousandsThatGoAtOnceDoNotKeepASingleRequestWaiting) {
  for (const bool reset : {false, true}) {
    Stage stage;
    std::vector<std::shared_ptr<Wire>> going;
    for (int c = 0; c < 2'000; ++c) going.push_back(stage.connect("10.0.1." + std::to_string(c % 200)));
    const auto modest = stage.connect();
    for (const auto& wire : going) (reset ? wire->reset : wire->peer_closed) = true;
    send(*modest, heartbeat(1));
    stage.turn();
    EXPECT_THAT(answers(*modest), ElementsAre(1));
    const auto gone = [&] { return std::ranges::count_if(going, [](const auto& w) { return w->closed_by_server; }); };
    EXPECT_LE(gone(), 100);
    stage.turns(600);
    EXPECT_EQ(gone(), 2'000);
    EXPECT_FALSE(modest->closed_by_server);
    EXPECT_EQ(stage.pool_used(), 0u);
  }
}

TEST(ConnectionTurns, ThousandsThatWereIdleForTooLongGoOneAfterTheOther) {
  Stage stage;
  std::vector<std::shared_ptr<Wire>> idle;
  for (int c = 0; c < 2'000; ++c) idle.push_back(stage.connect("10.0.1." + std::to_string(c % 200)));
  std::ptrdiff_t before = 0;
  for (int i = 0; i < 2'000 && before < 2'000; ++i) {
    stage.advance(1s);
    const auto now = std::ranges::count_if(idle, [](const auto& w) { return w->closed_by_server; });
    EXPECT_LE(now - before, 100);
    before = now;
  }
  EXPECT_EQ(before, 2'000);
}

TEST(ConnectionTurns, WhoEndsWhileItWaitsForItsTurnIsForgotten) {
  Stage stage;
  const auto gone = stage.connect();
  const auto half = stage.connect();
  for (const auto& wire : {gone, half})
    for (int i = 0; i < 300; ++i) send(*wire, heartbeat(i));
  half->peer_closed = true;
  stage.turn();
  gone->reset = true;
  stage.turns(40);
  EXPECT_TRUE(gone->closed_by_server);
  EXPECT_EQ(answers(*half).size(), 300u);
  EXPECT_TRUE(half->closed_by_server);
  EXPECT_EQ(stage.server_->connection_count(), 0u);
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(ConnectionTurns, TheServerMayStopWhilePipelinesWaitForTheirTurn) {
  Stage stage;
  std::vector<std::shared_ptr<Wire>> wires;
  for (int c = 0; c < 5; ++c) {
    wires.push_back(stage.connect());
    for (int i = 0; i < 3'000; ++i) send(*wires.back(), heartbeat(i));
  }
  stage.turn();
  stage.stop(1s);
  for (const auto& wire : wires) EXPECT_TRUE(wire->closed_by_server);
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(ConnectionTurns, NothingStartsWhileAnAnswerDoesNotFitTheSocket) {
  Stage stage;
  const auto wire = stage.connect();
  wire->write_room = 0;
  send(*wire, heartbeat(1));
  stage.turn();
  for (int i = 2; i < 20; ++i) send(*wire, heartbeat(i));
  stage.turns(3);
  EXPECT_EQ(stage.echo_->answered_, 1);
  wire->write_room = SIZE_MAX;
  stage.turns(3);
  EXPECT_EQ(answers(*wire).size(), 19u);
}

// --- memory ----------------------------------------------------------------------------------------------------------

TEST(ConnectionTurns, ASmallRequestFindsRoomWhenManyLargeOnesAreNotDone) {
  Stage stage({.request_pool_bytes = 1 << 20});
  std::vector<std::shared_ptr<Wire>> holders;
  for (int i = 0; i < 40; ++i) {
    holders.push_back(stage.connect("10.0.1." + std::to_string(i)));
    send(*holders.back(), produce(1, 1, 60'000));
    stage.turns(2);
  }
  EXPECT_LE(stage.pool_used(), 1u << 20);
  const auto modest = stage.connect("10.0.0.9");
  for (int n = 0; n < 20; ++n) {
    send(*modest, heartbeat(n));
    stage.turns(3);
    ASSERT_THAT(answers(*modest), ElementsAre(n));
  }
  for (int i = 0; i < 200; ++i) {
    stage.turns(2);
    while (!stage.produce_gate_.held.empty()) stage.produce_gate_.release();
  }
  for (const auto& wire : holders) EXPECT_THAT(answers(*wire), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(ConnectionTurns, WhoHasRequestsWaitingReadsNoFurtherWhenMemoryIsShort) {
  Stage stage({.request_pool_bytes = 8 << 20});
  std::vector<std::shared_ptr<Wire>> greedy;
  for (int c = 0; c < 20; ++c) {
    greedy.push_back(stage.connect("10.0.1." + std::to_string(c)));
    send(*greedy.back(), list_groups(0));
    for (int i = 1; i < 40; ++i) send(*greedy.back(), produce(i, 1, 30'000));
  }
  stage.turns(50);
  EXPECT_LE(stage.pool_used(), (4u << 20) + 20 * (128u << 10)) << "half of it, and what was being read";
  const auto modest = stage.connect("10.0.0.9");
  send(*modest, produce(7, 1, 60'000));
  stage.turns(3);
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u);
  for (int i = 0; i < 2000; ++i) {
    stage.turn();
    while (!stage.produce_gate_.held.empty()) stage.produce_gate_.release();
    while (!stage.slow_gate_.held.empty()) stage.slow_gate_.release();
  }
  for (const auto& wire : greedy) EXPECT_EQ(answers(*wire).size(), 40u);
  EXPECT_EQ(stage.pool_used(), 0u);
}

TEST(ConnectionTurns, TheOneLargeFrameLeavesRoomForTheOthers) {
  Stage stage({.request_pool_bytes = 1 << 20});
  const auto large = stage.connect("10.0.0.1");
  ByteVector frame_bytes = produce(1, 1, 20 << 20);
  const ByteVector rest(frame_bytes.end() - 1000, frame_bytes.end());
  frame_bytes.resize(frame_bytes.size() - 1000);
  send(*large, frame_bytes);
  stage.turns(400);
  EXPECT_TRUE(large->to_server.empty());
  EXPECT_LE(stage.pool_used(), 768u << 10);
  const auto modest = stage.connect("10.0.0.2");
  for (int n = 0; n < 5; ++n) {
    send(*modest, heartbeat(n, 0, 30'000));
    stage.turns(3);
    ASSERT_THAT(answers(*modest), ElementsAre(n));
  }
  send(*large, rest);
  stage.turns(3);
  ASSERT_EQ(stage.produce_gate_.held.size(), 1u);
  stage.produce_gate_.release();
  stage.turns(3);
  EXPECT_THAT(answers(*large), ElementsAre(1));
  EXPECT_EQ(stage.pool_used(), 0u);
}

}  // namespace
}  // namespace klamm::server::testing
