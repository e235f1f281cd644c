// A member of a group of the classic protocol, as a machine: it is told what came back and what time it is, and says
// what to send. One request at a time; the leader of the group makes the assignment here. Knows no network and no
// clock. Source of the rules:
// org.apache.kafka.clients.consumer.internals.{AbstractCoordinator,ConsumerCoordinator,Heartbeat}, KIP-345 (static
// members), KIP-394 (member ids first), KIP-429 (cooperative rebalances), KIP-814 (static leaders).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/group_member.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/sync_group.h"

namespace klamm::client {

struct ClassicSettings {
  std::string group_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack;
  std::vector<Assignor> assignors;  // the preferred one first; not empty
  runtime::Duration session_timeout{};
  runtime::Duration poll_interval_max{};  // also how long a rebalance may take
  runtime::Duration heartbeat_interval{};
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
};

class ClassicMember {
 public:
  enum class State : std::uint8_t {
    unjoined,   // not in the group, or about to join it again
    joining,    // JoinGroup is on its way, or waits at the coordinator for the others
    assigning,  // this one leads and waits to be told how many partitions the topics have
    syncing,    // SyncGroup is on its way
    stable
  };
  struct Decision {
    bool find_coordinator = false;
    std::optional<protocol::JoinGroupRequest> join;
    std::optional<protocol::SyncGroupRequest> sync;
    std::optional<protocol::HeartbeatRequest> heartbeat;
    std::optional<protocol::LeaveGroupRequest> leave;  // nobody waits for its answer
    bool count_partitions = false;                     // of counted_topics(): tell counted()
    runtime::MonoTime look_again = runtime::never;
  };

  explicit ClassicMember(ClassicSettings settings);

  // To be called after every event and at `look_again`. What is in the decision counts as begun.
  Decision decide(runtime::MonoTime now);

  // --- what the application does ---
  // An empty set leaves the group. Known again after subscribe() of other topics: the group is joined anew.
  void subscribe(std::set<std::string> topics);
  void polled(runtime::MonoTime now);
  // Says goodbye, unless it is static; then it is in no group until subscribe().
  void leave(std::string reason);

  // What the consumer is to do; nothing while there is nothing. The group waits until it is done.
  AssignmentChange change() const;
  void applied(const AssignmentChange& change);
  // What poll() has to say once; nothing is sent before that.
  std::optional<Error> take_failure();

  // --- what comes back ---
  void coordinator_answered(ErrorCode code, std::int32_t node, runtime::MonoTime now);
  // Somebody else was told that it is another one, or the connection broke.
  void coordinator_lost(runtime::MonoTime now);
  void join_answered(const protocol::JoinGroupResponse& response, runtime::MonoTime now);
  void sync_answered(const protocol::SyncGroupResponse& response, runtime::MonoTime now);
  void heartbeat_answered(ErrorCode code, runtime::MonoTime now);
  // The request that was on its way got no answer, or one that cannot be used for good.
  void request_failed(const Error& error, runtime::MonoTime now);
  // Numbers of the topics in counted_topics(): for an assignment, or because the cluster changed.
  void counted(PartitionCounts counts);
  // An offset commit was answered so: generations that ended end here too.
  void commit_failed(ErrorCode code, const MemberIdentity& committed_as);

  State state() const { return state_; }
  const std::optional<std::int32_t>& coordinator() const { return search_.node(); }
  MemberIdentity identity() const { return {generation_, member_id_, settings_.instance_id}; }
  bool in_group() const { return generation_ >= 0; }
  bool leads() const { return leads_; }
  const std::set<std::string>& counted_topics() const { return counted_topics_; }
  const PartitionSet& applied() const { return applied_; }
  // Why it joins again, for logs and for the coordinator.
  const std::string& reason() const { return reason_; }
  const ClassicSettings& settings() const { return settings_; }
  // It was told to go because the application did not poll in time.
  bool lapsed() const { return lapsed_; }

 private:
  void rejoin(std::string reason);
  // The generation is over; what was held is lost.
  void reset(std::string reason, bool forget_member_id);
  void fail(Error error, runtime::MonoTime now);
  void retry_join(runtime::MonoTime now);
  void begin_join(Decision& decision, runtime::MonoTime now);
  void begin_sync(Decision& decision);
  void begin_heartbeat(Decision& decision, runtime::MonoTime now);
  void took_assignment(PartitionSet assigned);
  bool may_join() const;
  Error unexpected(const char* what, ErrorCode code) const;

  ClassicSettings settings_;
  bool cooperative_;
  CoordinatorSearch search_;
  Pauses pauses_;
  State state_ = State::unjoined;
  std::set<std::string> topics_;
  std::set<std::string> joined_topics_;
  std::string member_id_;
  std::int32_t generation_ = -1;
  std::string protocol_;
  bool rejoin_ = true;
  std::string reason_;
  bool in_flight_ = false;
  runtime::MonoTime retry_at_{};

  PartitionSet applied_;   // what the consumer holds
  PartitionSet assigned_;  // what the group gave it last
  PartitionSet last_assigned_;
  std::int32_t last_generation_ = -1;
  bool lost_ = false;  // the generation in which `applied_` was given is over
  bool completes_ = false;
  std::uint64_t number_ = 0;  // of the assignment

  bool leads_ = false;
  bool skip_assignment_ = false;
  std::vector<AssignedMember> members_;
  std::set<std::string> counted_topics_;
  std::optional<PartitionCounts> counts_;
  std::optional<PartitionCounts> assigned_counts_;  // from which the assignment was made

  std::optional<runtime::MonoTime> last_poll_;  // it joins when the application polls first
  bool lapsed_ = false;
  runtime::MonoTime heartbeat_at_{};
  runtime::MonoTime session_until_ = runtime::never;
  std::optional<std::string> leaving_;
  std::optional<Error> failure_;
};

}  // namespace klamm::client
