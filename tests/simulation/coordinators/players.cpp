#include "coordinators/players.h"

#include <algorithm>

#include "protocol/messages/describe_producers.h"
#include "protocol/messages/list_transactions.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

Players::Players(sim::Host& host, Stage& stage, sim::Chance chance)
    : environment_(host.environment()),
      home_(*host.environment().reactors.front()),
      stage_(stage),
      chance_(chance),
      stragglers_(environment_, home_),
      tasks_(home_) {}

Players::~Players() = default;

std::unique_ptr<Caller> Players::caller(sim::Chance& chance) {
  return std::make_unique<Caller>(environment_, home_, stragglers_, chance.fork(), stage_.late_one_in);
}

Task<void> Players::pause(runtime::Duration max, sim::Chance& chance) {
  auto waiting = rest(home_, chance.between(runtime::Duration(1us), max));
  co_await std::move(waiting);
}

// --- members ---------------------------------------------------------------------------------------------------------

void Players::start_member(MembershipPlan plan) {
  tasks_.start(member(std::move(plan), chance_.fork()));
}

Task<void> Players::member(MembershipPlan plan, sim::Chance chance) {
  while (!stage_.over) {
    const auto way = caller(chance);
    const auto membership = make_membership(*way, stage_.groups, chance.fork(), plan);
    auto life = member_life(*membership, *way, chance);
    co_await std::move(life);
    if (stage_.over || !chance.one_in(3)) {
      auto leaving = membership->leave();
      co_await std::move(leaving);
    }
    auto waiting = pause(1s, chance);
    co_await std::move(waiting);
  }
}

Task<void> Players::member_life(Membership& membership, Caller& way, sim::Chance& chance) {
  const MembershipPlan& plan = membership.plan();
  std::map<std::int32_t, std::int64_t> positions;
  for (std::uint64_t left = chance.between(10, 150); !stage_.over && (left > 0 || stage_.last_act); --left) {
    auto keeping = membership.keep();
    co_await std::move(keeping);
    ++operations_;
    if (membership.fenced()) co_return;
    std::erase_if(positions, [&](const auto& each) { return !membership.owned().contains(each.first); });
    OffsetsWanted wanted{plan.group, plan.topic, {}, chance.one_in(2), true, &membership};
    for (const auto& [partition, epoch] : membership.owned()) {
      if (!positions.contains(partition)) wanted.partitions.push_back(partition);
    }
    if (!wanted.partitions.empty()) {
      auto reading = read_offsets(way, stage_.groups, std::move(wanted));
      const OffsetsRead read = co_await std::move(reading);
      for (const auto& [partition, offset] : read.offsets) {
        if (membership.owned().contains(partition)) positions[partition] = std::max<std::int64_t>(offset, 0);
      }
    }
    std::map<std::int32_t, std::int64_t> offsets;
    for (auto& [partition, position] : positions) {
      if (!chance.one_in(3)) offsets[partition] = position += static_cast<std::int64_t>(chance.between(1, 10));
    }
    if (!offsets.empty()) {
      auto committing = commit_offsets(way, stage_.groups, membership, std::move(offsets));
      const ErrorCode code = co_await std::move(committing);
      ++operations_;
      if (code != ErrorCode::none) membership.told(code);
    }
    auto waiting = pause(stage_.last_act ? 1s : 250ms, chance);
    co_await std::move(waiting);
  }
}

// --- producers -------------------------------------------------------------------------------------------------------

void Players::start_producer(ProducerSetup setup, std::vector<TopicOfStory> topics, int transactions) {
  ++producing_;
  tasks_.start(producer(std::move(setup), std::move(topics), transactions, chance_.fork()));
}

Task<void> Players::producer(ProducerSetup setup, std::vector<TopicOfStory> topics, int transactions,
                             sim::Chance chance) {
  while (transactions > 0) {
    const auto way = caller(chance);
    TransactionalProducer out(*way, stage_.transactions, stage_.groups, chance.fork(), setup, stage_.tainted);
    auto coming = out.come();
    const bool came = co_await std::move(coming);
    ++operations_;
    if (came) {
      auto life = producer_life(out, topics, std::min(transactions, static_cast<int>(chance.between(1, 12))), chance);
      transactions -= co_await std::move(life);
    }
    // Fenced, dead or done with so many: it comes again.
    auto waiting = pause(chance.one_in(3) ? 2s : 200ms, chance);
    co_await std::move(waiting);
  }
  --producing_;
}

