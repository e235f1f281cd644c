// Drives members of groups, each on a connection of its own: joins them all, then has them heartbeat and commit at
// their times, or makes their groups rebalance again and again.
#pragma once

#include <memory>
#include <vector>

#include "bench/channel.h"
#include "bench/group_member.h"
#include "bench/plan.h"
#include "bench/target.h"
#include "runtime/environment.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::bench {

class GroupLoad final : ChannelEvents {
 public:
  // Of groups that share out so many partitions each.
  GroupLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, std::size_t partitions);

  // Members of one group come one after the other. A classic one, when a rebalance shall be measured.
  void add(std::size_t group, std::unique_ptr<Member> member, runtime::SocketRef socket);

  // Until every group is complete: its members are stable in one generation and own each partition once. False when
  // that takes too long or something failed.
  runtime::Task<bool> settle();
  // Heartbeats and commits; a report's request is one of them, a record a committed offset.
  runtime::Task<void> keep_alive(Moments moments);
  // Rounds in which all members join again; a report's request is one round, and its latency the time from the last
  // join to the last assignment.
  runtime::Task<void> rebalance(Moments moments);
  runtime::Task<void> leave();

 private:
  struct Seat final : runtime::Timer {
    Seat(GroupLoad& its, std::size_t in, std::unique_ptr<Member> who) : load(its), group(in), member(std::move(who)) {}
    void fired() override { load.pump(*this); }

    GroupLoad& load;
    std::size_t group;
    std::unique_ptr<Member> member;
    std::unique_ptr<Channel> channel;
  };
  void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;
  void lost(Channel& channel, std::string why) override;
  void pump(Seat& seat);
  void failed(std::string why);
  bool settled() const;
  bool counts(runtime::MonoTime intended) const { return intended >= from_ && intended < to_; }
  bool answers_due() const;
  runtime::Task<void> wait_until(runtime::MonoTime at);
  void look_at_round(std::int32_t generation_before);

  runtime::Reactor& reactor_;
  const Plan& plan_;
  Report& report_;
  std::size_t partitions_;
  runtime::Notice changed_;
  std::vector<std::unique_ptr<Seat>> seats_;
  runtime::MonoTime from_ = runtime::never, to_ = runtime::never;
  bool over_ = false;
  std::size_t unassigned_ = 0;  // members that have not got their assignment of this round
  runtime::MonoTime last_join_{}, last_assignment_{};
};

// The workload `groups`, and `rebalance`.
runtime::Task<void> run_groups(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                               const Target& target, Report& report, Moments moments, std::string run);

}  // namespace klamm::bench
