// A producer with a transactional id as a machine: what it may do now, which request goes next, what an answer means
// for the transaction. It knows no network and no clock. KIP-98, KIP-360, KIP-447 (offsets come with the name under
// which the group's member commits), KIP-890 (transactions of version 2: what is produced to belongs to the transaction
// by itself, and each end gives the next epoch), KIP-1050 (what is aborted and tried again, what ends the producer).
// Source of the rules: org.apache.kafka.clients.producer.internals.{TransactionManager,Sender}.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "client/group_offsets.h"
#include "client/result.h"
#include "client/sequences.h"
#include "client/settings.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/txn_offset_commit.h"
#include "rpc/peer_versions.h"
#include "runtime/clock.h"

namespace klamm::client {

// How something that the application asked for ends.
struct TransactionOutcome {
  bool done = false;
  std::optional<Error> error;
  bool heard = false;  // the application was told: until then nothing else may begin
};
using TransactionOutcomeRef = std::shared_ptr<TransactionOutcome>;

// Offsets for the group, under the name that its member commits with.
struct OffsetsForGroup {
  GroupPositions offsets;
  std::string group_id;
  MemberIdentity as;
};

using CoordinatorOf = Coordinator::Of;

struct FindCoordinator {
  CoordinatorOf of = CoordinatorOf::transactions;
  std::string key;
};

class TransactionMachine {
 public:
  enum class State : std::uint8_t {
    uninitialized,
    initializing,
    ready,
    in_transaction,
    committing,
    aborting,
    abortable_error,  // only an abort leads on
    fatal_error,
  };
  using Body =
      std::variant<FindCoordinator, protocol::InitProducerIdRequest, protocol::AddPartitionsToTxnRequest,
                   protocol::AddOffsetsToTxnRequest, protocol::TxnOffsetCommitRequest, protocol::EndTxnRequest>;
  struct Request {
    Body body = {};
    CoordinatorOf of = CoordinatorOf::transactions;
    std::int32_t node = -1;  // of the coordinator; -1 for FindCoordinator: any broker
    std::int16_t version_max = 0;
  };

  // Numbers of batches are those of `sequences`, which outlive the machine.
  TransactionMachine(TransactionSettings settings, runtime::Duration retry_backoff, Sequences& sequences)
      : settings_(std::move(settings)), retry_backoff_(retry_backoff), sequences_(sequences) {}

  // --- the application ---
  // An error is told at once, in Kafka's words, and nothing changes. What is asked again before the application heard
  // how it ended is the same thing.
  Result<TransactionOutcomeRef> initialize();
  Result<void> begin();
  Result<TransactionOutcomeRef> send_offsets(OffsetsForGroup offsets);
  Result<TransactionOutcomeRef> begin_commit();
  Result<TransactionOutcomeRef> begin_abort();
  // Why a record for the partition cannot be taken; nothing when it can.
  std::optional<Error> refusal(const TopicPartition& partition) const;
  bool may_take() const { return state_ == State::in_transaction && !unheard(); }
  // A record for the partition was taken.
  void add_partition(const TopicPartition& partition);
  // Something that it asked for and was not told the end of.
  TransactionOutcomeRef unheard() const;

  // --- batches ---
  // A record could not be taken or a batch is given up.
  void batch_failed(const Error& error);
  // Sequences::resolve() found batches whose fate nobody can tell.
  void lost_track();
  // What was not sent yet is to be dropped with this error; nothing while it may go.
  std::optional<Error> drops_unsent() const;

  // --- the network: one request at a time ---
  // The request to send now; it is under way until it is answered or failed. `incomplete`: batches wait for an answer,
  // before which no transaction ends.
  std::optional<Request> next(runtime::MonoTime now, bool incomplete);
  // When next() is worth another look, as far as only time is needed.
  runtime::MonoTime look_again(runtime::MonoTime now) const;
  // What a broker said of its versions and of the cluster's features.
  void saw_versions(const rpc::PeerVersions& versions, CoordinatorOf of);
  void coordinator_answered(ErrorCode code, std::int32_t node, const std::string& message, runtime::MonoTime now);
  void answered(const protocol::InitProducerIdResponse& response, runtime::MonoTime now);
  void answered(const protocol::AddPartitionsToTxnResponse& response, runtime::MonoTime now);
  void answered(const protocol::AddOffsetsToTxnResponse& response, runtime::MonoTime now);
  void answered(const protocol::TxnOffsetCommitResponse& response, runtime::MonoTime now);
  void answered(const protocol::EndTxnResponse& response, runtime::MonoTime now);
  // No answer came.
  void failed(const Error& error, runtime::MonoTime now);
  // The producer is closed: everything that is open fails.
  void close();

