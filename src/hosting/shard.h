// Runs one deterministic machine over one log: ask it, append what it decides, apply that, answer when it is committed.
// A reply leaves only when all that was applied before it is committed, reads included, so that the machine needs no
// memory of what it was. A failed log drops the shard: it refuses everything from then on, and whoever owns it loads a
// new machine from the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "base/error.h"
#include "base/plant.h"
#include "coordination/decision.h"
#include "hosting/shard_log.h"
#include "runtime/environment.h"
#include "runtime/waiting.h"

namespace klamm::hosting {

// A Machine has the types Record, Call, Answer and Decision, and
//   Decision decide(Ticket, const Moment&, const Call&);
//   Decision timer_fired(const Moment&, std::string_view name);
//   void apply(Offset base, LeaderEpoch, Timestamp appended, std::span<const Record>);
//   static Answer refuse(const Call&, const Error&);
//   static void settle(Call&);   if it wants: a call that is not answered at once keeps what refuse() needs
//
// Belongs to the owner reactor; ask() is called from any. Outlives its askers: drain() waits for them.
template <typename Machine>
class Shard {
 public:
  using Record = typename Machine::Record;
  using Call = typename Machine::Call;
  using Answer = typename Machine::Answer;
  using Decision = typename Machine::Decision;

  // `applied` is told after each decision whose records were applied.
  Shard(runtime::Environment& environment, runtime::Reactor& owner, Machine& machine, ShardLog<Record>& log,
        std::function<void()> applied = {})
      : environment_(environment), owner_(owner), machine_(machine), log_(log), applied_(std::move(applied)) {}
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The machine's answer, on the reactor it was asked on. When the shard was dropped or the deadline passes first, what
  // the machine says to such a caller; the call may still have its effect then.
  runtime::Task<Answer> ask(runtime::Reactor& reactor, Call call, runtime::MonoTime deadline = runtime::never) {
    co_await runtime::move_to(owner_);
    Answer answer = co_await ask_here(std::move(call), deadline);
    co_await runtime::move_to(reactor);
    co_return answer;
  }

  // From now on every call is refused with the error; those that wait for a reply are refused now, those that wait for
  // the log when that is closed.
  void drop(Error error) {
    if (dropped_) return;
    dropped_ = std::move(error);
    timers_.clear();
    // Who is told goes at once.
    std::vector<coordination::Ticket> tickets;
    for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
    for (const coordination::Ticket ticket : tickets) {
      if (const auto found = waiting_.find(ticket); found != waiting_.end()) found->second->notice.notify();
    }
  }
  bool dropped() const { return dropped_.has_value(); }

  // Until nobody waits any more. After drop().
  runtime::Task<void> drain() {
    while (askers_ > 0) co_await idle_.wait();
  }

 private:
  // A caller, while it waits for its reply.
  struct Waiting {
    Waiting(Shard& s, coordination::Ticket t) : shard(s), ticket(t), notice(s.owner_) {
      ++shard.askers_;
      shard.waiting_.emplace(ticket, this);
    }
    ~Waiting() {
      shard.waiting_.erase(ticket);
      if (--shard.askers_ == 0) shard.idle_.notify();
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    Shard& shard;
    coordination::Ticket ticket;
    runtime::Notice notice;
    std::optional<Answer> answer;
    Offset rests_on{0};
  };

  struct NamedTimer final : runtime::Timer {
    NamedTimer(Shard& s, std::string n) : shard(s), name(std::move(n)) {}
    void fired() override { shard.timer_fired(name); }
    Shard& shard;
    std::string name;
  };

  runtime::Task<Answer> ask_here(Call call, runtime::MonoTime deadline) {
    if (dropped_) co_return Machine::refuse(call, *dropped_);
    const coordination::Ticket ticket{++last_ticket_};
    Waiting waiting(*this, ticket);
    if (auto done = carry_out(machine_.decide(ticket, moment(), call)); !done) {
      co_return Machine::refuse(call, done.error());
    }
    if constexpr (requires { Machine::settle(call); }) {
      if (!waiting.answer) Machine::settle(call);
    }
    while (!waiting.answer && !dropped_ && owner_.now() < deadline) co_await waiting.notice.wait(deadline);
    if (!waiting.answer) co_return Machine::refuse(call, dropped_ ? *dropped_ : Error{ErrorCode::request_timed_out});
    switch (co_await log_.committed().wait(owner_, waiting.rests_on, deadline)) {
      case runtime::WaitResult::reached:
        co_return std::move(*waiting.answer);
      case runtime::WaitResult::timed_out:
        co_return Machine::refuse(call, Error{ErrorCode::request_timed_out});
      case runtime::WaitResult::closed:
        break;
    }
    co_return Machine::refuse(call, dropped_ ? *dropped_ : Error{ErrorCode::not_controller});
  }

  void timer_fired(std::string name) {
    timers_.erase(name);  // the timer itself, which is done
    if (dropped_) return;
    // Too large a decision of its own is a bug of the machine: nobody could be told.
    auto done = carry_out(machine_.timer_fired(moment(), name));
    ENSURE(done || done.error().code == ErrorCode::kafka_storage_error, "a timer decided more than a batch holds");
  }

  Result<void> carry_out(Decision decision) {
    if (!decision.records.empty()) {
      const Offset base = log_.next_offset();
      if (auto taken = log_.append(decision.records, decision.atomic); !taken) return std::unexpected(taken.error());
      apply(base, decision.records);
      if (applied_) applied_();
    }
    for (coordination::TimerChange& change : decision.timers) set_timer(std::move(change));
    for (auto& reply : decision.replies) {
      const auto found = waiting_.find(reply.to);
      if (found == waiting_.end()) continue;  // its caller's time ran out
      found->second->answer = std::move(reply.body);
      found->second->rests_on = planted(Plant::early_answer) ? Offset(0) : log_.next_offset();
      found->second->notice.notify();
    }
    return {};
  }

  void apply(Offset base, std::span<const Record> records) {
    try {
      machine_.apply(base, log_.epoch(), environment_.clock.wall(), records);
    } catch (const std::exception& wrong) {
      // It decided what it cannot apply, and the log already has it.
      ensure_failed("apply", __FILE__, __LINE__, wrong.what());
    }
  }

  void set_timer(coordination::TimerChange change) {
    timers_.erase(change.name);
    if (!change.after) return;
    auto timer = std::make_unique<NamedTimer>(*this, change.name);
    owner_.arm(*timer, owner_.now() + *change.after);
    timers_.emplace(std::move(change.name), std::move(timer));
  }

  coordination::Moment moment() {
    return {environment_.clock.wall(), owner_.now().time_since_epoch(), environment_.random.next(), log_.next_offset()};
  }

  runtime::Environment& environment_;
  runtime::Reactor& owner_;
  Machine& machine_;
  ShardLog<Record>& log_;
  std::function<void()> applied_;
  std::uint64_t last_ticket_ = 0;
  std::map<coordination::Ticket, Waiting*> waiting_;
  std::map<std::string, std::unique_ptr<NamedTimer>> timers_;
  std::optional<Error> dropped_;
  std::size_t askers_ = 0;
  runtime::Notice idle_{owner_};
};

}  // namespace klamm::hosting
