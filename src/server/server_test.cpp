// Stories of the whole server: listeners, limits, the end.
#include <gmock/gmock.h>

#include "server/testing.h"

namespace klamm::server::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Server, APortThatIsTakenIsToldInKafkasWords) {
  Stage stage;
  stage.network_.taken_port_ = 9093;
  Server second(stage.environment_, {.listeners = {{.name = "PLAINTEXT", .address = {"localhost", 9093}}}},
                stage.table_, Logger(stage.log_, "server"));
  try {
    second.bind();
    FAIL();
  } catch (const BindFailed& failure) {
    EXPECT_STREQ(failure.what(), "Socket server failed to bind to localhost:9093: Address already in use.");
  }
}

TEST(Server, MoreConnectionsOfOneAddressThanAllowedAreTurnedAway) {
  Stage stage({.limits = {.max_connections_per_ip = 2, .max_connections_per_ip_overrides = {{"10.0.0.7", 3}}}});
  const auto first = stage.connect("10.0.0.1");
  const auto second = stage.connect("10.0.0.1");
  const auto third = stage.connect("10.0.0.1");
  EXPECT_TRUE(third->closed_by_server);
  EXPECT_TRUE(stage.log_.has(
      "Rejected connection from /10.0.0.1, address already has the configured maximum of 2 connections."));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(stage.connect("10.0.0.7")->closed_by_server);
  first->peer_closed = true;
  stage.turns(2);
  EXPECT_FALSE(stage.connect("10.0.0.1")->closed_by_server);
}

TEST(Server, BeyondMaxConnectionsTheNextWaitsForASlot) {
  Stage stage({.limits = {.max_connections = 2}});
  const auto first = stage.connect();
  const auto second = stage.connect();
  const auto third = stage.connect();
  send(*third, heartbeat(3));
  stage.turns(3);
  EXPECT_FALSE(third->closed_by_server);
  EXPECT_THAT(answers(*third), IsEmpty());
  EXPECT_EQ(stage.network_.listeners_[0]->events_, nullptr) << "what comes now waits with the kernel";
  first->peer_closed = true;
  stage.turns(4);
  EXPECT_THAT(answers(*third), ElementsAre(3));
  EXPECT_NE(stage.network_.listeners_[0]->events_, nullptr);
  EXPECT_EQ(stage.server_->connection_count(), 2u);
}

TEST(Server, ConnectionsComeNoFasterThanAllowed) {
  Stage stage({.limits = {.max_connection_creation_rate = 2}});
  std::vector<std::shared_ptr<Wire>> wires;
  for (int i = 0; i < 3; ++i) {
    wires.push_back(stage.connect());
    send(*wires.back(), heartbeat(i));
  }
  stage.turns(2);
  EXPECT_THAT(answers(*wires[0]), ElementsAre(0));
  EXPECT_THAT(answers(*wires[1]), ElementsAre(1));
  EXPECT_THAT(answers(*wires[2]), IsEmpty());
  stage.advance(600ms);
  EXPECT_THAT(answers(*wires[2]), ElementsAre(2));
}

TEST(Server, TheListenerBetweenBrokersIsNotHeldBackAndTheIdlestMakesRoom) {
  ServerSettings settings;
  settings.listeners = {{.name = "CLIENTS", .address = {"", 9092}},
                        {.name = "INTERNAL", .address = {"", 9093}, .inter_broker = true}};
  settings.limits.max_connections = 2;
  Stage stage(settings);
  const auto idle = stage.connect("10.0.0.1", 0);
  stage.advance(60s);
  const auto busy = stage.connect("10.0.0.1", 0);
  const auto broker = stage.connect("10.0.0.2", 1);
  send(*broker, heartbeat(1));
  stage.turns(2);
  EXPECT_THAT(answers(*broker), ElementsAre(1));
  stage.server_->set_limits({.max_connections = 2});
  stage.turns(3);
  EXPECT_TRUE(idle->closed_by_server);
  EXPECT_FALSE(busy->closed_by_server);
}

TEST(Server, AStopAnswersWhatIsInFlightAndNothingElse) {
  Stage stage;
  const auto busy = stage.connect();
  const auto idle = stage.connect();
  send(*busy, list_groups(1));
  send(*busy, heartbeat(2));
  stage.turn();
  bool released = false;
  // The answer comes while the server waits.
  struct Release final : runtime::Work {
    Stage& stage;
    bool& released;
    Release(Stage& s, bool& r) : stage(s), released(r) {}
    void run() override {
      stage.slow_gate_.release();
      released = true;
    }
  } release(stage, released);
  stage.reactor_.post(release);
  stage.stop(10s);
  EXPECT_TRUE(released);
  EXPECT_THAT(answers(*busy), ElementsAre(1));
  EXPECT_TRUE(busy->closed_by_server);
  EXPECT_TRUE(idle->closed_by_server);
  EXPECT_EQ(stage.server_->connection_count(), 0u);
}

TEST(Server, AStopDoesNotWaitBeyondItsDeadline) {
  Stage stage;
  const auto busy = stage.connect();
  send(*busy, list_groups(1));
  stage.turn();
  const auto before = stage.clock_.now_;
  stage.stop(50ms);
  EXPECT_LE(stage.clock_.now_ - before, runtime::Duration(100ms));
  EXPECT_TRUE(busy->closed_by_server);
  stage.slow_gate_.held.clear();  // the handler is destroyed where it waits
}

TEST(Server, AControllersListenerServesTheControllersKeysOnly) {
  ServerSettings settings;
  settings.listeners = {{.name = "CONTROLLER", .address = {"", 9093}, .scope = ListenerScope::controller}};
  Stage stage(settings);
  const auto wire = stage.connect();
  send(*wire, heartbeat(1));
  stage.turns(2);
  EXPECT_TRUE(wire->closed_by_server);
  EXPECT_TRUE(stage.log_.has("Received request for disabled api with key 12 (HEARTBEAT) and version 4"));
}

}  // namespace
}  // namespace klamm::server::testing
