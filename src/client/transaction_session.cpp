#include "client/transaction_session.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr const char* init_timed_out =
    "InitTransactions timed out - did not complete coordinator discovery or receive the InitProducerId response within "
    "max.block.ms.";
constexpr const char* offsets_timed_out =
    "SendOffsetsToTransaction timed out - did not reach the coordinator or receive the TxnOffsetCommit/AddOffsetsToTxn "
    "response within max.block.ms";
constexpr const char* commit_timed_out =
    "CommitTransaction timed out - did not complete EndTxn with the transaction coordinator within max.block.ms";
constexpr const char* abort_timed_out =
    "AbortTransaction timed out - did not complete EndTxn(abort) with the transaction coordinator within max.block.ms";

}  // namespace

TransactionSession::TransactionSession(Core& core, const ProducerSettings& settings, Sequences& sequences,
                                       std::function<void()> changed)
    : core_(core),
      max_block_(settings.max_block),
      log_(core.log().named("org.apache.kafka.clients.producer.internals.TransactionManager",
                            fmt::format("[Producer clientId={}, transactionalId={}] ", core.settings().client_id,
                                        settings.transactions->id))),
      changed_(std::move(changed)),
      machine_(*settings.transactions, settings.retry_backoff, sequences),
      moved_(core.reactor()),
      tasks_(core.reactor()) {}

TransactionSession::~TransactionSession() = default;

// --- the application -------------------------------------------------------------------------------------------------

Task<Result<void>> TransactionSession::wait(TransactionOutcomeRef outcome, const char* what_timed_out) {
  const MonoTime deadline = core_.now() + max_block_;
  changed_();
  while (!outcome->done) {
    if (!co_await moved_.wait(deadline) && !outcome->done) co_return Error::of_kind(kinds::timeout, what_timed_out);
  }
  outcome->heard = true;
  if (outcome->error) co_return *outcome->error;
  co_return Result<void>();
}

Task<Result<void>> TransactionSession::initialize() {
  const Result<TransactionOutcomeRef> outcome = machine_.initialize();
  if (!outcome) co_return outcome.error();
  const Result<void> done = co_await wait(*outcome, init_timed_out);
  co_return done;
}

Task<Result<void>> TransactionSession::begin() {
  // The end of the transaction before, that nobody waited for.
  if (const TransactionOutcomeRef open = machine_.unheard()) {
    const Result<void> ended = co_await wait(open, abort_timed_out);
    if (!ended) co_return ended.error();
  }
  if (machine_.state() == TransactionMachine::State::uninitialized) {
    const Result<void> ready = co_await initialize();
    if (!ready) co_return ready.error();
  }
  co_return machine_.begin();
}

Task<Result<void>> TransactionSession::send_offsets(OffsetsForGroup offsets) {
  if (offsets.offsets.empty()) co_return Result<void>();
  const Result<TransactionOutcomeRef> outcome = machine_.send_offsets(std::move(offsets));
  if (!outcome) co_return outcome.error();
  const Result<void> done = co_await wait(*outcome, offsets_timed_out);
  co_return done;
}

Task<Result<void>> TransactionSession::commit() {
  const Result<TransactionOutcomeRef> outcome = machine_.begin_commit();
  if (!outcome) co_return outcome.error();
  const Result<void> done = co_await wait(*outcome, commit_timed_out);
  co_return done;
}

Task<Result<void>> TransactionSession::abort() {
  log_.info("Aborting incomplete transaction");
  const Result<TransactionOutcomeRef> outcome = machine_.begin_abort();
  if (!outcome) co_return outcome.error();
  const Result<void> done = co_await wait(*outcome, abort_timed_out);
  co_return done;
}

void TransactionSession::abandon() {
  const Result<TransactionOutcomeRef> outcome = machine_.begin_abort();
  if (outcome) changed_();  // else it cannot be aborted: it is ending already, or the producer is of no use any more
}

