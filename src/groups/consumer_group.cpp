#include "groups/consumer_group.h"

#include <algorithm>
#include <utility>

#include "groups/deadlines.h"
#include "groups/java_order.h"

namespace klamm::groups {
namespace {

template <typename Map, typename Key>
void add(Map& counts, const Key& key, int by) {
  auto& count = counts[key];
  count += static_cast<std::size_t>(by);
  if (count == 0) counts.erase(counts.find(key));
}

void add_subscription(SubscriptionCounts& counts, const std::string& topic, std::size_t SubscriptionCount::* kind,
                      int by) {
  const auto [at, fresh] = counts.try_emplace(topic);
  at->second.*kind += static_cast<std::size_t>(by);
  if (at->second.by_name == 0 && at->second.by_regex == 0) counts.erase(at);
}

OwnedPartitions owned_from(
    const std::vector<protocol::ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions>& topics,
    std::int32_t member_epoch) {
  OwnedPartitions out;
  for (const auto& topic : topics) {
    // Before 4.2 there were no epochs of partitions: the member's stands for them.
    const auto& epochs = topic.assignment_epochs;
    const bool has_epochs = epochs && epochs->size() == topic.partitions.size();
    auto& to = out[topic.topic_id];
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      to.push_back({topic.partitions[i], has_epochs ? (*epochs)[i] : std::max(member_epoch, 0)});
    }
    std::ranges::sort(to, {}, &OwnedPartition::partition);
    const auto twice = std::ranges::unique(to, {}, &OwnedPartition::partition);
    to.erase(twice.begin(), twice.end());
    if (to.empty()) out.erase(topic.topic_id);
  }
  return out;
}

ReconciliationState state_from(std::int8_t stored) {
  switch (stored) {
    case 0:
    case 1:
    case 2:
      return static_cast<ReconciliationState>(stored);
    default:
      return ReconciliationState::unknown;
  }
}

const std::string* regex_of(const ConsumerMember* member) {
  return member && member->has_regex() ? &*member->regex : nullptr;
}

}  // namespace

// --- what it takes ---------------------------------------------------------------------------------------------------

namespace {

// A name among others, and in the table of subscriptions.
std::size_t topic_name_bytes(std::string_view topic) {
  return string_bytes(topic) + node_bytes + string_bytes(topic) + sizeof(SubscriptionCount);
}

std::size_t text_bytes(const std::optional<std::string>& text) {
  return text ? allocation_bytes + text->size() : 0;
}

}  // namespace

std::size_t ConsumerGroup::bytes_of(std::string_view id) {
  // Its name, and the deadline of its regular expressions.
  return node_bytes + sizeof(ConsumerGroup) + string_bytes(id) + Deadlines::bytes_of(id.size(), 0);
}

std::size_t ConsumerGroup::bytes_of_names(std::size_t group_id_bytes, const ConsumerMember& member) {
  // Of its deadlines two can stand at once.
  std::size_t bytes = node_bytes + sizeof(ConsumerMember) + string_bytes(member.id) + allocation_bytes +
                      member.id.size() + 2 * Deadlines::bytes_of(group_id_bytes, member.id.size());
  bytes += text_bytes(member.rack_id) + member.client_id.size() + member.client_host.size() + 2 * allocation_bytes;
  if (const auto& instance = member.instance_id) {
    bytes += node_bytes + 2 * string_bytes(*instance) + string_bytes(member.id);
  }
  for (const std::string& topic : member.topics) bytes += topic_name_bytes(topic);
  for (const auto& text : {member.regex, member.assignor}) {
    if (text) bytes += text_bytes(text) + node_bytes + string_bytes(*text);
  }
  if (!member.classic) return bytes;
  for (const auto& each : member.classic->supported_protocols) {
    bytes += sizeof(each) + 2 * allocation_bytes + each.name.size() + each.metadata.size();
    bytes += node_bytes + string_bytes(each.name);  // counts how many have it
  }
  return bytes;
}

std::size_t ConsumerGroup::bytes_of_owned(const ConsumerMember& member) {
  std::size_t bytes = 0;
  for (const auto* owned : {&member.assigned, &member.revoking}) {
    for (const auto& [topic, partitions] : *owned) {
      // Here, and in the table of owners.
      bytes += 2 * (node_bytes + sizeof(Uuid) + sizeof(partitions) + allocation_bytes);
      bytes += partitions.size() * (2 * sizeof(OwnedPartition) + node_bytes + sizeof(OwnedPartition));
    }
  }
  return bytes;
}

