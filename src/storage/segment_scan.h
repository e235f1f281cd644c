// Walks over the batches in a segment's file: by headers only, to find one; or wholly, checksums included, to recover.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "records/batch_walker.h"
#include "runtime/disk.h"
#include "storage/producer_state.h"

namespace klamm::storage {

struct BatchAt {
  Offset first;  // base offset; of messages of magic 0 and 1 the last one
  Offset last;
  Timestamp max_timestamp = no_timestamp;
  LeaderEpoch epoch = no_leader_epoch;
  std::uint64_t position = 0;
  std::uint64_t size = 0;

  std::uint64_t end() const { return position + size; }
};

// Reads headers, trusts them as far as the file reaches. Blocks where the file is not in memory.
class HeaderWalk {
 public:
  HeaderWalk(runtime::File& file, std::uint64_t from, std::uint64_t end) : file_(file), position_(from), end_(end) {}

  // The next batch; nothing at the end. CORRUPT_MESSAGE where no batch can be.
  Result<std::optional<BatchAt>> next();
  std::uint64_t position() const { return position_; }

 private:
  Bytes peek(std::size_t wanted);

  runtime::File& file_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::array<std::byte, 4096> window_;
  std::uint64_t window_at_ = 0;
  std::size_t window_bytes_ = 0;
  std::uint64_t stride_ = 0;
};

// The first batch at or after `from` whose last offset is not below `target`.
Result<std::optional<BatchAt>> find_batch(runtime::File& file, std::uint64_t from, std::uint64_t end, Offset target);

// Nothing when the batch has no producer; INVALID_RECORD when its end marker is none.
Result<std::optional<ProducerAppend>> producer_append_of(const records::RecordBatchView& batch);

// Reads all bytes and checks every batch.
class SegmentScan {
 public:
  enum class Step : std::uint8_t { batch, end, corrupt };

  SegmentScan(runtime::File& file, std::uint64_t from, std::uint64_t end);

  Step next();
  const BatchAt& batch() const { return batch_; }
  std::int8_t magic() const { return magic_; }
  const std::optional<ProducerAppend>& producer() const { return producer_; }
  // All before it is whole and right.
  std::uint64_t valid_end() const { return position_; }
  const std::string& why() const { return why_; }

 private:
  Bytes load(std::size_t wanted);
  Step corrupt(std::string why);
  bool large_batch_matches(const records::BatchHeader& header, std::uint64_t size);

  runtime::File& file_;
  std::uint64_t position_;
  std::uint64_t end_;
  ByteVector buffer_;
  std::uint64_t buffer_at_ = 0;
  std::size_t buffer_bytes_ = 0;
  BatchAt batch_;
  std::int8_t magic_ = 0;
  std::optional<ProducerAppend> producer_;
  std::string why_;
};

}  // namespace klamm::storage
