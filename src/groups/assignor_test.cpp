#include "groups/assignor.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "coordination/decision.h"

namespace klamm::groups {
namespace {

// A group that lives through four changes: members come and go, topics grow, subscriptions change. Drawn from a seed;
// the same draw was made with Kafka 4.3.1's classes to get the digests below.
class Life {
 public:
  explicit Life(std::uint64_t seed) : draw_(seed) {}

  struct Member {
    std::set<std::size_t> topics;
    std::optional<std::string> instance;
    Assignment current;
  };
  struct Round {
    AssignorInput input;
    Assignments before;
    Assignments after;
  };

  // `see` is called with every round.
  template <typename See>
  std::string live(AssignorFunction assign, See see) {
    const std::size_t topics = 1 + below(6);
    std::size_t joining = 1 + below(9);
    for (std::size_t i = 0; i < topics; ++i) {
      const std::uint64_t high = draw_.next();
      const Uuid id{high, draw_.next()};
      ids_.push_back(id);
      counts_[id] = 1 + static_cast<std::int32_t>(below(20));
    }
    homogeneous_ = below(2) == 0;
    std::string out;
    for (int round = 0; round < 4; ++round) {
      if (round > 0) joining = change();
      for (std::size_t i = 0; i < joining; ++i) join();
      if (homogeneous_ && below(3) == 0) {
        std::set<std::size_t> all;
        for (std::size_t k = 0; k < topics; ++k) {
          if (below(3) != 0) all.insert(k);
        }
        for (auto& [name, member] : members_) member.topics = all;
      }
      see(assign_once(assign, out));
    }
    return out;
  }

 private:
  std::size_t below(std::uint64_t bound) { return static_cast<std::size_t>(draw_.next() % bound); }

  std::size_t change() {
    std::vector<std::string> names;
    for (const auto& [name, member] : members_) names.push_back(name);
    for (const auto& name : names) {
      if (members_.size() > 1 && below(4) == 0) members_.erase(name);
    }
    const std::size_t joining = below(4);
    for (const Uuid id : ids_) {
      if (below(5) == 0) counts_[id] += static_cast<std::int32_t>(below(6));
    }
    return joining;
  }

  void join() {
    Member& member = members_[fmt::format("member-{:x}", draw_.next())];
    for (std::size_t k = 0; k < ids_.size(); ++k) {
      if (homogeneous_ || below(2) == 0) member.topics.insert(k);
    }
    if (below(3) == 0) member.instance = fmt::format("inst-{}", named_++);
  }

  Round assign_once(AssignorFunction assign, std::string& out) {
    Round round;
    std::set<std::set<std::size_t>> distinct;
    for (const auto& [name, member] : members_) {
      AssignorMember& each = round.input.members.emplace_back();
      each.id = name;
      if (member.instance) each.instance_id = *member.instance;
      for (const std::size_t k : member.topics) each.topics.push_back(ids_[k]);
      std::ranges::sort(each.topics);
      each.current = &member.current;
      distinct.insert(member.topics);
      round.before.push_back(member.current);
    }
    round.input.partition_counts = counts_;
    round.input.is_homogeneous = distinct.size() == 1;
    round.after = assign(round.input);
    std::size_t index = 0;
    for (auto& [name, member] : members_) {
      out += name + ":";
      for (const auto& [topic, partitions] : round.after[index]) {
        out += fmt::format("{}[{}]", std::ranges::find(ids_, topic) - ids_.begin(), fmt::join(partitions, ","));
      }
      out += "\n";
      member.current = round.after[index++];
    }
    out += "--\n";
    return round;
  }

