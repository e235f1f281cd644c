// The entries of an index file: those in the file and those not yet written to it. No mmap: entries are appended in
// memory and go to the file a page at a time, when the segment is rolled and when the log is closed; a crash in between
// loses nothing, because recovery rebuilds indexes from the log.
//
// `Entry` has: `bytes` (its size in the file), `void store(std::byte*) const`, `static Entry load(const std::byte*)`.
// Guarded by the owner: append, truncate and trim under the log's lock, save by the holder of the writer's turn.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ensure.h"
#include "runtime/disk.h"

namespace klamm::storage {

template <typename Entry>
class IndexEntries {
 public:
  static constexpr std::size_t page_bytes = 4096;

  // The file holds `stored` whole entries.
  void reset(std::size_t stored) {
    memory_.clear();
    memory_.shrink_to_fit();
    memory_first_ = stored_ = static_cast<std::uint32_t>(stored);
  }

  std::size_t count() const { return memory_first_ + memory_.size(); }
  bool empty() const { return count() == 0; }
  // Entries below this number are in the file only.
  std::size_t memory_first() const { return memory_first_; }
  std::span<const Entry> memory() const { return memory_; }
  std::size_t unsaved() const { return count() - stored_; }
  bool page_is_full() const { return unsaved() * Entry::bytes >= page_bytes; }

  void append(const Entry& entry) { memory_.push_back(entry); }

  // Writes what the file does not have yet.
  void save(runtime::File& file) {
    if (unsaved() == 0) return;
    const auto fresh = std::span<const Entry>(memory_).subspan(stored_ - memory_first_);
    std::vector<std::byte> bytes(fresh.size() * Entry::bytes);
    for (std::size_t i = 0; i < fresh.size(); ++i) fresh[i].store(bytes.data() + i * Entry::bytes);
    file.write_at(std::uint64_t{stored_} * Entry::bytes, Bytes(bytes));
    stored_ = static_cast<std::uint32_t>(count());
  }

  // Forgets saved entries so that at most `keep` stay in memory, beside the unsaved ones.
  void trim_memory(std::size_t keep) {
    if (memory_.size() <= keep) return;
    const auto drop = std::min<std::size_t>(memory_.size() - keep, stored_ - memory_first_);
    memory_.erase(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(drop));
    memory_first_ += static_cast<std::uint32_t>(drop);
    if (memory_.size() * 4 < memory_.capacity()) memory_.shrink_to_fit();
  }

  // Keeps the first `count`. The caller cuts the file to stored_bytes() afterwards.
  void truncate(std::size_t count) {
    if (count < memory_first_) {
      memory_.clear();
      memory_first_ = static_cast<std::uint32_t>(count);
    } else if (count < this->count()) {
      memory_.resize(count - memory_first_);
    }
    stored_ = std::min(stored_, static_cast<std::uint32_t>(this->count()));
  }
  std::uint64_t stored_bytes() const { return std::uint64_t{stored_} * Entry::bytes; }

  // The number of leading entries for which `before` holds; it holds for a prefix. Reads the file where memory does not
  // reach: the caller may block.
  template <typename Predicate>
  std::size_t count_while(runtime::File* file, Predicate before) const {
    if (memory_first_ == 0 || (!memory_.empty() && before(memory_.front()))) {
      const auto end = std::partition_point(memory_.begin(), memory_.end(), before);
      return memory_first_ + static_cast<std::size_t>(end - memory_.begin());
    }
    return count_while_stored(*file, memory_first_, before);
  }
  template <typename Predicate>
  static std::size_t count_while_stored(runtime::File& file, std::size_t stored, Predicate before) {
    std::size_t low = 0;
    std::size_t high = stored;
    while (low < high) {
      const auto middle = low + (high - low) / 2;
      if (before(load_stored(file, middle))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  Entry at(runtime::File* file, std::size_t number) const {
    if (number >= memory_first_) return memory_[number - memory_first_];
    return load_stored(*file, number);
  }
  static Entry load_stored(runtime::File& file, std::size_t number) {
    std::array<std::byte, Entry::bytes> bytes{};
    // A file that shrank under us reads as zeros, which no look-up trusts without the batch that they point at.
    file.read_at(std::uint64_t{number} * Entry::bytes, bytes);
    return Entry::load(bytes.data());
  }

 private:
  std::vector<Entry> memory_;
  std::uint32_t memory_first_ = 0;  // number of the first entry in memory_
  std::uint32_t stored_ = 0;        // entries in the file; >= memory_first_
};

// <base>.index: where a batch lies. An entry at most every index.interval.bytes.
// int32 last offset of the batch, relative to the segment's base; int32 its position in the file.
struct OffsetEntry {
  static constexpr std::size_t bytes = 8;
  static constexpr std::uint32_t unknown = ~std::uint32_t{0};

  std::uint32_t last = 0;
  std::uint32_t position = 0;
  std::uint32_t first = unknown;  // of the batch; known only while the entry never left memory

  void store(std::byte* to) const {
    store_big(to, last);
    store_big(to + 4, position);
  }
  static OffsetEntry load(const std::byte* from) {
    return {.last = load_big<std::uint32_t>(from), .position = load_big<std::uint32_t>(from + 4)};
  }
};

// <base>.timeindex: the largest timestamp up to an offset; both grow.
// int64 timestamp, int32 last offset of the batch that has it, relative to the segment's base.
struct TimeEntry {
  static constexpr std::size_t bytes = 12;

  std::int64_t timestamp = -1;
  std::uint32_t offset = 0;

  void store(std::byte* to) const {
    store_big(to, timestamp);
    store_big(to + 8, offset);
  }
  static TimeEntry load(const std::byte* from) {
    return {.timestamp = load_big<std::int64_t>(from), .offset = load_big<std::uint32_t>(from + 8)};
  }
};

using OffsetIndex = IndexEntries<OffsetEntry>;
using TimeIndex = IndexEntries<TimeEntry>;

}  // namespace klamm::storage