std::size_t ConsumerGroup::bytes_of(std::string_view member_id, const Assignment& target) {
  std::size_t bytes = node_bytes + string_bytes(member_id) + sizeof(Assignment);
  for (const auto& [topic, partitions] : target) {
    bytes += node_bytes + sizeof(Uuid) + sizeof(partitions) + allocation_bytes;
    bytes += 2 * sizeof(std::int32_t) * partitions.size();
  }
  return bytes;
}

std::size_t ConsumerGroup::bytes_of(std::string_view regex, const ResolvedRegex& resolved) {
  std::size_t bytes = node_bytes + string_bytes(regex) + sizeof(ResolvedRegex);
  for (const std::string& topic : resolved.topics) bytes += node_bytes + topic_name_bytes(topic);
  return bytes;
}

std::size_t ConsumerGroup::bytes_of(const ConsumerMember& member) const {
  return bytes_of_names(id_bytes_, member) + bytes_of_owned(member);
}

void ConsumerGroup::add_bytes(std::size_t bytes) {
  bytes_ += bytes;
  if (held_) held_->add(bytes);
}

void ConsumerGroup::remove_bytes(std::size_t bytes) {
  bytes_ -= bytes;
  if (held_) held_->remove(bytes);
}

ConsumerGroup::ConsumerGroup(Held& held, std::string_view id) : held_(&held), id_bytes_(id.size()) {
  add_bytes(bytes_of(id));
}

ConsumerGroup::~ConsumerGroup() {
  remove_bytes(bytes_);
}

// ---------------------------------------------------------------------------------------------------------------------

const ConsumerMember* ConsumerGroup::member(std::string_view id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerMember* ConsumerGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : member(found->second);
}

const Assignment* ConsumerGroup::target(std::string_view member_id) const {
  const auto found = targets_.find(member_id);
  return found == targets_.end() ? nullptr : &found->second;
}

std::optional<std::int32_t> ConsumerGroup::owner_epoch(Uuid topic, std::int32_t partition) const {
  const auto found = owner_epochs_.find(topic);
  if (found == owner_epochs_.end()) return std::nullopt;
  const auto at = found->second.find(partition);
  if (at == found->second.end()) return std::nullopt;
  return at->second;
}

std::string_view ConsumerGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch > target_epoch) return "Assigning";
  const auto is_there = [&](const auto& entry) { return entry.second.is_reconciled_to(target_epoch); };
  return std::ranges::all_of(members_, is_there) ? "Stable" : "Reconciling";
}

SubscriptionCounts ConsumerGroup::subscriptions_with(const ConsumerMember* before, const ConsumerMember* after) const {
  SubscriptionCounts counts = subscriptions_;
  if (before) {
    for (const auto& topic : before->topics) add_subscription(counts, topic, &SubscriptionCount::by_name, -1);
  }
  if (after) {
    for (const auto& topic : after->topics) add_subscription(counts, topic, &SubscriptionCount::by_name, 1);
  }
  // The last one who had a regular expression takes its topics along.
  const std::string* regex = regex_of(before);
  const std::string* next = regex_of(after);
  if (!regex || (next && *next == *regex)) return counts;
  const auto users = regexes_.find(*regex);
  const auto resolved = resolved_.find(*regex);
  if (users == regexes_.end() || users->second != 1 || resolved == resolved_.end()) return counts;
  for (const auto& topic : resolved->second.topics) {
    add_subscription(counts, topic, &SubscriptionCount::by_regex, -1);
  }
  return counts;
}

SubscriptionCounts ConsumerGroup::subscriptions_without(const std::vector<const ConsumerMember*>& members,
                                                        const std::set<std::string>& gone) const {
  SubscriptionCounts counts = subscriptions_;
  for (const ConsumerMember* member : members) {
    for (const auto& topic : member->topics) add_subscription(counts, topic, &SubscriptionCount::by_name, -1);
  }
  for (const std::string& regex : gone) {
    const auto resolved = resolved_.find(regex);
    if (resolved == resolved_.end()) continue;
    for (const auto& topic : resolved->second.topics) {
      add_subscription(counts, topic, &SubscriptionCount::by_regex, -1);
    }
  }
  return counts;
}

