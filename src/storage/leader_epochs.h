// Which leader epoch wrote which offsets of a log: (epoch, first offset), both strictly growing. Replicas find with it
// where they diverge (KIP-101, KIP-279). Values only: the file leader-epoch-checkpoint is read and written around it.
// Source of behaviour: org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace klamm::storage {

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start;

  bool operator==(const EpochEntry&) const = default;
};

// The answer to "where did this epoch end?"
struct EpochEndOffset {
  LeaderEpoch leader_epoch = no_leader_epoch;  // the largest known epoch <= the one asked for; -1 when there is none
  Offset end_offset = no_offset;

  bool operator==(const EpochEndOffset&) const = default;
};

class LeaderEpochs {
 public:
  // Notes that `epoch` begins at `start`; entries that contradict it (a later start or a later epoch) are dropped.
  // False when nothing changed. Both are not negative.
  bool assign(LeaderEpoch epoch, Offset start);
  // Forgets what starts at or after `end`. False when nothing changed.
  bool truncate_from_end(Offset end);
  // Forgets what ended before `start`; the epoch that holds it starts there now. False when nothing changed.
  bool truncate_from_start(Offset start);
  void clear() { entries_.clear(); }

  bool empty() const { return entries_.empty(); }
  std::span<const EpochEntry> entries() const { return entries_; }
  std::optional<EpochEntry> latest() const;
  std::optional<EpochEntry> earliest() const;
  std::optional<LeaderEpoch> latest_epoch() const;
  // The epoch that wrote `offset`.
  std::optional<LeaderEpoch> epoch_of(Offset offset) const;
  // (-1, -1) when the epoch is -1 or newer than all that is known.
  EpochEndOffset end_offset_of(LeaderEpoch epoch, Offset log_end) const;

  bool operator==(const LeaderEpochs&) const = default;

  std::string to_text() const;
  // Fails (message: what is wrong where) on a text that is not one; entries out of order are resolved as by assign().
  static Result<LeaderEpochs> parse(std::string_view text, std::string_view path);

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace klamm::storage
