#include "transactions/markers.h"

#include <algorithm>

#include "base/plant.h"

namespace klamm::transactions {

MarkerOutcome outcome_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::invalid_producer_epoch:
    case ErrorCode::unsupported_for_message_format:  // then nothing of the transaction can be there either
    case ErrorCode::unsupported_version:
      return MarkerOutcome::written;
    case ErrorCode::transaction_coordinator_fenced:
      return MarkerOutcome::fenced;
    default:
      return planted(Plant::lost_marker) ? MarkerOutcome::written : MarkerOutcome::again;
  }
}

void MarkerQueue::add(const std::string& id, const Partitions& partitions) {
  forget(id);
  if (partitions.empty()) return;
  rounds_.emplace(id, Round{partitions, partitions, {}});
  waiting_.push_back(id);
}

void MarkerQueue::forget(std::string_view id) {
  const auto found = rounds_.find(id);
  if (found == rounds_.end()) return;
  if (!found->second.waiting.empty()) std::erase(waiting_, found->first);
  if (!found->second.resting.empty()) --resting_count_;
  rounds_.erase(found);
}

std::vector<std::pair<std::string, Partitions>> MarkerQueue::take(std::size_t partitions_max) {
  std::vector<std::pair<std::string, Partitions>> taken;
  std::size_t sum = 0;
  while (!waiting_.empty()) {
    Round& round = rounds_.at(waiting_.front());
    sum += count(round.waiting);
    if (!taken.empty() && sum > partitions_max) break;
    taken.emplace_back(std::move(waiting_.front()), std::exchange(round.waiting, {}));
    waiting_.pop_front();
  }
  return taken;
}

void MarkerQueue::written(std::string_view id, std::string_view topic, std::int32_t partition) {
  const auto found = rounds_.find(id);
  if (found == rounds_.end()) return;
  remove(found->second.left, topic, partition);
}

void MarkerQueue::again(std::string_view id, const std::string& topic, std::int32_t partition) {
  const auto found = rounds_.find(id);
  if (found == rounds_.end() || !contains(found->second.left, topic, partition)) return;
  if (found->second.resting.empty()) ++resting_count_;
  found->second.resting[topic].insert(partition);
}

void MarkerQueue::wake() {
  if (resting_count_ == 0) return;
  for (auto& [id, round] : rounds_) {
    if (round.resting.empty()) continue;
    if (round.waiting.empty()) waiting_.push_back(id);
    add_all(round.waiting, round.resting);
    round.resting.clear();
  }
  resting_count_ = 0;
}

const Partitions* MarkerQueue::left(std::string_view id) const {
  const auto found = rounds_.find(id);
  return found == rounds_.end() ? nullptr : &found->second.left;
}

}  // namespace klamm::transactions
