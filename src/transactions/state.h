// What a decision about transactions looks at, and where it puts what it wants done.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/logger.h"
#include "coordination/decision.h"
#include "coordination/memory.h"
#include "transactions/call.h"
#include "transactions/markers.h"
#include "transactions/record.h"
#include "transactions/settings.h"
#include "transactions/transaction.h"

namespace klamm::transactions {

using Decision = coordination::Decision<Record, Answer>;

// What an id takes in memory, its transaction included: as much for what is in the transaction as it will take when its
// markers are queued and handed out, so that an end is never refused.
std::size_t bytes_of(const std::string& id, const Transaction& transaction);
std::size_t bytes_of(const Partitions& partitions);

struct State {
  coordination::Held held;

  // What the records say.
  std::map<std::string, Transaction, std::less<>> transactions;
  // Ongoing ones that have a timeout, by when it is over.
  std::set<std::pair<Timestamp, std::string>> timeouts;

  // What is only known while this shard lives.
  TransactionVersion version = 0;  // the cluster's
  MarkerQueue markers;
  std::optional<coordination::Ticket> worker;  // waits for work
  ProducerId spare_id = no_producer_id;        // for transactions that time out with their last epoch
  bool id_wanted = false;                      // and there is none
  bool id_asked = false;                       // and the worker was told
  std::string expiration_cursor;               // the last id that was looked at
  // Of the last look for timeouts. None: nobody looked yet, or not at all of them.
  struct Clocks {
    Timestamp wall;
    std::chrono::nanoseconds steady;
  };
  std::optional<Clocks> last_look;

  const Settings& settings;
  Logger log;

  std::chrono::nanoseconds next_warning_of_memory{0};

  State(const Settings& s, coordination::Memory& memory, Logger l) : held(memory), settings(s), log(std::move(l)) {}

  const Transaction* find(std::string_view id) const {
    const auto found = transactions.find(id);
    return found == transactions.end() ? nullptr : &found->second;
  }
};

// One decision in the making.
struct Turn {
  State& state;
  const coordination::Moment& moment;
  Decision decision = {};

  void reply(coordination::Ticket to, Answer answer) { decision.replies.push_back({to, std::move(answer)}); }
  void append(const std::string& id, Transaction transaction) {
    decision.records.push_back({id, std::move(transaction), value_version(state.version)});
  }
  // Whether the transactions of this broker may hold so many bytes more. Who is refused is told
  // COORDINATOR_NOT_AVAILABLE: clients come again later, and lose nothing.
  bool has_room(std::size_t bytes);
  // How the transaction ends is decided: the markers wait to be written, or, when there are none to write, it is
  // complete at once.
  void append_prepared(const std::string& id, Transaction prepared);
  void append_completed(const std::string& id, const Transaction& prepared);
};

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace klamm::transactions
