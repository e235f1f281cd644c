// What brokers that come and go do to partitions: in-sync sets and leaders of all that they hold.
// Source of behaviour: ReplicationControlManager.generateLeaderAndIsrUpdates.
#pragma once

#include <functional>
#include <optional>

#include "controller/partition_change.h"
#include "controller/state.h"

namespace klamm::controller {

struct BrokerMove {
  std::optional<std::int32_t> leaves;            // goes from in-sync sets and never leads
  std::optional<std::int32_t> comes;             // may lead, although its registration still says fenced
  std::optional<std::int32_t> unclean_shutdown;  // as `leaves`, and what it had may be lost
};

using PartitionTest = std::function<bool(const metadata::PartitionRegistration&)>;

// Appends the changes of all partitions that pass the test.
void update_partitions(const State& state, const BrokerMove& move, const PartitionTest& concerns,
                       metadata::Records& records);
// Of one partition.
void update_partition(const State& state, const BrokerMove& move, const metadata::Topic& topic, std::int32_t index,
                      const metadata::PartitionRegistration& partition, metadata::Records& records);

// With everything but what is wanted filled in.
PartitionChange partition_change(const State& state, const metadata::Topic& topic, std::int32_t index,
                                 const metadata::PartitionRegistration& partition);

PartitionTest in_isr(std::int32_t broker);
PartitionTest in_elr(std::int32_t broker);
PartitionTest led_by(std::int32_t broker);  // metadata::no_leader: by nobody

}  // namespace klamm::controller
