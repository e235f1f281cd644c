#include "cli/dump_log.h"

#include <algorithm>
#include <charconv>

#include "records/record_reader.h"
#include "storage/index_entries.h"
#include "storage/producer_snapshot.h"
#include "storage/transaction_index.h"

namespace klamm::cli {

using records::EntryView;

namespace {

std::string_view file_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string beside(const std::string& path, std::string_view suffix) {
  const std::string_view name = file_name(path);
  const std::string directory = path.substr(0, path.size() - name.size());
  return directory + std::string(name.substr(0, name.find('.'))) + std::string(suffix);
}

// The number that a file's name begins with.
std::int64_t base_offset_of(std::string_view path) {
  const std::string_view name = file_name(path);
  const std::string_view digits = name.substr(0, name.find('.'));
  std::int64_t offset = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  if (failed != std::errc() || end != digits.data() + digits.size()) {
    throw DumpFailure("java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", digits));
  }
  return offset;
}

}  // namespace

// Entries of a log file one after another, read a megabyte at a time; never more than the file has.
class LogDumper::BatchFile {
 public:
  BatchFile(runtime::FileRef file, std::string path, std::int64_t from, std::int64_t length_max)
      : file_(std::move(file)), path_(std::move(path)), position_(from) {
    const auto size = static_cast<std::int64_t>(file_->size());
    end_ = length_max > size - from ? size : from + length_max;
  }

  // Nothing at the end, or when what is left is no whole entry. The entry is valid until the next call.
  std::optional<EntryView> next() {
    if (position_ >= end_ - static_cast<std::int64_t>(records::header_up_to_magic)) return std::nullopt;
    const Bytes head = load(position_, records::header_up_to_magic);
    const auto size = load_big<std::int32_t>(head.data() + 8);
    if (size < records::legacy_overhead_v0) {
      throw DumpFailure("org.apache.kafka.common.errors.CorruptRecordException",
                        fmt::format("Found record size {} smaller than minimum record overhead ({}) in file {}.", size,
                                    records::legacy_overhead_v0, path_));
    }
    const std::int64_t whole = std::int64_t{size} + static_cast<std::int64_t>(records::log_overhead);
    if (position_ > end_ - whole) return std::nullopt;
    const auto magic = static_cast<std::int8_t>(head[records::magic_position]);
    const Bytes bytes = load(position_, static_cast<std::size_t>(whole));
    position_ += whole;
    const EntryView entry(bytes, magic);
    // Indexes may point anywhere, and every question about a batch asks its header.
    if (entry.is_batch() && entry.size_bytes() < records::batch_overhead) {
      throw DumpFailure(
          "org.apache.kafka.common.errors.CorruptRecordException",
          fmt::format("Record batch is corrupted (the size {} is smaller than the minimum allowed overhead {})",
                      entry.size_bytes(), records::batch_overhead));
    }
    return entry;
  }

  std::int64_t end() const { return end_; }

 private:
  Bytes load(std::int64_t from, std::size_t count) {
    if (from < buffer_from_ ||
        from + static_cast<std::int64_t>(count) > buffer_from_ + static_cast<std::int64_t>(buffer_.size())) {
      constexpr std::int64_t window = 1 << 20;
      buffer_from_ = from;
      buffer_.resize(static_cast<std::size_t>(
          std::clamp<std::int64_t>(end_ - from, static_cast<std::int64_t>(count),
                                   std::max<std::int64_t>(window, static_cast<std::int64_t>(count)))));
      const std::size_t got = file_->read_at(static_cast<std::uint64_t>(from), buffer_);
      if (got < count) {
        throw DumpFailure("java.io.EOFException",
                          fmt::format("Failed to read `log header` from file channel. Expected to read {} bytes, "
                                      "but reached end of file after reading {} bytes.",
                                      count, got));
      }
      buffer_.resize(got);
    }
    return Bytes(buffer_).subspan(static_cast<std::size_t>(from - buffer_from_), count);
  }

  runtime::FileRef file_;
  std::string path_;
  std::int64_t position_;
  std::int64_t end_;
  ByteVector buffer_;
  std::int64_t buffer_from_ = 0;
};

