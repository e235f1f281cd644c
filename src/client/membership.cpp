#include "client/membership.h"

#include <algorithm>

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr const char* commit_failed = "org.apache.kafka.clients.consumer.CommitFailedException";
// A rebalance may take as long as its timeout, and its answer a little longer.
constexpr runtime::Duration join_grace = std::chrono::seconds(5);

std::variant<ClassicMember, ConsumerMember> make_machine(Core& core, const ConsumerSettings& settings) {
  const GroupSettings& group = *settings.group;
  const auto rack = settings.rack.empty() ? std::nullopt : std::optional(settings.rack);
  if (group.protocol == GroupProtocol::classic) {
    return ClassicMember({group.id, group.instance_id, rack, group.assignors, group.session_timeout,
                          group.poll_interval_max, group.heartbeat_interval, settings.retry_backoff,
                          settings.retry_backoff_max});
  }
  std::optional<Uuid> id;
  while (!id) id = Uuid::from_random(core.environment().random.next(), core.environment().random.next());
  return ConsumerMember({group.id, id->to_string(), group.instance_id, rack, group.remote_assignor,
                         group.poll_interval_max, settings.retry_backoff, settings.retry_backoff_max});
}

}  // namespace

Membership::Membership(Core& core, Coordinator& coordinator, const ConsumerSettings& settings,
                       std::function<void()> changed)
    : core_(core),
      coordinator_(coordinator),
      log_(core.log().named(
          "org.apache.kafka.clients.consumer.internals.ConsumerCoordinator",
          fmt::format("[Consumer clientId={}, groupId={}] ", core.settings().client_id, settings.group->id))),
      changed_(std::move(changed)),
      machine_(make_machine(core, settings)),
      allow_auto_create_(settings.allow_auto_create),
      wake_(core.reactor()),
      said_goodbye_(core.reactor()),
      tasks_(core.reactor()) {
  on_change_ = core_.on_change([this] { wake(); });
  tasks_.start(run());
}

Membership::~Membership() {
  core_.remove_on_change(on_change_);
}

// --- the application -------------------------------------------------------------------------------------------------

void Membership::subscribe(std::set<std::string> topics) {
  for (const std::string& topic : topics) core_.watch_topic(topic, allow_auto_create_);
  std::visit([&](auto& member) { member.subscribe(std::move(topics)); }, machine_);
  wake();
}

void Membership::subscribe_regex(std::string regex) {
  core_.watch_all_topics();
  core_.request_refresh();
  if (auto* member = std::get_if<ConsumerMember>(&machine_)) member->subscribe_regex(std::move(regex));
  wake();
}

void Membership::polled() {
  std::visit([&](auto& member) { member.polled(core_.now()); }, machine_);
  step();  // what the application's coming allows happens at once
  wake();
}

Task<void> Membership::leave(std::string reason, MonoTime deadline) {
  if (auto* member = std::get_if<ClassicMember>(&machine_)) {
    member->subscribe({});
    member->leave(std::move(reason));
  } else {
    std::get<ConsumerMember>(machine_).leave();
  }
  step();
  wake();
  while (goodbyes_ > 0 && co_await said_goodbye_.wait(deadline)) {
  }
}

AssignmentChange Membership::change() const {
  return std::visit([](const auto& member) { return member.change(); }, machine_);
}

void Membership::applied(const AssignmentChange& change) {
  std::visit([&](auto& member) { member.applied(change); }, machine_);
  step();
  wake();
}

std::optional<Error> Membership::take_failure() {
  auto failure = std::visit([](auto& member) { return member.take_failure(); }, machine_);
  if (failure) wake();
  return failure;
}

bool Membership::in_group() const {
  return std::visit([](const auto& member) { return member.in_group(); }, machine_);
}

const PartitionSet& Membership::applied() const {
  return std::visit([](const auto& member) -> const PartitionSet& { return member.applied(); }, machine_);
}

Result<MemberIdentity> Membership::identity() const {
  if (const auto* member = std::get_if<ClassicMember>(&machine_)) {
    using State = ClassicMember::State;
    const State state = member->state();
    if (state == State::joining || state == State::assigning || state == State::syncing) {
      return Error(ErrorCode::rebalance_in_progress,
                   "Offset commit cannot be completed since the consumer is undergoing a rebalance for auto partition "
                   "assignment. You can try completing the rebalance by calling poll() and then retry the operation.");
    }
  }
  if (!in_group()) {
    return Error::of_kind(
        commit_failed,
        "Offset commit cannot be completed since the consumer is not part of an active group for auto "
        "partition assignment; it is likely that the consumer was kicked out of the group.");
  }
  return std::visit([](const auto& member) { return member.identity(); }, machine_);
}

