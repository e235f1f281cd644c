#include "metadata/persistent_map.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/bytes.h"

namespace klamm::metadata {
namespace {

using Map = PersistentMap<int, std::string>;

std::map<int, std::string> contents(const Map& map) {
  std::map<int, std::string> out;
  for (const auto& [key, value] : map) out.emplace_hint(out.end(), key, value);
  return out;
}

TEST(PersistentMapTest, AgreesWithAnOrdinaryMapOverManyChangesAndKeepsOldCopies) {
  Map map;
  std::map<int, std::string> expected;
  std::vector<std::pair<Map, std::map<int, std::string>>> kept;
  std::uint32_t state = 12345;
  const auto next = [&state] { return state = state * 1664525u + 1013904223u; };
  for (std::uint64_t round = 1; round <= 60; ++round) {
    map.begin_edition(round);
    for (int i = 0; i < 50; ++i) {
      const int key = static_cast<int>((next() >> 8) % 200);
      if ((next() >> 8) % 3 == 0) {
        EXPECT_EQ(map.erase(key), expected.erase(key) == 1);
      } else {
        const std::string value = std::to_string(next());
        map.put({key, value});
        expected[key] = value;
      }
    }
    ASSERT_EQ(contents(map), expected);
    ASSERT_EQ(map.size(), expected.size());
    kept.emplace_back(map, expected);
  }
  for (const auto& [copy, then] : kept) EXPECT_EQ(contents(copy), then);
}

TEST(PersistentMapTest, SharesWhatDidNotChange) {
  Map map;
  map.begin_edition(1);
  for (int i = 0; i < 1000; ++i) map.put({i, "x"});
  Map other = map;
  EXPECT_TRUE(map.same_as(other));
  other.begin_edition(2);
  other.put({500, "y"});
  int shared = 0;
  for (int i = 0; i < 1000; ++i) shared += map.find(i) == other.find(i);
  EXPECT_GT(shared, 980);  // all but the path to one entry
  EXPECT_EQ(map.find(500)->second, "x");
  EXPECT_EQ(other.find(500)->second, "y");
}

TEST(PersistentMapTest, WalksFromALowerBound) {
  Map map;
  for (int i = 0; i < 100; i += 10) map.put({i, std::to_string(i)});
  std::vector<int> seen;
  for (auto at = map.lower_bound(35); at != map.end(); ++at) seen.push_back(at->first);
  EXPECT_EQ(seen, (std::vector<int>{40, 50, 60, 70, 80, 90}));
  EXPECT_EQ(map.lower_bound(91), map.end());
  EXPECT_EQ(map.lower_bound(-5)->first, 0);
}

}  // namespace
}  // namespace klamm::metadata