LogDumper::Pairs& LogDumper::Mismatches::of(const std::string& path) {
  const auto found = std::ranges::find(files, path, &std::pair<std::string, Pairs>::first);
  return found != files.end() ? found->second : files.emplace_back(path, Pairs{}).second;
}

runtime::FileRef LogDumper::open(const std::string& path) {
  try {
    return disk_.open(path, runtime::OpenMode::read);
  } catch (const runtime::DiskError& error) {
    if (error.is(std::errc::no_such_file_or_directory)) throw DumpFailure("java.nio.file.NoSuchFileException", path);
    if (error.is(std::errc::permission_denied)) throw DumpFailure("java.nio.file.AccessDeniedException", path);
    throw DumpFailure("java.io.IOException", error.what());
  }
}

void LogDumper::dump(const std::string& path) {
  out_(fmt::format("Dumping {}\n", path));
  const std::string_view name = file_name(path);
  const auto dot = name.rfind('.');
  const std::string_view suffix = dot == std::string_view::npos ? std::string_view() : name.substr(dot);
  if (suffix == ".log" || suffix == ".checkpoint") return dump_log(path);
  if (suffix == ".index") return dump_index(path);
  if (suffix == ".timeindex") return dump_time_index(path);
  if (suffix == ".snapshot") return dump_snapshot(path);
  if (suffix == ".txnindex") return dump_transaction_index(path);
  err_(fmt::format("Ignoring unknown file {}\n", path));
}

void LogDumper::dump_log(const std::string& path) {
  const std::string_view name = file_name(path);
  if (name.ends_with(".log")) {
    out_(fmt::format("Log starting offset: {}\n", base_offset_of(path)));
  } else if (name == "bootstrap.checkpoint") {
    out_("KRaft bootstrap snapshot\n");
  } else {
    // "00000000000000000042-0000000003.checkpoint"
    std::int64_t end_offset = 0;
    std::int32_t epoch = 0;
    const bool named = name.size() == 20 + 1 + 10 + 11 && name[20] == '-' &&
                       std::from_chars(name.data(), name.data() + 20, end_offset).ptr == name.data() + 20 &&
                       std::from_chars(name.data() + 21, name.data() + 31, epoch).ptr == name.data() + 31;
    if (!named) throw DumpFailure("java.util.NoSuchElementException", "No value present");
    out_(fmt::format("Snapshot end offset: {}, epoch: {}\n", end_offset, epoch));
  }

  BatchFile file(open(path), path, 0, options_.bytes_max);
  std::int64_t valid = 0;
  last_offset_ = -1;
  while (const auto entry = file.next()) {
    print_batch(*entry, valid, entry->check().has_value());
    if (options_.deep || options_.print_data) print_records(*entry, path);
    valid += static_cast<std::int64_t>(entry->size_bytes());
  }
  if (file.end() > valid && options_.bytes_max == 0x7fffffff) {
    out_(fmt::format("Found {} invalid bytes at the end of {}\n", file.end() - valid, name));
  }
}

void LogDumper::print_batch(const EntryView& entry, std::int64_t position, bool valid) {
  std::string line;
  std::uint32_t crc = 0;
  if (entry.is_batch()) {
    const records::RecordBatchView batch = entry.batch();
    const auto horizon = batch.delete_horizon();
    line = fmt::format(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} "
        "partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {}",
        batch.base_offset(), batch.last_offset(), batch.record_count(), batch.base_sequence(), batch.last_sequence(),
        batch.producer_id(), batch.producer_epoch(), batch.partition_leader_epoch(), batch.is_transactional(),
        batch.is_control(), horizon ? fmt::format("OptionalLong[{}]", *horizon) : std::string("OptionalLong.empty"));
    crc = batch.crc();
  } else {
    if (entry.magic() < 0) {
      throw DumpFailure("java.lang.IllegalArgumentException",
                        fmt::format("Invalid magic used in LegacyRecord: {}", entry.magic()));
    }
    line = fmt::format("offset: {}", entry.last_offset());
    if (const auto legacy = entry.legacy()) crc = legacy->crc();
  }
  out_(fmt::format("{} position: {} {}: {} size: {} magic: {} compresscodec: {} crc: {} isvalid: {}\n", line, position,
                   records::timestamp_type_name(entry.timestamp_type()), entry.max_timestamp(), entry.size_bytes(),
                   entry.magic(), records::compression_name(entry.compression()), crc, valid));
}

