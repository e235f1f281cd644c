#include "groups/group_coordinator.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "groups/classic.h"
#include "groups/consumer.h"
#include "groups/group_admin.h"
#include "groups/membership_check.h"
#include "groups/offsets.h"

namespace klamm::groups {
namespace {

using coordination::Moment;
using coordination::Ticket;

constexpr std::string_view deadlines_timer = "deadlines";

// The group that the record belongs to; a tombstone does not make one. A group that only holds offsets gives way.
ConsumerGroup* consumer_of(State& state, const std::string& id, bool make) {
  if (ConsumerGroup* group = state.consumer(id)) return group;
  const ClassicGroup* classic = state.classic(id);
  if (state.find(id) && !(classic && classic->is_simple())) {
    if (!make) return nullptr;
    throw BadRecord(fmt::format("Group {} is not a consumer group", id));
  }
  return make ? &state.put<ConsumerGroup>(id) : nullptr;
}

template <typename Record>
void apply_consumer(State& state, const Record& record) {
  const std::string& id = record.key.group_id;
  if (const ClassicGroup* classic = state.classic(id); classic && classic->awaits_its_record) return;
  ConsumerGroup* group = consumer_of(state, id, record.value.has_value());
  if (!group) return;
  try {
    if constexpr (std::is_same_v<Record, ConsumerGroupPartitionMetadataRecord>) {
      group->has_partition_metadata_record = record.value.has_value();
    } else if constexpr (std::is_same_v<Record, ConsumerGroupMetadataRecord>) {
      if (record.value) return group->apply(record);
      group->check_end();
      state.remove(id);
    } else {
      group->apply(record);
    }
  } catch (const ConsumerGroup::Contradiction& contradiction) {
    throw BadRecord(fmt::format("Consumer group {}: {}", id, contradiction.what()));
  }
}

}  // namespace

GroupCoordinator::GroupCoordinator(const Settings& settings, Memory& memory, Logger log)
    : state_(settings, memory, std::move(log)) {}

GroupCoordinator::Decision GroupCoordinator::decide(Ticket ticket, const Moment& moment, const Call& call) {
  Turn turn{state_, moment};
  act(turn, ticket, call);
  return finish(std::move(turn));
}

void GroupCoordinator::act(Turn& turn, Ticket ticket, const Call& call) {
  std::visit(
      Overloaded{
          [&](const Loaded&) {
            resume(turn);
            turn.reply(ticket, Done{});
          },
          [&](const ImageChanged& changed) {
            consumer_image_changes(state_, changed);
            state_.image = changed.image;
            turn.reply(ticket, Done{});
          },
          [&](const TopicsDeleted& deleted) {
            for (const auto& topic : deleted.topics) {
              state_.offsets.tombstones_of_topic(topic.name, topic.id, turn.decision.records);
            }
            turn.decision.atomic = false;
            turn.reply(ticket, Done{});
          },
          [&](const EndTransaction& asked) {
            turn.decision.records.push_back(
                {.message = {}, .producer = asked.producer, .producer_epoch = asked.producer_epoch, .end = asked.end});
            turn.reply(ticket, EndedTransaction{});
          },
          [&](const FetchOffsets& asked) { turn.reply(ticket, fetch_offsets(state_, asked)); },
          [&](const Asked<protocol::JoinGroupRequest>& asked) { join_group(turn, ticket, asked); },
          [&](const Asked<protocol::SyncGroupRequest>& asked) { sync_group(turn, ticket, asked); },
          [&](const Asked<protocol::HeartbeatRequest>& asked) { heartbeat(turn, ticket, asked); },
          [&](const Asked<protocol::LeaveGroupRequest>& asked) { leave_group(turn, ticket, asked); },
          [&](const Asked<protocol::OffsetCommitRequest>& asked) { offset_commit_call(turn, ticket, asked); },
          [&](const Asked<protocol::TxnOffsetCommitRequest>& asked) { txn_offset_commit_call(turn, ticket, asked); },
          [&](const Asked<protocol::OffsetDeleteRequest>& asked) { offset_delete_call(turn, ticket, asked); },
          [&](const Asked<protocol::ListGroupsRequest>& asked) {
            turn.reply(ticket, list_groups(state_, asked.request));
          },
          [&](const Asked<protocol::DescribeGroupsRequest>& asked) {
            turn.reply(ticket, describe_groups(state_, asked));
          },
          [&](const Asked<protocol::DeleteGroupsRequest>& asked) { delete_groups(turn, ticket, asked); },
          [&](const Asked<protocol::ConsumerGroupHeartbeatRequest>& asked) {
            consumer_group_heartbeat(turn, ticket, asked);
          },
          [&](const Asked<protocol::ConsumerGroupDescribeRequest>& asked) {
            turn.reply(ticket, consumer_group_describe(state_, asked));
          },
      },
      call);
}

void GroupCoordinator::settle(Call& call) {
  // Assigned, not cleared: a vector that is cleared keeps its memory.
  const auto drop = [](auto& payload) { payload = std::remove_reference_t<decltype(payload)>(); };
  if (auto* join = std::get_if<Asked<protocol::JoinGroupRequest>>(&call)) drop(join->request.protocols);
  if (auto* sync = std::get_if<Asked<protocol::SyncGroupRequest>>(&call)) drop(sync->request.assignments);
}

GroupCoordinator::Answer GroupCoordinator::refuse(const Call& call, const Error& error) {
  const Error told{coordinator_error(error.code), error.message};
  return std::visit([&](const auto& asked) -> Answer { return failed(asked, told); }, call);
}

GroupCoordinator::Decision GroupCoordinator::timer_fired(const Moment& moment, std::string_view name) {
  ENSURE(name == deadlines_timer);
  timer_at_.reset();
  Turn turn{state_, moment};
  // One at a time: each sees what the one before it had applied. What else is due fires the timer at once again.
  if (const auto due = state_.deadlines.take_due(moment.now)) serve_deadline(turn, *due);
  return finish(std::move(turn));
}

void GroupCoordinator::serve_deadline(Turn& turn, const DeadlineKey& due) {
  switch (due.kind) {
    case DeadlineKind::expire_offsets:
      return expire_offsets(turn);
    case DeadlineKind::join:
      return classic_join_is_due(turn, due.group);
    case DeadlineKind::sync:
      return classic_sync_is_due(turn, due.group);
    case DeadlineKind::session:
      return classic_session_is_over(turn, due.group, due.member);
    case DeadlineKind::consumer_session:
      return consumer_session_is_over(turn, due.group, due.member);
    case DeadlineKind::consumer_rebalance:
      return consumer_rebalance_is_over(turn, due.group, due.member);
    case DeadlineKind::consumer_regex:
      return consumer_regexes_are_due(turn, due.group);
    case DeadlineKind::consumer_join:
      return consumer_join_is_over(turn, due.group, due.member);
    case DeadlineKind::consumer_sync:
      return consumer_sync_is_over(turn, due.group, due.member);
  }
}

void GroupCoordinator::resume(Turn& turn) {
  for (auto& [id, group] : state_.groups) {
    if (ClassicGroup* classic = state_.classic(id)) resume_classic(turn, id, *classic);
    if (const ConsumerGroup* consumer = state_.consumer(id)) resume_consumer(turn, id, *consumer);
  }
  turn.set_deadline({DeadlineKind::expire_offsets, {}, {}}, state_.settings.offsets_retention_check_interval);
}

GroupCoordinator::Decision GroupCoordinator::finish(Turn turn) {
  const auto next = state_.deadlines.next();
  if (next && (!timer_at_ || *next < *timer_at_)) {
    timer_at_ = next;
    const auto after = std::max(*next - turn.moment.now, Deadlines::Time(0));
    turn.decision.timers.push_back({std::string(deadlines_timer), after});
  }
  return std::move(turn.decision);
}

void GroupCoordinator::apply(Offset base, LeaderEpoch, Timestamp, std::span<const Record> records) {
  for (std::size_t i = 0; i < records.size(); ++i) apply(base + static_cast<std::int64_t>(i), records[i]);
}

void GroupCoordinator::apply(Offset at, const Record& record) {
  if (record.end) return end_transaction(record.producer, record.end->commit);
  const auto foreign = [&](const std::string& id, bool lives, ForeignGroup::Type type) {
    if (!lives) return state_.remove(id);
    state_.put<ForeignGroup>(id).type = type;
  };
  std::visit(Overloaded{
                 [&](const OffsetCommitRecord& each) {
                   // Offsets without a group stand for a simple one.
                   if (each.value && !state_.find(each.key.group)) state_.put<ClassicGroup>(each.key.group);
                   state_.offsets.apply(at, record.producer, each);
                 },
                 [&](const GroupMetadataRecord& each) {
                   if (!each.value) return state_.remove(each.key.group);
                   ClassicGroup* group = state_.classic(each.key.group);
                   if (group && std::exchange(group->awaits_its_record, false)) return;
                   if (!group) group = &state_.put<ClassicGroup>(each.key.group);
                   group->apply(*each.value);
                 },
                 [&](const ConsumerGroupMetadataRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupPartitionMetadataRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupMemberMetadataRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupTargetAssignmentMetadataRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupTargetAssignmentMemberRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupCurrentMemberAssignmentRecord& each) { apply_consumer(state_, each); },
                 [&](const ConsumerGroupRegularExpressionRecord& each) { apply_consumer(state_, each); },
                 [&](const ShareGroupMetadataRecord& each) {
                   foreign(each.key.group_id, each.value.has_value(), ForeignGroup::Type::share);
                 },
                 [&](const StreamsGroupMetadataRecord& each) {
                   foreign(each.key.group_id, each.value.has_value(), ForeignGroup::Type::streams);
                 },
             },
             record.message);
}

void GroupCoordinator::end_transaction(ProducerId producer, bool commit) {
  state_.offsets.end_transaction(producer, commit);
}

}  // namespace klamm::groups
