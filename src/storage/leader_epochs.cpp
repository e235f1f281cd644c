#include "storage/leader_epochs.h"

#include <algorithm>

#include "base/ensure.h"
#include "storage/checkpoint_file.h"

namespace klamm::storage {

bool LeaderEpochs::assign(LeaderEpoch epoch, Offset start) {
  ENSURE(epoch.value >= 0 && start.value >= 0);
  if (!entries_.empty() && entries_.back().epoch == epoch && start >= entries_.back().start) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start)) entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

bool LeaderEpochs::truncate_from_end(Offset end) {
  const auto before = entries_.size();
  while (!entries_.empty() && entries_.back().start >= end) entries_.pop_back();
  return entries_.size() != before;
}

bool LeaderEpochs::truncate_from_start(Offset start) {
  const auto later = std::ranges::find_if(entries_, [&](const EpochEntry& entry) { return entry.start > start; });
  if (later == entries_.begin()) return false;
  const auto holder = std::prev(later);
  if (holder == entries_.begin() && holder->start == start) return false;
  holder->start = start;
  entries_.erase(entries_.begin(), holder);
  return true;
}

std::optional<EpochEntry> LeaderEpochs::latest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.back());
}

std::optional<EpochEntry> LeaderEpochs::earliest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.front());
}

std::optional<LeaderEpoch> LeaderEpochs::latest_epoch() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.back().epoch);
}

std::optional<LeaderEpoch> LeaderEpochs::epoch_of(Offset offset) const {
  const auto later = std::ranges::upper_bound(entries_, offset, {}, &EpochEntry::start);
  return later == entries_.begin() ? std::nullopt : std::optional(std::prev(later)->epoch);
}

EpochEndOffset LeaderEpochs::end_offset_of(LeaderEpoch epoch, Offset log_end) const {
  if (epoch == no_leader_epoch || entries_.empty()) return {};
  // The latest epoch is still being written: consumers ask for it to see whether their position holds.
  if (entries_.back().epoch == epoch) return {epoch, log_end};
  const auto higher = std::ranges::upper_bound(entries_, epoch, {}, &EpochEntry::epoch);
  if (higher == entries_.end()) return {};
  // Older than all that is known: its data is gone, the first known epoch begins where it must be read from.
  if (higher == entries_.begin()) return {epoch, higher->start};
  return {std::prev(higher)->epoch, higher->start};
}

std::string LeaderEpochs::to_text() const {
  std::string text = fmt::format("0\n{}\n", entries_.size());
  for (const auto& entry : entries_) fmt::format_to(std::back_inserter(text), "{} {}\n", entry.epoch, entry.start);
  return text;
}

Result<LeaderEpochs> LeaderEpochs::parse(std::string_view text, std::string_view path) {
  const auto lines = parse_checkpoint_lines(text, path);
  if (!lines) return std::unexpected(lines.error());
  LeaderEpochs epochs;
  for (const auto line : *lines) {
    const auto fields = split_fields(line);
    const auto epoch = fields.size() == 2 ? parse_number<std::int32_t>(fields[0]) : std::nullopt;
    const auto start = fields.size() == 2 ? parse_number<std::int64_t>(fields[1]) : std::nullopt;
    if (!epoch || !start || *epoch < 0 || *start < 0) return std::unexpected(malformed_checkpoint_line(line, path));
    epochs.assign(LeaderEpoch(*epoch), Offset(*start));
  }
  return epochs;
}

}  // namespace klamm::storage
