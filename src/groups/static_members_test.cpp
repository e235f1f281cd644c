// Static members (KIP-345, KIP-814): an instance id that outlives the process.
#include <gtest/gtest.h>

#include "groups/classic.h"
#include "groups/classic_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::bytes;
using testing::code;
using testing::Who;

class StaticMembersTest : public ::testing::Test, protected testing::ClassicStory {
 protected:
  // A stable group of the instances i1, i2; the ids of its members.
  std::map<std::string, std::string> stable_instances() {
    std::map<std::string, std::string> ids;
    std::map<std::string, Ticket> joins;
    for (const std::string instance : {"i1", "i2"}) joins[instance] = join({.instance_id = instance});
    pass(seconds(9));
    std::vector<std::pair<std::string, std::string>> parts;
    for (const auto& [instance, ticket] : joins) {
      const auto response = joined(ticket);
      ids[instance] = response.member_id;
      leader = response.leader;
      parts.emplace_back(response.member_id, "of " + instance);
    }
    synced(sync(leader, 1, parts));
    for (const auto& [instance, id] : ids) {
      EXPECT_EQ(synced(sync(id, 1, {}, instance)).error_code, 0);
    }
    EXPECT_EQ(state_of("g"), "Stable");
    return ids;
  }
  std::string leader;
};

TEST_F(StaticMembersTest, TheyNeedNoHandshake) {
  const auto ids = stable_instances();
  EXPECT_TRUE(ids.at("i1").starts_with("i1-"));
}

TEST_F(StaticMembersTest, OneThatComesBackTakesItsPlaceWithoutARebalance) {
  auto ids = stable_instances();
  for (const std::string instance : {"i1", "i2"}) {
    const bool leads = leader == ids[instance];
    const auto back = joined(join({.instance_id = instance}));
    EXPECT_EQ(back.error_code, 0);
    EXPECT_EQ(back.generation_id, 1);
    EXPECT_NE(back.member_id, ids[instance]);
    EXPECT_EQ(back.skip_assignment, leads);
    EXPECT_EQ(back.members.size(), leads ? 2u : 0u);
    EXPECT_EQ(state_of("g"), "Stable");
    EXPECT_EQ(synced(sync(back.member_id, 1, {}, instance)).assignment, bytes("of " + instance));
    EXPECT_EQ(beat(ids[instance], 1, instance), ErrorCode::fenced_instance_id);
    EXPECT_EQ(beat(ids[instance], 1), ErrorCode::unknown_member_id);
    EXPECT_EQ(beat(back.member_id, 1, instance), ErrorCode::none);
    restart();  // the new id was stored
    EXPECT_EQ(beat(back.member_id, 1, instance), ErrorCode::none);
  }
}

TEST_F(StaticMembersTest, OldClientsAreToldOfTheOldLeaderSoThatTheyDoNotAssign) {
  auto ids = stable_instances();
  const std::string instance = leader == ids["i1"] ? "i1" : "i2";
  const auto back = joined(join({.instance_id = instance, .version = 8}));
  EXPECT_EQ(back.leader, leader);
  EXPECT_TRUE(back.members.empty());
  EXPECT_FALSE(back.skip_assignment);
}

TEST_F(StaticMembersTest, AChangeOfTheChosenProtocolIsARebalanceForAll) {
  auto ids = stable_instances();
  const Ticket i1 = join({.member_id = ids["i1"], .instance_id = "i1", .protocols = {"sticky", "range"}});
  const Ticket i2 = join({.member_id = ids["i2"], .instance_id = "i2", .protocols = {"sticky", "range"}});
  EXPECT_EQ(joined(i1).protocol_name, "sticky");
  const auto second = joined(i2);
  synced(sync(second.leader, 2));
  const Ticket back = join({.instance_id = "i1", .protocols = {"range"}});
  EXPECT_FALSE(is_answered(back));
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
}

TEST_F(StaticMembersTest, WhoWaitsUnderTheOldIdIsFenced) {
  const Ticket first = join({.instance_id = "i1"});
  const Ticket second = join({.instance_id = "i1"});
  EXPECT_EQ(code(joined(first).error_code), ErrorCode::fenced_instance_id);
  pass(seconds(9));
  const auto response = joined(second);
  EXPECT_EQ(response.error_code, 0);
  EXPECT_EQ(response.members.size(), 1u);
}

TEST_F(StaticMembersTest, ARebalanceDoesNotThrowOutOneThatIsAwayButItsSessionDoes) {
  auto ids = stable_instances();
  const std::string away = leader == ids["i1"] ? ids["i2"] : ids["i1"];
  const std::string away_instance = away == ids["i1"] ? "i1" : "i2";
  const std::string here_instance = away == ids["i1"] ? "i2" : "i1";
  const Ticket lead = join({.member_id = leader, .instance_id = here_instance, .rebalance_ms = 4000});
  for (int i = 0; i < 12; ++i) {
    EXPECT_NE(beat(away, 1, away_instance), ErrorCode::unknown_member_id);
    pass(seconds(5));
  }
  EXPECT_EQ(joined(lead).generation_id, 2);
  EXPECT_EQ(classic("g").members().size(), 2u);
  pass(seconds(8));
  EXPECT_EQ(beat(leader, 2, here_instance), ErrorCode::none);
  pass(seconds(3));
  EXPECT_EQ(classic("g").members().size(), 1u);
}

TEST_F(StaticMembersTest, AnAdministratorRemovesOneByItsInstanceAlone) {
  auto ids = stable_instances();
  const auto left = leave("", "i1");
  EXPECT_EQ(left.members.at(0).error_code, 0);
  EXPECT_EQ(left.members.at(0).group_instance_id, "i1");
  EXPECT_EQ(state_of("g"), "PreparingRebalance");
  EXPECT_EQ(code(leave("", "i1").members.at(0).error_code), ErrorCode::unknown_member_id);
  EXPECT_EQ(code(leave(ids["i1"], "i2").members.at(0).error_code), ErrorCode::fenced_instance_id);
  EXPECT_EQ(code(leave(ids["i1"], "i9").members.at(0).error_code), ErrorCode::unknown_member_id);
}

TEST_F(StaticMembersTest, JoinsOfAFencedMember) {
  auto ids = stable_instances();
  const auto fenced = joined(join({.member_id = "old", .instance_id = "i1"}));
  EXPECT_EQ(code(fenced.error_code), ErrorCode::fenced_instance_id);
  EXPECT_EQ(fenced.protocol_name, std::nullopt);
  const std::string pending = handshake();
  EXPECT_EQ(code(joined(join({.member_id = pending, .instance_id = "i7"})).error_code), ErrorCode::unknown_member_id);
}

}  // namespace
}  // namespace klamm::groups
