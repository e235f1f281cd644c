#include "bench/group_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "bench/ask.h"

namespace klamm::bench {
namespace {

using runtime::Task;

constexpr std::chrono::seconds settle_patience{60};
constexpr std::chrono::seconds answer_patience{10};
constexpr std::chrono::milliseconds look_every{10};

}  // namespace

GroupLoad::GroupLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, std::size_t partitions)
    : reactor_(reactor), plan_(plan), report_(report), partitions_(partitions), changed_(reactor) {}

void GroupLoad::add(std::size_t group, std::unique_ptr<Member> member, runtime::SocketRef socket) {
  seats_.push_back(std::make_unique<Seat>(*this, group, std::move(member)));
  ChannelEvents& events = *this;
  seats_.back()->channel = std::make_unique<Channel>(reactor_, std::move(socket), events, seats_.size() - 1);
}

void GroupLoad::pump(Seat& seat) {
  if (over_ || !seat.channel->usable()) return;
  const runtime::MonoTime now = reactor_.clock().now();
  while (const auto due = seat.member->due(now)) {
    if (due->question == Question::join) last_join_ = now;
    seat.channel->send(*due->frame, due->intended, static_cast<std::uint64_t>(due->question));
  }
  reactor_.disarm(seat);
  if (const runtime::MonoTime next = seat.member->next(); next != runtime::never) reactor_.arm(seat, next);
}

void GroupLoad::answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) {
  Seat& seat = *seats_[channel.number()];
  const auto question = static_cast<Question>(sent.tag);
  const bool was_stable = seat.member->stable();
  std::string failure = seat.member->answered(question, answer, at);
  if (!failure.empty()) {
    failed(std::move(failure));
  } else if (counts(sent.intended) && (question == Question::heartbeat || question == Question::commit)) {
    ++report_.requests;
    if (question == Question::commit) ++report_.records;
    report_.latency.add((at - sent.intended).count());
  }
  if (!was_stable && seat.member->stable() && unassigned_ > 0 && --unassigned_ == 0) {
    last_assignment_ = at;
    changed_.notify();
  }
  if (over_ && channel.in_flight() == 0) changed_.notify();
  pump(seat);
}

void GroupLoad::lost(Channel&, std::string why) {
  failed(std::move(why));
}

void GroupLoad::failed(std::string why) {
  ++report_.failed;
  ++report_.failures[std::move(why)];
  changed_.notify();
}

// Every partition is owned, and evenly: a coordinator that waits before it assigns anew leaves all with the first
// member for a while.
bool GroupLoad::settled() const {
  for (std::size_t first = 0; first < seats_.size();) {
    std::size_t end = first, owned = 0, most = 0, least = partitions_;
    for (; end < seats_.size() && seats_[end]->group == seats_[first]->group; ++end) {
      const Member& member = *seats_[end]->member;
      if (!member.stable() || member.generation() != seats_[first]->member->generation()) return false;
      owned += member.partitions_owned();
      most = std::max<std::size_t>(most, member.partitions_owned());
      least = std::min<std::size_t>(least, member.partitions_owned());
    }
    if (owned != partitions_ || most > least + 1) return false;
    first = end;
  }
  return true;
}

Task<void> GroupLoad::wait_until(runtime::MonoTime at) {
  while (reactor_.now() < at) {
    auto waiting = changed_.wait(at);
    co_await std::move(waiting);
  }
}

Task<bool> GroupLoad::settle() {
  const runtime::MonoTime deadline = reactor_.clock().now() + settle_patience;
  for (const auto& seat : seats_) pump(*seat);
  while (!settled() && report_.failed == 0 && reactor_.now() < deadline) {
    auto waiting = wait_until(reactor_.now() + look_every);
    co_await std::move(waiting);
  }
  if (settled()) co_return true;
  if (report_.failed == 0) failed("groups that did not become complete");
  co_return false;
}

bool GroupLoad::answers_due() const {
  return std::ranges::any_of(seats_, [](const auto& seat) { return seat->channel->in_flight() > 0; });
}

Task<void> GroupLoad::keep_alive(Moments moments) {
  const runtime::MonoTime begun = reactor_.clock().now();
  from_ = begun + plan_.warm_up;
  to_ = from_ + plan_.duration;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    seats_[i]->member->begin(begun, static_cast<double>(i) / static_cast<double>(seats_.size()));
    pump(*seats_[i]);
  }
  auto warming = wait_until(from_);
  co_await std::move(warming);
  moments.counting_begins();
  auto counting = wait_until(to_);
  co_await std::move(counting);
  moments.counting_ends();
  over_ = true;
  report_.seconds = std::chrono::duration<double>(plan_.duration).count();
  const runtime::MonoTime deadline = to_ + answer_patience;
  while (answers_due() && reactor_.now() < deadline) {
    auto waiting = changed_.wait(deadline);
    co_await std::move(waiting);
  }
  if (answers_due()) failed("no answer");
}

