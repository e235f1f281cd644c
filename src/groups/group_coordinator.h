// The coordinator of the groups of one partition of __consumer_offsets: a deterministic machine over its records. It
// decides; it does nothing itself. One instance leads at a time, and it is called by one thread.
//
// Its life: records are applied as they are read (Offset by Offset), then Loaded is the first call. From then on it is
// asked, and what it decided is applied before it is asked again. A broken record throws BadRecord while loading.
// Source of behaviour: org.apache.kafka.coordinator.group.GroupCoordinatorShard.
#pragma once

#include <span>
#include <stdexcept>
#include <string_view>

#include "groups/call.h"
#include "groups/state.h"

namespace klamm::groups {

// A record that cannot follow those before it.
class BadRecord : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class GroupCoordinator {
 public:
  using Record = groups::Record;
  using Call = groups::Call;
  using Answer = groups::Answer;
  using Decision = groups::Decision;

  // Settings and memory outlive it.
  GroupCoordinator(const Settings& settings, Memory& memory, Logger log);

  Decision decide(coordination::Ticket ticket, const coordination::Moment& moment, const Call& call);
  Decision timer_fired(const coordination::Moment& moment, std::string_view name);
  // While its caller waits for others, a call keeps only what refuse() needs.
  static void settle(Call& call);
  // The call could not be served (the log failed, the shard was left): what its caller is told.
  static Answer refuse(const Call& call, const Error& error);

  // In the order of the log: `base` is the offset of the first, and the others follow it.
  void apply(Offset base, LeaderEpoch epoch, Timestamp appended, std::span<const Record> records);
  // The marker at the end of a transaction that committed offsets here.
  void end_transaction(ProducerId producer, bool commit);

  const State& state() const { return state_; }

 private:
  void act(Turn& turn, coordination::Ticket ticket, const Call& call);
  void serve_deadline(Turn& turn, const DeadlineKey& due);
  void resume(Turn& turn);
  // What is due next is told to the one timer.
  Decision finish(Turn turn);
  void apply(Offset at, const Record& record);

  State state_;
  std::optional<Deadlines::Time> timer_at_;
};

}  // namespace klamm::groups
