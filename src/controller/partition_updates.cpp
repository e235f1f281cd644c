#include "controller/partition_updates.h"

#include <algorithm>

namespace klamm::controller {
namespace {

using metadata::PartitionRegistration;

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

// A broker whose directory with the replica is offline cannot lead it.
bool has_replica_online(const State& state, const PartitionRegistration& partition, std::int32_t broker) {
  const auto* registration = state.image->broker(BrokerId(broker));
  return registration && registration->has_online_directory(partition.directory_of(broker));
}

}  // namespace

PartitionChange partition_change(const State& state, const metadata::Topic& topic, std::int32_t index,
                                 const PartitionRegistration& partition) {
  return PartitionChange{
      .before = partition,
      .topic_id = topic.id,
      .partition = index,
      .version = state.version(),
      .elr_enabled = state.image->elr_enabled(),
      .min_isr = state.effective_min_isr(topic),
      .can_lead =
          [&state, &partition](std::int32_t broker) {
            return state.is_active(broker) && has_replica_online(state, partition, broker);
          },
      .default_directory = [&state](std::int32_t broker) { return state.default_directory(broker); },
  };
}

void update_partition(const State& state, const BrokerMove& move, const metadata::Topic& topic, std::int32_t index,
                      const PartitionRegistration& partition, metadata::Records& records) {
  PartitionChange change = partition_change(state, topic, index, partition);
  change.can_lead = [&](std::int32_t broker) {
    if (broker == move.leaves || broker == move.unclean_shutdown) return false;
    return (broker == move.comes || state.is_active(broker)) && has_replica_online(state, partition, broker);
  };
  if (state.unclean_election_enabled(topic)) change.election = Election::unclean;
  if (move.unclean_shutdown) change.unclean_shutdown_replicas = {*move.unclean_shutdown};
  auto& isr = change.isr.emplace(partition.isr);
  std::erase_if(isr, [&](std::int32_t broker) { return broker == move.leaves || broker == move.unclean_shutdown; });
  if (auto record = change_partition(change)) records.push_back(std::move(*record));
}

void update_partitions(const State& state, const BrokerMove& move, const PartitionTest& concerns,
                       metadata::Records& records) {
  for (const metadata::TopicRef& topic : state.image->topics_by_id()) {
    for (const auto& [index, partition] : topic->partitions) {
      if (concerns(partition)) update_partition(state, move, *topic, index, partition, records);
    }
  }
}

PartitionTest in_isr(std::int32_t broker) {
  return [broker](const PartitionRegistration& partition) { return contains(partition.isr, broker); };
}
PartitionTest in_elr(std::int32_t broker) {
  return [broker](const PartitionRegistration& partition) { return contains(partition.elr, broker); };
}
PartitionTest led_by(std::int32_t broker) {
  return [broker](const PartitionRegistration& partition) { return partition.leader == broker; };
}

}  // namespace klamm::controller
