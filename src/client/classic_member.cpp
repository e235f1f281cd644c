#include "client/classic_member.h"

#include <algorithm>
#include <utility>

namespace klamm::client {

using runtime::MonoTime;

namespace {

constexpr const char* protocol_type = "consumer";
constexpr std::size_t reason_length_max = 255;

std::int32_t wire_ms(runtime::Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<std::int32_t>(std::min<std::int64_t>(ms, 0x7fffffff));
}

bool coordinator_is_elsewhere(ErrorCode code) {
  return code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
}

PartitionSet difference(const PartitionSet& from, const PartitionSet& without) {
  PartitionSet rest;
  std::ranges::set_difference(from, without, std::inserter(rest, rest.end()));
  return rest;
}

}  // namespace

ClassicMember::ClassicMember(ClassicSettings settings)
    : settings_(std::move(settings)),
      cooperative_(is_cooperative(settings_.assignors)),
      search_(settings_.group_id, settings_.retry_backoff, settings_.retry_backoff_max),
      pauses_(settings_.retry_backoff, settings_.retry_backoff_max) {
  ENSURE(!settings_.assignors.empty(), "a member of a group offers an assignor");
}

// --- deciding --------------------------------------------------------------------------------------------------------

ClassicMember::Decision ClassicMember::decide(MonoTime now) {
  Decision decision;
  if (!lapsed_ && in_group() && now - *last_poll_ >= settings_.poll_interval_max) {
    leave("consumer poll timeout has expired.");
    lapsed_ = true;
  }
  if (leaving_) {
    const bool told = search_.node() && !member_id_.empty() && !settings_.instance_id;
    if (told) {
      decision.leave.emplace();
      decision.leave->group_id = settings_.group_id;
      decision.leave->member_id = member_id_;
      decision.leave->members.emplace_back();
      decision.leave->members.back().member_id = member_id_;
      decision.leave->members.back().reason = *leaving_;
    }
    leaving_.reset();
    member_id_.clear();
  }
  if (topics_.empty() || failure_) return decision;

  if (in_group() && now >= session_until_) {
    search_.unknown(now);  // session.timeout.ms without an answer
    session_until_ = runtime::never;
  }
  decision.find_coordinator = search_.ask(now);
  decision.look_again = std::min(search_.look_again(), in_group() ? session_until_ : runtime::never);
  if (in_group()) decision.look_again = std::min(decision.look_again, *last_poll_ + settings_.poll_interval_max);
  if (!search_.node() || in_flight_) return decision;
  if (state_ == State::assigning) {
    if (counts_) {
      begin_sync(decision);
    } else {
      decision.count_partitions = true;
    }
    return decision;
  }
  if (may_join()) {
    if (now >= retry_at_) {
      begin_join(decision, now);
    } else {
      decision.look_again = std::min(decision.look_again, retry_at_);
    }
    if (decision.join) return decision;
  }
  if (state_ == State::syncing) return decision;
  if (in_group()) {
    if (now >= heartbeat_at_) {
      begin_heartbeat(decision, now);
    } else {
      decision.look_again = std::min(decision.look_again, heartbeat_at_);
    }
  }
  return decision;
}

bool ClassicMember::may_join() const {
  if (lapsed_ || !rejoin_ || !last_poll_) return false;
  const AssignmentChange waiting = change();
  return waiting.lost.empty() && waiting.revoked.empty();
}

void ClassicMember::begin_join(Decision& decision, MonoTime now) {
  state_ = State::joining;
  in_flight_ = true;
  completes_ = false;
  joined_topics_ = topics_;
  auto& request = decision.join.emplace();
  request.group_id = settings_.group_id;
  request.session_timeout_ms = wire_ms(settings_.session_timeout);
  request.rebalance_timeout_ms = wire_ms(settings_.poll_interval_max);
  request.member_id = member_id_;
  request.group_instance_id = settings_.instance_id;
  request.protocol_type = protocol_type;
  request.reason = reason_.substr(0, reason_length_max);
  for (const Assignor assignor : settings_.assignors) {
    Subscription subscription{topics_, applied_, last_generation_, settings_.rack};
    if (assignor == Assignor::sticky && !cooperative_) subscription.owned = last_assigned_;
    auto& offered = request.protocols.emplace_back();
    offered.name = assignor_name(assignor);
    offered.metadata = encode_subscription(subscription, assignor);
  }
  heartbeat_at_ = now + settings_.heartbeat_interval;
}

void ClassicMember::begin_sync(Decision& decision) {
  state_ = State::syncing;
  in_flight_ = true;
  auto& request = decision.sync.emplace();
  request.group_id = settings_.group_id;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.group_instance_id = settings_.instance_id;
  request.protocol_type = protocol_type;
  request.protocol_name = protocol_;
  if (leads_) assigned_counts_ = counts_;
  if (!leads_ || skip_assignment_) return;
  for (const auto& [id, partitions] : assign(*assignor_of_name(protocol_), members_, *counts_)) {
    auto& each = request.assignments.emplace_back();
    each.member_id = id;
    each.assignment = encode_assignment(partitions);
  }
}

void ClassicMember::begin_heartbeat(Decision& decision, MonoTime now) {
  in_flight_ = true;
  heartbeat_at_ = now + settings_.heartbeat_interval;
  auto& request = decision.heartbeat.emplace();
  request.group_id = settings_.group_id;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.group_instance_id = settings_.instance_id;
}

// --- the application -------------------------------------------------------------------------------------------------

void ClassicMember::subscribe(std::set<std::string> topics) {
  topics_ = std::move(topics);
  if (topics_.empty()) return leave("the consumer unsubscribed from all topics");
  if (!in_group()) {
    rejoin_ = true;
  } else if (topics_ != joined_topics_) {
    rejoin("the subscription has changed");
  }
}

void ClassicMember::polled(MonoTime now) {
  last_poll_ = now;
  if (lapsed_) {
    lapsed_ = false;
    rejoin("consumer pro-actively leaving the group");
  }
}

void ClassicMember::leave(std::string reason) {
  if (!member_id_.empty()) leaving_ = std::move(reason);
  const std::string id = std::exchange(member_id_, {});
  reset("", true);
  if (leaving_) member_id_ = id;
}

AssignmentChange ClassicMember::change() const {
  AssignmentChange change;
  change.number = number_;
  if (lost_) {
    change.lost = applied_;
    return change;
  }
  if (rejoin_ && !completes_) {
    if (!cooperative_) {
      change.revoked = applied_;
    } else {
      for (const TopicPartition& each : applied_) {
        if (!topics_.contains(each.topic)) change.revoked.insert(each);
      }
    }
    return change;
  }
  if (!completes_) return change;
  change.revoked = difference(applied_, assigned_);
  change.added = difference(assigned_, applied_);
  change.completes = true;
  return change;
}

void ClassicMember::applied(const AssignmentChange& change) {
  const bool gave_up = !change.revoked.empty();
  for (const TopicPartition& each : change.lost) applied_.erase(each);
  for (const TopicPartition& each : change.revoked) applied_.erase(each);
  applied_.insert(change.added.begin(), change.added.end());
  // Meanwhile the generation that gave `added` may have ended.
  if (change.number != number_ && !change.added.empty() && !in_group()) lost_ = true;
  if (applied_.empty()) lost_ = false;
  if (change.number != number_ || !change.completes || !completes_) return;
  completes_ = false;
  if (cooperative_ && gave_up) {
    rejoin("need to revoke partitions " + to_string(change.revoked) +
           " as indicated by the current assignment and re-join");
  }
}

std::optional<Error> ClassicMember::take_failure() {
  return std::exchange(failure_, std::nullopt);
}

// --- answers ---------------------------------------------------------------------------------------------------------

void ClassicMember::coordinator_answered(ErrorCode code, std::int32_t node, MonoTime now) {
  if (auto failed = search_.answered(code, node, now)) failure_ = std::move(failed);
  if (in_group() && search_.node()) session_until_ = now + settings_.session_timeout;
}

void ClassicMember::coordinator_lost(MonoTime now) {
  search_.unknown(now);
}

void ClassicMember::join_answered(const protocol::JoinGroupResponse& response, MonoTime now) {
  in_flight_ = false;
  if (state_ != State::joining) return;  // it has left meanwhile
  const ErrorCode code = error_code_of(response.error_code);
  switch (code) {
    case ErrorCode::none:
      break;
    case ErrorCode::member_id_required:
      member_id_ = response.member_id;
      generation_ = -1;
      state_ = State::unjoined;
      return rejoin("need to re-join with the given member-id: " + member_id_);
    case ErrorCode::unknown_member_id:
      return reset("encountered UNKNOWN_MEMBER_ID from JOIN_GROUP response", true);
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::rebalance_in_progress:
      return retry_join(now);
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      search_.unknown(now);
      return retry_join(now);
    case ErrorCode::group_authorization_failed:
      return fail(CoordinatorSearch::not_authorized(settings_.group_id), now);
    case ErrorCode::group_max_size_reached:
      return fail(Error(code, fmt::format("Consumer group {} already has the configured maximum number of members.",
                                          settings_.group_id)),
                  now);
    case ErrorCode::fenced_instance_id:
    case ErrorCode::inconsistent_group_protocol:
    case ErrorCode::invalid_session_timeout:
    case ErrorCode::invalid_group_id:
    case ErrorCode::unsupported_version:
      return fail(Error(code), now);
    default:
      return fail(unexpected("Unexpected error in join group response: ", code), now);
  }
  const std::string name = response.protocol_name.value_or("");
  const auto assignor = assignor_of_name(name);
  if (response.protocol_type.value_or(protocol_type) != protocol_type || !assignor ||
      std::ranges::find(settings_.assignors, *assignor) == settings_.assignors.end()) {
    return fail(Error(ErrorCode::inconsistent_group_protocol), now);
  }
  pauses_.reset();
  generation_ = response.generation_id;
  member_id_ = response.member_id;
  protocol_ = name;
  leads_ = response.leader == response.member_id;
  skip_assignment_ = response.skip_assignment;
  rejoin_ = topics_ != joined_topics_;
  session_until_ = now + settings_.session_timeout;
  members_.clear();
  counted_topics_.clear();
  counts_.reset();
  assigned_counts_.reset();
  state_ = State::assigning;
  if (!leads_) {
    counts_.emplace();
    return;
  }
  for (const auto& each : response.members) {
    auto subscription = decode_subscription(Bytes(each.metadata), *assignor);
    if (!subscription) continue;  // it gets nothing, and says itself what it thinks of that
    counted_topics_.insert(subscription->topics.begin(), subscription->topics.end());
    members_.push_back({each.member_id, each.group_instance_id, *std::move(subscription)});
  }
}

void ClassicMember::sync_answered(const protocol::SyncGroupResponse& response, MonoTime now) {
  in_flight_ = false;
  if (state_ != State::syncing) return;
  const ErrorCode code = error_code_of(response.error_code);
  switch (code) {
    case ErrorCode::none:
      break;
    case ErrorCode::rebalance_in_progress:
      state_ = State::stable;
      return rejoin("rebalance failed due to RebalanceInProgressException");
    case ErrorCode::unknown_member_id:
      return reset("encountered UNKNOWN_MEMBER_ID from SYNC_GROUP response", true);
    case ErrorCode::illegal_generation:
      return reset("encountered ILLEGAL_GENERATION from SYNC_GROUP response", false);
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      search_.unknown(now);
      return retry_join(now);
    case ErrorCode::group_authorization_failed:
      return fail(CoordinatorSearch::not_authorized(settings_.group_id), now);
    case ErrorCode::fenced_instance_id:
      return fail(Error(code), now);
    default:
      return fail(unexpected("Unexpected error from SyncGroup: ", code), now);
  }
  if (response.protocol_type.value_or(protocol_type) != protocol_type ||
      response.protocol_name.value_or(protocol_) != protocol_) {
    return fail(Error(ErrorCode::inconsistent_group_protocol), now);
  }
  auto assigned = decode_assignment(Bytes(response.assignment));
  if (!assigned) {
    return fail(
        Error::of_kind(kinds::illegal_state,
                       "There are insufficient bytes available to read assignment from the sync-group response"),
        now);
  }
  state_ = State::stable;
  session_until_ = now + settings_.session_timeout;
  took_assignment(*std::move(assigned));
}

void ClassicMember::took_assignment(PartitionSet assigned) {
  // Not asked for: the subscription changed while the leader thought.
  if (std::ranges::any_of(assigned, [&](const TopicPartition& each) { return !topics_.contains(each.topic); })) {
    return rejoin("received assignment " + to_string(assigned) + " does not match the current subscription");
  }
  assigned_ = std::move(assigned);
  last_assigned_ = assigned_;
  last_generation_ = generation_;
  completes_ = true;
  ++number_;
}

void ClassicMember::heartbeat_answered(ErrorCode code, MonoTime now) {
  in_flight_ = false;
  if (!in_group()) return;
  switch (code) {
    case ErrorCode::none:
      session_until_ = now + settings_.session_timeout;
      pauses_.reset();
      return;
    case ErrorCode::rebalance_in_progress:
      session_until_ = now + settings_.session_timeout;
      if (state_ == State::stable) rejoin("group is already rebalancing");
      return;
    case ErrorCode::illegal_generation:
      return reset("encountered ILLEGAL_GENERATION from HEARTBEAT response", false);
    case ErrorCode::unknown_member_id:
      return reset("encountered UNKNOWN_MEMBER_ID from HEARTBEAT response", true);
    case ErrorCode::fenced_instance_id:
      return fail(Error(code), now);
    case ErrorCode::group_authorization_failed:
      return fail(CoordinatorSearch::not_authorized(settings_.group_id), now);
    case ErrorCode::coordinator_load_in_progress:
      heartbeat_at_ = now + pauses_.next();
      return;
    default:
      if (!coordinator_is_elsewhere(code))
        return fail(unexpected("Unexpected error in heartbeat response: ", code), now);
      search_.unknown(now);
      heartbeat_at_ = now;
  }
}

void ClassicMember::request_failed(const Error& error, MonoTime now) {
  in_flight_ = false;
  if (!error.retriable()) return fail(error, now);
  search_.unknown(now);
  if (state_ == State::joining || state_ == State::syncing) return retry_join(now);
  heartbeat_at_ = now;  // as soon as the coordinator is found again
}

void ClassicMember::counted(PartitionCounts counts) {
  if (!leads_ || counted_topics_.empty()) return;
  if (state_ == State::assigning) {
    counts_ = std::move(counts);
  } else if (state_ == State::stable && !rejoin_ && assigned_counts_ && counts != *assigned_counts_) {
    rejoin("cached metadata has changed");
  }
}

void ClassicMember::commit_failed(ErrorCode code, const MemberIdentity& committed_as) {
  if (!in_group() || committed_as != identity()) return;
  if (code == ErrorCode::rebalance_in_progress)
    return rejoin("offset commit failed since group is already rebalancing");
  if (code == ErrorCode::unknown_member_id)
    return reset("encountered UNKNOWN_MEMBER_ID from OFFSET_COMMIT response", true);
  if (code == ErrorCode::illegal_generation)
    return reset("encountered ILLEGAL_GENERATION from OFFSET_COMMIT response", false);
}

// --- steps -----------------------------------------------------------------------------------------------------------

void ClassicMember::rejoin(std::string reason) {
  rejoin_ = true;
  reason_ = std::move(reason);
}

void ClassicMember::reset(std::string reason, bool forget_member_id) {
  state_ = State::unjoined;
  generation_ = -1;
  last_generation_ = -1;
  if (forget_member_id) member_id_.clear();
  leads_ = false;
  assigned_counts_.reset();
  completes_ = false;
  session_until_ = runtime::never;
  lost_ = !applied_.empty();
  ++number_;
  rejoin(std::move(reason));
}

void ClassicMember::fail(Error error, MonoTime now) {
  reset("", error.code() == ErrorCode::fenced_instance_id);
  failure_ = std::move(error);
  retry_at_ = now + pauses_.next();
}

void ClassicMember::retry_join(MonoTime now) {
  state_ = State::unjoined;
  rejoin_ = true;
  retry_at_ = now + pauses_.next();
}

Error ClassicMember::unexpected(const char* what, ErrorCode code) const {
  return Error::of_kind(kinds::kafka, what + std::string(error_message(code)));
}

}  // namespace klamm::client