Task<int> Players::producer_life(TransactionalProducer& out, const std::vector<TopicOfStory>& topics, int transactions,
                                 sim::Chance& chance) {
  for (int done = 1; done <= transactions; ++done) {
    out.begin();
    bool good = true;
    for (std::uint64_t writes = chance.between(1, 4); writes > 0 && good; --writes) {
      const TopicOfStory& topic = topics[chance.below(topics.size())];
      std::vector<ToWrite> records;
      for (std::uint64_t i = chance.between(1, 4); i > 0; --i) {
        records.push_back(
            {.partition = static_cast<std::int32_t>(chance.below(static_cast<std::uint64_t>(topic.partitions))),
             .bytes_min = chance.one_in(4) ? static_cast<std::size_t>(chance.below(2000)) : 0});
      }
      ++operations_;
      auto writing = out.write(topic.name, std::move(records));
      good = co_await std::move(writing);
      if (chance.one_in(3)) {
        auto waiting = pause(chance.one_in(20) ? 3s : 100ms, chance);
        co_await std::move(waiting);
      }
    }
    if (chance.one_in(15)) {
      out.vanish();
      co_return done;
    }
    ++operations_;
    auto ending = out.end(good && !chance.one_in(4));
    co_await std::move(ending);
    if (!out.usable()) co_return done;
    auto waiting = pause(200ms, chance);
    co_await std::move(waiting);
  }
  co_return transactions;
}

// --- copiers ---------------------------------------------------------------------------------------------------------

void Players::start_copier(MembershipPlan plan, ProducerSetup setup, TopicOfStory to) {
  tasks_.start(copier(std::move(plan), std::move(setup), std::move(to), chance_.fork()));
}

Task<void> Players::copier(MembershipPlan plan, ProducerSetup setup, TopicOfStory to, sim::Chance chance) {
  while (!stage_.over) {
    const auto way = caller(chance);
    const auto membership = make_membership(*way, stage_.groups, chance.fork(), plan);
    TransactionalProducer out(*way, stage_.transactions, stage_.groups, chance.fork(), setup, stage_.tainted);
    auto life = copier_life(*membership, out, *way, to, chance);
    co_await std::move(life);
    if (stage_.over || !chance.one_in(3)) {
      auto leaving = membership->leave();
      co_await std::move(leaving);
    }
    auto waiting = pause(1s, chance);
    co_await std::move(waiting);
  }
}

Task<void> Players::copier_life(Membership& membership, TransactionalProducer& out, Caller& way, const TopicOfStory& to,
                                sim::Chance& chance) {
  std::map<std::int32_t, std::int64_t> positions;
  for (std::uint64_t left = chance.between(10, 150); !stage_.over && (left > 0 || stage_.last_act); --left) {
    if (!out.usable()) {
      positions.clear();
      auto coming = out.come();
      co_await std::move(coming);
    }
    auto keeping = membership.keep();
    co_await std::move(keeping);
    if (membership.fenced()) co_return;
    std::erase_if(positions, [&](const auto& each) { return !membership.owned().contains(each.first); });
    ++operations_;
    if (membership.owned().empty()) {
      stage_.note(membership.who(), fmt::format("has nothing in epoch {}", membership.epoch()));
    }
    bool copied = false;
    if (out.usable() && !membership.owned().empty()) {
      auto copying = copy_some(membership, out, way, to, positions, chance);
      copied = co_await std::move(copying);
    }
    auto waiting = pause(copied ? 50ms : 300ms, chance);
    co_await std::move(waiting);
  }
}

