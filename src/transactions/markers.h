// The markers that end prepared transactions: which partitions still need one, which are being written somewhere, which
// failed and rest for a while. Not kept by the log: who loads it begins with all of them again, and a marker that is
// written twice does no harm.
// Source of behaviour: kafka.coordinator.transaction.TransactionMarkerChannelManager.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error_code.h"
#include "base/types.h"
#include "transactions/transaction.h"

namespace klamm::transactions {

// To be written into each of the partitions, by their leaders, with the leader epoch of the shard as coordinator epoch.
struct Marker {
  std::string transactional_id;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  bool commit = false;
  TransactionVersion version = 0;
  Partitions partitions;

  bool operator==(const Marker&) const = default;
};

enum class MarkerOutcome : std::uint8_t {
  written,  // or never needed: the partition is gone, or has moved past this epoch
  again,    // not now
  fenced,   // a later coordinator of this transaction has been heard of: it writes them
};
// Of what the leader of a partition answered. Source: TransactionMarkerRequestCompletionHandler; an epoch that the
// partition has moved past, which Kafka gives up on for good, is `written`: the transaction cannot be open there.
MarkerOutcome outcome_of(ErrorCode code);

// What became of a marker.
struct MarkerReport {
  struct Partition {
    std::string topic;
    std::int32_t partition;
    MarkerOutcome outcome;
  };
  std::string transactional_id;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  std::vector<Partition> partitions;
};

class MarkerQueue {
 public:
  // All of them wait to be handed out. In the place of what there was of this id.
  void add(const std::string& id, const Partitions& partitions);
  void forget(std::string_view id);

  // Whose markers are to be written now, first come first served: as many as hold `partitions_max` partitions, and one
  // in any case.
  std::vector<std::pair<std::string, Partitions>> take(std::size_t partitions_max);
  bool has_waiting() const { return !waiting_.empty(); }

  // One that was handed out came back. Of partitions that nobody waits for, nothing happens.
  void written(std::string_view id, std::string_view topic, std::int32_t partition);
  void again(std::string_view id, const std::string& topic, std::int32_t partition);
  // Those that shall be tried again are handed out.
  void wake();
  bool has_resting() const { return resting_count_ > 0; }

  // Partitions that still need a marker; null when the id has none.
  const Partitions* left(std::string_view id) const;

 private:
  struct Round {
    Partitions left;     // all that are not written
    Partitions waiting;  // of these: to be handed out
    Partitions resting;  // of these: to be handed out after a while
  };
  using Rounds = std::map<std::string, Round, std::less<>>;

  Rounds rounds_;
  std::deque<std::string> waiting_;  // ids, each once, whose `waiting` holds something
  std::size_t resting_count_ = 0;    // rounds whose `resting` holds something
};

}  // namespace klamm::transactions
