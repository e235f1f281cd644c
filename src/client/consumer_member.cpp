#include "client/consumer_member.h"

#include <algorithm>
#include <utility>

namespace klamm::client {

using protocol::ConsumerGroupHeartbeatRequest;
using protocol::ConsumerGroupHeartbeatResponse;
using runtime::MonoTime;

namespace {

constexpr std::int32_t leave_epoch = -1;
constexpr std::int32_t leave_static_epoch = -2;
constexpr const char* not_supported =
    "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer configs "
    "to "
    "revert to the CLASSIC protocol until the cluster is upgraded.";

PartitionSet difference(const PartitionSet& from, const PartitionSet& without) {
  PartitionSet rest;
  std::ranges::set_difference(from, without, std::inserter(rest, rest.end()));
  return rest;
}

}  // namespace

ConsumerMember::ConsumerMember(ConsumerMemberSettings settings)
    : settings_(std::move(settings)),
      search_(settings_.group_id, settings_.retry_backoff, settings_.retry_backoff_max),
      pauses_(settings_.retry_backoff, settings_.retry_backoff_max) {}

// --- deciding --------------------------------------------------------------------------------------------------------

ConsumerMember::Decision ConsumerMember::decide(MonoTime now) {
  Decision decision;
  if (in_group() && now - *last_poll_ >= settings_.poll_interval_max) {
    leaving_ = true;
    fence();
    state_ = State::lapsed;
  }
  if (leaving_) goodbye(decision);
  if (decision.heartbeat || state_ == State::unsubscribed || state_ == State::lapsed || state_ == State::failed)
    return decision;
  if (state_ == State::fenced && applied_.empty()) join();

  decision.find_coordinator = search_.ask(now);
  decision.look_again = search_.look_again();
  if (in_group()) decision.look_again = std::min(decision.look_again, *last_poll_ + settings_.poll_interval_max);
  decision.name_topics = !unnamed_topics().empty();
  if (!search_.node() || in_flight_ || state_ == State::fenced || !last_poll_) return decision;

  const bool news = in_group() && sent_number_ &&
                    (*sent_number_ != acknowledged_ || sent_topics_ != topics_ || sent_regex_ != regex_);
  if (now >= heartbeat_at_ || news) {
    heartbeat_at_ = now + interval_;
    in_flight_ = true;
    decision.heartbeat = request();
  } else {
    decision.look_again = std::min(decision.look_again, heartbeat_at_);
  }
  return decision;
}

ConsumerGroupHeartbeatRequest ConsumerMember::request() {
  const bool everything = state_ == State::joining;
  ConsumerGroupHeartbeatRequest request;
  request.group_id = settings_.group_id;
  request.member_id = settings_.member_id;
  request.member_epoch = epoch_;
  request.instance_id = settings_.instance_id;
  if (everything) request.rack_id = settings_.rack;
  if (everything || !sent_settings_) {
    request.rebalance_timeout_ms = static_cast<std::int32_t>(std::min<std::int64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(settings_.poll_interval_max).count(), 0x7fffffff));
    request.server_assignor = settings_.server_assignor;
    sent_settings_ = true;
  }
  if (everything || sent_topics_ != topics_) {
    request.subscribed_topic_names.emplace(topics_.begin(), topics_.end());
    sent_topics_ = topics_;
  }
  // An empty one takes the last one back.
  if (regex_ ? everything || sent_regex_ != regex_ : coordinator_has_regex_ && !everything) {
    request.subscribed_topic_regex = regex_.value_or("");
    sent_regex_ = regex_;
    if (regex_) coordinator_has_regex_ = true;
  }
  if (everything || sent_number_ != acknowledged_) {
    auto& owned = request.topic_partitions.emplace();
    std::string last;
    for (const TopicPartition& each : applied_) {
      if (owned.empty() || last != each.topic) owned.emplace_back().topic_id = ids_.at(each.topic);
      owned.back().partitions.push_back(each.partition.value);
      last = each.topic;
    }
    sent_number_ = acknowledged_;
  }
  return request;
}

void ConsumerMember::goodbye(Decision& decision) {
  leaving_ = false;
  if (!search_.node()) return;
  auto& request = decision.heartbeat.emplace();
  request.group_id = settings_.group_id;
  request.member_id = settings_.member_id;
  request.instance_id = settings_.instance_id;
  request.member_epoch = settings_.instance_id ? leave_static_epoch : leave_epoch;
  decision.waits_for_answer = false;
}

// --- the application -------------------------------------------------------------------------------------------------

void ConsumerMember::subscribe(std::set<std::string> topics) {
  topics_ = std::move(topics);
  regex_.reset();
  if (topics_.empty()) return leave();
  if (state_ == State::unsubscribed || state_ == State::failed) join();
}

void ConsumerMember::subscribe_regex(std::string regex) {
  topics_.clear();
  regex_ = std::move(regex);
  if (state_ == State::unsubscribed || state_ == State::failed) join();
}

void ConsumerMember::polled(MonoTime now) {
  last_poll_ = now;
  if (state_ == State::lapsed) state_ = State::fenced;
}

void ConsumerMember::leave() {
  leaving_ = leaving_ || in_group() || state_ == State::joining;
  fence();
  state_ = State::unsubscribed;
  topics_.clear();
  regex_.reset();
}

