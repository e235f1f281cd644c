// Runs the machine of a producer with a transactional id against the real coordinators, and lets the application wait
// for what it asked for. The batches are the Sender's.
#pragma once

#include <functional>
#include <memory>

#include "client/coordinator.h"
#include "client/core.h"
#include "client/transaction_machine.h"
#include "runtime/task_group.h"

namespace klamm::client {

class TransactionSession {
 public:
  // `changed`: something may be sent now, or dropped.
  TransactionSession(Core& core, const ProducerSettings& settings, Sequences& sequences, std::function<void()> changed);
  ~TransactionSession();

  // Waits max.block.ms at most; what takes longer goes on, and is waited for again by the same call.
  runtime::Task<Result<void>> initialize();
  // Initializes first when that was not done.
  runtime::Task<Result<void>> begin();
  runtime::Task<Result<void>> send_offsets(OffsetsForGroup offsets);
  runtime::Task<Result<void>> commit();
  runtime::Task<Result<void>> abort();
  // The application lost interest: aborts without telling anybody.
  void abandon();
  // Aborts what is open; waits until nothing is, or the deadline.
  runtime::Task<void> close(runtime::MonoTime deadline);

  // Sends what goes next; when to look again.
  runtime::MonoTime step(bool incomplete);
  // Nothing more is heard: whoever waits is told so.
  void end();

  TransactionMachine& machine() { return machine_; }

 private:
  runtime::Task<Result<void>> wait(TransactionOutcomeRef outcome, const char* what_timed_out);
  runtime::Task<void> run(TransactionMachine::Request request);
  runtime::Task<void> find(FindCoordinator wanted);
  template <typename Response, typename Body>
  runtime::Task<void> ask(Body body, CoordinatorOf of, std::int32_t node, std::int16_t version_max);

  Core& core_;
  runtime::Duration max_block_;
  Logger log_;
  std::function<void()> changed_;
  TransactionMachine machine_;
  Signal moved_;
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::client
