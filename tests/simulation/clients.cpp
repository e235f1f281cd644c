#include "clients.h"

#include <algorithm>

#include "client/admin.h"
#include "client/producer.h"
#include "runtime/waiting.h"

namespace klamm::simulation {

using namespace std::chrono_literals;
using runtime::Task;

namespace {

// Errors that mean "not now": whoever gets them asks again.
constexpr runtime::Duration again_max = 300ms;

std::string value_of(const PartitionName& partition, int producer, int number, std::size_t bytes) {
  std::string value = fmt::format("{}-{}:{}.{} ", partition.topic, partition.partition, producer, number);
  while (value.size() < bytes) value += static_cast<char>('a' + value.size() % 26);
  return value;
}

}  // namespace

Clients::Clients(sim::Host& host, History& history, sim::Chance chance, std::vector<TopicPlan> topics)
    : host_(host.number()),
      environment_(host.environment()),
      home_(*host.environment().reactors.front()),
      history_(history),
      chance_(chance),
      topics_(std::move(topics)),
      tasks_(home_) {}

Clients::~Clients() = default;

client::Properties Clients::with_servers(client::Properties properties) const {
  properties["bootstrap.servers"] = "broker-1:9092";
  return properties;
}

std::vector<PartitionName> Clients::partitions() const {
  std::vector<PartitionName> all;
  for (const TopicPlan& topic : topics_) {
    for (std::int32_t i = 0; i < topic.partitions; ++i) all.push_back({topic.name, i});
  }
  return all;
}

Task<void> Clients::pause(runtime::Duration max, sim::Chance& chance) {
  auto sleeping = runtime::sleep_for(home_, chance.between(runtime::Duration(1us), max), tasks_.token());
  co_await std::move(sleeping);
}

Task<void> Clients::counted(Task<void> task) {
  ++running_;
  co_await std::move(task);
  --running_;
}

Task<void> Clients::make_topics() {
  client::Client client(environment_, home_, with_servers({}));
  client::Admin admin(client);
  for (const TopicPlan& plan : topics_) {
    for (;;) {
      const client::TopicSpec spec{.name = plan.name, .partitions = plan.partitions, .configs = plan.configs};
      auto making = admin.create_topic(spec);
      const auto made = co_await std::move(making);
      ++operations_;
      if (made || made.error().code() == ErrorCode::topic_already_exists) break;
      auto waiting = pause(again_max, chance_);
      co_await std::move(waiting);
    }
  }
}

// --- producers -------------------------------------------------------------------------------------------------------

void Clients::start_producer(ProducerPlan plan) {
  tasks_.start(counted(produce(std::move(plan), chance_.fork())));
}

Task<void> Clients::produce(ProducerPlan plan, sim::Chance chance) {
  for (int done = 0; done < plan.records;) {
    const int count = std::min(plan.records - done, plan.records_per_life);
    auto life = produce_life(plan, chance, history_.new_producer(), count);
    co_await std::move(life);
    done += count;
  }
}

Task<void> Clients::produce_life(const ProducerPlan& plan, sim::Chance& chance, int producer, int count) {
  client::Client client(environment_, home_, with_servers(plan.properties));
  client::Producer out(client);
  if (out.configuration_error()) throw std::runtime_error(out.configuration_error()->to_string());
  const std::vector<PartitionName> all = partitions();
  const std::uint64_t favourite = chance.below(all.size());
  int burst = 0;
  for (int number = 1; number <= count; ++number) {
    const PartitionName& partition = all[chance.one_in(4) ? chance.below(all.size()) : favourite];
    const std::string value =
        value_of(partition, producer, number, static_cast<std::size_t>(chance.below(plan.value_bytes_max)));
    const client::RecordView record{
        .topic = partition.topic, .key = {}, .value = value, .headers = {}, .partition = partition.partition};
    const std::size_t write = history_.begin({.partition = partition,
                                              .value = value,
                                              .producer = producer,
                                              .number = number,
                                              .idempotent = plan.idempotent,
                                              .one_in_flight = plan.one_in_flight,
                                              .promised = plan.promised});
    const auto delivered = [this, write](const client::Result<client::Produced>& result) {
      result ? history_.acknowledged(write, result->offset) : history_.failed(write);
    };
    ++operations_;
    while (!out.post(record, delivered)) {
      auto room = out.ready(record);
      const auto there = co_await std::move(room);
      if (there) continue;
      auto waiting = pause(again_max, chance);
      co_await std::move(waiting);
    }
    if (burst-- > 0) continue;
    burst = static_cast<int>(chance.below(static_cast<std::uint64_t>(plan.burst_max)));
    auto waiting = pause(plan.pause_max, chance);
    co_await std::move(waiting);
  }
  if (chance.one_in(6)) co_return;  // as if it were killed: what is under way may arrive or not
  auto closing = out.close();
  [[maybe_unused]] const auto closed = co_await std::move(closing);  // each record was told of its own end
}

// --- readers ---------------------------------------------------------------------------------------------------------

void Clients::start_reader(client::Properties properties) {
  tasks_.start(read(std::move(properties), chance_.fork()));
}

Task<void> Clients::read(client::Properties properties, sim::Chance chance) {
  properties["auto.offset.reset"] = "earliest";
  while (!stopping_) {
    client::Client client(environment_, home_, with_servers(properties));
    auto life = read_life(client, chance);
    co_await std::move(life);
  }
}

// Reads from the beginning until it was enough, or until a power cut may have changed what lazy topics hold.
Task<void> Clients::read_life(client::Client& client, sim::Chance& chance) {
  const unsigned cuts = history_.cuts();
  const int reader = history_.new_reader();
  client::Consumer consumer(client);
  if (consumer.configuration_error()) throw std::runtime_error(consumer.configuration_error()->to_string());
  consumer.assign(partitions());
  while (!stopping_ && !chance.one_in(50)) {
    auto polling = consumer.poll(chance.between(runtime::Duration(1ms), runtime::Duration(1s)));
    const auto batch = co_await std::move(polling);
    ++operations_;
    if (history_.cuts() != cuts) co_return;
    if (!batch) {
      auto waiting = pause(again_max, chance);
      co_await std::move(waiting);
      continue;
    }
    for (const client::Record& record : *batch) {
      history_.saw(reader, {std::string(record.topic()), record.partition()}, record.offset(),
                   record.value().value_or(""));
    }
    auto waiting = pause(100ms, chance);
    co_await std::move(waiting);
  }
}

Task<void> Clients::read_partition(client::Client& client, PartitionName partition, History::FinalLog& log) {
  client::Consumer consumer(client);
  const int reader = history_.new_reader();
  const auto ask = [&](auto what) -> Task<std::int64_t> {
    for (;;) {
      auto asking = what();
      const auto answer = co_await std::move(asking);
      if (answer && answer->contains(partition)) co_return answer->at(partition);
      auto waiting = pause(again_max, chance_);
      co_await std::move(waiting);
    }
  };
  auto beginning = ask([&] { return consumer.beginning_offsets({partition}); });
  log.start = co_await std::move(beginning);
  auto end = ask([&] { return consumer.end_offsets({partition}); });
  log.end = co_await std::move(end);
  consumer.assign({partition});
  consumer.seek(partition, log.start);
  for (std::int64_t at = log.start; at < log.end;) {
    auto polling = consumer.poll(1s);
    const auto batch = co_await std::move(polling);
    if (!batch) {
      if (!history_.shrinks(partition)) continue;
      // Perhaps the beginning went in the meantime.
      auto again = ask([&] { return consumer.beginning_offsets({partition}); });
      log.start = co_await std::move(again);
      log.records.erase(log.records.begin(), log.records.lower_bound(log.start));
      at = std::max(at, log.start);
      consumer.seek(partition, at);
      continue;
    }
    for (const client::Record& record : *batch) {
      history_.saw(reader, partition, record.offset(), record.value().value_or(""));
      log.records.emplace(record.offset(), record.value().value_or(""));
      at = record.offset() + 1;
    }
  }
}

Task<std::map<PartitionName, History::FinalLog>> Clients::read_all() {
  std::map<PartitionName, History::FinalLog> logs;
  client::Client client(environment_, home_, with_servers({{"auto.offset.reset", "none"}}));
  for (const PartitionName& partition : partitions()) {
    auto reading = read_partition(client, partition, logs[partition]);
    co_await std::move(reading);
  }
  co_return logs;
}

// --- topics ----------------------------------------------------------------------------------------------------------

void Clients::start_admin(int rounds) {
  tasks_.start(counted(administrate(rounds, chance_.fork())));
}

Task<void> Clients::administrate(int rounds, sim::Chance chance) {
  client::Client client(environment_, home_,
                        with_servers({{"default.api.timeout.ms", "5000"}, {"request.timeout.ms", "2000"}}));
  client::Admin admin(client);
  const int number = ++admins_;
  for (int round = 0; round < rounds; ++round) {
    auto waiting = pause(2s, chance);
    co_await std::move(waiting);
    ++operations_;
    if (made_.empty() || chance.one_in(3)) {
      const auto partitions = static_cast<std::int32_t>(chance.between(1, 3));
      const client::TopicSpec spec{.name = fmt::format("made-{}-{}-{}", host_, number, round),
                                   .partitions = partitions};
      auto making = admin.create_topic(spec);
      const auto made = co_await std::move(making);
      if (made) made_[spec.name] = {.id = made->id, .partitions = partitions};
      continue;
    }
    if (chance.one_in(3)) {
      auto deleting = delete_records(admin, chance);
      co_await std::move(deleting);
      continue;
    }
    const auto picked = std::next(made_.begin(), static_cast<std::ptrdiff_t>(chance.below(made_.size())));
    const auto [name, topic] = *picked;
    if (!topic.there) continue;
    if (chance.one_in(2)) {
      const std::int32_t wanted = topic.partitions + static_cast<std::int32_t>(chance.between(1, 2));
      auto adding = admin.create_partitions(name, wanted, std::nullopt);
      const auto added = co_await std::move(adding);
      if (added) made_[name].partitions = wanted;
      continue;
    }
    made_.erase(picked);  // until it is answered nobody knows
    auto deleting = admin.delete_topics({name});
    const auto deleted = co_await std::move(deleting);
    if (deleted && !deleted->front().error) made_[name] = {.id = topic.id, .there = false};
  }
}

// Of a partition that may shrink, up to somewhere that was seen, or everything.
Task<void> Clients::delete_records(client::Admin& admin, sim::Chance& chance) {
  std::vector<PartitionName> shrinking;
  for (const PartitionName& partition : partitions()) {
    if (history_.shrinks(partition)) shrinking.push_back(partition);
  }
  if (shrinking.empty()) co_return;
  const PartitionName partition = shrinking[chance.below(shrinking.size())];
  const std::int64_t highest = history_.highest_seen(partition);
  std::int64_t before = -1;
  if (highest > 0 && !chance.one_in(3))
    before = static_cast<std::int64_t>(chance.below(static_cast<std::uint64_t>(highest)));
  const unsigned deaths = history_.deaths();
  std::map<PartitionName, std::int64_t> wanted{{partition, before}};
  auto deleting = admin.delete_records(std::move(wanted));
  const auto deleted = co_await std::move(deleting);
  if (!deleted) co_return;
  const auto found = deleted->find(partition);
  if (found != deleted->end() && !found->second.error) {
    history_.deleted_before(partition, found->second.low_watermark, deaths);
  }
}

Task<void> Clients::check_topics() {
  client::Client client(environment_, home_, with_servers({}));
  client::Admin admin(client);
  for (;;) {
    auto listing = admin.list_topics();
    const auto topics = co_await std::move(listing);
    if (!topics) {
      auto waiting = pause(again_max, chance_);
      co_await std::move(waiting);
      continue;
    }
    std::vector<Uuid> expected;
    for (const auto& [name, made] : made_) {
      // By its id: an old request that was long on its way may make a deleted topic's name anew.
      const bool listed = std::ranges::any_of(*topics, [&](const auto& topic) { return topic.id == made.id; });
      if (listed && made.there) expected.push_back(made.id);
      if (listed == made.there) continue;
      history_.fail(fmt::format("R8: topic {} was {} and is {}", name, made.there ? "made" : "deleted",
                                listed ? "there" : "not there"));
    }
    auto checking = check_partitions(admin, std::move(expected));
    co_await std::move(checking);
    co_return;
  }
}

Task<void> Clients::check_partitions(client::Admin& admin, std::vector<Uuid> ids) {
  for (;;) {
    if (ids.empty()) co_return;
    auto describing = admin.describe_topics(ids);
    const auto described = co_await std::move(describing);
    if (!described) {
      auto waiting = pause(again_max, chance_);
      co_await std::move(waiting);
      continue;
    }
    for (const client::TopicDescription& topic : *described) {
      const auto made = made_.find(topic.name);
      if (made == made_.end() || topic.error) continue;
      if (topic.partitions.size() >= static_cast<std::size_t>(made->second.partitions)) continue;
      history_.fail(fmt::format("R8: topic {} has {} partitions, {} were promised", topic.name, topic.partitions.size(),
                                made->second.partitions));
    }
    co_return;
  }
}

}  // namespace klamm::simulation
