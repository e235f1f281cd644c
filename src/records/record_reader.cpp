#include "records/record_reader.h"

#include "base/varint.h"
#include "records/record_parser.h"

namespace klamm::records {

namespace {

// What is decompressed at a time.
constexpr std::size_t piece_bytes = std::size_t{64} << 10;

}  // namespace

RecordReader::RecordReader(const RecordBatchView& batch, Decompressor& decompressor) : decompressor_(decompressor) {
  open(batch);
}

RecordReader::RecordReader(const EntryView& entry, Decompressor& decompressor) : decompressor_(decompressor) {
  if (entry.is_batch()) {
    open(entry.batch());
    return;
  }
  const auto legacy = entry.legacy();
  if (!legacy) {
    error_ = legacy.error();
    return;
  }
  legacy_.emplace(*legacy, decompressor_);
  current_ = &legacy_->record();
}

RecordReader::~RecordReader() {
  decompressor_.release();
}

void RecordReader::open(const RecordBatchView& batch) {
  if (!batch.is_compressed()) {
    plain_.emplace(batch);
    current_ = &plain_->record();
    return;
  }
  if (batch.record_count() < 0) {
    stop({ErrorCode::invalid_record,
          fmt::format("Found invalid record count {} in magic v{} batch", batch.record_count(), batch.magic())});
    return;
  }
  header_.emplace(batch);
  if (auto started = decompressor_.start(batch.compression(), batch.payload()); !started)
    stop(std::move(started.error()));
}

bool RecordReader::next() {
  if (error_) return false;
  if (plain_) {
    if (!plain_->next()) {
      if (!plain_->ok()) error_ = plain_->error();
      return false;
    }
    return true;
  }
  if (legacy_) {
    if (!legacy_->next()) {
      if (!legacy_->ok()) error_ = legacy_->error();
      return false;
    }
    return true;
  }
  return next_streamed();
}

bool RecordReader::stop(Error error) {
  error_ = std::move(error);
  return false;
}

// Makes at least `bytes` plain bytes available from begin_ on, unless the payload ends before or is broken: false then
// means an error. Room grows with what was really decompressed, at most twofold a step.
bool RecordReader::fill(std::size_t bytes) {
  auto& window = decompressor_.scratch();
  while (end_ - begin_ < bytes && !drained_) {
    if (begin_ > 0) {
      std::memmove(window.data(), window.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const std::size_t room = std::max(piece_bytes, std::min(bytes, 2 * end_));
    if (window.size() < room) window.resize(room);
    const auto got = decompressor_.read(MutableBytes(window).subspan(end_));
    if (!got) return stop(got.error());
    drained_ = end_ + *got < window.size();
    end_ += *got;
  }
  return true;
}

bool RecordReader::next_streamed() {
  if (read_ >= header_->record_count()) return false;
  const auto window = [this] { return Bytes(decompressor_.scratch()).subspan(begin_, end_ - begin_); };
  RawRecord raw;
  Bytes plain = window();
  if (!parse_record_fast(plain.data(), plain.data() + plain.size(), raw)) {
    if (!fill(varint_bytes_max)) return false;
    const auto size = load_varint(window());
    if (size && size.value > 0) {
      const auto whole = size.size + static_cast<std::size_t>(size.value);
      if (!fill(whole)) return false;
      if (end_ - begin_ < whole) {
        return stop({ErrorCode::invalid_record,
                     fmt::format("Invalid record size: expected {} bytes in record payload, but the record payload "
                                 "reached EOF.",
                                 size.value)});
      }
    }
    plain = window();
    if (auto fault = parse_record(plain, raw)) return stop({ErrorCode::invalid_record, std::move(*fault)});
  }
  fill_view(raw, plain.data(), record_);
  const auto consumed = static_cast<std::size_t>(raw.end - plain.data());
  if (++read_ == header_->record_count()) {
    // The record stays where it is while one more byte is asked for.
    if (begin_ + consumed == end_ && !drained_) {
      std::byte more;
      const auto got = decompressor_.read({&more, 1});
      if (!got) return stop(got.error());
      drained_ = *got == 0;
    }
    if (begin_ + consumed != end_ || !drained_) {
      return stop({ErrorCode::invalid_record, "Incorrect declared batch size, records still remaining in file"});
    }
  }
  begin_ += consumed;
  const bool append_time = header_->timestamp_type() == TimestampType::log_append_time;
  record_.offset = Offset(wrapping_add(header_->base_offset().value, raw.offset_delta));
  record_.timestamp = append_time ? header_->max_timestamp()
                                  : Timestamp(wrapping_add(header_->base_timestamp().value, raw.timestamp_delta));
  record_.sequence =
      header_->base_sequence() >= 0 ? increment_sequence(header_->base_sequence(), raw.offset_delta) : no_sequence;
  return true;
}

}  // namespace klamm::records
