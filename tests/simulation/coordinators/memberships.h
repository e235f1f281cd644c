// The two kinds of membership; see membership.h.
#pragma once

#include "coordinators/membership.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/sync_group.h"

namespace klamm::simulation {

class ClassicMembership final : public Membership {
 public:
  using Membership::Membership;

  Task<void> keep() override;
  Task<void> leave() override;
  void told(ErrorCode code) override;

 private:
  Task<void> join();
  Task<void> sync(protocol::JoinGroupResponse joined);
  void assign(const protocol::JoinGroupResponse& joined, protocol::SyncGroupRequest& request);
  void out(bool forget_id);

  bool joined_ = false;
};

class ConsumerMembership final : public Membership {
 public:
  ConsumerMembership(Caller& caller, GroupHistory& history, sim::Chance chance, MembershipPlan plan);

  Task<void> keep() override;
  Task<void> leave() override;
  void told(ErrorCode code) override;

 private:
  protocol::ConsumerGroupHeartbeatRequest heartbeat() const;
  void take(const protocol::ConsumerGroupHeartbeatResponse& response, std::uint64_t begun);
  void begin_anew();

  bool says_all_ = true;  // what it wants and what it has, not only that it is alive
  bool gave_something_up_ = false;
  runtime::MonoTime says_all_until_{};
};

}  // namespace klamm::simulation
