// Who plays in a story of groups and transactions, all on one host: members of groups that commit offsets, producers of
// transactions, copiers that consume, transform and produce exactly once, read_committed readers, and somebody who
// reads the offsets of all groups.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinators/caller.h"
#include "coordinators/membership.h"
#include "coordinators/offsets.h"
#include "coordinators/readers.h"
#include "coordinators/transaction_history.h"
#include "coordinators/transactional_producer.h"
#include "runtime/task_group.h"

namespace klamm::simulation {

struct TopicOfStory {
  std::string name;
  std::int32_t partitions = 1;
  Uuid id = {};
};

// What all players of a story have in common.
struct Stage {
  TransactionHistory& transactions;
  GroupHistory& groups;
  std::set<std::string>& tainted;
  std::uint64_t late_one_in = 0;
  bool last_act = false;  // nothing goes wrong any more: what is open is brought to its end
  bool over = false;      // everybody goes
  // Into the trace.
  std::function<void(std::string_view who, std::string_view what)> note = {};
};

struct GroupOfStory {
  std::string name;
  std::string topic;
  std::int32_t partitions = 1;
  bool transactional = false;  // its offsets are committed in transactions
};

class Players {
 public:
  Players(sim::Host& host, Stage& stage, sim::Chance chance);
  ~Players();

  // Commits offsets until the story is over; leaves, dies and comes again.
  void start_member(MembershipPlan plan);
  // So many transactions, in lives of a few; another one may have the same id.
  void start_producer(ProducerSetup setup, std::vector<TopicOfStory> topics, int transactions);
  // Copies what is committed in the member's topic to `to`, until the story is over.
  void start_copier(MembershipPlan plan, ProducerSetup setup, TopicOfStory to);
  void start_reader(TopicOfStory topic);
  void start_auditor(std::vector<GroupOfStory> groups);

  // Producers have done what they had to.
  bool done() const { return producing_ == 0; }
  // Nobody plays any more, and nothing is on its way.
  bool gone() const { return tasks_.running() == 0 && stragglers_.on_their_way() == 0; }
  // Offsets of all groups as they are in the end.
  Task<void> audit(std::vector<GroupOfStory> groups);
  // Whether nothing committed is left behind the offsets of the group.
  Task<bool> all_copied(GroupOfStory group);
  Task<std::map<PartitionName, FinalPartition>> read_all(std::vector<TopicOfStory> topics);
  // What is open at coordinators and in the topics, but for transactional ids that begin so; else nothing.
  Task<std::string> open_transactions(std::vector<TopicOfStory> topics, std::string ignored);

  std::size_t operations() const { return operations_; }
  std::size_t late() const { return stragglers_.sent(); }

 private:
  std::unique_ptr<Caller> caller(sim::Chance& chance);
  Task<void> member(MembershipPlan plan, sim::Chance chance);
  Task<void> member_life(Membership& membership, Caller& caller, sim::Chance& chance);
  Task<void> producer(ProducerSetup setup, std::vector<TopicOfStory> topics, int transactions, sim::Chance chance);
  Task<int> producer_life(TransactionalProducer& out, const std::vector<TopicOfStory>& topics, int transactions,
                          sim::Chance& chance);
  Task<void> copier(MembershipPlan plan, ProducerSetup setup, TopicOfStory to, sim::Chance chance);
  Task<void> copier_life(Membership& membership, TransactionalProducer& out, Caller& caller, const TopicOfStory& to,
                         sim::Chance& chance);
  Task<bool> copy_some(Membership& membership, TransactionalProducer& out, Caller& caller, const TopicOfStory& to,
                       std::map<std::int32_t, std::int64_t>& positions, sim::Chance& chance);
  Task<void> reader(TopicOfStory topic, sim::Chance chance);
  Task<void> auditor(std::vector<GroupOfStory> groups, sim::Chance chance);
  Task<void> pause(runtime::Duration max, sim::Chance& chance);

  runtime::Environment& environment_;
  runtime::Reactor& home_;
  Stage& stage_;
  sim::Chance chance_;
  Stragglers stragglers_;
  std::size_t producing_ = 0;
  std::size_t operations_ = 0;
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::simulation
