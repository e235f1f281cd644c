// Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup and Heartbeat, answered out of the
// target assignment. Their generation is the epoch of the member, and what they own stands in their subscription.
#include <algorithm>
#include <utility>

#include "groups/classic_rebalance.h"
#include "groups/consumer.h"
#include "groups/consumer_member.h"
#include "groups/consumer_migration.h"

namespace klamm::groups {
namespace {

using std::chrono::milliseconds;
using JoinCall = Asked<protocol::JoinGroupRequest>;

class ClassicJoin {
 public:
  ClassicJoin(Turn& turn, const JoinCall& call)
      : turn_(turn),
        call_(call),
        request_(call.request),
        group_(*turn.state.consumer(call.request.group_id)),
        member_(turn, call.request.group_id, group_) {}

  Result<protocol::JoinGroupResponse> answer();

 private:
  bool supports() const;
  Result<ConsumerMember> find_member();
  ConsumerMember updated(const ConsumerMember& before, protocol::ConsumerProtocolSubscription subscription) const;
  ClaimedPartitions claimed(const protocol::ConsumerProtocolSubscription& subscription) const;
  Result<ConsumerMember> go_on(const ConsumerMember& before, const ConsumerMember& after, const ClaimedPartitions& has);
  Result<ConsumerMember> go_back(const ConsumerMember& after, const ClaimedPartitions& has);

  std::int32_t rebalance_timeout_ms() const {
    return call_.api_version >= 1 ? request_.rebalance_timeout_ms : request_.session_timeout_ms;
  }

