#include "hosting/partition_loader.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "records/batch_walker.h"
#include "records/record_reader.h"
#include "runtime/waiting.h"

namespace klamm::hosting {
namespace {

// What was read of one piece.
struct Piece {
  Offset next;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

BrokenPartition broken(const TopicPartition& name, Offset at, std::string_view what) {
  return BrokenPartition(fmt::format("{} cannot be read at offset {}: {}", name.to_string(), at, what));
}

// All that an I/O thread works with: it may outlive who waits for it.
struct Reading {
  TopicPartition name;
  std::shared_ptr<Playback> playback;
  runtime::FileSlice data;
  Offset from;
};

void replay_control(const records::RecordBatchView& batch, const records::RecordView& record, Playback& playback) {
  const auto type = records::control_record_type(record);
  if (!type) throw std::runtime_error(type.error().message);
  if (*type == records::ControlRecordType::commit) playback.end_of_transaction(batch, true);
  if (*type == records::ControlRecordType::abort) playback.end_of_transaction(batch, false);
}

void replay_batch(const Reading& reading, const records::RecordBatchView& batch, records::Decompressor& decompressor,
                  Piece& piece) {
  records::RecordReader records(batch, decompressor);
  while (records.next()) {
    const records::RecordView& record = records.record();
    // The first piece can begin in the middle of a batch.
    if (record.offset < reading.from) continue;
    ++piece.records;
    try {
      if (batch.is_control()) {
        replay_control(batch, record, *reading.playback);
      } else {
        reading.playback->record(batch, record);
      }
    } catch (const std::exception& wrong) {
      throw broken(reading.name, record.offset, wrong.what());
    }
  }
  if (!records.ok()) throw broken(reading.name, batch.base_offset(), records.error().message);
}

Piece replay(const Reading& reading) {
  ByteVector window(reading.data.length);
  window.resize(reading.data.file->read_at(reading.data.offset, window));
  Piece piece{reading.from};
  records::Decompressor decompressor;
  records::BatchWalker walker(window);
  records::BatchWalker::Step step = walker.next();
  for (; step == records::BatchWalker::Step::entry; step = walker.next()) {
    const records::EntryView& entry = walker.entry();
    if (!entry.is_batch()) throw broken(reading.name, piece.next, "a message of an old format");
    if (const auto checked = entry.check(); !checked) throw broken(reading.name, piece.next, checked.error().message);
    const records::RecordBatchView batch = entry.batch();
    replay_batch(reading, batch, decompressor, piece);
    piece.next = batch.next_offset();
    piece.bytes += static_cast<std::uint64_t>(batch.size_bytes());
  }
  if (step == records::BatchWalker::Step::corrupt) throw broken(reading.name, piece.next, walker.error().message);
  return piece;
}

}  // namespace

runtime::Task<LoadSummary> load_partition(runtime::Reactor& reactor, storage::LogRef log,
                                          std::shared_ptr<Playback> playback, std::size_t piece_bytes,
                                          std::function<bool()> go_on) {
  LoadSummary summary;
  summary.end = log->log_start();
  while (summary.end < log->log_end()) {
    if (!go_on()) co_return summary;
    storage::ReadRequest request;
    request.from = summary.end;
    request.bytes_max = piece_bytes;
    request.at_least_one_batch = true;
    request.isolation = storage::ReadIsolation::log_end;
    auto reading = log->read(reactor, request);
    const auto read = co_await std::move(reading);
    if (!read) throw broken(log->name(), summary.end, error_message(read.error().code));
    if (read->bytes() == 0) break;  // compaction took what was there

    Reading work{log->name(), playback, read->data, summary.end};
    auto replaying = runtime::blocking(reactor, [work = std::move(work)] { return replay(work); });
    const Piece piece = co_await std::move(replaying);
    if (piece.next <= summary.end) throw broken(log->name(), summary.end, "no whole batch");
    summary.end = piece.next;
    summary.records += piece.records;
    summary.bytes += piece.bytes;
  }
  summary.finished = true;
  co_return summary;
}

}  // namespace klamm::hosting
