// Batches whose records become many bytes when they are opened. A reactor opens small ones itself; these are validated
// on an I/O thread, one at a time of all reactors: a payload of a few kilobytes that becomes a gigabyte then costs the
// others neither their turn nor memory. Kafka opens every batch on the thread of its request.
#pragma once

#include <algorithm>
#include <expected>

#include "records/validator.h"
#include "runtime/lock.h"
#include "runtime/reactor.h"
#include "runtime/task.h"

namespace klamm::replication {

// Callable from every reactor; outlives the tasks.
class LargeBatches {
 public:
  // Plain bytes of what a reactor opens itself: a millisecond or so.
  static constexpr records::DecompressionLimits on_reactor{.plain_bytes_max = std::size_t{256} << 10};
  // Of what is opened here: 32 MiB, and four times of what was sent. A batch that becomes more is refused as too large.
  static constexpr records::DecompressionLimits aside(std::size_t batch_bytes) {
    return {.plain_bytes_max = std::max(std::size_t{32} << 20, 4 * batch_bytes)};
  }

  explicit LargeBatches(runtime::Scheduling& scheduling) : lock_(scheduling) {}

  // As ProduceValidator::validate(). `records` stays valid until the task ends; the result owns its bytes.
  runtime::Task<std::expected<records::ValidatedBatch, records::ValidationError>> validate(
      runtime::Reactor& reactor, Bytes records, records::ValidationOptions options);

 private:
  class Turn;

  runtime::ShortLock lock_;
  bool busy_ = false;
  Turn* first_ = nullptr;  // of those that wait, in the order in which they came
  Turn* last_ = nullptr;
};

}  // namespace klamm::replication