namespace {

[[noreturn]] void fail_reading(const Error& error) {
  throw DumpFailure(error.code == ErrorCode::invalid_record ? "org.apache.kafka.common.InvalidRecordException"
                                                            : "org.apache.kafka.common.KafkaException",
                    error.message);
}

std::string beginning_of_line(const EntryView& entry, const records::RecordView& record) {
  return fmt::format("| offset: {} {}: {} keySize: {} valueSize: {}", record.offset,
                     records::timestamp_type_name(entry.timestamp_type()), record.timestamp, record.key_size,
                     record.value_size);
}

std::string header_keys(const records::RecordView& record) {
  std::string keys;
  for (const records::HeaderView& header : record.headers) {
    if (!keys.empty()) keys += ',';
    keys += as_java_text(as_bytes(header.key));
  }
  return keys;
}

}  // namespace

void LogDumper::print_records(const EntryView& entry, const std::string& path) {
  const auto print = [&](const records::RecordView& record, auto&& metadata) {
    if (record.offset.value != last_offset_ + 1) {
      not_consecutive_.of(disk_.absolute(path)).emplace_back(last_offset_, record.offset.value);
    }
    last_offset_ = record.offset.value;
    if (!options_.skip_record_metadata) out_(beginning_of_line(entry, record) + metadata());
    if (options_.print_data && !entry.is_control()) print_contents(record, options_.skip_record_metadata ? "| " : " ");
    out_("\n");
  };
  if (const auto legacy = entry.legacy()) {
    records::LegacyRecordReader reader(*legacy, decompressor_);
    while (reader.next()) {
      print(reader.record(), [&] {
        const records::LegacyEntryView& message = reader.message();
        return fmt::format(" isValid: {} crc: {}", message.check().has_value(), message.crc());
      });
    }
    if (!reader.ok()) fail_reading(reader.error());
    return;
  }
  records::RecordReader reader(entry, decompressor_);
  while (reader.next()) {
    const records::RecordView& record = reader.record();
    print(record, [&] {
      return fmt::format(" sequence: {} headerKeys: [{}]{}", record.sequence, header_keys(record),
                         entry.is_control() ? describe_control_record(record) : "");
    });
  }
  if (!reader.ok()) fail_reading(reader.error());
}

namespace {

template <typename T>
T number_or_fail(Bytes bytes) {
  if (bytes.size() < sizeof(T)) throw DumpFailure("java.nio.BufferUnderflowException", "");
  return load_big<T>(bytes.data());
}

}  // namespace

std::string LogDumper::decoded(Bytes bytes, ValueDecoder decoder) const {
  switch (decoder) {
    case ValueDecoder::string:
      return as_java_text(bytes);
    case ValueDecoder::int32:
      return fmt::to_string(number_or_fail<std::int32_t>(bytes));
    case ValueDecoder::int64:
      return fmt::to_string(number_or_fail<std::int64_t>(bytes));
    case ValueDecoder::bytes:
      return to_hex(bytes);
  }
  return {};
}

