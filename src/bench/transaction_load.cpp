#include "bench/transaction_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/ask.h"
#include "client/core.h"

namespace klamm::bench {
namespace {

using client::Result;
using runtime::Task;

constexpr std::chrono::milliseconds pause_before_again{1};
constexpr std::chrono::seconds answer_patience{10};
constexpr std::chrono::seconds markers_patience{5};
constexpr std::size_t channels_of_a_seat = 2;

}  // namespace

TransactionLoad::TransactionLoad(runtime::Reactor& reactor, const Plan& plan, Report& report)
    : reactor_(reactor), plan_(plan), report_(report), changed_(reactor) {}

void TransactionLoad::add(TransactionSettings settings, runtime::SocketRef coordinator, runtime::SocketRef leader) {
  ChannelEvents& events = *this;
  const std::size_t number = seats_.size() * channels_of_a_seat;
  Seat& seat = *seats_.emplace_back(std::make_unique<Seat>(*this, std::move(settings)));
  seat.coordinator = std::make_unique<Channel>(reactor_, std::move(coordinator), events, number);
  seat.leader = std::make_unique<Channel>(reactor_, std::move(leader), events, number + 1);
}

void TransactionLoad::ask(Seat& seat) {
  const runtime::MonoTime now = reactor_.clock().now();
  if (seat.producer.between()) {
    if (over_) {
      seat.idle = true;
      return changed_.notify();
    }
    if (seat.begun == runtime::MonoTime{}) seat.begun = now;
  }
  Channel& channel = seat.producer.step() == TransactionalProducer::Step::produce ? *seat.leader : *seat.coordinator;
  channel.send(seat.producer.request(reactor_.clock().wall()), now, 0);
}

void TransactionLoad::answered(Channel& channel, const Sent&, Bytes answer, runtime::MonoTime at) {
  Seat& seat = *seats_[channel.number() / channels_of_a_seat];
  auto outcome = seat.producer.answered(answer);
  if (!outcome.failure.empty()) {
    seat.idle = true;
    return failed(std::move(outcome.failure));
  }
  if (outcome.again) {
    ++report_.repeated;
    return reactor_.arm(seat, at + pause_before_again);
  }
  if (outcome.committed) committed(seat, at);
  ask(seat);
}

void TransactionLoad::committed(Seat& seat, runtime::MonoTime at) {
  const std::uint64_t partitions = seat.producer.partitions();
  offsets_taken_ += 2 * partitions;
  if (seat.begun >= from_ && seat.begun < to_) {
    ++report_.requests;
    report_.records += partitions;
    report_.latency.add((at - seat.begun).count());
  }
  seat.begun = {};
}

void TransactionLoad::lost(Channel& channel, std::string why) {
  seats_[channel.number() / channels_of_a_seat]->idle = true;
  failed(std::move(why));
}

void TransactionLoad::failed(std::string why) {
  ++report_.failed;
  ++report_.failures[std::move(why)];
  changed_.notify();
}

Task<void> TransactionLoad::wait_until(runtime::MonoTime at) {
  while (reactor_.now() < at && report_.failed == 0) {
    auto waiting = changed_.wait(at);
    co_await std::move(waiting);
  }
}

Task<void> TransactionLoad::run(Moments moments) {
  const runtime::MonoTime begun = reactor_.clock().now();
  from_ = begun + plan_.warm_up;
  to_ = from_ + plan_.duration;
  for (const auto& seat : seats_) ask(*seat);
  auto warming = wait_until(from_);
  co_await std::move(warming);
  moments.counting_begins();
  auto counting = wait_until(to_);
  co_await std::move(counting);
  moments.counting_ends();
  over_ = true;
  report_.seconds = std::chrono::duration<double>(plan_.duration).count();
  const auto open = [&] { return std::ranges::any_of(seats_, [](const auto& seat) { return !seat->idle; }); };
  const runtime::MonoTime deadline = reactor_.clock().now() + answer_patience;
  while (open() && reactor_.now() < deadline) {
    auto waiting = changed_.wait(deadline);
    co_await std::move(waiting);
  }
  if (open()) failed("a transaction that did not end");
}

Task<Result<void>> run_transactions(runtime::Environment& environment, client::Client& client, const Plan& plan,
                                    const Target& target, Report& report, Moments moments, std::string run) {
  runtime::Reactor& reactor = client.core().reactor();
  auto looking = end_offsets(client, target);
  const auto before = co_await std::move(looking);
  if (!before) co_return before.error();
  auto asking = finalized_level(environment, reactor, target, "transaction.version");
  const std::int16_t level = co_await std::move(asking);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < plan.connections; ++i) ids.push_back(fmt::format("{}-{}", run, i));
  auto finding = find_coordinators(environment, reactor, target, CoordinatorOf::transaction, ids);
  const auto coordinators = co_await std::move(finding);
  TransactionLoad load(reactor, plan, report);
  for (std::size_t i = 0; i < plan.connections; ++i) {
    const auto& broker = target.broker_of(i);
    TransactionSettings settings{.id = ids[i],
                                 .topic = target.topic,
                                 .topic_id = target.topic_id,
                                 .partitions = broker.partitions,
                                 .record_bytes = plan.record_bytes};
    choose_versions(settings, target, level);
    auto connecting = connect(environment, reactor, coordinators[i]);
    auto coordinator = co_await std::move(connecting);
    auto connecting_too = connect(environment, reactor, broker.address);
    auto leader = co_await std::move(connecting_too);
    load.add(std::move(settings), std::move(coordinator), std::move(leader));
  }
  auto running = load.run(std::move(moments));
  co_await std::move(running);
  // The last markers may still be on their way.
  report.acknowledged = load.offsets_taken();
  runtime::Notice never_told(reactor);
  const runtime::MonoTime deadline = reactor.now() + markers_patience;
  while (true) {
    auto looking_again = end_offsets(client, target);
    const auto after = co_await std::move(looking_again);
    if (!after) co_return after.error();
    report.grown = *after - *before;
    if (report.grown >= static_cast<std::int64_t>(report.acknowledged) || reactor.now() > deadline) break;
    auto pause = never_told.wait(reactor.now() + std::chrono::milliseconds(20));
    co_await std::move(pause);
  }
  if (report.grown != static_cast<std::int64_t>(report.acknowledged)) {
    ++report.failed;
    ++report.failures["partitions that did not grow by what was committed and its markers"];
  }
  co_return Result<void>();
}

}  // namespace klamm::bench
