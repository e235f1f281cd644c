#include "controller/placement.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace klamm::controller {
namespace {

TEST(PlacementTest, RacksAlternateAndLeadersAreSpread) {
  std::vector<UsableBroker> brokers;
  brokers.reserve(6);
  for (std::int32_t id = 0; id < 6; ++id) brokers.push_back({id, id < 3 ? "a" : "b", false});
  coordination::FreshIds ids(7);
  const auto placed = place_replicas(brokers, {600, 2}, ids);
  ASSERT_TRUE(placed);
  std::map<std::int32_t, int> leaders;
  std::map<std::int32_t, int> replicas;
  for (const auto& assignment : *placed) {
    ASSERT_EQ(assignment.size(), 2u);
    EXPECT_NE(assignment[0] < 3, assignment[1] < 3) << "both in one rack";
    ++leaders[assignment[0]];
    for (const auto id : assignment) ++replicas[id];
  }
  EXPECT_EQ(leaders.size(), 6u);
  for (const auto& [id, count] : leaders) EXPECT_NEAR(count, 100, 20);
  for (const auto& [id, count] : replicas) EXPECT_NEAR(count, 200, 20);
}

TEST(PlacementTest, TheFirstReplicaIsOnALivingBroker) {
  coordination::FreshIds ids(3);
  const auto placed = place_replicas({{0, {}, true}, {1, {}, false}, {2, {}, true}}, {50, 3}, ids);
  ASSERT_TRUE(placed);
  for (const auto& assignment : *placed) {
    EXPECT_EQ(assignment.front(), 1);
    EXPECT_EQ(std::set<std::int32_t>(assignment.begin(), assignment.end()).size(), 3u);
  }
}

TEST(PlacementTest, TheSameSeedPlacesTheSame) {
  const std::vector<UsableBroker> brokers{{1, "a", false}, {2, "b", false}, {3, {}, false}};
  coordination::FreshIds one(42);
  coordination::FreshIds two(42);
  EXPECT_EQ(*place_replicas(brokers, {20, 3}, one), *place_replicas(brokers, {20, 3}, two));
}

TEST(PlacementTest, SaysWhyItCannot) {
  coordination::FreshIds ids(1);
  EXPECT_EQ(place_replicas({{1, {}, false}}, {1, 0}, ids).error().message,
            "Invalid replication factor 0: the replication factor must be positive.");
  EXPECT_EQ(place_replicas({}, {1, 1}, ids).error().message,
            "All brokers are currently fenced, or have all their log directories cordoned.");
}

TEST(FreshIdsTest, MakesIdsThatAreNoneOfTheReservedOnesAndStayBelowTheirBound) {
  coordination::FreshIds ids(0);
  std::set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = ids.uuid();
    EXPECT_NE(id.to_string().front(), '-');
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_LT(ids.below(7), 7u);
  }
}

}  // namespace
}  // namespace klamm::controller