PartitionSet ConsumerMember::target() const {
  PartitionSet partitions;
  for (const auto& [id, numbers] : target_) {
    const auto name = names_.find(id);
    if (name == names_.end()) continue;
    for (const std::int32_t number : numbers) partitions.insert({name->second, PartitionIndex(number)});
  }
  return partitions;
}

std::vector<Uuid> ConsumerMember::unnamed_topics() const {
  std::vector<Uuid> unnamed;
  for (const auto& [id, numbers] : target_) {
    if (!names_.contains(id)) unnamed.push_back(id);
  }
  return unnamed;
}

AssignmentChange ConsumerMember::change() const {
  AssignmentChange change;
  change.number = number_;
  if (!in_group()) {
    change.lost = applied_;
    return change;
  }
  if (!reconcile_) return change;
  const PartitionSet wanted = target();
  change.revoked = difference(applied_, wanted);
  change.added = difference(wanted, applied_);
  change.completes = true;
  return change;
}

void ConsumerMember::applied(const AssignmentChange& change) {
  for (const TopicPartition& each : change.lost) applied_.erase(each);
  for (const TopicPartition& each : change.revoked) applied_.erase(each);
  applied_.insert(change.added.begin(), change.added.end());
  if (change.number != number_ || !change.completes || !in_group()) return;
  reconcile_ = false;
  acknowledged_ = number_;
}

std::optional<Error> ConsumerMember::take_failure() {
  return std::exchange(failure_, std::nullopt);
}

// --- answers ---------------------------------------------------------------------------------------------------------

void ConsumerMember::coordinator_answered(ErrorCode code, std::int32_t node, MonoTime now) {
  if (auto failed = search_.answered(code, node, now)) failure_ = std::move(failed);
}

void ConsumerMember::coordinator_lost(MonoTime now) {
  search_.unknown(now);
}

void ConsumerMember::heartbeat_answered(const ConsumerGroupHeartbeatResponse& response, MonoTime now) {
  in_flight_ = false;
  if (state_ != State::joining && state_ != State::member) return;  // it left, or is about to join anew
  const ErrorCode code = error_code_of(response.error_code);
  const std::string text = response.error_message.value_or(std::string(error_message(code)));
  if (code != ErrorCode::none) forget_sent();
  switch (code) {
    case ErrorCode::none:
      break;
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
      search_.unknown(now);
      heartbeat_at_ = now;
      return;
    case ErrorCode::coordinator_load_in_progress:
      heartbeat_at_ = now + pauses_.next();
      return;
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::unknown_member_id:
      return fence();
    case ErrorCode::topic_authorization_failed:
      failure_ = Error(code, text);  // it stays a member: permissions may come
      heartbeat_at_ = now + std::max<runtime::Duration>(interval_, pauses_.next());
      return;
    case ErrorCode::group_authorization_failed:
      return fail(CoordinatorSearch::not_authorized(settings_.group_id));
    case ErrorCode::unsupported_version:
      return fail(Error(code, not_supported));
    case ErrorCode::invalid_regular_expression:
      return fail(Error(code, "Invalid RE2J SubscriptionPattern provided in the call to subscribe. " + text));
    default:
      return fail(Error(code, text));
  }
  pauses_.reset();
  if (!sent_regex_) coordinator_has_regex_ = false;
  if (response.member_id && !response.member_id->empty()) settings_.member_id = *response.member_id;
  epoch_ = response.member_epoch;
  interval_ = std::chrono::milliseconds(std::max(response.heartbeat_interval_ms, 0));
  heartbeat_at_ = now + interval_;
  state_ = State::member;
  if (!response.assignment) return;
  target_.clear();
  for (const auto& topic : response.assignment->topic_partitions)
    target_[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  ++number_;
  reconcile_ = true;
}

void ConsumerMember::request_failed(const Error& error, MonoTime now) {
  in_flight_ = false;
  if (state_ != State::joining && state_ != State::member) return;
  forget_sent();
  if (!error.retriable()) {
    return fail(error.code() == ErrorCode::unsupported_version && !regex_ ? Error(error.code(), not_supported) : error);
  }
  search_.unknown(now);
  heartbeat_at_ = now + pauses_.next();
}

void ConsumerMember::named(const std::map<Uuid, std::string>& names) {
  for (const auto& [id, name] : names) {
    if (!target_.contains(id) || !names_.emplace(id, name).second) continue;
    ids_[name] = id;
    ++number_;
    reconcile_ = true;
  }
}

// --- steps -----------------------------------------------------------------------------------------------------------

void ConsumerMember::join() {
  state_ = State::joining;
  epoch_ = 0;
  heartbeat_at_ = {};
  forget_sent();
}

void ConsumerMember::fence() {
  state_ = State::fenced;
  epoch_ = 0;
  target_.clear();
  names_.clear();
  reconcile_ = false;
  ++number_;
  forget_sent();
}

void ConsumerMember::fail(Error error) {
  fence();
  state_ = State::failed;
  failure_ = std::move(error);
}

void ConsumerMember::forget_sent() {
  sent_topics_.reset();
  sent_regex_.reset();
  sent_number_.reset();
  sent_settings_ = false;
}

}  // namespace klamm::client
