// A consumer group at random: members come, go, fall silent, forget answers, change what they want; the cluster changes
// under them; the coordinator moves. Whatever happens, no partition has two owners who both believe in it, and when it
// ends everybody gets to where the group wants them.
#include <gtest/gtest.h>

#include "groups/consumer_testing.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::Client;

class Walk : public testing::ConsumerStory {
 public:
  explicit Walk(std::uint64_t seed) : draw_(seed) {
    settings.consumer_assignment_interval.usual = draw_.below(2) ? seconds(0) : seconds(1);
    change_cluster();
  }

  void step() {
    pass(std::chrono::milliseconds(draw_.below(4000)));
    forget_the_dead();
    switch (draw_.below(16)) {
      case 0:
      case 1:
        return come();
      case 2:
        return go();
      case 3:
        return change_cluster();
      case 4:
        return want_other_topics();
      case 5:
        return move_coordinator();
      case 6:
        return lose_an_answer();
      case 7:
        return rejoin();
      default:
        if (Client* client = any()) heartbeat(*client);
    }
  }

  // What all believe, side by side.
  void expect_one_owner() {
    std::map<std::pair<Uuid, std::int32_t>, std::string> owners;
    for (const auto& [id, client] : clients_) {
      for (const auto& [topic, partitions] : client.has) {
        for (const auto partition : partitions) {
          const auto [at, fresh] = owners.try_emplace({topic, partition}, id);
          EXPECT_TRUE(fresh) << id << " and " << at->second << " both own " << topic.low << "-" << partition;
        }
      }
    }
    const ConsumerGroup* group = coordinator->state().consumer("g");
    if (!group) return;
    std::set<std::pair<Uuid, std::int32_t>> stored;
    for (const auto& [id, member] : group->members()) {
      for (const auto* owned : {&member.assigned, &member.revoking}) {
        for (const auto& [topic, partitions] : *owned) {
          for (const auto& each : partitions) {
            EXPECT_TRUE(stored.insert({topic, each.partition}).second);
            EXPECT_LE(each.epoch, std::max(member.epoch, 0));
            EXPECT_EQ(group->owner_epoch(topic, each.partition), member.epoch);
          }
        }
      }
    }
  }

  void expect_rest() {
    for (int round = 0; round < 30; ++round) {
      pass(seconds(2));
      forget_the_dead();
      for (auto& [id, client] : clients_) heartbeat(client);
      expect_one_owner();
    }
    if (clients_.empty()) return;
    EXPECT_EQ(group().state_name(), "Stable");
    std::size_t has = 0;
    for (const auto& [id, client] : clients_) {
      EXPECT_EQ(client.epoch, group().target_epoch);
      const Assignment* target = group().target(id);
      ASSERT_NE(target, nullptr);
      EXPECT_EQ(client.has, *target);
      for (const auto& [topic, partitions] : client.has) has += partitions.size();
    }
    std::size_t wanted = 0;
    for (const auto& [topic, count] : group().subscriptions()) {
      if (const auto* known = coordinator->state().image->topic(topic)) wanted += known->partition_count();
    }
    EXPECT_EQ(has, wanted);
  }

 private:
  Client* any() {
    if (clients_.empty()) return nullptr;
    return &std::next(clients_.begin(), draw_.below(static_cast<std::uint32_t>(clients_.size())))->second;
  }
  std::vector<std::string> some_topics() {
    std::vector<std::string> out;
    for (const char* topic : {"a", "b", "c", "d"}) {
      if (draw_.below(2)) out.emplace_back(topic);
    }
    if (out.empty()) out.emplace_back("a");
    return out;
  }

