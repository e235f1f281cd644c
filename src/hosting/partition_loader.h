// Reads a coordinator's partition from its start to its end, and gives every record to whoever builds a machine of
// them. Reading and decoding happen on I/O threads, a piece at a time, so that a large partition holds up nobody.
// Source of behaviour: org.apache.kafka.coordinator.common.runtime.CoordinatorLoaderImpl.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>

#include "base/types.h"
#include "records/control_record.h"
#include "records/record.h"
#include "records/record_batch_view.h"
#include "runtime/reactor.h"
#include "runtime/task.h"
#include "storage/log.h"

namespace klamm::hosting {

// A partition that cannot be replayed; what() names the partition, the offset and what is wrong there.
class BrokenPartition : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Called in the order of the log, by one thread at a time. What it throws is reported with the offset.
class Playback {
 public:
  virtual ~Playback() = default;
  virtual void record(const records::RecordBatchView& batch, const records::RecordView& record) = 0;
  virtual void end_of_transaction(const records::RecordBatchView& batch, bool commit) = 0;
};

struct LoadSummary {
  bool finished = false;  // not given up
  Offset end{0};          // of what was read
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// `go_on` is asked on the reactor between pieces. A piece has `piece_bytes` (offsets.load.buffer.size), or one batch
// that is larger. Throws BrokenPartition, storage failures included.
runtime::Task<LoadSummary> load_partition(runtime::Reactor& reactor, storage::LogRef log,
                                          std::shared_ptr<Playback> playback, std::size_t piece_bytes,
                                          std::function<bool()> go_on);

}  // namespace klamm::hosting
