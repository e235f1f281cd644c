// Runs the machine of a member of a group against the real coordinator: sends what it wants sent, tells it what came
// back and what time it is. Does not touch the consumer: who polls takes change() and says applied().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "client/classic_member.h"
#include "client/consumer_member.h"
#include "client/coordinator.h"
#include "client/settings.h"
#include "runtime/task_group.h"

namespace klamm::client {

class Membership {
 public:
  // `changed`: change() or take_failure() may have something.
  Membership(Core& core, Coordinator& coordinator, const ConsumerSettings& settings, std::function<void()> changed);
  ~Membership();

  void subscribe(std::set<std::string> topics);
  // Only of the consumer protocol.
  void subscribe_regex(std::string regex);
  void polled();
  // Leaves and waits until that was said, at most until the deadline.
  runtime::Task<void> leave(std::string reason, runtime::MonoTime deadline);

  AssignmentChange change() const;
  void applied(const AssignmentChange& change);
  std::optional<Error> take_failure();

  // Under which name to commit now; RebalanceInProgressException and CommitFailedException when there is none.
  Result<MemberIdentity> identity() const;
  bool in_group() const;
  const PartitionSet& applied() const;
  void commit_refused(ErrorCode code, const MemberIdentity& as);

 private:
  using Machine = std::variant<ClassicMember, ConsumerMember>;

  runtime::Task<void> run();
  void step();
  void step(ClassicMember& member);
  void step(ConsumerMember& member);
  void wake() {
    again_ = true;  // also when it comes in the middle of a step
    wake_.notify();
  }

  runtime::Task<void> find_coordinator();
  runtime::Task<void> join(protocol::JoinGroupRequest request);
  runtime::Task<void> sync(protocol::SyncGroupRequest request);
  runtime::Task<void> heartbeat(protocol::HeartbeatRequest request);
  runtime::Task<void> heartbeat(protocol::ConsumerGroupHeartbeatRequest request);
  runtime::Task<void> say_goodbye(protocol::LeaveGroupRequest request);
  runtime::Task<void> say_goodbye(protocol::ConsumerGroupHeartbeatRequest request);
  runtime::Task<void> count_partitions();
  void count(ClassicMember& member);
  void name_topics(ConsumerMember& member);
  template <typename Response, typename Request>
  runtime::Task<Result<Reply<Response>>> ask(const Request& request, runtime::Duration answer_within = {});

  Core& core_;
  Coordinator& coordinator_;
  Logger log_;
  std::function<void()> changed_;
  Machine machine_;
  bool allow_auto_create_;
  bool counting_ = false;
  bool again_ = false;
  int goodbyes_ = 0;  // on their way
  Signal wake_;
  Signal said_goodbye_;
  int on_change_ = -1;
  runtime::MonoTime look_again_ = runtime::never;
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::client
