// Entries of logs with checksums that hold.
#pragma once

#include "input.h"
#include "records/batch_walker.h"
#include "records/legacy.h"

namespace klamm::fuzz {

// Gives every entry of the range that has a place for it the checksum of what it holds.
inline void repair_checksums(MutableBytes range) {
  records::BatchWalker walker(range);
  while (walker.next() == records::BatchWalker::Step::entry) {
    const records::EntryView& entry = walker.entry();
    const MutableBytes bytes = range.subspan(walker.position(), entry.size_bytes());
    if (entry.is_batch()) {
      if (bytes.size() < records::batch_overhead) continue;
      store_big(bytes.data() + records::batch_field::crc, records::RecordBatchView(bytes).compute_crc());
    } else if (const auto legacy = entry.legacy()) {
      store_big(bytes.data() + records::log_overhead, legacy->compute_crc());
    }
  }
}

}  // namespace klamm::fuzz
