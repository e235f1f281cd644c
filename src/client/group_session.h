// A consumer's life in its group, on the application's side: polls, rebalances between them, offsets. The positions are
// the Fetcher's, the membership is the Membership's.
// Source of the rules: org.apache.kafka.clients.consumer.internals.{ClassicKafkaConsumer,AsyncKafkaConsumer}.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/consumer.h"
#include "client/fetcher.h"
#include "client/group_offsets.h"
#include "client/membership.h"

namespace klamm::client {

class GroupSession {
 public:
  GroupSession(Core& core, Fetcher& fetcher);
  ~GroupSession();

  void subscribe(std::vector<std::string> topics, RebalanceListener listener);
  void subscribe_matching(std::function<bool(std::string_view)> matches, RebalanceListener listener);
  Result<void> subscribe_regex(std::string regex, RebalanceListener listener);
  runtime::Task<void> unsubscribe(std::string reason, runtime::MonoTime deadline);
  // By hand: in no group, but with its offsets.
  void assign(const PartitionSet& partitions);

  runtime::Task<Result<Batch>> poll(runtime::MonoTime deadline);
  void wake_up();

  runtime::Task<Result<void>> commit(GroupPositions offsets, runtime::MonoTime deadline);
  runtime::Task<Result<void>> commit_positions(runtime::MonoTime deadline);
  void post_commit(GroupPositions offsets, std::function<void(const Result<void>&)> done);
  GroupPositions positions() const;
  runtime::Task<Result<GroupPositions>> committed(PartitionSet partitions, runtime::MonoTime deadline);
  Result<MemberIdentity> identity() const { return membership_.identity(); }

  // Commits when that is automatic, gives up what it has, leaves.
  runtime::Task<void> close(runtime::MonoTime deadline);

  // Looks up where held partitions begin.
  void look_up_committed();

 private:
  bool subscribed() const { return !topics_.empty() || matches_ || regex_; }
  void subscribed_anew(RebalanceListener listener);
  void match_topics();
  runtime::Task<void> rebalance();
  runtime::Task<void> apply(AssignmentChange change);
  runtime::Task<void> give_up(PartitionSet partitions, bool lost, runtime::MonoTime deadline);
  void commit_when_due();
  runtime::Task<void> commit_by_itself();
  runtime::Task<void> read_committed(PartitionSet partitions);
  runtime::Task<void> run_commit(GroupPositions offsets, std::function<void(const Result<void>&)> done);

  Core& core_;
  Fetcher& fetcher_;
  const GroupSettings& settings_;
  Logger log_;
  Coordinator coordinator_;
  Membership membership_;
  GroupOffsets offsets_;
  RebalanceListener listener_;
  std::vector<std::string> topics_;
  std::function<bool(std::string_view)> matches_;
  bool regex_ = false;
  std::uint64_t matched_version_ = 0;
  bool woken_ = false;
  bool reading_committed_ = false;
  bool committing_ = false;
  runtime::MonoTime commit_at_{};
  std::vector<Error> errors_;
  int on_change_ = -1;
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::client
