// Reads the records of any entry: plain or compressed, of any magic.
#pragma once

#include <optional>

#include "records/batch_walker.h"
#include "records/compression.h"
#include "records/legacy.h"
#include "records/record_batch_view.h"

namespace klamm::records {

struct RawRecord;

// A compressed batch of magic 2 is decompressed piece by piece into the decompressor's scratch room, which grows only
// as far as the largest record needs and never by what a record merely says of its length. A record is valid until
// next().
//   for (RecordReader reader(batch, decompressor); reader.next();) use(reader.record());
// Errors: invalid_record for records that lie (Kafka's texts), corrupt_message for an undecodable payload,
// message_too_large for one beyond the decompressor's limit.
class RecordReader {
 public:
  // What is wanted of a record that is larger than a piece (64 KiB) and compressed: all of it, or only what it says of
  // itself: sizes without the bytes (key() and value() must not be asked then), no headers. Then no record takes
  // memory.
  enum class Large : std::uint8_t { whole, sizes };

  // The batch's bytes and the decompressor outlive the reader; one reader at a time per decompressor.
  RecordReader(const RecordBatchView& batch, Decompressor& decompressor, Large large = Large::whole);
  // The entry passed EntryView::check().
  RecordReader(const EntryView& entry, Decompressor& decompressor, Large large = Large::whole);
  ~RecordReader();
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  bool next();
  const RecordView& record() const { return *current_; }
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

 private:
  struct LargeRecord;

  void open(const RecordBatchView& batch);
  bool next_streamed();
  bool next_large(std::int32_t size, std::size_t prefix_bytes);
  bool finish_streamed(const RawRecord& raw, std::size_t unread_bytes);
  Bytes window() const;
  bool fill(std::size_t bytes);
  bool stop(Error error);

  Decompressor& decompressor_;
  Large large_;
  std::optional<RecordCursor> plain_;
  std::optional<LegacyRecordReader> legacy_;
  std::optional<BatchHeader> header_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool drained_ = false;
  std::int32_t read_ = 0;
  RecordView record_;
  // Where the record that next() found is: here, or in one of the readers above.
  const RecordView* current_ = &record_;
  std::optional<Error> error_;
};

}  // namespace klamm::records