void GroupLoad::look_at_round(std::int32_t generation_before) {
  if (!settled()) return failed("a rebalance that left members in different generations");
  if (seats_.front()->member->generation() != generation_before + 1) failed("more than one rebalance in a round");
}

Task<void> GroupLoad::rebalance(Moments moments) {
  const runtime::MonoTime begun = reactor_.clock().now();
  from_ = begun + plan_.warm_up;
  to_ = from_ + plan_.duration;
  for (const auto& seat : seats_) seat->member->begin(begun, 0);
  runtime::MonoTime counted_from = runtime::never;
  for (runtime::MonoTime now = begun; now < to_ && report_.failed == 0; now = reactor_.clock().now()) {
    if (now >= from_ && counted_from == runtime::never) {
      counted_from = now;
      moments.counting_begins();
    }
    const std::int32_t generation = seats_.front()->member->generation();
    unassigned_ = seats_.size();
    for (const auto& seat : seats_) {
      static_cast<ClassicMember&>(*seat->member).subscribe_anew();
      pump(*seat);
    }
    const runtime::MonoTime deadline = now + answer_patience;
    while (unassigned_ > 0 && report_.failed == 0 && reactor_.now() < deadline) {
      auto waiting = changed_.wait(deadline);
      co_await std::move(waiting);
    }
    if (unassigned_ > 0) {
      failed("a rebalance that did not end");
      break;
    }
    look_at_round(generation);
    if (counted_from == runtime::never || report_.failed > 0) continue;
    ++report_.requests;
    report_.latency.add((last_assignment_ - last_join_).count());
  }
  if (counted_from == runtime::never) co_return;
  moments.counting_ends();
  report_.seconds = std::chrono::duration<double>(reactor_.clock().now() - counted_from).count();
}

Task<void> GroupLoad::leave() {
  over_ = true;
  for (const auto& seat : seats_) {
    reactor_.disarm(*seat);
    seat->channel->send(seat->member->leave(), reactor_.clock().now(), static_cast<std::uint64_t>(Question::leave));
  }
  const runtime::MonoTime deadline = reactor_.clock().now() + answer_patience;
  while (answers_due() && reactor_.now() < deadline) {
    auto waiting = changed_.wait(deadline);
    co_await std::move(waiting);
  }
}

Task<void> run_groups(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                      const Target& target, Report& report, Moments moments, std::string run) {
  const bool rebalancing = plan.workload == Workload::rebalance;
  const std::size_t classic = rebalancing ? 1 : plan.groups;
  const std::size_t groups = classic + (rebalancing ? 0 : plan.consumer_groups);
  MemberSettings settings{.group = {}, .topic = target.topic, .topic_id = target.topic_id};
  settings.heartbeat = rebalancing ? runtime::Duration{} : plan.heartbeat;
  settings.commit = rebalancing ? runtime::Duration{} : plan.commit;
  settings.versions = group_versions(target);
  if (!rebalancing && plan.consumer_groups > 0 && settings.versions.consumer_heartbeat < 0)
    throw std::system_error(std::make_error_code(std::errc::not_supported), "the cluster has no groups of KIP-848");
  for (const auto& broker : target.brokers)
    settings.partitions.insert(settings.partitions.end(), broker.partitions.begin(), broker.partitions.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < groups; ++i) names.push_back(fmt::format("{}-{}", run, i));
  auto finding = find_coordinators(environment, reactor, target, CoordinatorOf::group, names);
  const auto coordinators = co_await std::move(finding);
  GroupLoad load(reactor, plan, report, settings.partitions.size());
  for (std::size_t i = 0; i < groups; ++i) {
    settings.group = names[i];
    for (settings.index = 0; settings.index < plan.members; ++settings.index) {
      auto connecting = connect(environment, reactor, coordinators[i]);
      auto socket = co_await std::move(connecting);
      std::unique_ptr<Member> member;
      if (i < classic)
        member = std::make_unique<ClassicMember>(settings);
      else
        member = std::make_unique<ConsumerMember>(settings, Uuid{i + 1, settings.index + 1});
      load.add(i, std::move(member), std::move(socket));
    }
  }
  auto settling = load.settle();
  if (co_await std::move(settling)) {
    auto running = rebalancing ? load.rebalance(std::move(moments)) : load.keep_alive(std::move(moments));
    co_await std::move(running);
  }
  auto leaving = load.leave();
  co_await std::move(leaving);
}

}  // namespace klamm::bench
