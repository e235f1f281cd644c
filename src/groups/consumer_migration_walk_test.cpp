// Members of both protocols at random in one group, which changes from one type to the other and back under them; the
// coordinator moves. Whatever happens, no partition has two owners who both believe in it, and in the end each has one.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "groups/consumer_migration.h"
#include "groups/consumer_testing.h"
#include "protocol/reader.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/writer.h"

namespace klamm::groups {
namespace {

using std::chrono::seconds;
using testing::Client;
using testing::id_of;

constexpr std::int32_t partitions = 6;
constexpr seconds classic_session(10);

ByteVector subscription() {
  protocol::ConsumerProtocolSubscription message;
  message.topics = {"foo"};
  ByteVector out;
  protocol::Writer writer(out);
  writer.write_int16(1);
  message.encode(writer, 1);
  return out;
}

PartitionList read(const ByteVector& assigned) {
  if (assigned.empty()) return {};
  protocol::Reader reader{Bytes(assigned)};
  const std::int16_t version = reader.read_int16();
  protocol::ConsumerProtocolAssignment message;
  message.decode(reader, version);
  EXPECT_TRUE(reader.ok());
  return message.assigned_partitions.empty() ? PartitionList{} : message.assigned_partitions.front().partitions;
}

// A client of the classic protocol that gives up everything before it joins again.
struct Eager {
  std::string id = {};
  std::int32_t generation = -1;
  PartitionList has = {};
  std::optional<std::uint64_t> joining = {};
  std::optional<std::uint64_t> syncing = {};
  std::chrono::nanoseconds last_heard{0};

  void start_anew() { *this = Eager{.last_heard = last_heard}; }
};

class Walk : public testing::ConsumerStory {
 public:
  explicit Walk(std::uint64_t seed) : draw_(seed) {
    cluster({{"foo", partitions}});
    settings.initial_rebalance_delay = seconds(draw_.below(2));
  }

  void step() {
    go_by(std::chrono::milliseconds(draw_.below(3000)));
    switch (draw_.below(14)) {
      case 0:
        if (fresh_.size() < 3) come_fresh();
        return;
      case 1:
        if (old_.size() < 3) old_[fmt::format("old {}", ++named_)].last_heard = now;
        return;
      case 2:
        if (Client* client = any(fresh_)) {
          note("leaves " + client->id);
          ConsumerStory::leave(*client);
          fresh_.erase(client->id);
        }
        return;
      case 3:
        return leave_old();
      case 4:
        return move_coordinator();
      default:
        if (draw_.below(2)) {
          if (Client* client = any(fresh_)) heartbeat(*client);
        } else if (Eager* client = any(old_)) {
          heartbeat(*client);
        }
    }
  }

  void expect_one_owner() {
    std::map<std::int32_t, std::string> owners;
    const auto own = [&](std::int32_t partition, const std::string& who) {
      const auto [at, first] = owners.try_emplace(partition, who);
      EXPECT_TRUE(first) << who << " and " << at->second << " both own " << partition;
    };
    for (const auto& [id, client] : fresh_) {
      for (const auto& [topic, has] : client.has) {
        for (const auto partition : has) own(partition, id);
      }
    }
    for (const auto& [name, client] : old_) {
      for (const auto partition : client.has) own(partition, name);
    }
    owned_ = owners.size();
    if (::testing::Test::HasFailure()) ADD_FAILURE() << fmt::format("{}", fmt::join(story_, "\n"));
  }

  void expect_rest() {
    for (int round = 0; round < 60; ++round) {
      go_by(seconds(2));
      for (auto& [id, client] : fresh_) heartbeat(client);
      for (auto& [name, client] : old_) heartbeat(client);
      expect_one_owner();
    }
    if (fresh_.empty() && old_.empty()) return;
    EXPECT_EQ(owned_, static_cast<std::size_t>(partitions));
    EXPECT_EQ(coordinator->state().consumer("g") != nullptr, !fresh_.empty());
  }