void LogDumper::print_contents(const records::RecordView& record, std::string_view prefix) {
  std::optional<std::string> key;
  std::optional<std::string> payload;
  switch (options_.decoder) {
    case MessageDecoder::values:
      if (record.has_key()) key = decoded(record.key(), options_.key_decoder);
      if (record.has_value()) payload = decoded(record.value(), options_.value_decoder);
      break;
    case MessageDecoder::metadata: {
      auto text = decode_metadata_record(record.value());
      payload = text ? *std::move(text) : fmt::format("Error at {}, skipping. {}", record.offset, text.error());
      break;
    }
    case MessageDecoder::remote_log: {
      auto text = decode_remote_log_record(record.value());
      payload = text ? *std::move(text) : fmt::format("Error at offset {}, skipping. {}", record.offset, text.error());
      break;
    }
    case MessageDecoder::offsets:
    case MessageDecoder::transactions:
    case MessageDecoder::share_state: {
      if (!record.has_key()) {
        throw DumpFailure(
            "java.lang.RuntimeException",
            fmt::format("Failed to decode message at offset {} using the specified decoder (message had a missing key)",
                        record.offset));
      }
      const RecordDecoder decoder(options_.decoder == MessageDecoder::offsets        ? InternalTopic::offsets
                                  : options_.decoder == MessageDecoder::transactions ? InternalTopic::transactions
                                                                                     : InternalTopic::share_state,
                                  true);
      const auto said = decoder.decode(record.key(), record.nullable_value());
      if (said) {
        key = fmt::format(R"({{"type":"{}","data":{}}})", said->key.number, said->key.json);
        payload = said->value ? fmt::format(R"({{"version":"{}","data":{}}})", said->value->number, said->value->json)
                              : std::string("<DELETE>");
      } else if (said.error().unknown_type) {
        key = fmt::format("Unknown record type {} at offset {}, skipping.", *said.error().unknown_type, record.offset);
      } else {
        key = fmt::format("Error at offset {}, skipping. {}", record.offset, said.error().message);
      }
      break;
    }
  }
  if (key) {
    out_(fmt::format("{}key: {}", prefix, *key));
    prefix = " ";
  }
  if (payload) out_(fmt::format("{}payload: {}", prefix, *payload));
}

void LogDumper::dump_index(const std::string& path) {
  using storage::OffsetEntry;
  const std::int64_t base = base_offset_of(path);
  const std::string log_path = beside(path, ".log");
  const runtime::FileRef log = open(log_path);
  const runtime::FileRef index = open(path);
  const std::uint64_t length = index->size();
  const std::uint64_t count = length / OffsetEntry::bytes;
  if (count == 0) return out_(fmt::format("{} is empty.\n", path));
  const auto entry_at = [&](std::uint64_t number) {
    std::array<std::byte, OffsetEntry::bytes> bytes{};
    index->read_at(number * OffsetEntry::bytes, bytes);
    return OffsetEntry::load(bytes.data());
  };
  if (options_.index_sanity_only) {
    // An index is unsigned in its file; a last entry of zero is what a preallocated one ends with.
    const std::int64_t last = base + static_cast<std::int32_t>(entry_at(count - 1).last);
    if (last < base) {
      throw DumpFailure(
          "org.apache.kafka.storage.internals.log.CorruptIndexException",
          fmt::format(
              "Corrupt index found, index file {} has non-zero size but the last offset is {} which is less than "
              "the base offset {}",
              disk_.absolute(path), last, base));
    }
    if (length % OffsetEntry::bytes != 0) {
      throw DumpFailure(
          "org.apache.kafka.storage.internals.log.CorruptIndexException",
          fmt::format("Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {}",
                      disk_.absolute(path), length, OffsetEntry::bytes));
    }
    return out_(fmt::format("{} passed sanity check.\n", path));
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const OffsetEntry entry = entry_at(i);
    if (entry.last == 0 && i > 0) return;  // preallocated and never filled
    const std::int64_t offset = base + entry.last;
    BatchFile batches(log, log_path, entry.position, options_.message_bytes_max);
    const auto batch = entry.position > log->size() ? std::nullopt : batches.next();
    if (!batch) throw DumpFailure("java.util.NoSuchElementException", "");
    const std::int64_t found = batch->last_offset().value;
    if (found != offset) index_mismatches_.of(disk_.absolute(path)).emplace_back(offset, found);
    if (!options_.verify_index_only) out_(fmt::format("offset: {} position: {}\n", offset, entry.position));
  }
}

