// ConsumerGroupHeartbeat: a member that speaks the consumer protocol comes, goes on, leaves.
#include <algorithm>
#include <utility>

#include "groups/classic_group.h"
#include "groups/consumer.h"
#include "groups/consumer_member.h"
#include "groups/consumer_migration.h"

namespace klamm::groups {
namespace {

using Request = protocol::ConsumerGroupHeartbeatRequest;
using Response = protocol::ConsumerGroupHeartbeatResponse;

class Heartbeat {
 public:
  Heartbeat(Turn& turn, const Asked<Request>& call) : turn_(turn), call_(call), request_(call.request) {}

  Result<Response> answer();

 private:
  Result<const ConsumerGroup*> find_group();
  Result<ConsumerMember> find_member(MemberTurn& member);
  Result<ConsumerMember> find_static_member(MemberTurn& member, const std::string& member_id);
  Result<void> check_epoch(const ConsumerMember& member) const;
  ConsumerMember updated(const ConsumerMember& before) const;
  Response response(const MemberTurn& turn, const ConsumerMember& before, const ConsumerMember& after) const;

  bool is_joining() const { return request_.member_epoch == joining_epoch; }

  Turn& turn_;
  const Asked<Request>& call_;
  const Request& request_;
  ConsumerGroup fresh_;  // when there is none yet, or a classic one
  Records conversion_;   // of the classic group that it was
  bool replaces_classic_ = false;
};

Result<const ConsumerGroup*> Heartbeat::find_group() {
  const std::string& id = request_.group_id;
  if (const ConsumerGroup* group = turn_.state.consumer(id)) return group;
  const Group* found = turn_.state.find(id);
  if (!found) {
    if (is_joining()) return &fresh_;
    return fail(ErrorCode::group_id_not_found, fmt::format("Consumer group {} not found.", id));
  }
  const ClassicGroup* classic = turn_.state.classic(id);
  if (!classic || !is_joining()) {
    return fail(ErrorCode::group_id_not_found, fmt::format("Group {} is not a consumer group.", id));
  }
  replaces_classic_ = true;
  if (classic->state == ClassicState::empty) {
    conversion_.push_back(group_tombstone(id));
    return &fresh_;
  }
  if (auto converted = upgraded(turn_, id, *classic, fresh_, conversion_); !converted) {
    return std::unexpected(converted.error());
  }
  return &fresh_;
}

// A member whose answer was lost comes with the epoch before, and has nothing that it does not have now.
bool has_only(const ClaimedPartitions& claimed, const OwnedPartitions& assigned) {
  if (!claimed) return false;
  return std::ranges::all_of(*claimed, [&](const auto& topic) {
    return assigned.contains(topic.topic_id) && std::ranges::all_of(topic.partitions, [&](std::int32_t partition) {
             return find(assigned, topic.topic_id, partition) != nullptr;
           });
  });
}

Result<void> Heartbeat::check_epoch(const ConsumerMember& member) const {
  const std::int32_t claimed = request_.member_epoch;
  if (claimed == joining_epoch || claimed == member.epoch) return {};
  const bool lost_an_answer = claimed < member.epoch && claimed == member.previous_epoch &&
                              has_only(request_.topic_partitions, member.assigned);
  if (lost_an_answer) return {};
  return fail(ErrorCode::fenced_member_epoch,
              fmt::format("The consumer group member has a {} member epoch ({}) than the one known by the group "
                          "coordinator ({}). The member must abandon all its partitions and rejoin.",
                          claimed > member.epoch ? "greater" : "smaller", claimed, member.epoch));
}

Result<ConsumerMember> Heartbeat::find_member(MemberTurn& turn) {
  std::string member_id = request_.member_id;
  if (member_id.empty()) {
    coordination::FreshIds ids(turn_.moment.seed);
    member_id = ids.uuid().to_string();
  }
  if (request_.instance_id) return find_static_member(turn, member_id);
  const ConsumerMember* found = turn.group().member(member_id);
  if (!found && !is_joining()) return std::unexpected(unknown_member(member_id, request_.group_id));
  ConsumerMember member = found ? *found : ConsumerMember{.id = member_id};
  if (auto known = check_epoch(member); !known) return std::unexpected(known.error());
  return member;
}

Result<ConsumerMember> Heartbeat::find_static_member(MemberTurn& turn, const std::string& member_id) {
  const std::string& instance = *request_.instance_id;
  const ConsumerMember* found = turn.group().static_member(instance);
  if (!is_joining()) {
    if (!found) return std::unexpected(unknown_instance(instance));
    if (found->id != member_id) return std::unexpected(fenced_instance(member_id, instance, found->id));
    if (auto known = check_epoch(*found); !known) return std::unexpected(known.error());
    return *found;
  }
  if (!found) {
    const ConsumerMember* same = turn.group().member(member_id);
    return same ? *same : ConsumerMember{.id = member_id};
  }
  // The place of a static member is free when it said that it would come back.
  if (found->epoch != static_leaving_epoch && !found->classic) {
    return fail(ErrorCode::unreleased_instance_id,
                fmt::format("Static member {} with instance id {} cannot join the group because the instance id is "
                            "owned by {} member.",
                            member_id, instance, found->id));
  }
  return turn.take_place(*found, member_id);
}

ConsumerMember Heartbeat::updated(const ConsumerMember& before) const {
  ConsumerMember after = before;
  if (request_.instance_id) after.instance_id = request_.instance_id;
  if (request_.rack_id) after.rack_id = request_.rack_id;
  if (request_.rebalance_timeout_ms != -1) after.rebalance_timeout_ms = request_.rebalance_timeout_ms;
  if (request_.server_assignor) after.assignor = request_.server_assignor;
  if (request_.subscribed_topic_names) {
    after.topics = *request_.subscribed_topic_names;
    std::ranges::sort(after.topics);
    const auto twice = std::ranges::unique(after.topics);
    after.topics.erase(twice.begin(), twice.end());
  }
  if (request_.subscribed_topic_regex) after.regex = request_.subscribed_topic_regex;
  after.client_id = call_.caller.client_id;
  after.client_host = call_.caller.client_host;
  after.classic.reset();
  return after;
}

Response Heartbeat::response(const MemberTurn& turn, const ConsumerMember& before, const ConsumerMember& after) const {
  Response response;
  response.member_id = after.id;
  response.member_epoch = after.epoch;
  response.heartbeat_interval_ms = static_cast<std::int32_t>(turn.consumer().heartbeat_interval().count());
  const bool is_full = request_.rebalance_timeout_ms != -1 &&
                       (request_.subscribed_topic_names || request_.subscribed_topic_regex) &&
                       request_.topic_partitions;
  if (!is_joining() && !is_full && before.assigned == after.assigned) return response;
  auto& assignment = response.assignment.emplace();
  for (const auto& [topic, partitions] : after.assigned) {
    auto& to = assignment.topic_partitions.emplace_back();
    to.topic_id = topic;
    for (const OwnedPartition& each : partitions) to.partitions.push_back(each.partition);
  }
  return response;
}

Result<Response> Heartbeat::answer() {
  const auto group = find_group();
  if (!group) return std::unexpected(group.error());
  MemberTurn member(turn_, request_.group_id, **group);
  for (Record& record : conversion_) member.consumer().append(std::move(record));
  if (auto room = check_group_size(**group, turn_.state.settings.consumer_group_size_max, request_.member_id,
                                   request_.instance_id);
      !room) {
    return std::unexpected(room.error());
  }
  const auto before = find_member(member);
  if (!before) return std::unexpected(before.error());

  // 1. The member, and the epoch of the group.
  const ConsumerMember after = updated(*before);
  if (auto changed = member.change(*before, after); !changed) return std::unexpected(changed.error());
  // 2. The target.
  const Target target = member.assign(*before, after);
  // 3. The member's step.
  const auto next = member.step(after, target, request_.topic_partitions);
  if (!next) return std::unexpected(next.error());
  if (auto fits = member.check_size(*next, target.of_member); !fits) return std::unexpected(fits.error());

  if (replaces_classic_) leave_classic_behind(turn_, request_.group_id, fresh_);
  member.carry_out(*next);
  return response(member, *before, *next);
}

Result<Response> leave(Turn& turn, const Request& request) {
  const auto found = find_consumer_group(turn.state, request.group_id);
  if (!found) return std::unexpected(found.error());
  const ConsumerGroup& group = **found;
  ConsumerTurn consumer{turn, request.group_id};
  Response response;
  response.member_id = request.member_id;
  response.member_epoch = request.member_epoch;
  if (!request.instance_id) {
    const ConsumerMember* member = group.member(request.member_id);
    if (!member) return std::unexpected(unknown_member(request.member_id, request.group_id));
    turn.state.log.info("[GroupId {}] Member {} left the consumer group.", request.group_id, member->id);
    fence(consumer, group, {member});
    return response;
  }
  const ConsumerMember* member = group.static_member(*request.instance_id);
  if (!member) return std::unexpected(unknown_instance(*request.instance_id));
  if (member->id != request.member_id) {
    return std::unexpected(fenced_instance(request.member_id, *request.instance_id, member->id));
  }
  if (request.member_epoch != static_leaving_epoch) {
    fence(consumer, group, {member});
    return response;
  }
  // It keeps its partitions for the one who comes back in its place, until its session ends.
  ConsumerMember away = *member;
  away.epoch = static_leaving_epoch;
  away.revoking.clear();
  for (auto& [topic, partitions] : away.assigned) {
    for (OwnedPartition& each : partitions) each.epoch = 0;
  }
  turn.state.deadlines.cancel({DeadlineKind::consumer_rebalance, request.group_id, member->id});
  consumer.append(current_of(request.group_id, away));
  consumer.commit();
  return response;
}

bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

}  // namespace

Result<void> check_consumer_heartbeat(const Settings& settings, const Request& request, std::int16_t version) {
  const auto refuse = [](std::string why) { return fail(ErrorCode::invalid_request, std::move(why)); };
  const std::int32_t epoch = request.member_epoch;
  if ((version >= 1 || epoch > 0 || epoch == leaving_epoch) && is_blank(request.member_id)) {
    return refuse("MemberId can't be empty.");
  }
  if (is_blank(request.group_id)) return refuse("GroupId can't be empty.");
  if (request.instance_id && is_blank(*request.instance_id)) return refuse("InstanceId can't be empty.");
  if (request.rack_id && is_blank(*request.rack_id)) return refuse("RackId can't be empty.");
  if (epoch == joining_epoch) {
    if (request.rebalance_timeout_ms == -1) return refuse("RebalanceTimeoutMs must be provided in first request.");
    if (!request.topic_partitions || !request.topic_partitions->empty()) {
      return refuse("TopicPartitions must be empty when (re-)joining.");
    }
    if (!request.subscribed_topic_names && !request.subscribed_topic_regex) {
      return refuse("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
    }
  } else if (epoch == static_leaving_epoch) {
    if (!request.instance_id) return refuse("InstanceId can't be null.");
  } else if (epoch < static_leaving_epoch) {
    return refuse("MemberEpoch is invalid.");
  }
  if (request.server_assignor &&
      std::ranges::find(settings.assignors, *request.server_assignor) == settings.assignors.end()) {
    return fail(ErrorCode::unsupported_assignor,
                fmt::format("ServerAssignor {} is not supported. Supported assignors: {}.", *request.server_assignor,
                            fmt::join(settings.assignors, ", ")));
  }
  return {};
}

void consumer_group_heartbeat(Turn& turn, coordination::Ticket ticket, const Asked<Request>& call) {
  const auto refuse = [&](const Error& error) { turn.reply(ticket, failed(call, error)); };
  const Settings& settings = turn.state.settings;
  if (auto valid = check_consumer_heartbeat(settings, call.request, call.api_version); !valid) {
    return refuse(valid.error());
  }
  const std::int32_t epoch = call.request.member_epoch;
  const bool leaves = epoch == leaving_epoch || epoch == static_leaving_epoch;
  auto answer = leaves ? leave(turn, call.request) : Heartbeat(turn, call).answer();
  if (!answer) return refuse(answer.error());
  turn.reply(ticket, std::move(*answer));
}

}  // namespace klamm::groups