 private:
  template <typename Clients>
  typename Clients::mapped_type* any(Clients& clients) {
    if (clients.empty()) return nullptr;
    return &std::next(clients.begin(), draw_.below(static_cast<std::uint32_t>(clients.size())))->second;
  }
  void go_by(std::chrono::nanoseconds time) {
    pass(time);
    hear_old();
    forget_the_dead();
  }

  // --- members of the consumer protocol ------------------------------------------------------------------------------
  void come_fresh() {
    const std::string id = fmt::format("fresh {}", ++named_);
    join_group(fresh_.emplace(id, Client{id, {"foo"}}).first->second);
  }
  void join_group(Client& client) {
    client.has.clear();
    client.wanted.clear();
    EXPECT_EQ(code(join(client)), ErrorCode::none);
    note("joins " + client.id);
  }
  void heartbeat(Client& client) {
    if (code(beat(client)) != ErrorCode::none) join_group(client);
    note("beats " + client.id);
    hear_old();
  }

  // --- members of the classic protocol -------------------------------------------------------------------------------
  void join_group(Eager& client) {
    client.has.clear();
    protocol::JoinGroupRequest request;
    request.group_id = "g";
    request.member_id = client.id;
    request.protocol_type = "consumer";
    request.session_timeout_ms = static_cast<std::int32_t>(std::chrono::milliseconds(classic_session).count());
    request.rebalance_timeout_ms = 30'000;
    request.protocols.push_back({.name = "range", .metadata = subscription()});
    client.joining = ask(std::move(request));
    hear_old();
  }
  void sync_group(Eager& client, const std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember>& members) {
    protocol::SyncGroupRequest request;
    request.group_id = "g";
    request.member_id = client.id;
    request.generation_id = client.generation;
    std::int32_t next = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      Assignment part;
      while (next < partitions * static_cast<std::int32_t>(i + 1) / static_cast<std::int32_t>(members.size())) {
        part[id_of("foo")].push_back(next++);
      }
      const auto& image = *coordinator->state().image;
      request.assignments.push_back(
          {.member_id = members[i].member_id, .assignment = written_assignment(part, image, subscription())});
    }
    client.syncing = ask(std::move(request));
  }
  void heartbeat(Eager& client) {
    if (client.joining || client.syncing) return;
    client.last_heard = now;
    if (client.generation < 0) return join_group(client);
    protocol::HeartbeatRequest request;
    request.group_id = "g";
    request.member_id = client.id;
    request.generation_id = client.generation;
    const auto answer = static_cast<ErrorCode>(this->request<protocol::HeartbeatResponse>(request).error_code);
    note(fmt::format("beats {} and hears {}", client.id, static_cast<int>(answer)));
    if (answer == ErrorCode::none) return;
    if (answer != ErrorCode::rebalance_in_progress) client.start_anew();
    join_group(client);
  }
  // What answers have come, and what they lead to.
  void hear_old() {
    for (bool more = true; more;) {
      more = false;
      for (auto& [name, client] : old_) more |= hear_join(client) || hear_sync(client);
    }
  }
  bool hear_join(Eager& client) {
    if (!client.joining || !is_answered(*client.joining)) return false;
    const auto response = take<protocol::JoinGroupResponse>(*client.joining);
    client.joining.reset();
    client.last_heard = now;
    switch (static_cast<ErrorCode>(response.error_code)) {
      case ErrorCode::none:
        client.id = response.member_id;
        client.generation = response.generation_id;
        sync_group(client, response.members);
        return true;
      case ErrorCode::member_id_required:
        client.id = response.member_id;
        join_again(client);
        return true;
      case ErrorCode::rebalance_in_progress:
        client.generation = -1;  // it joins with its next heartbeat
        return true;
      default:
        client.start_anew();
        return true;
    }
  }
  bool hear_sync(Eager& client) {
    if (!client.syncing || !is_answered(*client.syncing)) return false;
    const auto response = take<protocol::SyncGroupResponse>(*client.syncing);
    client.syncing.reset();
    client.last_heard = now;
    switch (static_cast<ErrorCode>(response.error_code)) {
      case ErrorCode::none:
        client.has = read(response.assignment);
        return true;
      case ErrorCode::rebalance_in_progress:
        client.generation = -1;
        return true;
      default:
        client.start_anew();
        return true;
    }
  }
  // Without a look at the others, who are being looked at.
  void join_again(Eager& client) {
    protocol::JoinGroupRequest request;
    request.group_id = "g";
    request.member_id = client.id;
    request.protocol_type = "consumer";
    request.session_timeout_ms = static_cast<std::int32_t>(std::chrono::milliseconds(classic_session).count());
    request.rebalance_timeout_ms = 30'000;
    request.protocols.push_back({.name = "range", .metadata = subscription()});
    client.joining = ask(std::move(request));
  }
  void leave_old() {
    if (old_.empty()) return;
    note("one that is old leaves");
    const auto at = std::next(old_.begin(), draw_.below(static_cast<std::uint32_t>(old_.size())));
    if (!at->second.id.empty()) {
      protocol::LeaveGroupRequest request;
      request.group_id = "g";
      request.members.push_back({.member_id = at->second.id});
      ask(std::move(request));
    }
    old_.erase(at);
    hear_old();
  }

