#include "records/record_reader.h"

#include "base/varint.h"
#include "records/record_parser.h"

namespace klamm::records {

namespace {

// What is decompressed at a time.
constexpr std::size_t piece_bytes = std::size_t{64} << 10;

std::string end_of_payload(std::int32_t record_bytes) {
  return fmt::format("Invalid record size: expected {} bytes in record payload, but the record payload reached EOF.",
                     record_bytes);
}

}  // namespace

RecordReader::RecordReader(const RecordBatchView& batch, Decompressor& decompressor, Large large)
    : decompressor_(decompressor), large_(large) {
  open(batch);
}

RecordReader::RecordReader(const EntryView& entry, Decompressor& decompressor, Large large)
    : decompressor_(decompressor), large_(large) {
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

Bytes RecordReader::window() const {
  return Bytes(decompressor_.scratch()).subspan(begin_, end_ - begin_);
}

// A record that is counted over: its fields are read, and of keys, values and headers no more is held than a piece.
struct RecordReader::LargeRecord {
  RecordReader& reader;
  std::int32_t size;
  std::size_t left;

  bool broken() const { return reader.stop({ErrorCode::invalid_record, "Found invalid record structure"}); }
  bool ended() const { return reader.stop({ErrorCode::invalid_record, end_of_payload(size)}); }

  template <typename T>
  bool load(T& value) {
    constexpr std::size_t most = sizeof(T) == 4 ? varint_bytes_max : varlong_bytes_max;
    const std::size_t wanted = std::min(most, left);
    if (!reader.fill(wanted)) return false;
    const Bytes at = reader.window().first(std::min(wanted, reader.end_ - reader.begin_));
    std::size_t bytes = 0;
    if constexpr (sizeof(T) == 4) {
      const auto read = load_varint(at);
      value = read.value;
      bytes = read.size;
    } else {
      const auto read = load_varlong(at);
      value = read.value;
      bytes = read.size;
    }
    if (bytes == 0) return at.size() < wanted ? ended() : broken();
    reader.begin_ += bytes;
    left -= bytes;
    return true;
  }
  bool pass(std::int32_t count) {
    if (count <= 0) return true;
    auto bytes = static_cast<std::size_t>(count);
    if (bytes > left) return broken();
    left -= bytes;
    while (bytes > 0) {
      if (!reader.fill(1)) return false;
      const std::size_t part = std::min(bytes, reader.end_ - reader.begin_);
      if (part == 0) return ended();
      reader.begin_ += part;
      bytes -= part;
    }
    return true;
  }
  bool headers(std::int32_t count) {
    if (count < 0)
      return reader.stop({ErrorCode::invalid_record, fmt::format("Found invalid number of record headers {}", count)});
    if (static_cast<std::size_t>(count) > left) {
      return reader.stop({ErrorCode::invalid_record,
                          fmt::format("Found invalid number of record headers. {} is larger than the remaining size of "
                                      "the buffer",
                                      count)});
    }
    for (std::int32_t i = 0; i < count; ++i) {
      std::int32_t key_size = 0;
      std::int32_t value_size = 0;
      if (!load(key_size)) return false;
      if (key_size < 0) {
        return reader.stop({ErrorCode::invalid_record, fmt::format("Invalid negative header key size {}", key_size)});
      }
      if (!pass(key_size) || !load(value_size) || !pass(value_size)) return false;
    }
    return true;
  }
};

bool RecordReader::next_large(std::int32_t size, std::size_t prefix_bytes) {
  begin_ += prefix_bytes;
  LargeRecord record{*this, size, static_cast<std::size_t>(size)};
  RawRecord raw;
  if (!fill(1)) return false;
  if (begin_ == end_) return record.ended();
  raw.attributes = static_cast<std::int8_t>(window()[0]);
  const bool whole = record.pass(1) && record.load(raw.timestamp_delta) && record.load(raw.offset_delta) &&
                     record.load(raw.key_size) && record.pass(raw.key_size) && record.load(raw.value_size) &&
                     record.pass(raw.value_size) && record.load(raw.header_count) && record.headers(raw.header_count);
  if (!whole) return false;
  if (record.left > 0) {
    const auto read = static_cast<std::size_t>(size) - record.left;
    return stop({ErrorCode::invalid_record,
                 fmt::format("Invalid record size: expected to read {} bytes in record payload, but instead read {}",
                             size, read)});
  }
  record_.attributes = raw.attributes;
  record_.size_bytes = static_cast<std::int32_t>(prefix_bytes) + size;
  record_.key_data = record_.value_data = nullptr;
  record_.key_size = raw.key_size;
  record_.value_size = raw.value_size;
  record_.headers = Headers({}, 0);
  return finish_streamed(raw, 0);
}

bool RecordReader::next_streamed() {
  if (read_ >= header_->record_count()) return false;
  RawRecord raw;
  Bytes plain = window();
  if (!parse_record_fast(plain.data(), plain.data() + plain.size(), raw)) {
    if (!fill(varint_bytes_max)) return false;
    const auto size = load_varint(window());
    if (size && size.value > 0) {
      const auto whole = size.size + static_cast<std::size_t>(size.value);
      if (large_ == Large::sizes && whole > piece_bytes) return next_large(size.value, size.size);
      if (!fill(whole)) return false;
      if (end_ - begin_ < whole) return stop({ErrorCode::invalid_record, end_of_payload(size.value)});
    }
    plain = window();
    if (auto fault = parse_record(plain, raw)) return stop({ErrorCode::invalid_record, std::move(*fault)});
  }
  fill_view(raw, plain.data(), record_);
  return finish_streamed(raw, static_cast<std::size_t>(raw.end - plain.data()));
}

// After the last record nothing may follow. `unread_bytes`: of the record, from begin_ on.
bool RecordReader::finish_streamed(const RawRecord& raw, std::size_t unread_bytes) {
  if (++read_ == header_->record_count()) {
    // The record stays where it is while one more byte is asked for.
    if (begin_ + unread_bytes == end_ && !drained_) {
      std::byte more;
      const auto got = decompressor_.read({&more, 1});
      if (!got) return stop(got.error());
      drained_ = *got == 0;
    }
    if (begin_ + unread_bytes != end_ || !drained_) {
      return stop({ErrorCode::invalid_record, "Incorrect declared batch size, records still remaining in file"});
    }
  }
  begin_ += unread_bytes;
  const bool append_time = header_->timestamp_type() == TimestampType::log_append_time;
  record_.offset = Offset(wrapping_add(header_->base_offset().value, raw.offset_delta));
  record_.timestamp = append_time ? header_->max_timestamp()
                                  : Timestamp(wrapping_add(header_->base_timestamp().value, raw.timestamp_delta));
  record_.sequence =
      header_->base_sequence() >= 0 ? increment_sequence(header_->base_sequence(), raw.offset_delta) : no_sequence;
  return true;
}

}  // namespace klamm::records
