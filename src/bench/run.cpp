#include "bench/run.h"

#include <fmt/format.h>

#include <system_error>

#include "bench/commit_load.h"
#include "bench/connection_load.h"
#include "bench/end_to_end.h"
#include "bench/fetch_load.h"
#include "bench/group_load.h"
#include "bench/produce_load.h"
#include "bench/target.h"
#include "bench/transaction_load.h"
#include "client/core.h"

namespace klamm::bench {
namespace {

using client::Error;
using client::Result;
using runtime::Task;

struct World {
  runtime::Environment& environment;
  client::Client& client;
  const Plan& plan;
  const Target& target;
  Report& report;
  Moments moments;

  runtime::Reactor& reactor() const { return client.core().reactor(); }
};

Task<void> open_channels(const World& world, Load& load) {
  for (std::size_t i = 0; i < world.plan.connections; ++i) {
    auto connecting = connect(world.environment, world.reactor(), world.target.broker_of(i).address);
    load.add(co_await std::move(connecting));
  }
}

// How much the partitions grew, against what was acknowledged.
Task<Result<void>> run_produce(const World& world) {
  auto looking = end_offsets(world.client, world.target);
  const auto before = co_await std::move(looking);
  if (!before) co_return before.error();
  ProduceLoad load(world.reactor(), world.plan, world.report, world.target, world.environment.clock.wall());
  auto opening = open_channels(world, load);
  co_await std::move(opening);
  auto running = load.run(world.moments);
  co_await std::move(running);
  auto looking_again = end_offsets(world.client, world.target);
  const auto after = co_await std::move(looking_again);
  if (!after) co_return after.error();
  world.report.grown = *after - *before;
  co_return Result<void>();
}

Task<Result<void>> run_fetch(const World& world) {
  auto looking = end_offsets(world.client, world.target);
  const auto records = co_await std::move(looking);
  if (!records) co_return records.error();
  if (*records == 0) co_return Error(ErrorCode::invalid_request, "There is nothing in the topic to fetch.");
  FetchLoad load(world.reactor(), world.plan, world.report, world.target);
  auto opening = open_channels(world, load);
  co_await std::move(opening);
  auto running = load.run(world.moments);
  co_await std::move(running);
  co_return Result<void>();
}

Task<Result<void>> run_end_to_end(const World& world) {
  Report acknowledgements;
  StampedProduceLoad load(world.reactor(), world.plan, acknowledgements, world.target, world.environment.clock);
  auto opening = open_channels(world, load);
  co_await std::move(opening);
  Tail tail(world.reactor(), world.plan, world.target, world.report);
  for (const auto& broker : world.target.brokers) {
    for (const std::int32_t partition : broker.partitions) {
      Target one = world.target;
      one.brokers = {{broker.id, broker.address, {partition}}};
      auto looking = end_offsets(world.client, one);
      const auto end = co_await std::move(looking);
      if (!end) co_return end.error();
      auto connecting = connect(world.environment, world.reactor(), broker.address);
      tail.follow(co_await std::move(connecting), partition, *end);
    }
  }
  const runtime::MonoTime now = world.reactor().clock().now();
  tail.count_between(now + world.plan.warm_up, now + world.plan.warm_up + world.plan.duration);
  auto running = load.run(world.moments);
  co_await std::move(running);
  // What was acknowledged last is still on its way to the consumer.
  const runtime::MonoTime deadline = world.reactor().now() + std::chrono::seconds(5);
  runtime::Notice never_told(world.reactor());
  while (tail.seen() < acknowledgements.acknowledged && world.report.failed == 0 && world.reactor().now() < deadline) {
    auto pause = never_told.wait(world.reactor().now() + std::chrono::milliseconds(5));
    co_await std::move(pause);
  }
  tail.close();
  Report& report = world.report;
  report.seconds = acknowledgements.seconds;
  report.requests = report.records = report.latency.count();
  report.record_batch_bytes = acknowledgements.record_batch_bytes;
  report.acknowledged = acknowledgements.acknowledged;
  report.grown = static_cast<std::int64_t>(tail.seen());
  report.failed += acknowledgements.failed;
  for (const auto& [why, count] : acknowledgements.failures) report.failures[why] += count;
  co_return Result<void>();
}

// No two runs speak of the same groups and transactional ids.
std::string run_name(const World& world) {
  return fmt::format("klamm-bench-{}", world.environment.clock.wall().value);
}

Task<Result<void>> run_workload(const World& world) {
  switch (world.plan.workload) {
    case Workload::produce: {
      auto running = run_produce(world);
      co_return co_await std::move(running);
    }
    case Workload::fetch: {
      auto running = run_fetch(world);
      co_return co_await std::move(running);
    }
    case Workload::end_to_end: {
      auto running = run_end_to_end(world);
      co_return co_await std::move(running);
    }
    case Workload::connect: {
      auto running =
          run_connect(world.environment, world.reactor(), world.plan, world.target, world.report, world.moments);
      co_await std::move(running);
      co_return Result<void>();
    }
    case Workload::idle: {
      auto running =
          run_idle(world.environment, world.reactor(), world.plan, world.target, world.report, world.moments);
      co_await std::move(running);
      co_return Result<void>();
    }
    case Workload::groups:
    case Workload::rebalance: {
      auto running = run_groups(world.environment, world.reactor(), world.plan, world.target, world.report,
                                world.moments, run_name(world));
      co_await std::move(running);
      co_return Result<void>();
    }
    case Workload::commits: {
      auto running = run_commits(world.environment, world.reactor(), world.plan, world.target, world.report,
                                 world.moments, run_name(world));
      co_await std::move(running);
      co_return Result<void>();
    }
    case Workload::transactions: {
      auto running = run_transactions(world.environment, world.client, world.plan, world.target, world.report,
                                      world.moments, run_name(world));
      co_return co_await std::move(running);
    }
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<Report>> run(runtime::Environment& environment, client::Client& client, const Plan& plan, Moments moments) {
  auto preparing = prepare(client, plan);
  const auto target = co_await std::move(preparing);
  if (!target) co_return target.error();
  Report report;
  const World world{environment, client, plan, *target, report, std::move(moments)};
  try {
    auto running = run_workload(world);
    if (const auto ran = co_await std::move(running); !ran) co_return ran.error();
  } catch (const std::system_error& why) {
    co_return Error(ErrorCode::network_exception, why.what());
  }
  co_return report;
}

}  // namespace klamm::bench