Task<void> TransactionSession::close(MonoTime deadline) {
  while (machine_.ongoing()) {
    if (!machine_.completing()) {
      log_.info("Aborting incomplete transaction due to shutdown");
      if (!machine_.begin_abort()) break;
      changed_();
    }
    if (!co_await moved_.wait(deadline)) break;
  }
}

void TransactionSession::end() {
  machine_.close();
  moved_.notify();
}

// --- the network -----------------------------------------------------------------------------------------------------

MonoTime TransactionSession::step(bool incomplete) {
  const auto before = machine_.state();
  auto request = machine_.next(core_.now(), incomplete);
  moved_.notify();  // what needs no request has ended
  if (request) {
    tasks_.start(run(*std::move(request)));
  } else if (machine_.state() != before) {
    return core_.now();
  }
  return machine_.look_again(core_.now());
}

Task<void> TransactionSession::run(TransactionMachine::Request request) {
  const auto of = request.of;
  if (auto* wanted = std::get_if<FindCoordinator>(&request.body)) {
    co_await find(std::move(*wanted));
  } else if (auto* init = std::get_if<protocol::InitProducerIdRequest>(&request.body)) {
    co_await ask<protocol::InitProducerIdResponse>(std::move(*init), of, request.node, request.version_max);
  } else if (auto* partitions = std::get_if<protocol::AddPartitionsToTxnRequest>(&request.body)) {
    co_await ask<protocol::AddPartitionsToTxnResponse>(std::move(*partitions), of, request.node, request.version_max);
  } else if (auto* group = std::get_if<protocol::AddOffsetsToTxnRequest>(&request.body)) {
    co_await ask<protocol::AddOffsetsToTxnResponse>(std::move(*group), of, request.node, request.version_max);
  } else if (auto* offsets = std::get_if<protocol::TxnOffsetCommitRequest>(&request.body)) {
    co_await ask<protocol::TxnOffsetCommitResponse>(std::move(*offsets), of, request.node, request.version_max);
  } else {
    auto& end = std::get<protocol::EndTxnRequest>(request.body);
    co_await ask<protocol::EndTxnResponse>(std::move(end), of, request.node, request.version_max);
  }
  moved_.notify();
  changed_();
}

Task<void> TransactionSession::find(FindCoordinator wanted) {
  const bool of_group = wanted.of == CoordinatorOf::group;
  Coordinator coordinator(core_, wanted.key, wanted.of);
  const auto answer = co_await coordinator.ask(core_.now() + core_.settings().request_timeout);
  if (!answer) {
    machine_.failed(answer.error(), core_.now());
    co_return;
  }
  if (answer->code == ErrorCode::none) {
    log_.info("Discovered {} coordinator {}", of_group ? "group" : "transaction", answer->node);
  }
  machine_.coordinator_answered(answer->code, answer->node, answer->message, core_.now());
}

template <typename Response, typename Body>
Task<void> TransactionSession::ask(Body body, CoordinatorOf of, std::int32_t node, std::int16_t version_max) {
  const MonoTime deadline = core_.now() + core_.settings().request_timeout;
  Link* link = core_.coordinator_link(node);
  if (link == nullptr) {
    machine_.failed(Error(ErrorCode::network_exception), core_.now());
    co_return;
  }
  const Result<void> ready = co_await Coordinator::reach(core_, *link, deadline);
  if (!ready) {
    machine_.failed(ready.error(), core_.now());
    co_return;
  }
  machine_.saw_versions(link->versions(), of);
  const auto reply = co_await core_.exchange<Response>(*link, body, deadline, version_max);
  const ProducerIdentity before = machine_.producer();
  if (reply) {
    machine_.answered(reply->body, core_.now());
  } else {
    machine_.failed(reply.error(), core_.now());
  }
  if (machine_.producer().id != before.id) {
    log_.info("ProducerId set to {} with epoch {}", machine_.producer().id, machine_.producer().epoch);
  }
}

}  // namespace klamm::client