void Membership::commit_refused(ErrorCode code, const MemberIdentity& as) {
  if (code == ErrorCode::not_coordinator || code == ErrorCode::coordinator_not_available) {
    std::visit([&](auto& member) { member.coordinator_lost(core_.now()); }, machine_);
  }
  if (auto* member = std::get_if<ClassicMember>(&machine_)) member->commit_failed(code, as);
  wake();
}

// --- the machine -----------------------------------------------------------------------------------------------------

Task<void> Membership::run() {
  for (;;) {
    do {
      again_ = false;
      step();
    } while (again_);
    co_await wake_.wait(look_again_);
  }
}

void Membership::step() {
  std::visit([this](auto& member) { step(member); }, machine_);
}

void Membership::step(ClassicMember& member) {
  if (member.state() == ClassicMember::State::stable) count(member);
  ClassicMember::Decision decision = member.decide(core_.now());
  look_again_ = decision.look_again;
  if (decision.leave) tasks_.start(say_goodbye(*std::move(decision.leave)));
  if (decision.find_coordinator) tasks_.start(find_coordinator());
  if (decision.join) {
    log_.info("(Re-)joining group");
    tasks_.start(join(*std::move(decision.join)));
  }
  if (decision.sync) tasks_.start(sync(*std::move(decision.sync)));
  if (decision.heartbeat) tasks_.start(heartbeat(*std::move(decision.heartbeat)));
  if (decision.count_partitions && !counting_) tasks_.start(count_partitions());
  if (!member.change().empty()) changed_();
}

void Membership::step(ConsumerMember& member) {
  name_topics(member);
  ConsumerMember::Decision decision = member.decide(core_.now());
  look_again_ = decision.look_again;
  if (decision.find_coordinator) tasks_.start(find_coordinator());
  if (decision.heartbeat && decision.waits_for_answer) {
    tasks_.start(heartbeat(*std::move(decision.heartbeat)));
  } else if (decision.heartbeat) {
    tasks_.start(say_goodbye(*std::move(decision.heartbeat)));
  }
  if (decision.name_topics) core_.request_refresh();
  if (!member.change().empty()) changed_();
}

// --- requests --------------------------------------------------------------------------------------------------------

template <typename Response, typename Request>
Task<Result<Reply<Response>>> Membership::ask(const Request& request, runtime::Duration answer_within) {
  const runtime::Duration patience = std::max<runtime::Duration>(answer_within, core_.settings().request_timeout);
  const auto node = std::visit([](const auto& member) { return member.coordinator(); }, machine_);
  Link* link = node ? core_.coordinator_link(*node) : nullptr;
  if (link == nullptr) co_return Error(ErrorCode::coordinator_not_available);
  const Result<void> ready = co_await Coordinator::reach(core_, *link, core_.now() + core_.settings().request_timeout);
  if (!ready) co_return ready.error();
  Result<Reply<Response>> reply =
      co_await core_.exchange<Response>(*link, request, core_.now() + patience, Request::max_version, answer_within);
  co_return std::move(reply);
}

Task<void> Membership::find_coordinator() {
  const Result<Coordinator::Answer> answer = co_await coordinator_.ask(core_.now() + core_.settings().request_timeout);
  const MonoTime now = core_.now();
  std::visit(
      [&](auto& member) {
        if (answer) {
          member.coordinator_answered(answer->code, answer->node, now);
        } else if (answer.error().retriable()) {
          member.coordinator_answered(ErrorCode::coordinator_not_available, -1, now);
        } else {
          member.coordinator_answered(answer.error().code(), -1, now);
        }
      },
      machine_);
  changed_();
  wake();
}

Task<void> Membership::join(protocol::JoinGroupRequest request) {
  auto& member = std::get<ClassicMember>(machine_);
  const auto reply = co_await ask<protocol::JoinGroupResponse>(
      request,
      std::max<runtime::Duration>(member.settings().poll_interval_max + join_grace, core_.settings().request_timeout));
  if (reply) {
    member.join_answered(reply->body, core_.now());
    if (member.state() == ClassicMember::State::assigning) {
      log_.info("Successfully joined group with generation Generation{{generationId={}, memberId='{}'}}",
                reply->body.generation_id, reply->body.member_id);
    }
  } else {
    coordinator_.lost();
    member.request_failed(reply.error(), core_.now());
  }
  changed_();
  wake();
}

