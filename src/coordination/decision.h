// What all deterministic machines share: groups, transactions, share state and the controller are asked with a Call and
// answer with a Decision, one struct that says everything they want done. They do nothing themselves: no file, clock,
// random source, lock or future. Hard state changes when the records of a decision are applied, and in no other way, so
// that loading is applying. Source of the idea: org.apache.kafka.controller.ControllerResult, CoordinatorResult.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"
#include "base/uuid.h"

namespace klamm::coordination {

// Names one caller who waits for a reply. Never given twice in the life of a shard.
struct Ticket {
  std::uint64_t value = 0;
  auto operator<=>(const Ticket&) const = default;
};

// What a machine is told beside the call itself, so that the same calls give the same decisions again.
struct Moment {
  Timestamp wall;                // for what is stored or shown
  std::chrono::nanoseconds now;  // of a clock that only grows: for sessions and timeouts
  std::uint64_t seed = 0;        // for fresh ids and choices: FreshIds
  Offset next_offset;            // what the first record of the decision will get
};

// Ids and choices out of a seed: splitmix64.
class FreshIds {
 public:
  explicit FreshIds(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  // In [0, bound). The bound is not 0.
  std::uint32_t below(std::uint32_t bound);
  // A version 4 id that is none of the reserved ones and does not begin with a dash.
  Uuid uuid();
  // Fisher and Yates.
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  std::uint64_t state_;
};

template <typename Body>
struct Reply {
  Ticket to;
  Body body;
};

// Sets the timer of this name, in the place of an earlier one; or, without `after`, takes it away. When it fires, the
// machine is asked with its name.
struct TimerChange {
  std::string name;
  std::optional<std::chrono::nanoseconds> after;

  bool operator==(const TimerChange&) const = default;
};

// `records` are appended in order: all in one batch when `atomic`, else in as many as it takes. They are applied before
// the next call is made. A reply, with or without records, leaves when all that was applied up to it is committed.
template <typename RecordType, typename ReplyBody>
struct Decision {
  using Record = RecordType;
  using Body = ReplyBody;

  std::vector<RecordType> records;
  bool atomic = true;
  std::vector<Reply<ReplyBody>> replies;
  std::vector<TimerChange> timers;

  static Decision answer(Ticket ticket, ReplyBody body) {
    Decision decision;
    decision.replies.push_back({ticket, std::move(body)});
    return decision;
  }
};

}  // namespace klamm::coordination
