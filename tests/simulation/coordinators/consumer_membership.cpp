#include <algorithm>

#include "coordinators/memberships.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

namespace {

constexpr std::int32_t leaving = -1;
constexpr std::int32_t leaving_for_a_while = -2;

std::string fresh_member_id(sim::Chance& chance) {
  for (;;) {
    const std::uint64_t high = chance.next();
    if (const auto id = Uuid::from_random(high, chance.next())) return id->to_string();
  }
}

}  // namespace

void Membership::give(std::int32_t partition, std::int32_t epoch) {
  owned_[partition] = epoch;
  history_.given(plan_.group, who(), plan_.topic, partition, epoch);
}

std::unique_ptr<Membership> make_membership(Caller& caller, GroupHistory& history, sim::Chance chance,
                                            MembershipPlan plan) {
  if (plan.consumer_protocol) return std::make_unique<ConsumerMembership>(caller, history, chance, std::move(plan));
  return std::make_unique<ClassicMembership>(caller, history, chance, std::move(plan));
}

ConsumerMembership::ConsumerMembership(Caller& caller, GroupHistory& history, sim::Chance chance, MembershipPlan plan)
    : Membership(caller, history, chance, std::move(plan)) {
  member_id_ = fresh_member_id(chance_);
  epoch_ = 0;
}

void ConsumerMembership::begin_anew() {
  epoch_ = 0;
  owned_.clear();
  says_all_ = true;
  due_ = {};
}

void ConsumerMembership::told(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_member_id:
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::illegal_generation:
      return begin_anew();
    case ErrorCode::stale_member_epoch:
      due_ = {};
      return;
    case ErrorCode::fenced_instance_id:
      fenced_ = true;
      return begin_anew();
    default:
      return;
  }
}

protocol::ConsumerGroupHeartbeatRequest ConsumerMembership::heartbeat() const {
  protocol::ConsumerGroupHeartbeatRequest request;
  request.group_id = plan_.group;
  request.member_id = member_id_;
  request.member_epoch = epoch_;
  request.instance_id = plan_.instance;
  if (says_all_) {
    request.rebalance_timeout_ms = static_cast<std::int32_t>(plan_.rebalance / 1ms);
    request.subscribed_topic_names = std::vector<std::string>{plan_.topic};
    if (!plan_.assignor.empty()) request.server_assignor = plan_.assignor;
  }
  if (says_all_ || gave_something_up_) {
    auto& topics = request.topic_partitions.emplace();
    if (!owned_.empty()) {
      auto& topic = topics.emplace_back();
      topic.topic_id = plan_.topic_id;
      for (const auto& [partition, epoch] : owned_) topic.partitions.push_back(partition);
    }
  }
  return request;
}

Task<void> ConsumerMembership::keep() {
  if (fenced_) co_return;
  if (caller_.now() < due_ && !gave_something_up_) co_return;
  due_ = caller_.now() + plan_.interval;
  const std::uint64_t begun = history_.now();
  auto asking = caller_.ask_perhaps_late<protocol::ConsumerGroupHeartbeatResponse>(heartbeat(), 1);
  const auto answer = co_await std::move(asking);
  if (!answer) {
    // Whatever the answer would have brought. And should the request still come, behind the next one, what it brings is
    // told to nobody either, and not told again to who does not ask for all.
    says_all_ = true;
    says_all_until_ = caller_.now() + straggling_max;
    co_return;
  }
  const ErrorCode code = error_code_of(answer->body.error_code);
  if (code == ErrorCode::none) co_return take(answer->body, begun);
  told(code);
  auto waiting = rest(caller_.home(), chance_.between(runtime::Duration(1ms), runtime::Duration(300ms)));
  co_await std::move(waiting);
}

void ConsumerMembership::take(const protocol::ConsumerGroupHeartbeatResponse& response, std::uint64_t begun) {
  epoch_ = response.member_epoch;
  says_all_ = gave_something_up_ = false;
  std::set<std::int32_t> mine;
  if (response.assignment) {
    for (const auto& topic : response.assignment->topic_partitions)
      mine.insert(topic.partitions.begin(), topic.partitions.end());
  } else {
    for (const auto& [partition, epoch] : owned_) mine.insert(partition);
  }
  const std::map<std::int32_t, std::int32_t> had = std::exchange(owned_, {});
  for (const std::int32_t partition : mine) {
    give(partition, epoch_);
    if (had.contains(partition)) {
      history_.went_on(plan_.group, who(), plan_.topic, partition, epoch_, begun, "a heartbeat");
    }
  }
  // What is new or gone is said with the next heartbeat.
  gave_something_up_ = std::ranges::any_of(had, [&](const auto& each) { return !mine.contains(each.first); });
  says_all_ = mine.size() > had.size() || caller_.now() < says_all_until_;
}

Task<void> ConsumerMembership::leave() {
  if (epoch_ <= 0) co_return;
  protocol::ConsumerGroupHeartbeatRequest request;
  request.group_id = plan_.group;
  request.member_id = member_id_;
  request.instance_id = plan_.instance;
  request.member_epoch = plan_.instance && !chance_.one_in(3) ? leaving_for_a_while : leaving;
  begin_anew();
  auto asking = caller_.ask_perhaps_late<protocol::ConsumerGroupHeartbeatResponse>(std::move(request), 1);
  [[maybe_unused]] const auto answer = co_await std::move(asking);
}

}  // namespace klamm::simulation
