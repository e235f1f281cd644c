// Reads logs by fetch requests of their own, so that everything that an answer says is seen: both bounds, aborted
// transactions, markers.
#pragma once

#include <map>
#include <vector>

#include "coordinators/caller.h"
#include "coordinators/transaction_history.h"

namespace klamm::simulation {

// A read_committed reader of one partition, as Kafka's consumer reads.
class CommittedReader {
 public:
  CommittedReader(Caller& caller, TransactionHistory& history, PartitionName partition, std::int64_t from)
      : caller_(caller), history_(history), partition_(std::move(partition)), position_(from) {}

  // One answer: what is committed in it. Nothing when there was none.
  Task<std::optional<Stretch>> fetch(runtime::Duration wait_max, std::int32_t bytes_max);
  std::int64_t position() const { return position_; }
  void seek(std::int64_t to) { position_ = to; }

 private:
  Caller& caller_;
  TransactionHistory& history_;
  PartitionName partition_;
  std::int64_t position_;
};

// All of it, markers included, once there is something to answer with.
Task<FinalPartition> read_whole(Caller& caller, PartitionName partition);

}  // namespace klamm::simulation
