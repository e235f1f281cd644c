// <base>.txnindex: the aborted transactions whose markers are in the segment, in the order of their markers. Made when
// the first one is. Entries of 34 bytes: int16 version (0), int64 producer id, int64 first offset, int64 last offset
// (the marker's), int64 last stable offset after it. Source of behaviour:
// org.apache.kafka.storage.internals.log.TransactionIndex.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "runtime/disk.h"

namespace klamm::storage {

struct AbortedEntry {
  static constexpr std::size_t bytes = 34;

  ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  Offset last_stable_offset;

  void store(std::byte* to) const;
  // Nothing when the version is unknown.
  static std::optional<AbortedEntry> load(const std::byte* from);
  bool operator==(const AbortedEntry&) const = default;
};

// Hands over the entries one after another, from the file's beginning, until `visit` says false. Blocks. False: the
// file holds something that is no entry of a segment based at `base`.
template <typename Visit>
bool walk_transaction_index(runtime::File& file, Offset base, Visit visit) {
  std::array<std::byte, AbortedEntry::bytes * 120> chunk;
  std::uint64_t at = 0;
  Offset previous(-1);
  while (true) {
    const auto bytes = file.read_at(at, chunk);
    for (std::size_t i = 0; i + AbortedEntry::bytes <= bytes; i += AbortedEntry::bytes) {
      const auto entry = AbortedEntry::load(chunk.data() + i);
      if (!entry || entry->last_offset < base || entry->last_offset <= previous ||
          entry->first_offset > entry->last_offset) {
        return false;
      }
      previous = entry->last_offset;
      if (!visit(*entry)) return true;
    }
    if (bytes < chunk.size()) return bytes % AbortedEntry::bytes == 0;
    at += bytes;
  }
}

}  // namespace klamm::storage
