// How members leave a consumer group: by themselves, by silence, or because they do not give up what they must.
#include <algorithm>
#include <charconv>

#include "groups/consumer.h"
#include "groups/consumer_migration.h"
#include "groups/consumer_regex.h"
#include "groups/consumer_turn.h"
#include "groups/metadata_hash.h"

namespace klamm::groups {

namespace {

// What the group was given for itself, or all groups of the cluster, or this broker.
std::chrono::milliseconds time_of(const metadata::Image& image, const std::string& group, std::string_view key,
                                  const BoundedTime& bounds) {
  const auto read = [](const metadata::ConfigEntries& entries, std::string_view name) -> std::optional<std::int64_t> {
    const auto found = entries.find(name);
    if (found == entries.end()) return std::nullopt;
    std::int64_t value = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  // Bounds may have changed since it was set.
  if (const auto own = read(image.config({metadata::ConfigResourceType::group, group}), key)) {
    return std::clamp(std::chrono::milliseconds(*own), bounds.min, std::max(bounds.min, bounds.max));
  }
  const auto all = read(image.config({metadata::ConfigResourceType::broker, {}}), fmt::format("group.{}", key));
  return all ? std::chrono::milliseconds(*all) : bounds.usual;
}

}  // namespace

std::chrono::milliseconds ConsumerTurn::session_timeout() const {
  return time_of(image(), id, "consumer.session.timeout.ms", settings().consumer_session_timeout);
}

std::chrono::milliseconds ConsumerTurn::heartbeat_interval() const {
  return time_of(image(), id, "consumer.heartbeat.interval.ms", settings().consumer_heartbeat_interval);
}

std::chrono::milliseconds ConsumerTurn::assignment_interval() const {
  return time_of(image(), id, "consumer.assignment.interval.ms", settings().consumer_assignment_interval);
}

void ConsumerTurn::forget(const std::string& member_id) {
  append(current_tombstone(id, member_id));
  append(target_tombstone(id, member_id));
  append(consumer_member_tombstone(id, member_id));
}

void ConsumerTurn::cancel_deadlines(const std::string& member_id) {
  for (const DeadlineKind kind : {DeadlineKind::consumer_session, DeadlineKind::consumer_rebalance,
                                  DeadlineKind::consumer_join, DeadlineKind::consumer_sync}) {
    turn.state.deadlines.cancel({kind, id, member_id});
  }
}

void ConsumerTurn::keep_session(const std::string& member_id, std::chrono::milliseconds timeout) {
  turn.set_deadline({DeadlineKind::consumer_session, id, member_id}, timeout);
}

void ConsumerTurn::keep_session(const ConsumerMember& member) {
  keep_session(member.id,
               member.classic ? std::chrono::milliseconds(member.classic->session_timeout_ms) : session_timeout());
}

void ConsumerTurn::expect_revocation(const ConsumerMember& member) {
  const DeadlineKey key{DeadlineKind::consumer_rebalance, id, member.id};
  if (member.state == ReconciliationState::unrevoked_partitions) {
    turn.set_deadline(key, std::chrono::milliseconds(member.rebalance_timeout_ms));
  } else {
    turn.state.deadlines.cancel(key);
  }
}

std::int64_t ConsumerTurn::hash_of(const SubscriptionCounts& subscriptions) const {
  std::vector<std::string_view> topics;
  topics.reserve(subscriptions.size());
  for (const auto& [topic, count] : subscriptions) topics.push_back(topic);
  return metadata_hash(image(), topics);
}

bool ConsumerTurn::fits() const {
  constexpr std::size_t frame_of_record = 24;  // lengths, offset and time beside key and value, at most
  std::size_t bytes = 0;
  for (const Record& record : records) bytes += encoded_bytes(record) + frame_of_record;
  return bytes <= settings().record_bytes_max;
}

void ConsumerTurn::commit() {
  for (Record& record : records) turn.append(std::move(record));
  records.clear();
}

Result<const ConsumerGroup*> find_consumer_group(const State& state, const std::string& id) {
  if (!state.groups.contains(id)) return fail(ErrorCode::group_id_not_found, fmt::format("Group {} not found.", id));
  if (const ConsumerGroup* consumer = state.consumer(id)) return consumer;
  return fail(ErrorCode::group_id_not_found, fmt::format("Group {} is not a consumer group.", id));
}

std::set<Uuid> subscribed_topics(const ConsumerMember& member, const ConsumerGroup& group,
                                 const metadata::Image& image) {
  std::set<Uuid> out;
  const auto add = [&](const auto& names) {
    for (const std::string& name : names) {
      if (const metadata::Topic* topic = image.topic(name)) out.insert(topic->id);
    }
  };
  add(member.topics);
  if (!member.has_regex()) return out;
  const auto resolved = group.resolved_regexes().find(*member.regex);
  if (resolved != group.resolved_regexes().end()) add(resolved->second.topics);
  return out;
}

void fence(ConsumerTurn& consumer, const ConsumerGroup& group, const std::vector<const ConsumerMember*>& members) {
  if (members.empty()) return;
  const std::string& id = consumer.id;
  if (becomes_classic(consumer, group, members)) {
    const Downgrade how{
        .leaving = members,
        .rebalance_reason = fmt::format("Downgrade group {} from consumer to classic for member leaving.", id)};
    if (downgrade(consumer, group, how)) return;
  }
  for (const ConsumerMember* member : members) consumer.forget(member->id);
  const std::set<std::string> regexes = group.regexes_only_of(members);
  for (const std::string& regex : regexes) consumer.append(regular_expression_tombstone(id, regex));
  const std::int32_t epoch = group.epoch + 1;
  consumer.append(consumer_group_epoch(id, epoch, consumer.hash_of(group.subscriptions_without(members, regexes))));
  // Nobody is left to assign to: the target is up to date, and its interval does not hold up whoever comes next.
  if (group.members().size() == members.size()) consumer.append(target_epoch(id, epoch, Timestamp(0)));
  for (const ConsumerMember* member : members) consumer.cancel_deadlines(member->id);
  consumer.commit();
}

protocol::LeaveGroupResponse remove_consumer_members(Turn& turn, const protocol::LeaveGroupRequest& request) {
  const ConsumerGroup& group = *turn.state.consumer(request.group_id);
  protocol::LeaveGroupResponse response;
  std::vector<const ConsumerMember*> leaving;
  for (const auto& each : request.members) {
    const auto& instance = each.group_instance_id;
    const ConsumerMember* member = instance ? group.static_member(*instance) : group.member(each.member_id);
    auto& out = response.members.emplace_back();
    out.member_id = each.member_id;
    out.group_instance_id = instance;
    if (!member) {
      out.error_code = wire_of(ErrorCode::unknown_member_id);
    } else if (instance && !each.member_id.empty() && each.member_id != member->id) {
      out.error_code = wire_of(ErrorCode::fenced_instance_id);
    } else if (std::ranges::find(leaving, member) == leaving.end()) {
      leaving.push_back(member);
    }
  }
  ConsumerTurn consumer{turn, request.group_id};
  fence(consumer, group, leaving);
  return response;
}

void fence_because(Turn& turn, const std::string& group_id, const std::string& member_id, std::string_view reason) {
  const ConsumerGroup* group = turn.state.consumer(group_id);
  const ConsumerMember* member = group ? group->member(member_id) : nullptr;
  if (!member) return;
  turn.state.log.info("[GroupId {}] Member {} fenced from the group because {}.", group_id, member_id, reason);
  ConsumerTurn consumer{turn, group_id};
  fence(consumer, *group, {member});
}

void consumer_session_is_over(Turn& turn, const std::string& group_id, const std::string& member_id) {
  fence_because(turn, group_id, member_id, "the member session expired");
}

void consumer_rebalance_is_over(Turn& turn, const std::string& group_id, const std::string& member_id) {
  const ConsumerGroup* group = turn.state.consumer(group_id);
  const ConsumerMember* member = group ? group->member(member_id) : nullptr;
  if (!member || member->state != ReconciliationState::unrevoked_partitions) return;
  fence_because(
      turn, group_id, member_id,
      fmt::format("it failed to transition from epoch {} within {}ms", member->epoch, member->rebalance_timeout_ms));
}

void consumer_regexes_are_due(Turn& turn, const std::string& group_id) {
  ConsumerGroup* group = turn.state.consumer(group_id);
  if (!group || group->regexes().empty()) return;
  ConsumerTurn consumer{turn, group_id};
  std::vector<std::string> regexes;
  for (const auto& [regex, users] : group->regexes()) regexes.push_back(regex);
  auto resolved = resolve_regexes(consumer.image(), regexes);

  SubscriptionCounts counts = group->subscriptions();
  bool changed = false;
  std::size_t bytes_now = 0;
  std::size_t bytes_then = 0;
  for (std::size_t i = 0; i < regexes.size(); ++i) {
    ResolvedRegex next{std::move(resolved[i]), consumer.image().provenance().offset.value, consumer.now()};
    static const decltype(next.topics) none;
    const auto old = group->resolved_regexes().find(regexes[i]);
    const auto& before = old == group->resolved_regexes().end() ? none : old->second.topics;
    if (before != next.topics) {
      changed = true;
      for (const auto& topic : before) {
        const auto at = counts.find(topic);
        if (--at->second.by_regex == 0 && at->second.by_name == 0) counts.erase(at);
      }
      for (const auto& topic : next.topics) ++counts[topic].by_regex;
    }
    bytes_then += ConsumerGroup::bytes_of(regexes[i], next);
    if (old != group->resolved_regexes().end()) bytes_now += ConsumerGroup::bytes_of(regexes[i], old->second);
    consumer.append(regular_expression(group_id, regexes[i], next));
  }
  const std::int64_t hash = consumer.hash_of(counts);
  if (changed || hash != group->metadata_hash) {
    consumer.append(consumer_group_epoch(group_id, group->epoch + 1, hash));
  }
  if (!consumer.fits()) {
    turn.state.log.error(
        "[GroupId {}] Couldn't update regular expression due to: their topics are more than one batch "
        "can hold",
        group_id);
    return;
  }
  if (bytes_then > bytes_now && !turn.has_room(bytes_then - bytes_now)) return;  // the next refresh tries again
  group->must_look_at_metadata = false;
  consumer.commit();
}

void resume_consumer(Turn& turn, const std::string& group_id, const ConsumerGroup& group) {
  ConsumerTurn consumer{turn, group_id};
  for (const auto& [id, member] : group.members()) {
    consumer.keep_session(id, consumer.session_timeout());
    consumer.expect_revocation(member);
  }
}

void consumer_image_changes(State& state, const ImageChanged& change) {
  const metadata::Image& to = *change.image;
  const bool first = state.image->provenance().offset == no_offset;
  const auto is_new = [&](const metadata::TopicRef& topic) { return state.image->topic(topic->id) == nullptr; };
  const bool some_are_new = change.topics ? change.topics->some_are_new : std::ranges::any_of(to.topics(), is_new);
  if (first || some_are_new) state.image_with_new_topics = to.provenance().offset.value;
  // Topics are shared from image to image as long as nothing about them changes.
  const auto is_other = [&](const auto& entry) { return state.image->topic(entry.first) != to.topic(entry.first); };
  for (auto& [id, group] : state.groups) {
    const auto* holder = std::get_if<std::unique_ptr<ConsumerGroup>>(&group);
    if (!holder || (*holder)->must_look_at_metadata) continue;
    ConsumerGroup& consumer = **holder;
    const auto is_its_own = [&](const std::string& topic) { return consumer.is_subscribed_to(topic); };
    consumer.must_look_at_metadata = first || !change.topics ? std::ranges::any_of(consumer.subscriptions(), is_other)
                                                             : std::ranges::any_of(change.topics->changed, is_its_own);
  }
}

}  // namespace klamm::groups