  State state() const { return state_; }
  const ProducerIdentity& producer() const { return sequences_.producer(); }
  bool completing() const { return state_ == State::committing || state_ == State::aborting; }
  bool ongoing() const { return state_ == State::in_transaction || completing() || state_ == State::abortable_error; }
  // Why nothing can be done any more.
  const Error* fatal() const { return state_ == State::fatal_error ? &*last_error_ : nullptr; }
  // Transactions of version 2.
  bool second_version() const { return second_version_; }
  const std::string& transactional_id() const { return settings_.id; }

 private:
  // In the order in which they go.
  enum class Kind : std::uint8_t { find_coordinator, init, add_partitions, add_offsets, commit_offsets, end, bump };
  struct Pending {
    Kind kind = Kind::init;
    TransactionOutcomeRef outcome = std::make_shared<TransactionOutcome>();
    runtime::MonoTime not_before{};
    FindCoordinator find = {};
    OffsetsForGroup offsets = {};  // of add_offsets and commit_offsets; of the latter those without an answer
    bool commit = false;           // of end
    bool second_version = false;
  };

  Result<TransactionOutcomeRef> once(State target, std::string_view operation);
  Result<TransactionOutcomeRef> complete(bool commit);
  std::optional<Error> failure() const;
  std::optional<Error> unheard_before(std::string_view operation) const;
  Result<void> move_to(State target);
  bool take_features();

  Pending* head();
  void enqueue(Pending pending) { pending_.push_back(std::move(pending)); }
  void enqueue_find(CoordinatorOf of);
  Request request_of(const Pending& pending);
  Pending take_answered();
  void again(Pending pending, runtime::MonoTime now, std::optional<runtime::Duration> pause = {});
  void again_elsewhere(Pending pending, CoordinatorOf of, runtime::MonoTime now);
  static void finish(const Pending& pending, std::optional<Error> error = {});
  void fatal_error(const Pending& pending, const Error& error);
  void abortable_error(const Pending& pending, const Error& error);
  void abortable_error_if_possible(const Pending& pending, const Error& error);
  // What all requests to the coordinator of transactions have in common; true when that was it.
  bool settled(Pending& pending, ErrorCode code, runtime::MonoTime now);
  void to_abortable(const Error& error);
  void to_fatal(const Error& error);
  void authorization_failed(const Error& error);
  bool bump_from_here() const { return coordinator_bumps_ && !second_version_; }
  bool outlives_errors() const { return coordinator_bumps_ || second_version_; }
  void end_transaction();

  TransactionSettings settings_;
  runtime::Duration retry_backoff_;
  Sequences& sequences_;
  State state_ = State::uninitialized;
  std::optional<Error> last_error_;

  std::list<Pending> pending_;
  std::optional<Pending> under_way_;
  std::set<TopicPartition> new_partitions_;      // nobody was asked to add them
  std::set<TopicPartition> pending_partitions_;  // somebody was
  bool started_ = false;                         // the coordinator may know of the transaction
  bool bump_wanted_ = false;

  struct Transition {
    TransactionOutcomeRef outcome;
    State target;
    std::string operation;
  };
  std::optional<Transition> transition_;

  std::optional<std::int32_t> coordinator_;
  std::optional<std::int32_t> group_coordinator_;
  std::string group_;  // whose coordinator that is
  bool coordinator_bumps_ = false;
  bool second_version_ = false;
  std::int64_t features_epoch_ = -1;  // that second_version_ is of
  std::int64_t seen_epoch_ = -1;
  bool seen_second_version_ = false;
};

}  // namespace klamm::client