Task<void> Membership::sync(protocol::SyncGroupRequest request) {
  auto& member = std::get<ClassicMember>(machine_);
  const auto reply = co_await ask<protocol::SyncGroupResponse>(
      request,
      std::max<runtime::Duration>(member.settings().poll_interval_max + join_grace, core_.settings().request_timeout));
  if (reply) {
    member.sync_answered(reply->body, core_.now());
  } else {
    coordinator_.lost();
    member.request_failed(reply.error(), core_.now());
  }
  changed_();
  wake();
}

Task<void> Membership::heartbeat(protocol::HeartbeatRequest request) {
  auto& member = std::get<ClassicMember>(machine_);
  const auto reply = co_await ask<protocol::HeartbeatResponse>(request);
  if (reply) {
    member.heartbeat_answered(error_code_of(reply->body.error_code), core_.now());
  } else {
    coordinator_.lost();
    member.request_failed(reply.error(), core_.now());
  }
  changed_();
  wake();
}

Task<void> Membership::heartbeat(protocol::ConsumerGroupHeartbeatRequest request) {
  auto& member = std::get<ConsumerMember>(machine_);
  const auto reply = co_await ask<protocol::ConsumerGroupHeartbeatResponse>(request);
  if (reply) {
    member.heartbeat_answered(reply->body, core_.now());
  } else {
    coordinator_.lost();
    member.request_failed(reply.error(), core_.now());
  }
  changed_();
  wake();
}

Task<void> Membership::say_goodbye(protocol::LeaveGroupRequest request) {
  constexpr std::int16_t first_with_members = 3;
  const auto node = std::get<ClassicMember>(machine_).coordinator();
  Link* link = node ? core_.coordinator_link(*node) : nullptr;
  if (link == nullptr || !link->ready()) co_return;
  const auto version = link->versions().latest_usable<protocol::LeaveGroupRequest>();
  if (!version) co_return;
  if (*version >= first_with_members) {
    request.member_id.clear();
  } else {
    request.members.clear();
  }
  ++goodbyes_;
  const MonoTime deadline = core_.now() + core_.settings().request_timeout;
  const auto reply = co_await core_.exchange<protocol::LeaveGroupResponse>(*link, request, deadline, *version);
  static_cast<void>(reply);  // its session would end too
  --goodbyes_;
  said_goodbye_.notify();
}

Task<void> Membership::say_goodbye(protocol::ConsumerGroupHeartbeatRequest request) {
  ++goodbyes_;
  const auto reply = co_await ask<protocol::ConsumerGroupHeartbeatResponse>(request);
  static_cast<void>(reply);
  --goodbyes_;
  said_goodbye_.notify();
}

// --- the cluster -----------------------------------------------------------------------------------------------------

// For the leader: of all topics that the group wants, as the cluster has them now.
Task<void> Membership::count_partitions() {
  counting_ = true;
  auto& member = std::get<ClassicMember>(machine_);
  for (const std::string& topic : member.counted_topics()) core_.watch_topic(topic, allow_auto_create_);
  const Result<void> fresh = co_await core_.wait_refresh(core_.now() + core_.settings().request_timeout);
  static_cast<void>(fresh);  // else what is known already
  counting_ = false;
  count(member);
  wake();
}

void Membership::count(ClassicMember& member) {
  if (!member.leads() || core_.cluster_version() == 0) return;
  PartitionCounts counts;
  for (const std::string& topic : member.counted_topics()) {
    const TopicInfo* info = core_.cluster().topic(topic);
    if (info != nullptr && !info->partitions.empty())
      counts[topic] = static_cast<std::int32_t>(info->partitions.size());
  }
  member.counted(std::move(counts));
}

void Membership::name_topics(ConsumerMember& member) {
  std::map<Uuid, std::string> names;
  for (const Uuid& id : member.unnamed_topics()) {
    if (const TopicInfo* topic = core_.cluster().topic(id)) names.emplace(id, topic->name);
  }
  if (!names.empty()) member.named(names);
}

}  // namespace klamm::client
