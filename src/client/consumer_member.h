// A member of a group of the consumer protocol (KIP-848), as a machine: the coordinator assigns, the member heartbeats,
// gives up what is no longer its own, takes what is new, and says so. Knows no network and no clock.
// Source of the rules:
// org.apache.kafka.clients.consumer.internals.{AbstractMembershipManager,ConsumerMembershipManager,
// AbstractHeartbeatRequestManager,ConsumerHeartbeatRequestManager}, KIP-1082 (member ids of the client).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "client/group_member.h"
#include "protocol/messages/consumer_group_heartbeat.h"

namespace klamm::client {

struct ConsumerMemberSettings {
  std::string group_id;
  std::string member_id;  // random, for the life of the consumer
  std::optional<std::string> instance_id;
  std::optional<std::string> rack;
  std::optional<std::string> server_assignor;
  runtime::Duration poll_interval_max{};  // also how long giving up partitions may take
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
};

class ConsumerMember {
 public:
  enum class State : std::uint8_t {
    unsubscribed,
    joining,  // no epoch yet: the next heartbeat says everything
    member,
    fenced,  // its epoch is over: it joins again when it has let go of what it held
    lapsed,  // it left because the application did not poll in time
    failed
  };
  struct Decision {
    bool find_coordinator = false;
    std::optional<protocol::ConsumerGroupHeartbeatRequest> heartbeat;
    bool waits_for_answer = true;  // of the heartbeat; a goodbye is only sent
    bool name_topics = false;      // some of unnamed_topics() are wanted: tell named()
    runtime::MonoTime look_again = runtime::never;
  };

  explicit ConsumerMember(ConsumerMemberSettings settings);

  // To be called after every event and at `look_again`. What is in the decision counts as begun.
  Decision decide(runtime::MonoTime now);

  // --- what the application does ---
  void subscribe(std::set<std::string> topics);
  // A regular expression that the coordinator resolves; RE2's, of the whole name.
  void subscribe_regex(std::string regex);
  void polled(runtime::MonoTime now);
  // With epoch -1, a static member with -2: its partitions wait for it until its session ends.
  void leave();

  AssignmentChange change() const;
  void applied(const AssignmentChange& change);
  std::optional<Error> take_failure();

  // --- what comes back ---
  void coordinator_answered(ErrorCode code, std::int32_t node, runtime::MonoTime now);
  void coordinator_lost(runtime::MonoTime now);
  void heartbeat_answered(const protocol::ConsumerGroupHeartbeatResponse& response, runtime::MonoTime now);
  void request_failed(const Error& error, runtime::MonoTime now);
  void named(const std::map<Uuid, std::string>& names);

  State state() const { return state_; }
  const std::optional<std::int32_t>& coordinator() const { return search_.node(); }
  MemberIdentity identity() const { return {epoch_ > 0 ? epoch_ : -1, settings_.member_id, settings_.instance_id}; }
  bool in_group() const { return state_ == State::member; }
  // Nothing is to be given up or taken, and the coordinator knows it.
  bool settled() const { return in_group() && !reconcile_ && sent_number_ == acknowledged_; }
  std::vector<Uuid> unnamed_topics() const;
  const PartitionSet& applied() const { return applied_; }
  const ConsumerMemberSettings& settings() const { return settings_; }

 private:
  using Ids = std::map<Uuid, std::set<std::int32_t>>;

  protocol::ConsumerGroupHeartbeatRequest request();
  void goodbye(Decision& decision);
  void join();
  void fence();
  void fail(Error error);
  // What was sent is not known to have arrived: the next heartbeat says it again.
  void forget_sent();
  PartitionSet target() const;

  ConsumerMemberSettings settings_;
  CoordinatorSearch search_;
  Pauses pauses_;
  State state_ = State::unsubscribed;
  std::set<std::string> topics_;
  std::optional<std::string> regex_;
  std::int32_t epoch_ = 0;
  runtime::Duration interval_{};  // of heartbeats, as the coordinator wants it
  runtime::MonoTime heartbeat_at_{};
  bool in_flight_ = false;
  bool leaving_ = false;
  std::optional<runtime::MonoTime> last_poll_;

  Ids target_;
  std::map<Uuid, std::string> names_;  // of topics that were assigned in this epoch
  std::map<std::string, Uuid> ids_;
  PartitionSet applied_;
  bool reconcile_ = false;          // the target is not what the consumer holds, as far as is known
  std::uint64_t number_ = 0;        // of the target
  std::uint64_t acknowledged_ = 0;  // of the target that the consumer has followed

  // What the coordinator was told last.
  std::optional<std::set<std::string>> sent_topics_;
  std::optional<std::string> sent_regex_;
  bool coordinator_has_regex_ = false;
  std::optional<std::uint64_t> sent_number_;
  bool sent_settings_ = false;

  std::optional<Error> failure_;
};

}  // namespace klamm::client
