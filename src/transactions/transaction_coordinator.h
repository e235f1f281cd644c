// The coordinator of the transactions of one partition of __transaction_state: a deterministic machine over its
// records. It decides; it does nothing itself. One instance leads at a time, and it is called by one thread.
//
// Its life: records are applied as they are read, then Loaded is the first call. From then on it is asked, and what it
// decided is applied before it is asked again. Somebody works for it: asks for NextWork, has markers written, tells
// what became of them. As nothing is answered before what it rests on is committed, no marker is written before the
// decision that it belongs to. Source of behaviour: kafka.coordinator.transaction.TransactionCoordinator,
// TransactionStateManager.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "transactions/call.h"
#include "transactions/state.h"

namespace klamm::transactions {

class TransactionCoordinator {
 public:
  using Record = transactions::Record;
  using Call = transactions::Call;
  using Answer = transactions::Answer;
  using Decision = transactions::Decision;

  // Settings and memory outlive it.
  TransactionCoordinator(const Settings& settings, coordination::Memory& memory, Logger log);

  Decision decide(coordination::Ticket ticket, const coordination::Moment& moment, const Call& call);
  Decision timer_fired(const coordination::Moment& moment, std::string_view name);
  // The answer to a call that is wrong whatever a shard knows: given before a shard is looked for.
  static std::optional<Answer> check(const Settings& settings, const Call& call);
  // The call could not be served (the log failed, the shard was left): what its caller is told.
  static Answer refuse(const Call& call, const Error& error);

  // In the order of the log.
  void apply(Offset base, LeaderEpoch epoch, Timestamp appended, std::span<const Record> records);

  const State& state() const { return state_; }

 private:
  void act(Turn& turn, coordination::Ticket ticket, const Call& call);
  void wait_for_work(Turn& turn, coordination::Ticket ticket);
  void take_producer_id(Turn& turn, ProducerId id);
  void apply(const Record& record);
  // Gives the worker what there is to do, and sets the timers that are needed.
  Decision finish(Turn turn);

  State state_;
  // Timers that are set.
  bool aborts_ = false;
  bool expires_ = false;
  bool retries_ = false;
};

}  // namespace klamm::transactions
