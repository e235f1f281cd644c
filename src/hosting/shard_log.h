// Where a shard's records go: a partition's log, or the metadata log.
#pragma once

#include <span>

#include "base/error.h"
#include "base/types.h"
#include "runtime/waiting.h"

namespace klamm::hosting {

// Belongs to the reactor of its shard; only `committed` is asked on others.
template <typename Record>
class ShardLog {
 public:
  virtual ~ShardLog() = default;

  // What the next record will get; and the epoch in which this node leads.
  virtual Offset next_offset() const = 0;
  virtual LeaderEpoch epoch() const = 0;

  // Takes the records over, in order, after all taken before; `atomic`: in one batch. Whether they last is seen by
  // `committed`. Returns the offset after the last. Errors, with nothing taken: record_list_too_large when one batch
  // cannot hold them, kafka_storage_error once the log failed.
  virtual Result<Offset> append(std::span<const Record> records, bool atomic) = 0;

  // Everything below it will never be lost. Closed when the log failed or was left.
  virtual runtime::Watermark& committed() = 0;
};

}  // namespace klamm::hosting