  // A real client that is fenced drops everything and joins again.
  void heartbeat(Client& client) {
    if (client.epoch == 0) return try_to_join(client);
    expect_taken(client, ConsumerStory::beat(client));
  }
  // A static member that was fenced must wait until its own place is free.
  void try_to_join(Client& client) {
    const auto error = code(join(client));
    EXPECT_TRUE(error == ErrorCode::none || (client.instance && error == ErrorCode::unreleased_instance_id));
    if (error == ErrorCode::none) last_beat_[client.id] = now;
  }
  void expect_taken(Client& client, const testing::HeartbeatResponse& response) {
    const auto error = code(response);
    if (error == ErrorCode::none) {
      last_beat_[client.id] = now;
      return;
    }
    EXPECT_TRUE(error == ErrorCode::fenced_member_epoch || error == ErrorCode::unknown_member_id)
        << static_cast<int>(error);
    client.has.clear();
    client.wanted.clear();
    client.epoch = 0;
    try_to_join(client);
  }
  // The session of a client ends on its own side not later than on the other.
  void forget_the_dead() {
    for (auto& [id, client] : clients_) {
      if (now - last_beat_[id] < settings.consumer_session_timeout.usual) continue;
      client.has.clear();
      client.wanted.clear();
    }
    // One that was put out for not giving up learns it by its own clock.
    const ConsumerGroup* group = coordinator->state().consumer("g");
    for (auto& [id, client] : clients_) {
      if (group && group->member(id)) continue;
      client.has.clear();
      client.wanted.clear();
    }
  }
  void come() {
    if (clients_.size() >= 6) return;
    Client client{fmt::format("m{}", ++named_), some_topics()};
    if (draw_.below(3) == 0) client.instance = fmt::format("i{}", named_);
    if (draw_.below(2)) client.assignor = "range";
    EXPECT_EQ(code(join(client)), ErrorCode::none);
    last_beat_[client.id] = now;
    clients_[client.id] = client;
  }
  void go() {
    Client* client = any();
    if (!client) return;
    const std::string id = client->id;
    Client copy = *client;
    if (copy.epoch == 0) return;
    clients_.erase(id);
    if (!group().member(id)) return;
    const bool for_a_while = copy.instance && draw_.below(2);
    EXPECT_EQ(code(leave(copy, for_a_while ? -2 : -1)), ErrorCode::none);
    if (!for_a_while) return;
    Client again{fmt::format("m{}", ++named_), copy.topics, copy.instance};
    EXPECT_EQ(code(join(again)), ErrorCode::none);
    last_beat_[again.id] = now;
    clients_[again.id] = again;
  }
  void change_cluster() {
    std::map<std::string, std::int32_t> next;
    for (const char* topic : {"a", "b", "c", "d"}) {
      const auto* known = coordinator->state().image->topic(topic);
      const auto has = known ? static_cast<std::int32_t>(known->partition_count()) : 0;
      if (draw_.below(8) == 0) continue;
      next[topic] = has + static_cast<std::int32_t>(draw_.below(3)) + (has ? 0 : 1);
    }
    cluster(next);
    // What is deleted nobody owns.
    for (auto& [id, client] : clients_) {
      std::erase_if(client.has, [&](const auto& each) { return !coordinator->state().image->topic(each.first); });
    }
  }
  void want_other_topics() {
    Client* client = any();
    if (!client || client->epoch == 0 || !group().member(client->id)) return;
    give_up(*client);
    expect_taken(*client, subscribe(*client, some_topics()));
  }
  void move_coordinator() {
    const auto image = coordinator->state().image;
    restart();
    ask(Call(ImageChanged{image}));
    for (auto& [id, at] : last_beat_) at = now;  // sessions began anew
  }
  void lose_an_answer() {
    Client* client = any();
    if (!client || client->epoch == 0 || !group().member(client->id)) return;
    give_up(*client);
    if (code(beat(says_what_it_has(*client))) == ErrorCode::none) {
      client->missed_an_answer = true;
      last_beat_[client->id] = now;
    }
  }
  void rejoin() {
    Client* client = any();
    if (!client || client->instance) return;
    EXPECT_EQ(code(join(*client)), ErrorCode::none);
    last_beat_[client->id] = now;
  }

  coordination::FreshIds draw_;
  std::map<std::string, Client> clients_;
  std::map<std::string, std::chrono::nanoseconds> last_beat_;
  int named_ = 0;
};

TEST(ConsumerWalkTest, NoPartitionEverHasTwoOwnersAndAllComesToRest) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Walk walk(seed);
    for (int i = 0; i < 120; ++i) {
      walk.step();
      walk.expect_one_owner();
      if (::testing::Test::HasFailure()) return;
    }
    walk.expect_rest();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace klamm::groups
