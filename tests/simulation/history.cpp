#include "history.h"

#include <fmt/format.h>

#include <algorithm>

namespace klamm::simulation {
namespace {

std::string shown(const PartitionName& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

}  // namespace

void History::fail(std::string what) {
  constexpr std::size_t told_max = 10;
  if (failures_.size() < told_max) failures_.push_back(std::move(what));
}

bool History::lazy(const PartitionName& partition) const {
  return std::ranges::find(lazy_, partition.topic) != lazy_.end();
}

bool History::shrinks(const PartitionName& partition) const {
  return std::ranges::find(shrinking_, partition.topic) != shrinking_.end();
}

void History::deleted_before(const PartitionName& partition, std::int64_t offset, unsigned deaths) {
  Deleted& deleted = deleted_[partition];
  if (deaths == deleted.deaths) offset = std::max(offset, deleted.before);
  deleted = {offset, deaths};
}

std::int64_t History::highest_seen(const PartitionName& partition) const {
  const auto found = seen_.find(partition);
  return found == seen_.end() || found->second.empty() ? -1 : found->second.rbegin()->first;
}

std::size_t History::begin(Write write) {
  write.begun = ++step_;
  write.cuts_before = cuts_;
  write.starts_before = starts_;
  by_value_.emplace(write.value, writes_.size());
  writes_.push_back(std::move(write));
  return writes_.size() - 1;
}

void History::acknowledged(std::size_t index, std::int64_t offset) {
  Write& write = writes_[index];
  write.ended = ++step_;
  write.cuts_after = cuts_;
  write.starts_after = starts_;
  if (write.promised && offset >= 0) {
    write.offset = offset;
    ++acknowledged_;
  }
}

void History::failed(std::size_t index) {
  writes_[index].ended = ++step_;
  writes_[index].cuts_after = cuts_;
  writes_[index].starts_after = starts_;
}

void History::saw(int reader, const PartitionName& partition, std::int64_t offset, std::string_view value) {
  ++reads_;
  // R5. A reader of a lazy topic finds its position gone after a power cut; the story starts another one then.
  const auto position = positions_.find({reader, partition});
  // One whose position was deleted goes to the beginning, and a crash may have taken that back.
  const auto follows = [&](const Position& before) {
    return offset == before.offset + 1 || (shrinks(partition) && (offset > before.offset || before.deaths != deaths_));
  };
  if (position != positions_.end() && !follows(position->second)) {
    fail(fmt::format("R5: reader {} of {} sees offset {} after {}", reader, shown(partition), offset,
                     position->second.offset));
  }
  positions_[{reader, partition}] = {offset, deaths_};
  // R4.
  const auto write = by_value_.find(value);
  if (write == by_value_.end() || writes_[write->second].partition.topic != partition.topic) {
    fail(fmt::format("R4: {} at {} has '{}', which nobody sent there", shown(partition), offset, value.substr(0, 40)));
  }
  // R3.
  const auto [before, first] = seen_[partition].try_emplace(offset, Seen{std::string(value), cuts_});
  if (first) return;
  if (before->second.value != value && !(lazy(partition) && before->second.cuts != cuts_)) {
    fail(fmt::format("R3: {} at {} was '{}' and is '{}'", shown(partition), offset, before->second.value.substr(0, 40),
                     value.substr(0, 40)));
  }
  before->second = {std::string(value), cuts_};
}

void History::check(const std::map<PartitionName, FinalLog>& logs) {
  check_acknowledged(logs);
  check_lost_ends(logs);
  check_returned(logs);
  check_once_and_in_order(logs);
  check_real_time();
  check_seen(logs);
  check_starts(logs);
}

void History::check_starts(const std::map<PartitionName, FinalLog>& logs) {
  for (const auto& [partition, log] : logs) {
    if (!shrinks(partition) && log.start != 0) {
      fail(fmt::format("R9: {} begins at {}, and nobody deleted anything", shown(partition), log.start));
    }
    const auto deleted = deleted_.find(partition);
    if (deleted != deleted_.end() && deleted->second.deaths == deaths_ && log.start < deleted->second.before) {
      fail(fmt::format("R9: of {} all before {} was deleted, it begins at {}", shown(partition), deleted->second.before,
                       log.start));
    }
  }
}

void History::check_acknowledged(const std::map<PartitionName, FinalLog>& logs) {
  for (const Write& write : writes_) {
    if (!write.offset) continue;
    const auto log = logs.find(write.partition);
    if (log == logs.end() || *write.offset < log->second.start) continue;
    if (lazy(write.partition) && write.cuts_before < cuts_) continue;
    const auto found = log->second.records.find(*write.offset);
    if (found == log->second.records.end()) {
      fail(fmt::format("R1: '{}' was acknowledged at {} {}, which is not in the log ({} to {})",
                       write.value.substr(0, 40), shown(write.partition), *write.offset, log->second.start,
                       log->second.end));
    } else if (found->second != write.value) {
      fail(fmt::format("R1: '{}' was acknowledged at {} {}, where '{}' stands", write.value.substr(0, 40),
                       shown(write.partition), *write.offset, found->second.substr(0, 40)));
    }
  }
}

void History::check_lost_ends(const std::map<PartitionName, FinalLog>& logs) {
  // By partition and life: offset -> there.
  std::map<std::pair<PartitionName, unsigned>, std::map<std::int64_t, const Write*>> lives;
  for (const Write& write : writes_) {
    if (!write.offset || !lazy(write.partition) || write.cuts_before != write.cuts_after || write.cuts_before == cuts_)
      continue;
    lives[{write.partition, write.cuts_before}][*write.offset] = &write;
  }
  for (const auto& [key, writes] : lives) {
    const auto log = logs.find(key.first);
    if (log == logs.end()) continue;
    const Write* lost = nullptr;
    for (const auto& [offset, write] : writes) {
      if (offset < log->second.start) continue;
      const auto found = log->second.records.find(offset);
      const bool there = found != log->second.records.end() && found->second == write->value;
      if (!there && lost == nullptr) lost = write;
      if (there && lost != nullptr) {
        fail(fmt::format("R2: {} lost '{}' at {} but kept '{}' at {} of the same life", shown(key.first),
                         lost->value.substr(0, 40), *lost->offset, write->value.substr(0, 40), offset));
        break;
      }
    }
  }
}

// What one power cut took, and whose offset was given anew, is not brought back by another.
void History::check_returned(const std::map<PartitionName, FinalLog>& logs) {
  std::map<std::pair<PartitionName, std::int64_t>, const Write*> newest;
  for (const Write& write : writes_) {
    if (!write.offset || !lazy(write.partition)) continue;
    const Write*& known = newest[{write.partition, *write.offset}];
    if (known == nullptr || known->cuts_before < write.cuts_before) known = &write;
  }
  for (const Write& write : writes_) {
    if (!write.offset || !lazy(write.partition)) continue;
    const Write& later = *newest.at({write.partition, *write.offset});
    if (later.cuts_before <= write.cuts_after) continue;
    const auto log = logs.find(write.partition);
    if (log == logs.end()) continue;
    const auto found = log->second.records.find(*write.offset);
    if (found == log->second.records.end() || found->second != write.value) continue;
    fail(fmt::format("R2: '{}' is back at {} {}, which was given to '{}' since", write.value.substr(0, 40),
                     shown(write.partition), *write.offset, later.value.substr(0, 40)));
  }
}

void History::check_once_and_in_order(const std::map<PartitionName, FinalLog>& logs) {
  allowed_duplicates_ = 0;
  for (const auto& [partition, log] : logs) {
    std::map<std::string_view, std::int64_t> places;
    std::map<std::string_view, unsigned> copies;       // beyond the first
    std::map<int, std::pair<int, std::int64_t>> last;  // of a producer: number, offset
    for (const auto& [offset, value] : log.records) {
      const auto found = by_value_.find(value);
      if (found == by_value_.end()) {
        fail(fmt::format("R4: {} at {} has '{}', which nobody sent", shown(partition), offset, value.substr(0, 40)));
        continue;
      }
      const Write& write = writes_[found->second];
      if (!write.idempotent) continue;
      if (const auto [place, first] = places.try_emplace(value, offset); !first) {
        // As often as the broker was started while it was under way, and again in the order of sending.
        const unsigned starts = (write.ended > 0 ? write.starts_after : starts_) - write.starts_before;
        if (!write.one_in_flight && copies[value]++ < starts) {
          ++allowed_duplicates_;
          continue;
        }
        fail(fmt::format("R6: '{}' is twice in {}: at {} and at {}", value.substr(0, 40), shown(partition),
                         place->second, offset));
      }
      const auto [before, first] = last.try_emplace(write.producer, write.number, offset);
      // A power cut may take all that was known of a producer; then of several requests that it sends again the first to
      // be let in, whichever it is, starts the numbers anew.
      const bool forgotten = lazy(partition) && !write.one_in_flight &&
                             write.cuts_before != (write.ended > 0 ? write.cuts_after : cuts_);
      if (!first && before->second.first > write.number && !forgotten) {
        fail(fmt::format("R6: in {} number {} of producer {} stands at {}, before number {} at {}", shown(partition),
                         before->second.first, write.producer, before->second.second, write.number, offset));
      }
      before->second = {write.number, offset};
    }
  }
}

void History::check_real_time() {
  // In the order of steps: what is acknowledged raises the floor for what begins after it.
  struct Step {
    std::uint64_t at;
    const Write* write;
    bool ends;
  };
  std::map<std::pair<PartitionName, unsigned>, std::vector<Step>> partitions;
  for (const Write& write : writes_) {
    if (!write.offset || (lazy(write.partition) && write.cuts_before != write.cuts_after)) continue;
    auto& steps = partitions[{write.partition, lazy(write.partition) ? write.cuts_before : 0}];
    steps.push_back({write.begun, &write, false});
    steps.push_back({write.ended, &write, true});
  }
  for (auto& [key, steps] : partitions) {
    std::ranges::sort(steps, {}, &Step::at);
    const Write* highest = nullptr;
    std::map<std::uint64_t, const Write*> floor_at;  // begun -> the highest acknowledged then
    for (const Step& step : steps) {
      if (!step.ends) {
        floor_at[step.write->begun] = highest;
        continue;
      }
      const Write* floor = floor_at[step.write->begun];
      if (floor != nullptr && *step.write->offset <= *floor->offset) {
        fail(fmt::format("R7: in {} '{}' was sent after '{}' was acknowledged at {}, and stands at {}",
                         shown(key.first), step.write->value.substr(0, 40), floor->value.substr(0, 40), *floor->offset,
                         *step.write->offset));
      }
      if (highest == nullptr || *step.write->offset > *highest->offset) highest = step.write;
    }
  }
}

void History::check_seen(const std::map<PartitionName, FinalLog>& logs) {
  for (const auto& [partition, log] : logs) {
    for (std::int64_t offset = log.start; offset < log.end; ++offset) {
      if (!log.records.contains(offset)) {
        fail(fmt::format("R5: {} has nothing at {}, between {} and {}", shown(partition), offset, log.start, log.end));
        break;
      }
    }
    for (const auto& [offset, seen] : seen_[partition]) {
      if (offset < log.start || (lazy(partition) && seen.cuts < cuts_)) continue;
      const auto found = log.records.find(offset);
      if (found != log.records.end() && found->second == seen.value) continue;
      fail(fmt::format(
          "R3: a reader saw '{}' at {} {}, the log has {}", seen.value.substr(0, 40), shown(partition), offset,
          found == log.records.end() ? std::string("nothing there") : "'" + found->second.substr(0, 40) + "'"));
    }
  }
}

}  // namespace klamm::simulation
