#include "groups/deadlines.h"

namespace klamm::groups {

void Deadlines::set(const DeadlineKey& key, Time when) {
  const auto [found, fresh] = entries_.try_emplace(key, Entry{when, when});
  if (!fresh) {
    found->second.when = when;
    if (found->second.queued <= when) return;  // it is looked at in time, and moves on then
    queue_.erase({found->second.queued, key});
    found->second.queued = when;
  }
  queue_.emplace(when, key);
}

void Deadlines::cancel(const DeadlineKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  queue_.erase({found->second.queued, key});
  entries_.erase(found);
}

void Deadlines::cancel_group(const std::string& group) {
  auto at = entries_.lower_bound({DeadlineKind{}, group, {}});
  while (at != entries_.end() && at->first.group == group) {
    queue_.erase({at->second.queued, at->first});
    at = entries_.erase(at);
  }
}

std::optional<Deadlines::Time> Deadlines::when(const DeadlineKey& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return found->second.when;
}

std::optional<DeadlineKey> Deadlines::take_due(Time now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    auto node = queue_.extract(queue_.begin());
    auto& [queued, key] = node.value();
    const auto found = entries_.find(key);
    if (found->second.when <= now) {
      entries_.erase(found);
      return std::move(key);
    }
    found->second.queued = found->second.when;
    queued = found->second.when;
    queue_.insert(std::move(node));
  }
  return std::nullopt;
}

std::optional<Deadlines::Time> Deadlines::next() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

}  // namespace klamm::groups