  coordination::FreshIds draw_;
  std::vector<Uuid> ids_;
  std::map<Uuid, std::int32_t> counts_;
  std::map<std::string, Member> members_;
  bool homogeneous_ = true;
  int named_ = 0;
};

std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// By seed, from 1: what Kafka 4.3.1's RangeAssignor and UniformAssignor make of it.
struct Digests {
  std::uint64_t range;
  std::uint64_t uniform;
};
constexpr Digests of_kafka[] = {
    {0x90552d41537af753u, 0xe4199746afecd6b5u}, {0x79d27c6346bccbeau, 0x3d19d8e57b007070u},
    {0xee18ad2ac8230232u, 0x5e515103227698d6u}, {0x8ef51a5550b0795cu, 0x15c07eef17afcb9fu},
    {0xf45d2a8377a48a54u, 0x4bceed379cdb946du}, {0x4f66daa70955f909u, 0xe4e903e66321dfe5u},
    {0x0fa5e5465843587du, 0x18cf23740e9b9ed7u}, {0xa2742e6019004bc5u, 0xcba83880db95db37u},
    {0xf0f6a4aaba2fcbccu, 0x873ca79c3e7b2e68u}, {0x2048381ef5f6f067u, 0x0da29217a2443075u},
    {0x195b391be4f0878bu, 0x290120e8514cddbdu}, {0x67af2e5ee170e972u, 0x641a3783a0ad917fu},
    {0x8e03e396fd7efd1eu, 0xe4e9f08b2e2caea6u}, {0xd43b79678ce6d07du, 0x7cef7e7a11a38394u},
    {0x7c5c846b59ee7637u, 0x43d68e036c235f80u}, {0x4d03d582ea7c9a85u, 0x5dfe86341696ead2u},
    {0x16886d061821eebcu, 0xda299b9d36fb744au}, {0x727a1ad1487be95du, 0xa57b9a62a847e4f6u},
    {0x1f349a2b7a91b722u, 0xc88ba3231b304924u}, {0x0ba5cb1faa98874cu, 0x8b0db3431d88b508u},
    {0xd2f76b3111d2a9c1u, 0x6d3b795c34515c1au}, {0xfd725568167b67b7u, 0x61e9a42657939aaau},
    {0xfa99686ada5a0d27u, 0xec7e86f5bdbecef8u}, {0x366ed6efbb5de8e8u, 0x88f6baca2e215cb0u},
    {0xe9d173255e769710u, 0x8faa01f463a6166fu}, {0x0bd80453ff61464du, 0x2f6d5605853042f7u},
    {0x6985c050106f2b78u, 0x694973002bcaaffeu}, {0x83ff0832f71cccbbu, 0x54207c71d9881ea0u},
    {0x7904107bddfa7c43u, 0x851456beb4932ecdu}, {0xbbfb5251800be2f6u, 0xbbbf6f01201b54a9u},
    {0xfed7e85973f183e2u, 0xc39d83ee34f2652au}, {0xcf296a8e87d438f2u, 0xf2f2f52989068751u},
    {0x352d32b8c9f091b3u, 0x083134d1a7506101u}, {0x5bbf298131809eaeu, 0xa0ce9ad17ee9c3e7u},
    {0x75d73967a52c278fu, 0x830a522b6766381bu}, {0x199f1368917e70d2u, 0xcfde2f3d9459a1d7u},
    {0x713842e20ed0e919u, 0x80fa036c641063e5u}, {0x937cd14b243ec4c3u, 0xf8d80e10dee7fe49u},
    {0x964b8cef285fab6eu, 0x4ce08d7a65bf39a8u}, {0x7bd5dbaf38555796u, 0x2f0d87e140703dbau},
    {0x5320ac5b8cd5748du, 0x9814e38ddd1b8cd6u}, {0x9d49290d895accb9u, 0xfa5c9a5eac011babu},
    {0x7d1e6557d26fc46cu, 0xb08d3a273e28b4acu}, {0x2d78ac2004419817u, 0xbe81b16c5dfa10a7u},
    {0x91a9b687d4e65bf2u, 0x475e0b09a1670f5du}, {0x87a16ccd4f0a3b4fu, 0x8a6a3b24a7cf53cdu},
    {0x97f92fd9a7508b1bu, 0x8e4e6ef1c34ead83u}, {0xe72d0aeee2b3f02bu, 0xd28594dc6075ec92u},
    {0x1f8ae62f4b159d7au, 0x1cbd4aa52a5c1ef6u}, {0x9ee025b3fc9f64c9u, 0x08c91a636d3b8d3eu},
    {0x23b8f4932eb8de3cu, 0x95e1044bedb61e62u}, {0x83ff0ec1ed1e5dd4u, 0x5e527520c68638c5u},
    {0x3fa89455d46c3d98u, 0xa4649fb28220ab7fu}, {0x5004ac3d40628efeu, 0x07a764b41757e48eu},
    {0x5f31177905b0f948u, 0x49856dc3a00c991cu}, {0x3f0742cd90df1943u, 0x5c3addf7b5861599u},
    {0x7597a59cae64c6a8u, 0x164ecc25af94618au}, {0x8047cd38b4ea9625u, 0x35c56cc1e16caf9du},
    {0x36af61a57b6a853eu, 0x8e1b71fa5a91702eu}, {0x076c3880256ccdf4u, 0x14422fc4670bc075u},
    {0x78ef0594c7e62240u, 0x2b9f298461e1c2e2u}, {0x59578987cab564b8u, 0x48e443999f61cca6u},
    {0x1a99fda212986e6eu, 0x1284fbcfeaa5dd3du}, {0xe6ebf9694e556e6fu, 0xd1626a3a5afc93c2u},
    {0xc8dff17f7d3eb217u, 0x3dc80e3db922efedu}, {0xc5c0eae948c2d531u, 0x396679469169495fu},
    {0xff50d5993ff5b014u, 0x911f4c9eb3f506d0u}, {0xa535b760bc524c72u, 0x627914d8dd269355u},
    {0x16535c2ad2757381u, 0xc8ac4682fa856afbu}, {0xdfd4563f5708e325u, 0x9fec58f596c9180bu},
    {0x865c916993de9109u, 0x33f6924770b8e33eu}, {0x0bd928094159c0a7u, 0x7d43846c2ae01979u},
    {0x5e53db75aa5afa5fu, 0x26be29088743cc43u}, {0x2e21f9ac210fd629u, 0xa9acd5c6555c50c7u},
    {0x1ae8fa7ffe5499a9u, 0x3fbdf88a0cf8a3a7u}, {0x5f8448084ec0c66bu, 0x88286eb99c8ec7f0u},
    {0x0f91436de315acccu, 0xd73264828278d2acu}, {0xb27c51e38fbbf6aeu, 0x800338687845b973u},
    {0xf8311a709e965bd7u, 0x6efa8def9adab68fu}, {0x43d3eb634fcce3fdu, 0x5c0445de64f32841u},
    {0xe7699d5a60916a61u, 0x4d1927f2e46c0c64u}, {0x14247059fdb0e4feu, 0x2354cc7bef2ccddau},
    {0xb31e3a386426612bu, 0x9f3ac45240465090u}, {0x7aebaac6c1801b77u, 0xc8498477d2f126abu},
    {0xf47292d0e59781f9u, 0x0ebd7aac62730b92u}, {0x99b342dbb3e7976bu, 0x99b342dbb3e7976bu},
    {0x018328d26a0cf0b4u, 0x6b2da97cf17f59bcu}, {0x88aadcd30e24e7fdu, 0xe466a30f72cef9f1u},
    {0x4f0e591d8619bc66u, 0x3eee050b5f22193cu}, {0x507ed4d81887b9b7u, 0x98143384ec895ecdu},
    {0xe173f353ddf0de00u, 0x3b2a58357b46a1cdu}, {0x1a4b787226e05d02u, 0x2b511d74949d9c4bu},
    {0xc00bd1f8b85e1468u, 0x97420528e481184bu}, {0x43510f98b1de899bu, 0xea4b9a3bf413884fu},
    {0xa0779fc83e348b79u, 0xa777f4f47c3195ebu}, {0x938b298089469ddfu, 0x49f94d1d839e4268u},
};

TEST(AssignorTest, EveryPartitionGoesWhereKafkaPutsIt) {
  std::uint64_t seed = 0;
  for (const auto& [range, uniform] : of_kafka) {
    ++seed;
    const auto ignore = [](const Life::Round&) {};
    const std::string ranged = Life(seed).live(assign_range, ignore);
    const std::string uniformly = Life(seed).live(assign_uniform, ignore);
    EXPECT_EQ(digest(ranged), range) << "seed " << seed << "\n" << ranged;
    EXPECT_EQ(digest(uniformly), uniform) << "seed " << seed << "\n" << uniformly;
  }
}

using Partition = std::pair<Uuid, std::int32_t>;

// Each partition of a topic that somebody wants has one owner, who wants it.
void expect_valid(const Life::Round& round) {
  std::set<Uuid> wanted;
  std::set<Partition> given;
  ASSERT_EQ(round.after.size(), round.input.members.size());
  for (std::size_t i = 0; i < round.after.size(); ++i) {
    const auto& topics = round.input.members[i].topics;
    wanted.insert(topics.begin(), topics.end());
    for (const auto& [topic, partitions] : round.after[i]) {
      EXPECT_TRUE(std::ranges::binary_search(topics, topic));
      EXPECT_FALSE(partitions.empty());
      EXPECT_TRUE(std::ranges::is_sorted(partitions));
      for (const std::int32_t partition : partitions) EXPECT_TRUE(given.insert({topic, partition}).second);
    }
  }
  std::size_t all = 0;
  for (const Uuid topic : wanted) all += static_cast<std::size_t>(round.input.partition_counts.at(topic));
  EXPECT_EQ(given.size(), all);
}

std::size_t size_of(const Assignment& assignment) {
  std::size_t size = 0;
  for (const auto& [topic, partitions] : assignment) size += partitions.size();
  return size;
}

TEST(AssignorTest, NoPartitionIsForgottenOrGivenTwiceOrToWhoDoesNotWantIt) {
  for (std::uint64_t seed = 1000; seed < 1300; ++seed) {
    SCOPED_TRACE(seed);
    Life(seed).live(assign_range, expect_valid);
    Life(seed).live(assign_uniform, expect_valid);
  }
}

TEST(AssignorTest, WithTheSameTopicsForAllNobodyHasTwoMoreThanAnother) {
  for (std::uint64_t seed = 2000; seed < 2300; ++seed) {
    SCOPED_TRACE(seed);
    Life(seed).live(assign_uniform, [](const Life::Round& round) {
      if (!round.input.is_homogeneous) return;
      const auto [least, most] = std::ranges::minmax(round.after, {}, size_of);
      EXPECT_LE(size_of(most) - size_of(least), 1u);
    });
  }
}

TEST(AssignorTest, WithTheSameTopicsForAllOnlyWhatIsAboveTheQuotaMoves) {
  for (std::uint64_t seed = 3000; seed < 3300; ++seed) {
    SCOPED_TRACE(seed);
    Life(seed).live(assign_uniform, [](const Life::Round& round) {
      if (!round.input.is_homogeneous) return;
      std::size_t all = 0;
      for (const auto& each : round.after) all += size_of(each);
      const std::size_t quota = all / round.after.size() + (all % round.after.size() ? 1 : 0);
      for (std::size_t i = 0; i < round.after.size(); ++i) {
        std::size_t had = 0;
        std::size_t kept = 0;
        for (const auto& [topic, partitions] : round.before[i]) {
          if (!std::ranges::binary_search(round.input.members[i].topics, topic)) continue;
          had += partitions.size();
          const auto now = round.after[i].find(topic);
          if (now == round.after[i].end()) continue;
          for (const auto partition : partitions) kept += contains(now->second, partition) ? 1u : 0u;
        }
        EXPECT_GE(kept + 1, std::min(had, quota));
      }
    });
  }
}

TEST(AssignorTest, WhatIsAsBalancedAsCanBeStaysAsItIs) {
  for (std::uint64_t seed = 4000; seed < 4200; ++seed) {
    SCOPED_TRACE(seed);
    Life(seed).live(assign_uniform, [](const Life::Round& round) {
      if (!round.input.is_homogeneous) return;
      AssignorInput again = round.input;
      for (std::size_t i = 0; i < again.members.size(); ++i) again.members[i].current = &round.after[i];
      EXPECT_EQ(assign_uniform(again), round.after);
    });
  }
}

TEST(AssignorTest, RangeGivesTheSameNumbersOfAllTopics) {
  AssignorInput input;
  const Uuid one{0, 1};
  const Uuid two{0, 2};
  input.partition_counts = {{one, 5}, {two, 5}};
  for (const std::string_view id : {"a", "b"}) input.members.push_back({.id = id, .topics = {one, two}});
  const Assignments got = assign_range(input);
  EXPECT_EQ(got[0], (Assignment{{one, {0, 1, 2}}, {two, {0, 1, 2}}}));
  EXPECT_EQ(got[1], (Assignment{{one, {3, 4}}, {two, {3, 4}}}));
}

TEST(AssignorTest, RangeGivesStaticMembersWhatTheyHadUnderAnotherMemberId) {
  AssignorInput input;
  const Uuid topic{0, 1};
  input.partition_counts = {{topic, 4}};
  input.members = {{.id = "a", .instance_id = "second", .topics = {topic}},
                   {.id = "b", .topics = {topic}},
                   {.id = "z", .instance_id = "first", .topics = {topic}}};
  const Assignments got = assign_range(input);
  EXPECT_EQ(got[2], (Assignment{{topic, {0, 1}}}));
  EXPECT_EQ(got[0], (Assignment{{topic, {2}}}));
  EXPECT_EQ(got[1], (Assignment{{topic, {3}}}));
}

TEST(AssignorTest, NamesAreKnown) {
  EXPECT_EQ(find_assignor("range"), &assign_range);
  EXPECT_EQ(find_assignor("uniform"), &assign_uniform);
  EXPECT_EQ(find_assignor("sticky"), nullptr);
  EXPECT_EQ(assign_uniform({}), Assignments{});
  EXPECT_EQ(assign_range({}), Assignments{});
}

}  // namespace
}  // namespace klamm::groups