void LogDumper::dump_time_index(const std::string& path) {
  using storage::OffsetEntry;
  using storage::TimeEntry;
  const std::int64_t base = base_offset_of(path);
  const std::string log_path = beside(path, ".log");
  const std::string index_path = beside(path, ".index");
  const runtime::FileRef log = open(log_path);
  if (!disk_.exists(index_path)) throw DumpFailure("java.lang.IllegalArgumentException", "Invalid max index size: -1");
  const runtime::FileRef index = open(index_path);
  const runtime::FileRef times = open(path);
  const std::uint64_t length = times->size();
  const std::uint64_t count = length / TimeEntry::bytes;
  const auto time_at = [&](std::uint64_t number) {
    std::array<std::byte, TimeEntry::bytes> bytes{};
    times->read_at(number * TimeEntry::bytes, bytes);
    return TimeEntry::load(bytes.data());
  };
  if (options_.index_sanity_only) {
    const std::string absolute = disk_.absolute(path);
    const auto corrupt = [](std::string text) {
      return DumpFailure("org.apache.kafka.storage.internals.log.CorruptIndexException", text);
    };
    if (count > 0) {
      const TimeEntry first = time_at(0);
      const TimeEntry last = time_at(count - 1);
      const std::int64_t last_offset = base + static_cast<std::int32_t>(last.offset);
      if (last.timestamp < first.timestamp) {
        throw corrupt(fmt::format(
            "Corrupt time index found, time index file ({}) has non-zero size but the last timestamp is {} which is "
            "less than the first timestamp {}",
            absolute, last.timestamp, first.timestamp));
      }
      if (last_offset < base) {
        throw corrupt(fmt::format(
            "Corrupt time index found, time index file ({}) has non-zero size but the last offset is {} which is "
            "less than the first offset {}",
            absolute, last_offset, base));
      }
    }
    if (length % TimeEntry::bytes != 0) {
      throw corrupt(
          fmt::format("Time index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {}",
                      absolute, length, TimeEntry::bytes));
    }
    return out_(fmt::format("{} passed sanity check.\n", path));
  }

  const std::uint64_t index_count = index->size() / OffsetEntry::bytes;
  const auto position_before = [&](std::int64_t offset) {
    // The last entry at or before the offset; a preallocated rest of zeros does not count.
    std::uint32_t position = 0;
    std::uint64_t low = 0;
    std::uint64_t high = index_count;
    while (low < high) {
      const std::uint64_t middle = (low + high) / 2;
      std::array<std::byte, OffsetEntry::bytes> bytes{};
      index->read_at(middle * OffsetEntry::bytes, bytes);
      const OffsetEntry entry = OffsetEntry::load(bytes.data());
      const bool empty = entry.last == 0 && middle > 0;
      if (!empty && base + entry.last <= offset) {
        position = entry.position;
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return position;
  };
  const std::string absolute = disk_.absolute(path);
  std::int64_t previous = -1;
  for (std::uint64_t i = 0; i < count; ++i) {
    const TimeEntry entry = time_at(i);
    const std::int64_t offset = base + entry.offset;
    if (entry.offset == 0 && i > 0) return;
    BatchFile batches(log, log_path, position_before(offset), 0x7fffffff);
    std::optional<EntryView> batch;
    do {
      batch = batches.next();
    } while (batch && batch->last_offset().value < offset);
    if (!batch) {
      offsets_not_found_.of(absolute).emplace_back(offset, -1);
    } else if (batch->last_offset().value != offset) {
      offsets_not_found_.of(absolute).emplace_back(offset, batch->last_offset().value);
    } else {
      std::int64_t newest = -1;
      records::RecordReader reader(*batch, decompressor_);
      while (reader.next()) newest = std::max(newest, reader.record().timestamp.value);
      if (newest != entry.timestamp) time_mismatches_.of(absolute).emplace_back(entry.timestamp, newest);
      if (previous >= entry.timestamp) time_out_of_order_.of(absolute).emplace_back(entry.timestamp, previous);
    }
    if (!options_.verify_index_only) out_(fmt::format("timestamp: {} offset: {}\n", entry.timestamp, offset));
    previous = entry.timestamp;
  }
}

void LogDumper::dump_snapshot(const std::string& path) {
  const runtime::FileRef file = open(path);
  ByteVector content(static_cast<std::size_t>(file->size()));
  content.resize(file->read_at(0, content));
  const auto producers = storage::decode_producer_snapshot(content);
  if (!producers) return err_(producers.error().message + "\n");
  for (const storage::ProducerEntry& entry : *producers) {
    std::string line =
        fmt::format("producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
                    entry.id, entry.epoch, entry.coordinator_epoch,
                    entry.transaction_start >= Offset(0) ? fmt::format("OptionalLong[{}]", entry.transaction_start)
                                                         : std::string("OptionalLong.empty"),
                    entry.last_timestamp);
    if (!entry.empty()) {
      const storage::ProducerBatch& batch = entry.batches.front();
      line += fmt::format(" firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                          batch.first_sequence(), batch.last_sequence, batch.last_offset, batch.offset_delta,
                          batch.timestamp);
    }
    out_(line + "\n");
  }
}

void LogDumper::dump_transaction_index(const std::string& path) {
  const std::int64_t base = base_offset_of(path);
  const runtime::FileRef file = open(path);
  const bool whole = storage::walk_transaction_index(*file, Offset(base), [&](const storage::AbortedEntry& entry) {
    out_(fmt::format("version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}\n",
                     entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset));
    return true;
  });
  if (!whole) {
    throw DumpFailure("org.apache.kafka.common.KafkaException",
                      fmt::format("Failed to read from the transaction index {}", disk_.absolute(path)));
  }
}

void LogDumper::print_mismatches() {
  for (auto& [file, pairs] : index_mismatches_.files) {
    err_(fmt::format("Mismatches in :{}\n", file));
    std::ranges::sort(pairs, std::greater());
    for (const auto& [indexed, found] : pairs)
      err_(fmt::format("  Index offset: {}, log offset: {}\n", indexed, found));
  }
  for (const auto& [file, pairs] : time_mismatches_.files) {
    err_(fmt::format("Found timestamp mismatch in :{}\n", file));
    for (const auto& [indexed, found] : pairs)
      err_(fmt::format("  Index timestamp: {}, log timestamp: {}\n", indexed, found));
  }
  for (const auto& [file, pairs] : time_out_of_order_.files) {
    err_(fmt::format("Found out of order timestamp in :{}\n", file));
    for (const auto& [time, before] : pairs)
      err_(fmt::format("  Index timestamp: {}, Previously indexed timestamp: {}\n", time, before));
  }
  for (const auto& [file, pairs] : offsets_not_found_.files) {
    err_(fmt::format("The following indexed offsets are not found in :{}\n", file));
    for (const auto& [indexed, found] : pairs)
      err_(fmt::format("Indexed offset: {}, found log offset: {}\n", indexed, found));
  }
  for (auto& [file, pairs] : not_consecutive_.files) {
    err_(fmt::format("Non-consecutive offsets in {}\n", file));
    std::ranges::sort(pairs);
    for (const auto& [offset, next] : pairs) err_(fmt::format("  {} is followed by {}\n", offset, next));
  }
}

std::string as_java_text(Bytes bytes) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string text;
  text.reserve(bytes.size());
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  while (at < bytes.size()) {
    const std::uint8_t lead = byte(at);
    if (lead < 0x80) {
      text += static_cast<char>(lead);
      ++at;
      continue;
    }
    // The longest valid beginning of a character counts as one that is broken, as in Java.
    const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                               : lead >= 0xE0 && lead <= 0xEF ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 0;
    std::size_t good = length == 0 ? 0 : 1;
    while (good > 0 && good < length && at + good < bytes.size()) {
      const std::uint8_t next = byte(at + good);
      std::uint8_t low = 0x80;
      std::uint8_t high = 0xBF;
      if (good == 1 && lead == 0xE0) low = 0xA0;
      if (good == 1 && lead == 0xED) high = 0x9F;
      if (good == 1 && lead == 0xF0) low = 0x90;
      if (good == 1 && lead == 0xF4) high = 0x8F;
      if (next < low || next > high) break;
      ++good;
    }
    if (length > 0 && good == length) {
      text += as_text(bytes.subspan(at, length));
      at += length;
    } else {
      text += replacement;
      at += std::max<std::size_t>(1, good);
    }
  }
  return text;
}

}  // namespace klamm::cli