// One transaction: some records of one partition, and the offset behind them.
Task<bool> Players::copy_some(Membership& membership, TransactionalProducer& out, Caller& way, const TopicOfStory& to,
                              std::map<std::int32_t, std::int64_t>& positions, sim::Chance& chance) {
  const MembershipPlan plan = membership.plan();
  auto picked =
      std::next(membership.owned().begin(), static_cast<std::ptrdiff_t>(chance.below(membership.owned().size())));
  const std::int32_t partition = picked->first;
  if (!positions.contains(partition)) {
    auto reading = read_offsets(way, stage_.groups, {plan.group, plan.topic, {partition}, true, true, &membership});
    const OffsetsRead read = co_await std::move(reading);
    const auto found = read.offsets.find(partition);
    if (found == read.offsets.end()) {
      stage_.note(membership.who(),
                  fmt::format("no offset of {}-{}: {}", plan.topic, partition, error_name(read.error)));
      co_return false;
    }
    positions[partition] = std::max<std::int64_t>(found->second, 0);
  }
  CommittedReader in(way, stage_.transactions, {plan.topic, partition}, positions[partition]);
  auto fetching = in.fetch(50ms, static_cast<std::int32_t>(chance.between(100, 4000)));
  const auto stretch = co_await std::move(fetching);
  if (!stretch) co_return false;
  stage_.note(membership.who(), fmt::format("reads {}-{} from {} to {}: {} records", plan.topic, partition,
                                            stretch->from, stretch->to, stretch->records.size()));
  positions[partition] = stretch->to;
  if (stretch->records.empty()) co_return stretch->to > stretch->from;

  out.begin();
  std::vector<ToWrite> records;
  for (const auto& [offset, value] : stretch->records) {
    records.push_back({.partition = static_cast<std::int32_t>(offset % to.partitions),
                       .source = Source{{plan.topic, partition}, offset}});
  }
  auto writing = out.write(to.name, std::move(records));
  bool good = co_await std::move(writing);
  if (chance.one_in(3)) {
    auto keeping = membership.keep();
    co_await std::move(keeping);
  }
  if (!membership.owned().contains(partition)) good = false;
  if (good) {
    auto sending = out.send_offsets(membership, {{partition, stretch->to}});
    good = co_await std::move(sending);
  }
  if (chance.one_in(25) && !stage_.last_act) {
    out.vanish();
  } else {
    auto ending = out.end(good && (stage_.last_act || !chance.one_in(8)));
    const Ending ended = co_await std::move(ending);
    stage_.note(membership.who(), fmt::format("{} its copies", shown(ended)));
    if (ended == Ending::committed) co_return true;
  }
  positions.clear();
  co_return false;
}

// --- readers ---------------------------------------------------------------------------------------------------------

void Players::start_reader(TopicOfStory topic) {
  tasks_.start(reader(std::move(topic), chance_.fork()));
}