  // --- both ----------------------------------------------------------------------------------------------------------
  // Who was put out learns it by its own clock not later than the others.
  void forget_the_dead() {
    const ConsumerGroup* consumer = coordinator->state().consumer("g");
    const auto* group = coordinator->state().groups.contains("g") && !consumer ? &classic("g") : nullptr;
    for (auto& [id, client] : fresh_) {
      if (consumer && consumer->member(id)) continue;
      client.has.clear();
      client.wanted.clear();
    }
    for (auto& [name, client] : old_) {
      const bool is_in = (consumer && consumer->member(client.id)) || (group && group->member(client.id));
      if (!is_in) client.has.clear();
    }
  }
  void move_coordinator() {
    // What members of a group that has just become classic still have only the coordinator knows that made it so.
    const bool is_classic = coordinator->state().groups.contains("g") && !coordinator->state().consumer("g");
    const auto knows_more = [](const auto& member) { return member.second.still_has.has_value(); };
    if (is_classic && std::ranges::any_of(classic("g").members(), knows_more)) return;
    note("the coordinator moves");
    const auto image = coordinator->state().image;
    restart();
    ask(Call(ImageChanged{image}));
    // Whoever waited is told so by the old one, and asks the new one.
    for (auto& [name, client] : old_) {
      if (client.joining || client.syncing) client.generation = -1;
      client.joining.reset();
      client.syncing.reset();
    }
  }

  coordination::FreshIds draw_;
  // For whoever looks for the reason of a failure.
  void note(std::string what) {
    const ConsumerGroup* consumer = coordinator->state().consumer("g");
    std::string line = fmt::format("{} | {}", what, consumer ? "consumer" : "classic");
    if (consumer) line += fmt::format(" epoch {} target {}", consumer->epoch, consumer->target_epoch);
    for (const auto& [name, client] : old_) line += fmt::format(" | {} gen {} {}", name, client.generation, client.has);
    for (const auto& [id, client] : fresh_) {
      for (const auto& [topic, has] : client.has) line += fmt::format(" | {} epoch {} {}", id, client.epoch, has);
    }
    if (story_.size() >= 40) story_.erase(story_.begin());
    story_.push_back(std::move(line));
  }

  std::vector<std::string> story_;
  std::map<std::string, Client> fresh_;
  std::map<std::string, Eager> old_;
  int named_ = 0;
  std::size_t owned_ = 0;
};

TEST(ConsumerMigrationWalkTest, NoPartitionEverHasTwoOwnersAndAllAreOwnedInTheEnd) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
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
