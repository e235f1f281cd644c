// Walks the entries of a byte range of a log or of a response: batches of magic 2 and messages of magic 0 and 1 alike.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "records/legacy.h"
#include "records/record_batch_view.h"

namespace klamm::records {

// The first 17 bytes of an entry, sizes made sane.
struct EntryPrefix {
  // Base offset of a batch; of an older message its own, or that of the last one inside.
  Offset offset;
  // The whole entry.
  std::int64_t size_bytes = 0;
  std::int8_t magic = 0;

  // `prefix` has at least header_up_to_magic bytes. corrupt_message, with Kafka's text, when the size is below what any
  // entry has or above `entry_bytes_max`, or when the magic is unknown.
  static Result<EntryPrefix> parse(Bytes prefix,
                                   std::int32_t entry_bytes_max = std::numeric_limits<std::int32_t>::max());
};

// One entry of any magic, and what a log asks of it.
class EntryView {
 public:
  EntryView(Bytes bytes, std::int8_t magic) : bytes_(bytes), magic_(magic) {}

  Bytes bytes() const { return bytes_; }
  std::size_t size_bytes() const { return bytes_.size(); }
  std::int8_t magic() const { return magic_; }
  bool is_batch() const { return magic_ >= 2; }
  // Only for is_batch(); the entry was not too small for one (check()).
  RecordBatchView batch() const { return RecordBatchView(bytes_); }
  // Only for the others.
  Result<LegacyEntryView> legacy() const { return LegacyEntryView::parse(bytes_); }

  // Size and checksum: what must hold before anything below is asked. corrupt_message, with Kafka's text.
  Result<void> check() const;

  // Base offset; of older entries the last one, because the first is known only when the entry is opened.
  Offset first_known_offset() const;
  Offset last_offset() const;
  Timestamp max_timestamp() const;
  TimestampType timestamp_type() const;
  CompressionType compression() const;
  // -1 for older entries.
  LeaderEpoch partition_leader_epoch() const;
  ProducerId producer_id() const;
  bool is_transactional() const;
  bool is_control() const;

 private:
  Bytes bytes_;
  std::int8_t magic_;
};

// Never reads past the range, whatever it holds.
class BatchWalker {
 public:
  explicit BatchWalker(Bytes range, std::int32_t entry_bytes_max = std::numeric_limits<std::int32_t>::max())
      : range_(range), entry_bytes_max_(entry_bytes_max) {}

  // entry: entry() is valid. end: the range ended with an entry. partial: it ends inside of one; wanted() says how many
  // bytes from position() on are needed to go on. corrupt: error() says why there is no entry at position().
  enum class Step : std::uint8_t { entry, end, partial, corrupt };
  Step next();

  const EntryView& entry() const { return entry_; }
  // Where entry() begins; after the last one, where the walk stopped.
  std::size_t position() const { return position_; }
  // Where the next entry begins.
  std::size_t next_position() const { return next_; }
  std::size_t wanted() const { return wanted_; }
  const Error& error() const { return error_; }

 private:
  Bytes range_;
  std::int32_t entry_bytes_max_;
  std::size_t position_ = 0;
  std::size_t next_ = 0;
  std::size_t wanted_ = 0;
  EntryView entry_{{}, 0};
  Error error_{ErrorCode::none};
};

}  // namespace klamm::records