  Turn& turn_;
  const JoinCall& call_;
  const protocol::JoinGroupRequest& request_;
  const ConsumerGroup& group_;
  MemberTurn member_;
  std::string member_id_;
};

// A protocol that all classic members have.
bool ClassicJoin::supports() const {
  if (request_.protocol_type != consumer_protocol_type) return false;
  return std::ranges::any_of(request_.protocols, [&](const auto& asked) {
    return std::ranges::all_of(group_.members(), [&](const auto& entry) {
      const auto& classic = entry.second.classic;
      return !classic || std::ranges::any_of(classic->supported_protocols,
                                             [&](const auto& each) { return each.name == asked.name; });
    });
  });
}

Result<ConsumerMember> ClassicJoin::find_member() {
  const auto& instance = request_.group_instance_id;
  const ConsumerMember* same = group_.member(member_id_);
  if (!instance) return same ? *same : ConsumerMember{.id = member_id_};
  const ConsumerMember* found = group_.static_member(*instance);
  if (request_.member_id.empty()) {
    if (found) return member_.take_place(*found, member_id_);
    return ConsumerMember{.id = member_id_};
  }
  if (!found) return std::unexpected(unknown_instance(*instance));
  if (found->id != member_id_) return std::unexpected(fenced_instance(member_id_, *instance, found->id));
  return *found;
}

ConsumerMember ClassicJoin::updated(const ConsumerMember& before,
                                    protocol::ConsumerProtocolSubscription subscription) const {
  ConsumerMember after = before;
  if (request_.group_instance_id) after.instance_id = request_.group_instance_id;
  if (subscription.rack_id && !subscription.rack_id->empty()) after.rack_id = subscription.rack_id;
  if (rebalance_timeout_ms() != -1) after.rebalance_timeout_ms = rebalance_timeout_ms();
  after.topics = std::move(subscription.topics);
  std::ranges::sort(after.topics);
  const auto twice = std::ranges::unique(after.topics);
  after.topics.erase(twice.begin(), twice.end());
  after.regex = "";
  after.client_id = call_.caller.client_id;
  after.client_host = call_.caller.client_host;
  auto& classic = after.classic.emplace();
  classic.session_timeout_ms = request_.session_timeout_ms;
  for (const auto& each : request_.protocols) {
    classic.supported_protocols.push_back({.name = each.name, .metadata = each.metadata});
  }
  return after;
}

ClaimedPartitions ClassicJoin::claimed(const protocol::ConsumerProtocolSubscription& subscription) const {
  ClaimedPartitions out;
  out.emplace();
  for (const auto& owned : subscription.owned_partitions) {
    const metadata::Topic* topic = turn_.state.image->topic(owned.topic);
    if (topic) out->push_back({.topic_id = topic->id, .partitions = owned.partitions});
  }
  return out;
}

Result<ConsumerMember> ClassicJoin::go_on(const ConsumerMember& before, const ConsumerMember& after,
                                          const ClaimedPartitions& has) {
  const Target target = member_.assign(before, after);
  auto next = member_.step(after, target, has);
  if (!next) return next;
  if (auto fits = member_.check_size(*next, target.of_member); !fits) return std::unexpected(fits.error());
  member_.carry_out(*next);
  turn_.state.deadlines.cancel({DeadlineKind::consumer_join, request_.group_id, next->id});
  turn_.set_deadline({DeadlineKind::consumer_sync, request_.group_id, next->id}, milliseconds(rebalance_timeout_ms()));
  return next;
}

// It took the place of the last one that spoke the consumer protocol.
Result<ConsumerMember> ClassicJoin::go_back(const ConsumerMember& after, const ClaimedPartitions& has) {
  const Target target = member_.last_target(after);
  const bool is_stale = target.epoch < member_.epoch();
  Result<ConsumerMember> next = after;
  if (!is_stale) next = member_.step(after, target, has);
  if (!next) return next;
  if (auto fits = member_.check_size(*next, target.of_member); !fits) return std::unexpected(fits.error());
  Downgrade how{.leaving = {}, .joining = &*next, .rebalance_reason = std::nullopt};
  if (is_stale) {
    how.rebalance_reason =
        fmt::format("Downgrade group {} from consumer to classic with stale assignment.", request_.group_id);
  }
  if (!downgrade(member_.consumer(), group_, how)) return fail(ErrorCode::unknown_server_error);
  return next;
}

Result<protocol::JoinGroupResponse> ClassicJoin::answer() {
  const Settings& settings = turn_.state.settings;
  if (settings.migration_policy == MigrationPolicy::disabled) {
    turn_.state.log.info(
        "Cannot join the consumer group {} with the classic protocol because the group migration is disabled.",
        request_.group_id);
    return fail(ErrorCode::inconsistent_group_protocol);
  }
  member_id_ = request_.member_id;
  if (member_id_.empty()) {
    coordination::FreshIds ids(turn_.moment.seed);
    member_id_ = ids.uuid().to_string();
  }
  const auto& instance = request_.group_instance_id;
  if (auto room = check_group_size(group_, settings.consumer_group_size_max, member_id_, instance); !room) {
    return std::unexpected(room.error());
  }
  if (!supports()) return fail(ErrorCode::inconsistent_group_protocol);
  if (request_.member_id.empty() && !instance && call_.api_version >= 4) {
    return join_error(ErrorCode::member_id_required, member_id_);
  }
  const ConsumerMember* there = instance ? group_.static_member(*instance) : nullptr;
  const bool goes_back = there && becomes_classic(member_.consumer(), group_, *there);
  const auto before = find_member();
  if (!before) return std::unexpected(before.error());
  auto subscription = read_subscription(request_.protocols.front().metadata);
  if (!subscription) return fail(ErrorCode::inconsistent_group_protocol);
  const ClaimedPartitions has = claimed(*subscription);

  const ConsumerMember after = updated(*before, std::move(*subscription));
  if (auto changed = member_.change(*before, after); !changed) return std::unexpected(changed.error());
  const auto next = goes_back ? go_back(after, has) : go_on(*before, after, has);
  if (!next) return std::unexpected(next.error());
  protocol::JoinGroupResponse response;
  response.member_id = next->id;
  response.generation_id = next->epoch;
  response.protocol_type = consumer_protocol_type;
  response.protocol_name = request_.protocols.front().name;
  return response;
}

// --- sync and heartbeat ----------------------------------------------------------------------------------------------

template <typename Request>
Result<const ConsumerMember*> find_classic(const ConsumerGroup& group, const Request& request) {
  const auto& instance = request.group_instance_id;
  const ConsumerMember* member = instance ? group.static_member(*instance) : group.member(request.member_id);
  if (!member) return fail(ErrorCode::unknown_member_id);
  if (member->id != request.member_id) return fail(ErrorCode::fenced_instance_id);
  if (!member->classic) return fail(ErrorCode::unknown_member_id);
  if (member->epoch != request.generation_id) return fail(ErrorCode::illegal_generation);
  return member;
}

void expect_join(ConsumerTurn& consumer, const ConsumerMember& member) {
  const DeadlineKey key{DeadlineKind::consumer_join, consumer.id, member.id};
  if (consumer.turn.state.deadlines.contains(key)) return;
  consumer.turn.set_deadline(key, milliseconds(member.rebalance_timeout_ms));
}

// It waits for partitions that others have not given up.
bool waits_for_others(const ConsumerGroup& group, const ConsumerMember& member) {
  const Assignment* target = group.target(member.id);
  if (!target) return false;
  return std::ranges::any_of(*target, [&](const auto& topic) {
    return std::ranges::any_of(topic.second, [&](std::int32_t partition) {
      return !find(member.assigned, topic.first, partition) && group.owner_epoch(topic.first, partition);
    });
  });
}

// The target moved on, or it has to give up some first, or it can have what it waited for.
bool must_join_again(const ConsumerGroup& group, const ConsumerMember& member) {
  return member.epoch < group.target_epoch || member.state == ReconciliationState::unrevoked_partitions ||
         (member.state == ReconciliationState::unreleased_partitions && !waits_for_others(group, member));
}

ErrorCode check_sync(const ConsumerMember& member, const protocol::SyncGroupRequest& request) {
  if (request.protocol_type && *request.protocol_type != consumer_protocol_type) {
    return ErrorCode::inconsistent_group_protocol;
  }
  const auto& protocols = member.classic->supported_protocols;
  const bool same = !request.protocol_name || (!protocols.empty() && protocols.front().name == *request.protocol_name);
  return same ? ErrorCode::none : ErrorCode::inconsistent_group_protocol;
}

}  // namespace

void join_consumer_group(Turn& turn, coordination::Ticket ticket, const JoinCall& call) {
  const Pending to{ticket, call.api_version};
  auto response = ClassicJoin(turn, call).answer();
  reply_join(turn, to, response ? std::move(*response) : join_error(response.error().code));
}

protocol::SyncGroupResponse sync_consumer_group(Turn& turn, const protocol::SyncGroupRequest& request) {
  const ConsumerGroup& group = *turn.state.consumer(request.group_id);
  ConsumerTurn consumer{turn, request.group_id};
  protocol::SyncGroupResponse response;
  const auto refuse = [&](ErrorCode code) {
    response.error_code = wire_of(code);
    return response;
  };
  const auto found = find_classic(group, request);
  if (!found) return refuse(found.error().code);
  const ConsumerMember& member = **found;
  if (const ErrorCode wrong = check_sync(member, request); wrong != ErrorCode::none) return refuse(wrong);
  // One that has to give up partitions has joined, and joins again when it has given them up.
  if (group.target_epoch > member.epoch && member.state != ReconciliationState::unrevoked_partitions) {
    expect_join(consumer, member);
    return refuse(ErrorCode::rebalance_in_progress);
  }
  turn.state.deadlines.cancel({DeadlineKind::consumer_sync, request.group_id, member.id});
  consumer.keep_session(member);
  response.protocol_type = request.protocol_type;
  response.protocol_name = request.protocol_name;
  const auto& protocols = member.classic->supported_protocols;
  const Bytes metadata = protocols.empty() ? Bytes() : Bytes(protocols.front().metadata);
  response.assignment = written_assignment(without_epochs(member.assigned), consumer.image(), metadata);
  return response;
}

ErrorCode heartbeat_to_consumer_group(Turn& turn, const protocol::HeartbeatRequest& request) {
  const ConsumerGroup& group = *turn.state.consumer(request.group_id);
  const auto found = find_classic(group, request);
  if (!found) return found.error().code;
  ConsumerTurn consumer{turn, request.group_id};
  consumer.keep_session(**found);
  if (!must_join_again(group, **found)) return ErrorCode::none;
  expect_join(consumer, **found);
  return ErrorCode::rebalance_in_progress;
}

void consumer_join_is_over(Turn& turn, const std::string& group_id, const std::string& member_id) {
  fence_because(turn, group_id, member_id, "the classic member failed to join within the rebalance timeout");
}

void consumer_sync_is_over(Turn& turn, const std::string& group_id, const std::string& member_id) {
  fence_because(turn, group_id, member_id, "the member failed to sync within timeout");
}

}  // namespace klamm::groups
