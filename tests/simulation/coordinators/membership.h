// A member of a group, as a client plays it: by the classic protocol or by the consumer protocol (KIP-848). It joins,
// says that it is alive, takes what it is given and gives up what it is told to; what it has is told to the history.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/uuid.h"
#include "coordinators/caller.h"
#include "coordinators/group_history.h"

namespace klamm::simulation {

struct MembershipPlan {
  std::string group;
  std::string topic;
  Uuid topic_id;
  std::int32_t partitions = 1;
  bool consumer_protocol = false;
  std::optional<std::string> instance;
  runtime::Duration session{};    // classic
  runtime::Duration rebalance{};  // to give up what it has
  runtime::Duration interval{};   // between heartbeats
  std::string assignor;           // consumer protocol; empty: the broker's first
};

class Membership {
 public:
  Membership(Caller& caller, GroupHistory& history, sim::Chance chance, MembershipPlan plan)
      : caller_(caller), history_(history), chance_(chance), plan_(std::move(plan)) {}
  virtual ~Membership() = default;

  // Does what is due; after it, owned() is what the member may work on for a while.
  virtual Task<void> keep() = 0;
  // Says goodbye. A static member may come back.
  virtual Task<void> leave() = 0;
  // A commit was refused with it.
  virtual void told(ErrorCode code) = 0;

  const MembershipPlan& plan() const { return plan_; }
  // Partition -> the generation or epoch in which it was given.
  const std::map<std::int32_t, std::int32_t>& owned() const { return owned_; }
  const std::string& member_id() const { return member_id_; }
  std::int32_t epoch() const { return epoch_; }
  const std::string& who() const { return plan_.instance ? *plan_.instance : member_id_; }
  // Another one has its instance id: it is over.
  bool fenced() const { return fenced_; }

 protected:
  void give(std::int32_t partition, std::int32_t epoch);

  Caller& caller_;
  GroupHistory& history_;
  sim::Chance chance_;
  MembershipPlan plan_;
  std::string member_id_;
  std::int32_t epoch_ = -1;
  std::map<std::int32_t, std::int32_t> owned_;
  bool fenced_ = false;
  runtime::MonoTime due_{};  // of the next heartbeat
};

std::unique_ptr<Membership> make_membership(Caller& caller, GroupHistory& history, sim::Chance chance,
                                            MembershipPlan plan);

}  // namespace klamm::simulation
