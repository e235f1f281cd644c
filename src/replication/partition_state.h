// What the cluster says of one partition: a value that the metadata image, a LeaderAndIsr request or znodes can fill.
#pragma once

#include "base/small_list.h"
#include "base/types.h"
#include "base/uuid.h"

namespace klamm::replication {

struct PartitionState {
  BrokerId leader = no_broker;
  LeaderEpoch leader_epoch = no_leader_epoch;
  PartitionEpoch partition_epoch{0};
  bool is_new = false;  // a log may be made when there is none
  SmallList<BrokerId, 3> replicas;
  SmallList<BrokerId, 3> isr;
  Uuid directory;  // where this broker's replica lives; directory_unassigned when nobody decided

  bool operator==(const PartitionState&) const = default;
};

}  // namespace klamm::replication
