// Chooses brokers for new replicas: racks alternate, brokers of a rack take turns, the first replica is on an unfenced
// broker where there is one. Source of behaviour: org.apache.kafka.metadata.placement.StripedReplicaPlacer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordination/decision.h"

namespace klamm::controller {

struct UsableBroker {
  std::int32_t id = -1;
  std::optional<std::string> rack;
  bool fenced = false;
};

struct PlacementRequest {
  std::int32_t partitions = 0;
  std::int32_t replicas = 0;
};

// One list of brokers a partition. Fails with invalid_replication_factor and Kafka's text.
Result<std::vector<std::vector<std::int32_t>>> place_replicas(std::vector<UsableBroker> brokers,
                                                              PlacementRequest request, coordination::FreshIds& ids);

}  // namespace klamm::controller