std::set<std::string> ConsumerGroup::regexes_only_of(const std::vector<const ConsumerMember*>& members) const {
  std::map<std::string, std::size_t> leaving;
  for (const ConsumerMember* member : members) {
    if (member->has_regex()) ++leaving[*member->regex];
  }
  std::set<std::string> out;
  for (const auto& [regex, count] : leaving) {
    const auto users = regexes_.find(regex);
    if (users != regexes_.end() && users->second == count) out.insert(regex);
  }
  return out;
}

bool ConsumerGroup::is_homogeneous_with(const ConsumerMember* before, const ConsumerMember* after,
                                        const SubscriptionCounts& counts, std::size_t members) const {
  auto regexes = regexes_;
  if (const std::string* regex = regex_of(before)) add(regexes, *regex, -1);
  if (const std::string* regex = regex_of(after)) add(regexes, *regex, 1);
  if (regexes.empty()) {
    return std::ranges::all_of(counts, [&](const auto& entry) { return entry.second.by_name == members; });
  }
  // One regular expression for all, and nothing by name beside it.
  if (regexes.begin()->second != members) return false;
  return std::ranges::all_of(counts,
                             [](const auto& entry) { return entry.second.by_regex == 1 && entry.second.by_name == 0; });
}

std::optional<std::string> ConsumerGroup::preferred_assignor_with(const ConsumerMember* before,
                                                                  const ConsumerMember* after) const {
  auto counts = assignors_;
  if (before && before->assignor) add(counts, *before->assignor, -1);
  if (after && after->assignor) add(counts, *after->assignor, 1);
  std::vector<std::pair<std::string, std::size_t>> all(counts.begin(), counts.end());
  if (all.empty()) return std::nullopt;
  // Where two are as many, Kafka takes the one that comes first in its table.
  sort_as_java(all, java_table_grown(all.size()), [](const auto& entry) { return std::string_view(entry.first); });
  const auto most = std::ranges::max_element(all, {}, &std::pair<std::string, std::size_t>::second);
  return most->first;
}

void ConsumerGroup::apply(const ConsumerGroupMetadataRecord& record) {
  epoch = record.value->epoch;
  metadata_hash = record.value->metadata_hash;
}

void ConsumerGroup::check_end() const {
  if (!members_.empty()) throw Contradiction("a group ends that has members");
  if (!targets_.empty()) throw Contradiction("a group ends that has a target assignment");
  if (target_epoch != -1) throw Contradiction("a group ends before its target assignment");
}

void ConsumerGroup::apply(const ConsumerGroupMemberMetadataRecord& record) {
  const std::string& id = record.key.member_id;
  const ConsumerMember* old = member(id);
  if (!record.value) {
    if (!old) return;
    if (old->epoch != leaving_epoch) throw Contradiction("a member is forgotten before what it has");
    if (targets_.contains(id)) throw Contradiction("a member is forgotten before what it is to have");
    return remove(id);
  }
  ConsumerMember next = old ? *old : ConsumerMember{.id = id};
  const auto& value = *record.value;
  next.instance_id = value.instance_id;
  next.rack_id = value.rack_id;
  next.client_id = value.client_id;
  next.client_host = value.client_host;
  next.topics = value.subscribed_topic_names;
  std::ranges::sort(next.topics);
  const auto twice = std::ranges::unique(next.topics);
  next.topics.erase(twice.begin(), twice.end());
  next.regex = value.subscribed_topic_regex;
  next.rebalance_timeout_ms = value.rebalance_timeout_ms;
  next.assignor = value.server_assignor;
  next.classic = value.classic_member_metadata;
  put(std::move(next));
}

void ConsumerGroup::apply(const ConsumerGroupTargetAssignmentMetadataRecord& record) {
  if (record.value) {
    target_epoch = record.value->assignment_epoch;
    target_at = Timestamp(record.value->assignment_timestamp);
    return;
  }
  if (!targets_.empty()) throw Contradiction("a target assignment ends that members have parts of");
  target_epoch = -1;
  target_at = Timestamp(0);
}

void ConsumerGroup::apply(const ConsumerGroupTargetAssignmentMemberRecord& record) {
  const std::string& id = record.key.member_id;
  if (const auto old = targets_.find(id); old != targets_.end()) {
    remove_bytes(bytes_of(id, old->second));
    targets_.erase(old);
  }
  if (!record.value) return;
  Assignment target;
  for (const auto& topic : record.value->topic_partitions) {
    PartitionList& to = target[topic.topic_id];
    to = topic.partitions;
    std::ranges::sort(to);
    const auto twice = std::ranges::unique(to);
    to.erase(twice.begin(), twice.end());
    if (to.empty()) target.erase(topic.topic_id);
  }
  add_bytes(bytes_of(id, target));
  targets_[id] = std::move(target);
}

