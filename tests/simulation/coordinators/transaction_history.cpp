#include "coordinators/transaction_history.h"

#include <fmt/format.h>

#include <algorithm>

namespace klamm::simulation {
namespace {

std::string shown(const PartitionName& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

std::string_view shown(std::string_view value) {
  return value.substr(0, 40);
}

}  // namespace

std::string_view shown(Ending ending) {
  switch (ending) {
    case Ending::open:
      return "left open";
    case Ending::committed:
      return "committed";
    case Ending::aborted:
      return "aborted";
    case Ending::unknown:
      return "perhaps committed";
  }
  return "";
}

// --- producers -------------------------------------------------------------------------------------------------------

std::size_t TransactionHistory::producer_came(const std::string& id, std::int64_t producer_id, std::int16_t epoch) {
  auto& all = producers_of_[id];
  for (const std::size_t other : all) {
    if (producers_[other].producer_id != producer_id || producers_[other].epoch != epoch) continue;
    fail_({id}, fmt::format("T5: epoch {} of producer id {} was given to two producers of {}", epoch, producer_id, id));
  }
  all.push_back(producers_.size());
  producers_.push_back({id, producer_id, epoch, now()});
  return producers_.size() - 1;
}

void TransactionHistory::did(std::size_t number, std::uint64_t begun, std::string_view what) {
  const Producer& producer = producers_[number];
  for (const std::size_t other : producers_of_[producer.id]) {
    const Producer& later = producers_[other];
    // Epochs are given in their order; answers may come in another.
    if (later.producer_id != producer.producer_id || later.epoch <= producer.epoch || later.came >= begun) continue;
    fail_({producer.id}, fmt::format("T5: {} of {} (producer id {}, at first with epoch {}) was done, asked after "
                                     "epoch {} had been given",
                                     what, producer.id, producer.producer_id, producer.epoch, later.epoch));
    return;
  }
}

std::size_t TransactionHistory::begin(std::size_t producer) {
  transactions_.push_back({.id = producers_[producer].id, .producer = producer});
  return transactions_.size() - 1;
}

std::size_t TransactionHistory::write(std::size_t transaction, PartitionName partition, std::string value,
                                      std::optional<Source> source) {
  by_value_.emplace(value, writes_.size());
  transactions_[transaction].writes.push_back(writes_.size());
  writes_.push_back({.partition = std::move(partition),
                     .value = std::move(value),
                     .transaction = transaction,
                     .number = static_cast<int>(writes_.size()),
                     .source = std::move(source)});
  return writes_.size() - 1;
}

void TransactionHistory::acknowledged(std::size_t write, std::int64_t offset) {
  writes_[write].acknowledged = true;
  writes_[write].offset = offset;
  ++acknowledged_;
}

void TransactionHistory::commits_offsets(std::size_t transaction, std::size_t commit) {
  transactions_[transaction].commits.push_back(commit);
}

void TransactionHistory::ended(std::size_t number, Ending ending) {
  RecordedTransaction& transaction = transactions_[number];
  transaction.ending = ending;
  if (ending == Ending::aborted) ++aborted_;
  if (ending != Ending::committed) return;
  ++committed_;
  for (const std::size_t commit : transaction.commits) groups_.took_effect(commit);
}

void TransactionHistory::blame(std::size_t number, std::string what) {
  std::vector<std::string> about{transactions_[number].id};
  for (const std::size_t commit : transactions_[number].commits) about.push_back(groups_.commit(commit).group);
  fail_(about, std::move(what));
}

// --- readers ---------------------------------------------------------------------------------------------------------

TransactionHistory::Bounds TransactionHistory::bounds(const PartitionName& partition) const {
  const auto found = bounds_.find(partition);
  return found == bounds_.end() ? Bounds{} : found->second;
}

void TransactionHistory::answered(const PartitionName& partition, Bounds before, Bounds now) {
  if (now.high_watermark < before.high_watermark) {
    fail_({}, fmt::format("T4: the high watermark of {} goes back from {} to {}", shown(partition),
                          before.high_watermark, now.high_watermark));
  }
  if (now.last_stable < before.last_stable) {
    fail_({}, fmt::format("T4: the last stable offset of {} goes back from {} to {}", shown(partition),
                          before.last_stable, now.last_stable));
  }
  if (now.last_stable > now.high_watermark) {
    fail_({}, fmt::format("T4: the last stable offset of {} is {}, its high watermark {}", shown(partition),
                          now.last_stable, now.high_watermark));
  }
  Bounds& highest = bounds_[partition];
  highest.high_watermark = std::max(highest.high_watermark, now.high_watermark);
  highest.last_stable = std::max(highest.last_stable, now.last_stable);
}

void TransactionHistory::saw(Stretch stretch, std::int64_t last_stable) {
  reads_ += stretch.records.size();
  if (stretch.to > last_stable) {
    fail_({}, fmt::format("T4: a read_committed reader of {} was given all up to {}, with the last stable offset at {}",
                          shown(stretch.partition), stretch.to, last_stable));
  }
  if (stretch.to > stretch.from) stretches_.push_back(std::move(stretch));
}

// --- the end ---------------------------------------------------------------------------------------------------------

// Markers say what is committed; each value finds its places.
void TransactionHistory::walk(const std::map<PartitionName, FinalPartition>& logs, Places& places,
                              CommittedLogs& committed) {
  for (const auto& [partition, log] : logs) {
    std::map<std::int64_t, std::vector<const FinalRecord*>> open;
    CommittedLog& visible = committed[partition];
    const auto settle = [&](const FinalRecord& record, bool is_committed) {
      places[record.value].push_back({partition, record.offset, is_committed});
      if (is_committed) visible.emplace(record.offset, record.value);
    };
    for (const FinalRecord& record : log.records) {
      if (record.kind == FinalRecord::Kind::data) {
        record.transactional ? open[record.producer_id].push_back(&record) : settle(record, true);
        continue;
      }
      for (const FinalRecord* each : open[record.producer_id]) settle(*each, record.kind == FinalRecord::Kind::commit);
      open.erase(record.producer_id);
    }
    for (const auto& [producer, records] : open) {
      if (records.empty()) continue;
      const auto write = by_value_.find(records.front()->value);
      fail_({},
            fmt::format("T6: the transaction of producer id {}{} is open in {} since offset {}", producer,
                        write == by_value_.end() ? "" : " of " + transactions_[writes_[write->second].transaction].id,
                        shown(partition), records.front()->offset));
      for (const FinalRecord* each : records) settle(*each, false);
    }
    if (log.last_stable != log.high_watermark) {
      fail_({}, fmt::format("T6: the last stable offset of {} stays at {}, its end is {}", shown(partition),
                            log.last_stable, log.high_watermark));
    }
  }
}

void TransactionHistory::check_writes(const Places& places) {
  for (const auto& [value, where] : places) {
    const auto found = by_value_.find(value);
    if (found == by_value_.end()) {
      fail_({}, fmt::format("T1: {} at {} has '{}', which nobody sent", shown(where.front().partition),
                            where.front().offset, shown(value)));
      continue;
    }
    if (where.size() > 1) {
      blame(writes_[found->second].transaction,
            fmt::format("T1: '{}' is there {} times, in {} at {} and at {}", shown(value), where.size(),
                        shown(where.front().partition), where[0].offset, where[1].offset));
    }
  }
  for (const TransactionalWrite& write : writes_) {
    if (!write.acknowledged) continue;
    const auto found = places.find(write.value);
    const bool there =
        found != places.end() && std::ranges::any_of(found->second, [&](const Place& place) {
          return place.partition == write.partition && (write.offset < 0 || place.offset == write.offset);
        });
    if (there) continue;
    blame(write.transaction, fmt::format("T1: '{}' was acknowledged in {} at {}, and is not there", shown(write.value),
                                         shown(write.partition), write.offset));
  }
}

void TransactionHistory::check_order(const std::map<PartitionName, FinalPartition>& logs) {
  for (const auto& [partition, log] : logs) {
    std::map<std::size_t, int> last;  // of a producer: number
    for (const FinalRecord& record : log.records) {
      const auto found = by_value_.find(record.value);
      if (record.kind != FinalRecord::Kind::data || found == by_value_.end()) continue;
      const TransactionalWrite& write = writes_[found->second];
      int& before = last[transactions_[write.transaction].producer];
      if (write.number < before) {
        blame(write.transaction, fmt::format("T1: in {} '{}' stands at {}, behind what was sent after it",
                                             shown(partition), shown(record.value), record.offset));
      }
      before = std::max(before, write.number);
    }
  }
}

void TransactionHistory::check_wholeness(const Places& places) {
  for (std::size_t number = 0; number < transactions_.size(); ++number) {
    const RecordedTransaction& transaction = transactions_[number];
    const TransactionalWrite* visible = nullptr;
    const TransactionalWrite* missing = nullptr;
    for (const std::size_t each : transaction.writes) {
      const TransactionalWrite& write = writes_[each];
      const auto found = places.find(write.value);
      const bool there = found != places.end() && std::ranges::any_of(found->second, &Place::committed);
      if (there) visible = &write;
      if (!there && write.acknowledged) missing = &write;
    }
    const Commit* seen = nullptr;
    for (const std::size_t each : transaction.commits) {
      if (groups_.commit(each).seen) seen = &groups_.commit(each);
    }
    const bool may_be_visible = transaction.ending == Ending::committed || transaction.ending == Ending::unknown;
    if (visible != nullptr && !may_be_visible) {
      blame(number, fmt::format("T2: '{}' of {} is visible in {}, though its transaction was {}", shown(visible->value),
                                transaction.id, shown(visible->partition), shown(transaction.ending)));
    } else if (missing != nullptr && (transaction.ending == Ending::committed || visible != nullptr)) {
      blame(number,
            fmt::format("T2: '{}' of {} is not visible in {}, though {}", shown(missing->value), transaction.id,
                        shown(missing->partition),
                        visible != nullptr ? fmt::format("'{}' of the same transaction is", shown(visible->value))
                                           : std::string("its transaction was committed")));
    }
    if (seen == nullptr) continue;
    if (!may_be_visible || (missing != nullptr && visible == nullptr)) {
      blame(number,
            fmt::format("T2: group {} has offset {} of {} from a transaction of {} that was {}, whose records "
                        "are not visible",
                        seen->group, seen->offset, shown(seen->partition), transaction.id, shown(transaction.ending)));
    }
  }
}

void TransactionHistory::check_stretches(const CommittedLogs& committed) {
  for (const Stretch& stretch : stretches_) {
    const auto log = committed.find(stretch.partition);
    if (log == committed.end()) continue;
    auto at = log->second.lower_bound(stretch.from);
    for (const auto& [offset, value] : stretch.records) {
      if (at != log->second.end() && at->first < offset) {
        return fail_({}, fmt::format("T3: a reader of {} passed over '{}' at {}", shown(stretch.partition),
                                     shown(at->second), at->first));
      }
      if (at == log->second.end() || at->first != offset || at->second != value) {
        return fail_({}, fmt::format("T3: a reader of {} was given '{}' at {}, which is not committed",
                                     shown(stretch.partition), shown(value), offset));
      }
      ++at;
    }
    if (at != log->second.end() && at->first < stretch.to) {
      return fail_({}, fmt::format("T3: a reader of {} passed over '{}' at {}", shown(stretch.partition),
                                   shown(at->second), at->first));
    }
  }
}

void TransactionHistory::check_copies(const CommittedLogs& committed, const Copied& copied) {
  for (const auto& [from, to] : copied) {
    std::map<Source, std::vector<std::size_t>> copies;
    for (const auto& [partition, log] : committed) {
      if (partition.topic != to) continue;
      for (const auto& [offset, value] : log) {
        const auto found = by_value_.find(value);
        if (found == by_value_.end() || !writes_[found->second].source) continue;
        copies[*writes_[found->second].source].push_back(writes_[found->second].transaction);
      }
    }
    for (const auto& [source, transactions] : copies) {
      if (transactions.size() == 1) continue;
      blame(transactions.back(), fmt::format("T7: {} at {} is there {} times in {}", shown(source.partition),
                                             source.offset, transactions.size(), to));
    }
    for (const auto& [partition, log] : committed) {
      if (partition.topic != from) continue;
      for (const auto& [offset, value] : log) {
        if (copies.contains({partition, offset})) continue;
        fail_({to}, fmt::format("T7: {} at {} was never copied to {}", shown(partition), offset, to));
      }
    }
  }
}

void TransactionHistory::note_committed(const std::map<PartitionName, FinalPartition>& logs) {
  for (const auto& [partition, log] : logs) {
    std::map<std::int64_t, std::vector<std::string_view>> open;
    for (const FinalRecord& record : log.records) {
      if (record.kind == FinalRecord::Kind::data) {
        open[record.producer_id].push_back(record.value);
        continue;
      }
      for (const std::string_view value : open[record.producer_id]) {
        const auto found = by_value_.find(value);
        if (found == by_value_.end() || record.kind != FinalRecord::Kind::commit) continue;
        const RecordedTransaction& transaction = transactions_[writes_[found->second].transaction];
        for (const std::size_t commit : transaction.commits) {
          if (groups_.commit(commit).state == Commit::State::acknowledged) groups_.took_effect(commit);
        }
      }
      open.erase(record.producer_id);
    }
  }
}

void TransactionHistory::check(const std::map<PartitionName, FinalPartition>& logs, const Copied& copied) {
  Places places;
  CommittedLogs committed;
  walk(logs, places, committed);
  check_writes(places);
  check_order(logs);
  check_wholeness(places);
  check_stretches(committed);
  check_copies(committed, copied);
}

}  // namespace klamm::simulation