Task<void> Players::reader(TopicOfStory topic, sim::Chance chance) {
  const auto way = caller(chance);
  std::vector<CommittedReader> readers;
  for (std::int32_t i = 0; i < topic.partitions; ++i) {
    readers.emplace_back(*way, stage_.transactions, PartitionName{topic.name, i}, 0);
  }
  while (!stage_.over) {
    CommittedReader& one = readers[chance.below(readers.size())];
    if (chance.one_in(20))
      one.seek(static_cast<std::int64_t>(chance.below(static_cast<std::uint64_t>(one.position()) + 1)));
    auto fetching = one.fetch(chance.between(runtime::Duration(1ms), runtime::Duration(300ms)),
                              static_cast<std::int32_t>(chance.between(100, 20'000)));
    co_await std::move(fetching);
    ++operations_;
    auto waiting = pause(stage_.last_act ? 2s : 300ms, chance);
    co_await std::move(waiting);
  }
}

void Players::start_auditor(std::vector<GroupOfStory> groups) {
  tasks_.start(auditor(std::move(groups), chance_.fork()));
}

Task<void> Players::auditor(std::vector<GroupOfStory> groups, sim::Chance chance) {
  const auto way = caller(chance);
  while (!stage_.over) {
    const GroupOfStory& group = groups[chance.below(groups.size())];
    OffsetsWanted wanted{group.name, group.topic, {}, chance.one_in(2), true, nullptr};
    wanted.counts = wanted.stable || !group.transactional;
    for (std::int32_t i = 0; i < group.partitions; ++i) wanted.partitions.push_back(i);
    auto reading = read_offsets(*way, stage_.groups, std::move(wanted));
    co_await std::move(reading);
    ++operations_;
    auto waiting = pause(stage_.last_act ? 2s : 400ms, chance);
    co_await std::move(waiting);
  }
}

Task<void> Players::audit(std::vector<GroupOfStory> groups) {
  const auto way = caller(chance_);
  for (const GroupOfStory& group : groups) {
    for (;;) {
      OffsetsWanted wanted{group.name, group.topic, {}, true, true, nullptr};
      for (std::int32_t i = 0; i < group.partitions; ++i) wanted.partitions.push_back(i);
      auto reading = read_offsets(*way, stage_.groups, std::move(wanted));
      const OffsetsRead read = co_await std::move(reading);
      if (read.error == ErrorCode::none) break;
      auto waiting = rest(home_, 100ms);
      co_await std::move(waiting);
    }
  }
}

Task<bool> Players::all_copied(GroupOfStory group) {
  const auto way = caller(chance_);
  OffsetsWanted wanted{group.name, group.topic, {}, true, true, nullptr};
  for (std::int32_t i = 0; i < group.partitions; ++i) wanted.partitions.push_back(i);
  auto reading = read_offsets(*way, stage_.groups, std::move(wanted));
  const OffsetsRead read = co_await std::move(reading);
  if (read.error != ErrorCode::none) co_return false;
  for (const auto& [partition, offset] : read.offsets) {
    stage_.note(group.name, fmt::format("has committed {} of {}-{}", offset, group.topic, partition));
    CommittedReader in(*way, stage_.transactions, {group.topic, partition}, std::max<std::int64_t>(offset, 0));
    for (;;) {
      auto fetching = in.fetch(runtime::Duration(0), 1 << 20);
      const auto stretch = co_await std::move(fetching);
      if (!stretch || !stretch->records.empty()) co_return false;
      if (stretch->to == stretch->from) break;
    }
  }
  co_return true;
}

Task<std::map<PartitionName, FinalPartition>> Players::read_all(std::vector<TopicOfStory> topics) {
  const auto way = caller(chance_);
  std::map<PartitionName, FinalPartition> logs;
  for (const TopicOfStory& topic : topics) {
    for (std::int32_t i = 0; i < topic.partitions; ++i) {
      auto reading = read_whole(*way, {topic.name, i});
      logs[{topic.name, i}] = co_await std::move(reading);
    }
  }
  co_return logs;
}

Task<std::string> Players::open_transactions(std::vector<TopicOfStory> topics, std::string ignored) {
  const auto way = caller(chance_);
  auto listing = way->ask<protocol::ListTransactionsResponse>(protocol::ListTransactionsRequest(), 2);
  const auto listed = co_await std::move(listing);
  if (!listed || listed->body.error_code != 0) co_return "nobody knows";
  for (const auto& each : listed->body.transaction_states) {
    if (!ignored.empty() && each.transactional_id.starts_with(ignored)) continue;
    if (each.transaction_state.starts_with("Prepare") || each.transaction_state == "Ongoing") {
      co_return fmt::format("{} is {}", each.transactional_id, each.transaction_state);
    }
  }
  protocol::DescribeProducersRequest request;
  for (const TopicOfStory& topic : topics) {
    auto& to = request.topics.emplace_back();
    to.name = topic.name;
    for (std::int32_t i = 0; i < topic.partitions; ++i) to.partition_indexes.push_back(i);
  }
  auto describing = way->ask<protocol::DescribeProducersResponse>(std::move(request), 0);
  const auto described = co_await std::move(describing);
  if (!described) co_return "nobody knows";
  for (const auto& topic : described->body.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0) co_return "nobody knows";
      for (const auto& producer : partition.active_producers) {
        if (producer.current_txn_start_offset < 0) continue;
        co_return fmt::format("producer id {} has a transaction in {}-{} since {}", producer.producer_id, topic.name,
                              partition.partition_index, producer.current_txn_start_offset);
      }
    }
  }
  co_return "";
}

}  // namespace klamm::simulation
