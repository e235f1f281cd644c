// For tests: members of classic groups.
#pragma once

#include <string>
#include <vector>

#include "groups/testing.h"

namespace klamm::groups::testing {

inline ErrorCode code(std::int16_t wire) {
  return static_cast<ErrorCode>(wire);
}

// Somebody who joins.
struct Who {
  std::string member_id = {};
  std::optional<std::string> instance_id = {};
  std::vector<std::string> protocols = {"range"};
  std::string metadata = "m";
  std::string protocol_type = "consumer";
  int version = 9;
  std::int32_t session_ms = 10'000;
  std::int32_t rebalance_ms = 60'000;
};

struct ClassicStory : GroupStory {
  Ticket join(const Who& who) {
    protocol::JoinGroupRequest request;
    request.group_id = "g";
    request.member_id = who.member_id;
    request.group_instance_id = who.instance_id;
    request.protocol_type = who.protocol_type;
    request.session_timeout_ms = who.session_ms;
    request.rebalance_timeout_ms = who.rebalance_ms;
    for (const auto& name : who.protocols) {
      auto& each = request.protocols.emplace_back();
      each.name = name;
      each.metadata = bytes(who.metadata);
    }
    return ask(request, who.version);
  }
  protocol::JoinGroupResponse joined(Ticket ticket) { return take<protocol::JoinGroupResponse>(ticket); }

  Ticket sync(std::string member, std::int32_t of_generation,
              std::vector<std::pair<std::string, std::string>> parts = {}, std::optional<std::string> instance = {}) {
    protocol::SyncGroupRequest request;
    request.group_id = "g";
    request.member_id = std::move(member);
    request.generation_id = of_generation;
    request.group_instance_id = std::move(instance);
    for (auto& [id, assignment] : parts) {
      auto& each = request.assignments.emplace_back();
      each.member_id = id;
      each.assignment = bytes(assignment);
    }
    return ask(request);
  }
  protocol::SyncGroupResponse synced(Ticket ticket) { return take<protocol::SyncGroupResponse>(ticket); }

  ErrorCode beat(std::string member, std::int32_t of_generation, std::optional<std::string> instance = {}) {
    protocol::HeartbeatRequest request;
    request.group_id = "g";
    request.member_id = std::move(member);
    request.generation_id = of_generation;
    request.group_instance_id = std::move(instance);
    return code(this->request<protocol::HeartbeatResponse>(request).error_code);
  }
  protocol::LeaveGroupResponse leave(std::string member, std::optional<std::string> instance = {}) {
    protocol::LeaveGroupRequest request;
    request.group_id = "g";
    auto& each = request.members.emplace_back();
    each.member_id = std::move(member);
    each.group_instance_id = std::move(instance);
    return this->request<protocol::LeaveGroupResponse>(request);
  }
  // A dynamic member's id, as the handshake gives it.
  std::string handshake(const Who& who = {}) {
    const auto response = joined(join(who));
    EXPECT_EQ(code(response.error_code), ErrorCode::member_id_required);
    return response.member_id;
  }
  // A stable group of `count` dynamic members; the first in `members` leads.
  std::vector<std::string> stable(std::size_t count) {
    std::vector<std::string> members;
    std::vector<Ticket> joins;
    for (std::size_t i = 0; i < count; ++i) {
      Who who;
      who.member_id = handshake();
      members.push_back(who.member_id);
      joins.push_back(join(who));
    }
    pass(settings.initial_rebalance_delay * 3);
    std::vector<std::pair<std::string, std::string>> parts;
    std::string leader;
    for (const Ticket ticket : joins) {
      const auto response = joined(ticket);
      EXPECT_EQ(response.error_code, 0);
      generation = response.generation_id;
      leader = response.leader;
    }
    for (const auto& id : members) parts.emplace_back(id, "of " + id);
    std::ranges::sort(members, {}, [&](const auto& id) { return id != leader; });
    for (const auto& id : members) {
      EXPECT_EQ(synced(sync(id, generation, id == leader ? parts : decltype(parts){})).error_code, 0);
    }
    return members;
  }

  std::int32_t generation = 0;
};

}  // namespace klamm::groups::testing