void ConsumerGroup::apply(const ConsumerGroupCurrentMemberAssignmentRecord& record) {
  const std::string& id = record.key.member_id;
  const ConsumerMember* old = member(id);
  if (!record.value) {
    if (!old) return;
    ConsumerMember next = *old;
    next.epoch = next.previous_epoch = leaving_epoch;
    next.assigned.clear();
    next.revoking.clear();
    return put(std::move(next));
  }
  ConsumerMember next = old ? *old : ConsumerMember{.id = id};
  const auto& value = *record.value;
  next.epoch = value.member_epoch;
  next.previous_epoch = value.previous_member_epoch;
  next.state = state_from(value.state);
  next.assigned = owned_from(value.assigned_partitions, value.member_epoch);
  next.revoking = owned_from(value.partitions_pending_revocation, value.member_epoch);
  put(std::move(next));
}

void ConsumerGroup::apply(const ConsumerGroupRegularExpressionRecord& record) {
  const std::string& regex = record.key.regular_expression;
  if (const auto old = resolved_.find(regex); old != resolved_.end()) {
    for (const auto& topic : old->second.topics) {
      add_subscription(subscriptions_, topic, &SubscriptionCount::by_regex, -1);
    }
    remove_bytes(bytes_of(regex, old->second));
    resolved_.erase(old);
  }
  if (!record.value) return;
  ResolvedRegex& next = resolved_[regex];
  next.topics.insert(record.value->topics.begin(), record.value->topics.end());
  next.version = record.value->version;
  next.resolved_at = Timestamp(record.value->timestamp);
  for (const auto& topic : next.topics) add_subscription(subscriptions_, topic, &SubscriptionCount::by_regex, 1);
  add_bytes(bytes_of(regex, next));
}

void ConsumerGroup::put(ConsumerMember member) {
  const auto found = members_.find(member.id);
  if (found != members_.end()) {
    remove_bytes(bytes_of(found->second));
    count(found->second, -1);
    forget_owner(found->second);
    if (found->second.instance_id) static_members_.erase(*found->second.instance_id);
  }
  const std::string id = member.id;
  const ConsumerMember& now = members_[id] = std::move(member);
  add_bytes(bytes_of(now));
  count(now, 1);
  note_owner(now);
  if (now.instance_id) static_members_[*now.instance_id] = id;
}

void ConsumerGroup::remove(std::string_view id) {
  const auto found = members_.find(id);
  remove_bytes(bytes_of(found->second));
  count(found->second, -1);
  forget_owner(found->second);
  if (found->second.instance_id) static_members_.erase(*found->second.instance_id);
  members_.erase(found);
}

void ConsumerGroup::count(const ConsumerMember& member, int by) {
  for (const auto& topic : member.topics) add_subscription(subscriptions_, topic, &SubscriptionCount::by_name, by);
  if (const std::string* regex = regex_of(&member)) add(regexes_, *regex, by);
  if (member.assignor) add(assignors_, *member.assignor, by);
  if (member.classic) classic_members_ += static_cast<std::size_t>(by);
}

void ConsumerGroup::note_owner(const ConsumerMember& member) {
  for (const auto* owned : {&member.assigned, &member.revoking}) {
    for (const auto& [topic, partitions] : *owned) {
      auto& epochs = owner_epochs_[topic];
      for (const auto& each : partitions) {
        const auto [at, fresh] = epochs.try_emplace(each.partition, member.epoch);
        if (!fresh && at->second >= member.epoch) throw Contradiction("a partition would have two owners");
        at->second = member.epoch;
      }
    }
  }
}

void ConsumerGroup::forget_owner(const ConsumerMember& member) {
  for (const auto* owned : {&member.assigned, &member.revoking}) {
    for (const auto& [topic, partitions] : *owned) {
      const auto found = owner_epochs_.find(topic);
      if (found == owner_epochs_.end()) continue;
      for (const auto& each : partitions) {
        const auto at = found->second.find(each.partition);
        // Somebody else may have it by now, at a later epoch.
        if (at != found->second.end() && at->second == member.epoch) found->second.erase(at);
      }
      if (found->second.empty()) owner_epochs_.erase(found);
    }
  }
}

}  // namespace klamm::groups
