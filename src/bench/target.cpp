#include "bench/target.h"

#include <algorithm>
#include <map>

#include "client/core.h"
#include "runtime/waiting.h"

namespace klamm::bench {
namespace {

using client::Error;
using client::Result;
using runtime::Task;

constexpr std::chrono::seconds connect_patience{10};
constexpr std::chrono::seconds topic_patience{30};

// Nothing while a partition has no leader yet.
Result<std::optional<Target>> target_of(const client::TopicDescription& topic,
                                        const client::ClusterDescription& cluster) {
  Target target{.topic = topic.name, .topic_id = topic.id, .brokers = {}, .apis = {}};
  std::map<std::int32_t, std::vector<std::int32_t>> led;
  for (const auto& partition : topic.partitions) {
    if (partition.leader < 0) return std::optional<Target>();
    led[partition.leader].push_back(partition.partition);
  }
  for (const auto& description : cluster.brokers) {
    const client::Broker& broker = description.broker;
    const auto partitions = led.find(broker.id);
    if (partitions == led.end()) continue;
    target.brokers.push_back({broker.id, {broker.host, static_cast<std::uint16_t>(broker.port)}, partitions->second});
  }
  if (target.brokers.size() != led.size()) return std::optional<Target>();
  return std::optional(std::move(target));
}

Task<Result<std::optional<Target>>> look(client::Admin& admin, const std::string& topic) {
  std::vector<std::string> names{topic};
  auto describing = admin.describe_topics(std::move(names));
  const auto topics = co_await std::move(describing);
  if (!topics) co_return topics.error();
  if (topics->front().error) {
    if (topics->front().error->code() == ErrorCode::unknown_topic_or_partition) co_return std::optional<Target>();
    co_return *topics->front().error;
  }
  auto asking = admin.describe_cluster();
  const auto cluster = co_await std::move(asking);
  if (!cluster) co_return cluster.error();
  co_return target_of(topics->front(), *cluster);
}

Task<Result<void>> make_topic(client::Admin& admin, const Plan& plan) {
  client::TopicSpec spec{.name = plan.topic, .partitions = plan.partitions};
  if (plan.replication_factor > 0) spec.replication_factor = plan.replication_factor;
  auto making = admin.create_topic(spec);
  const auto made = co_await std::move(making);
  if (!made && made.error().code() != ErrorCode::topic_already_exists) co_return made.error();
  co_return Result<void>();
}

}  // namespace

std::int16_t Target::version_of(protocol::ApiKey key, std::int16_t newest) const {
  const auto served = std::ranges::find(apis, static_cast<std::int16_t>(key), &client::ServedApi::key);
  return served == apis.end() ? std::int16_t{-1} : std::min(newest, served->max);
}

Task<Result<Target>> prepare(client::Client& client, const Plan& plan) {
  client::Admin admin(client);
  runtime::Reactor& reactor = client.core().reactor();
  const runtime::MonoTime deadline = reactor.now() + topic_patience;
  for (bool tried = false; reactor.now() < deadline; tried = true) {
    auto looking = look(admin, plan.topic);
    auto found = co_await std::move(looking);
    if (!found) co_return found.error();
    if (*found) {
      Target target = std::move(**found);
      auto asking = admin.api_versions(target.brokers.front().id);
      auto apis = co_await std::move(asking);
      if (!apis) co_return apis.error();
      target.apis = *std::move(apis);
      co_return target;
    }
    if (!tried) {
      auto making = make_topic(admin, plan);
      if (const auto made = co_await std::move(making); !made) co_return made.error();
    }
    runtime::Notice never_told(reactor);
    auto pause = never_told.wait(reactor.now() + std::chrono::milliseconds(20));
    co_await std::move(pause);
  }
  co_return Error(ErrorCode::request_timed_out, "The topic " + plan.topic + " did not get leaders in time.");
}

Task<Result<std::int64_t>> end_offsets(client::Client& client, const Target& target) {
  std::map<client::PartitionName, std::int64_t> wanted;
  for (const auto& broker : target.brokers)
    for (const std::int32_t partition : broker.partitions) wanted[{target.topic, partition}] = -1;
  client::Admin admin(client);
  auto listing = admin.list_offsets(std::move(wanted));
  const auto listed = co_await std::move(listing);
  if (!listed) co_return listed.error();
  std::int64_t sum = 0;
  for (const auto& [name, offset] : *listed) {
    if (offset.error) co_return *offset.error;
    sum += offset.offset;
  }
  co_return sum;
}

Task<runtime::SocketRef> connect(runtime::Environment& environment, runtime::Reactor& reactor,
                                 client::HostPort address) {
  // Blocks: nothing else runs here while channels are being opened.
  const auto hosts = environment.network.resolve(address.host);
  auto connecting =
      environment.network.connect(reactor, {hosts.front(), address.port}, {}, reactor.now() + connect_patience);
  co_return co_await std::move(connecting);
}

}  // namespace klamm::bench
