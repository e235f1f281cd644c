#include "hosting/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "base/ensure.h"
#include "protocol/reader.h"
#include "protocol/records/kraft_version_record.h"
#include "protocol/records/snapshot_footer_record.h"
#include "protocol/records/snapshot_header_record.h"
#include "protocol/writer.h"
#include "records/batch_walker.h"
#include "records/record_reader.h"

namespace klamm::hosting {
namespace {

constexpr std::string_view checkpoint_suffix = ".checkpoint";
constexpr std::string_view part_suffix = ".checkpoint.part";
constexpr std::string_view deleted_suffix = ".checkpoint.deleted";
constexpr std::size_t offset_digits = 20;
constexpr std::size_t epoch_digits = 10;
// A batch is written when it has this many bytes: readers take a batch as a whole.
constexpr std::size_t checkpoint_batch_bytes = 1u << 20;
constexpr std::size_t window_bytes = 1u << 20;
// The first batch, with the voters of any quorum, is smaller.
constexpr std::uint64_t header_bytes_max = 64u << 10;

template <typename Message>
ByteVector encoded(const Message& message) {
  ByteVector bytes;
  protocol::Writer writer(bytes);
  message.encode(writer, 0);
  ENSURE(writer.ok(), writer.error());
  return bytes;
}

template <typename Message>
Message decoded(Bytes value, std::string_view name) {
  protocol::Reader reader(value);
  Message message;
  message.decode(reader, 0);
  if (!reader.ok()) throw std::runtime_error(fmt::format("Invalid {} record: {}", name, reader.error()));
  return message;
}

template <typename T>
std::optional<T> parse_digits(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::string snapshot_name(SnapshotId id) {
  return fmt::format("{:020}-{:010}.checkpoint", id.end, id.epoch);
}

std::optional<SnapshotFile> parse_snapshot_name(std::string_view name) {
  const bool leftover = name.ends_with(part_suffix) || name.ends_with(deleted_suffix);
  if (!leftover && !name.ends_with(checkpoint_suffix)) return std::nullopt;
  if (name.size() < offset_digits + 1 + epoch_digits || name[offset_digits] != '-') return std::nullopt;
  const auto end = parse_digits<std::int64_t>(name.substr(0, offset_digits));
  const auto epoch = parse_digits<std::int32_t>(name.substr(offset_digits + 1, epoch_digits));
  if (!end || !epoch) return std::nullopt;
  if (!leftover && name.size() != offset_digits + 1 + epoch_digits + checkpoint_suffix.size()) return std::nullopt;
  return SnapshotFile{{Offset(*end), LeaderEpoch(*epoch)}, std::string(name), leftover};
}

ByteVector voters_value(const protocol::VotersRecord& voters) {
  return encoded(voters);
}

ByteVector kraft_version_value(std::int16_t kraft_version) {
  protocol::KRaftVersionRecord record;
  record.kraft_version = kraft_version;
  return encoded(record);
}

void note_control_record(Offset offset, records::ControlRecordType type, Bytes value, QuorumRecords& quorum) {
  if (type == records::ControlRecordType::kraft_version) {
    quorum.kraft_version = decoded<protocol::KRaftVersionRecord>(value, "KRaftVersion").kraft_version;
  } else if (type == records::ControlRecordType::kraft_voters) {
    quorum.voters = decoded<protocol::VotersRecord>(value, "KRaftVoters");
    quorum.voters_at = offset;
  }
}

void BatchReader::read(const records::RecordBatchView& batch, std::string_view path) const {
  const auto broken = [&](std::string_view what) {
    return std::runtime_error(fmt::format("Batch at offset {} of {}: {}", batch.base_offset(), path, what));
  };
  if (auto whole = batch.check(); !whole) throw broken(whole.error().message);
  records::Decompressor decompressor;
  records::RecordReader reader(batch, decompressor);
  while (reader.next()) {
    const records::RecordView& view = reader.record();
    if (batch.is_control()) {
      const auto type = records::control_record_type(view);
      if (!type) throw broken(type.error().message);
      if (control) control(view.offset, *type, view.value());
      continue;
    }
    if (!view.has_value()) throw broken("a record without a value");
    auto decoded = metadata::decode(view.value());
    if (!decoded) throw broken(fmt::format("record at offset {}: {}", view.offset, decoded.error().message));
    if (record) record(view.offset, std::move(*decoded));
  }
  if (!reader.ok()) throw broken(reader.error().message);
}

void each_batch(runtime::File& file, std::uint64_t from, std::uint64_t to,
                const std::function<void(const records::RecordBatchView&)>& use) {
  ByteVector window;
  std::uint64_t position = from;
  std::size_t wanted = window_bytes;
  while (position < to) {
    window.resize(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, to - position)));
    const std::size_t got = file.read_at(position, window);
    records::BatchWalker walker(Bytes(window).first(got), metadata_batch_bytes_max + records::log_overhead);
    auto step = walker.next();
    for (; step == records::BatchWalker::Step::entry; step = walker.next()) {
      if (!walker.entry().is_batch()) {
        throw std::runtime_error(fmt::format("Found a message of magic {} at position {} of {}", walker.entry().magic(),
                                             position + walker.position(), file.path()));
      }
      use(walker.entry().batch());
    }
    position += walker.position();
    if (step == records::BatchWalker::Step::corrupt) {
      throw std::runtime_error(fmt::format("{} at position {} of {}", walker.error().message, position, file.path()));
    }
    if (step == records::BatchWalker::Step::end) {
      wanted = window_bytes;
      continue;
    }
    // The window ends inside of a batch.
    if (got < window.size() || position + walker.wanted() > to) {
      throw std::runtime_error(fmt::format("The batch at position {} of {} is cut off", position, file.path()));
    }
    wanted = std::max(window_bytes, walker.wanted());
  }
}

CheckpointContents read_checkpoint(runtime::Disk& disk, const std::string& path,
                                   const std::function<void(metadata::Record)>& use) {
  CheckpointContents contents;
  bool begun = false;
  const BatchReader reader{
      .record = [&](Offset, metadata::Record record) { use(std::move(record)); },
      .control =
          [&](Offset, records::ControlRecordType type, Bytes value) {
            if (type == records::ControlRecordType::snapshot_header) {
              const auto header = decoded<protocol::SnapshotHeaderRecord>(value, "SnapshotHeader");
              contents.last_contained_log_timestamp = Timestamp(header.last_contained_log_timestamp);
              begun = true;
            } else if (type == records::ControlRecordType::snapshot_footer) {
              contents.complete = true;
            } else {
              note_control_record(no_offset, type, value, contents.quorum);
            }
          },
  };
  const runtime::FileRef file = disk.open(path, runtime::OpenMode::read);
  each_batch(*file, 0, file->size(), [&](const records::RecordBatchView& batch) {
    reader.read(batch, path);
    if (!begun) throw std::runtime_error(fmt::format("{} does not begin with a snapshot header", path));
  });
  if (!begun) throw std::runtime_error(fmt::format("{} is empty", path));
  return contents;
}

Timestamp read_checkpoint_timestamp(runtime::Disk& disk, const std::string& path) {
  Timestamp timestamp = no_timestamp;
  const BatchReader reader{
      .record = {},
      .control =
          [&](Offset, records::ControlRecordType type, Bytes value) {
            if (type != records::ControlRecordType::snapshot_header) return;
            timestamp = Timestamp(
                decoded<protocol::SnapshotHeaderRecord>(value, "SnapshotHeader").last_contained_log_timestamp);
          },
  };
  const runtime::FileRef file = disk.open(path, runtime::OpenMode::read);
  ByteVector window(std::min<std::uint64_t>(file->size(), header_bytes_max));
  window.resize(file->read_at(0, window));
  records::BatchWalker walker(window);
  if (walker.next() != records::BatchWalker::Step::entry || !walker.entry().is_batch()) {
    throw std::runtime_error(fmt::format("{} does not begin with a snapshot header", path));
  }
  reader.read(walker.entry().batch(), path);
  return timestamp;
}

CheckpointWriter::CheckpointWriter(runtime::Disk& disk, const std::string& path, Options options)
    : options_(std::move(options)), file_(disk.open(path, runtime::OpenMode::create)) {
  file_->truncate(0);
  begin_batch(true);
  const auto add_control = [&](records::ControlRecordType type, const ByteVector& value) {
    const ByteVector key = records::control_record_key(type);
    builder_.append({.timestamp = options_.now, .key = Bytes(key), .value = Bytes(value)});
  };
  protocol::SnapshotHeaderRecord header;
  header.last_contained_log_timestamp = options_.last_contained_log_timestamp.value;
  add_control(records::ControlRecordType::snapshot_header, encoded(header));
  if (options_.kraft_version > 0) {
    add_control(records::ControlRecordType::kraft_version, kraft_version_value(options_.kraft_version));
    if (options_.voters) add_control(records::ControlRecordType::kraft_voters, voters_value(*options_.voters));
  }
  write_batch();
  begin_batch(false);
}

void CheckpointWriter::begin_batch(bool control) {
  builder_.reset({.base_offset = next_, .control = control, .partition_leader_epoch = options_.epoch});
}

void CheckpointWriter::write_batch() {
  if (builder_.empty()) return;
  next_ = builder_.next_offset();
  const Bytes batch = builder_.finish();
  file_->write_at(position_, batch);
  position_ += batch.size();
}

void CheckpointWriter::add(const metadata::Record& record) {
  encoded_.clear();
  metadata::encode(record, encoded_);
  builder_.append({.timestamp = options_.now, .value = Bytes(encoded_)});
  if (builder_.plain_bytes() < checkpoint_batch_bytes) return;
  write_batch();
  begin_batch(false);
}

void CheckpointWriter::finish() {
  write_batch();
  begin_batch(true);
  const ByteVector key = records::control_record_key(records::ControlRecordType::snapshot_footer);
  const ByteVector value = encoded(protocol::SnapshotFooterRecord{});
  builder_.append({.timestamp = options_.now, .key = Bytes(key), .value = Bytes(value)});
  write_batch();
  file_->sync_data();
  file_->close();
}

}  // namespace klamm::hosting
