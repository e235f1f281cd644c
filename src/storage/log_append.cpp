// Appends, by the holder of the writer's turn: each is checked and staged, all that are staged are written in one
// write, then shown to readers.
#include <algorithm>

#include "base/ensure.h"
#include "base/plant.h"
#include "storage/log_state.h"

namespace klamm::storage {

using records::BatchHeader;
using runtime::ShortLock;

namespace {

constexpr std::uint64_t staged_bytes_max = 1u << 20;
constexpr std::size_t staged_parts_max = 512;
// A log that got this much since it was opened is hot: its blocks are reserved ahead and written back behind.
constexpr std::uint64_t hot_bytes = 4u << 20;
constexpr std::uint64_t reserve_step = 16u << 20;
constexpr std::uint64_t reserve_free_share = 100;  // never more than one part in so many of what is free
constexpr std::uint64_t write_back_step = 4u << 20;
// Index entries that an active segment keeps in memory, so that readers find batches without reading the index.
constexpr std::size_t index_entries_kept = 64u << 10;

ProducerCheck check_of(records::AppendOrigin origin) {
  return origin == records::AppendOrigin::client ? ProducerCheck::client : ProducerCheck::coordinator;
}

}  // namespace

// --- the coroutines ------------------------------------------------------------------------------------------------

namespace {

runtime::Task<Result<AppendResult>> append_pending(Log::State& state, runtime::Reactor& reactor,
                                                   PendingAppend pending) {
  TurnWaiter turn(state, reactor, &pending);
  if (co_await turn) {
    const TurnGuard release(state);
    PendingAppend* const one = &pending;
    state.run_appends(std::span(&one, 1));
  }
  co_return std::move(pending.result);
}

// What can be said of a leader's batches without the log: they are whole, right, and in order. Returns the part to
// append.
Result<Bytes> check_follower_batches(Bytes batches, LeaderEpoch epoch) {
  records::BatchWalker walker(batches);
  Offset last(-1);
  std::size_t end = 0;
  while (true) {
    switch (walker.next()) {
      case records::BatchWalker::Step::end:
      case records::BatchWalker::Step::partial:
        return batches.first(end);
      case records::BatchWalker::Step::corrupt:
        return std::unexpected(walker.error());
      case records::BatchWalker::Step::entry:
        break;
    }
    const auto& entry = walker.entry();
    if (auto ok = entry.check(); !ok) return std::unexpected(std::move(ok.error()));
    // The leader changed while this fetch was under way: what the next one wrote is not taken from this one.
    if (entry.partition_leader_epoch() > epoch) return batches.first(end);
    if (entry.last_offset() <= last || entry.last_offset() < entry.first_known_offset()) {
      return fail(ErrorCode::corrupt_message,
                  fmt::format("Out of order offsets found: {} after {}", entry.last_offset(), last));
    }
    last = entry.last_offset();
    end = walker.next_position();
  }
}

}  // namespace

runtime::Task<Result<AppendResult>> Log::append_as_leader(runtime::Reactor& reactor, records::ValidatedBatch& batch,
                                                          LeaderAppend how) {
  return append_pending(
      awake(), reactor,
      {.batch = &batch, .leader_batches = {}, .follower_batches = {}, .how = how, .result = AppendResult{}});
}

runtime::Task<Result<AppendResult>> Log::append_as_leader(runtime::Reactor& reactor, MutableBytes batches,
                                                          LeaderAppend how) {
  return append_pending(
      awake(), reactor,
      {.batch = nullptr, .leader_batches = batches, .follower_batches = {}, .how = how, .result = AppendResult{}});
}

runtime::Task<Result<AppendResult>> Log::append_as_follower(runtime::Reactor& reactor, Bytes batches,
                                                            LeaderEpoch epoch) {
  const auto checked = check_follower_batches(batches, epoch);
  if (!checked) co_return std::unexpected(checked.error());
  PendingAppend pending{.batch = nullptr,
                        .leader_batches = {},
                        .follower_batches = *checked,
                        .how = {.epoch = epoch, .now = awake().environment.clock.wall()},
                        .result = AppendResult{}};
  auto appending = append_pending(awake(), reactor, std::move(pending));
  co_return co_await std::move(appending);
}

// --- staging -------------------------------------------------------------------------------------------------------

void Log::State::run_appends(std::span<PendingAppend* const> appends) {
  if (!scratch) {
    scratch = std::make_unique<AppendScratch>();
    scratch->update.emplace(producers, partition());
  }
  scratch->end = log_end;
  for (PendingAppend* append : appends) {
    try {
      stage(*append);
    } catch (const runtime::DiskError& error) {
      append->result = std::unexpected(failed("appending records to", error));
    }
    if (scratch->bytes >= staged_bytes_max || scratch->parts.size() >= staged_parts_max) write_staged();
  }
  write_staged();
}

std::optional<Error> Log::State::writer_refuses(const PendingAppend& append) const {
  if (auto error = unusable()) return error;
  const bool by_leader = append.follower_batches.data() == nullptr;
  if (append.how.epoch == writer_epoch && by_leader == is_leader) return std::nullopt;
  return Error{ErrorCode::not_leader_or_follower};
}

void Log::State::stage(PendingAppend& append) {
  if (auto error = writer_refuses(append)) {
    append.result = std::unexpected(std::move(*error));
  } else if (append.batch != nullptr) {
    stage_leader_batch(append);
  } else if (append.leader_batches.data() != nullptr) {
    stage_leader_batches(append);
  } else {
    stage_follower_batches(append);
  }
}

// The hot path: one validated batch of a client.
void Log::State::stage_leader_batch(PendingAppend& append) {
  records::ValidatedBatch& batch = *append.batch;
  const auto bytes = batch.bytes.size();
  const Offset first = scratch->end;
  const Offset last = first + batch.last_offset_delta;
  if (bytes > settings->segment_bytes) {
    append.result =
        fail(ErrorCode::record_list_too_large,
             fmt::format("Message batch size is {} bytes in append to partition {}, which exceeds the maximum "
                         "configured segment size of {}.",
                         bytes, partition(), settings->segment_bytes));
    return;
  }
  scratch->update->clear();
  if (batch.has_producer_id()) {
    const ProducerAppend producer{.id = batch.producer_id,
                                  .epoch = batch.producer_epoch,
                                  .base_sequence = batch.base_sequence,
                                  .last_sequence = batch.last_sequence,
                                  .base_offset = first,
                                  .last_offset = last,
                                  .max_timestamp = batch.max_timestamp,
                                  .transactional = batch.transactional,
                                  .control = batch.control,
                                  .marker = {}};
    if (append.how.origin == records::AppendOrigin::client) {
      if (const auto duplicate = producers.find_duplicate(producer)) {
        append.result = AppendResult{.first_offset = duplicate->first_offset(),
                                     .last_offset = duplicate->last_offset,
                                     .log_append_time = duplicate->timestamp,
                                     .log_start = log_start,
                                     .duplicate = true,
                                     .needs_sync = scratch->end - flushed >= settings->flush_messages,
                                     .record_errors = {}};
        return;
      }
    }
    if (auto ok = check_producer(producer, append.how); !ok) {
      append.result = std::unexpected(std::move(ok.error()));
      return;
    }
  }
  const bool stamps_time = batch.timestamp_type == records::TimestampType::log_append_time;
  const Timestamp max_timestamp = stamps_time ? append.how.now : batch.max_timestamp;
  if (!make_room(first, last, bytes, max_timestamp, append.how.now)) {
    append.result = std::unexpected(directory.offline_error());
    return;
  }
  records::stamp(batch, {.base_offset = first, .leader_epoch = append.how.epoch, .now = append.how.now});
  add_staged(batch.bytes,
             {.first = first, .last = last, .max_timestamp = max_timestamp, .epoch = append.how.epoch, .size = bytes});
  finish_stage(
      append, 1,
      {.first_offset = first, .last_offset = last, .log_append_time = batch.log_append_time, .record_errors = {}});
}

Result<void> Log::State::check_producer(const ProducerAppend& batch, const LeaderAppend& how) {
  if (how.ends_seen && batch.transactional && !batch.control) {
    const ProducerEntry* known = producers.find(batch.id);
    // Of an earlier epoch: refused for that below.
    const bool is_current = known == nullptr || batch.epoch >= known->epoch;
    if (is_current && *how.ends_seen != (known == nullptr ? 0 : known->ends)) {
      return fail(ErrorCode::invalid_txn_state, "Record was not part of an ongoing transaction");
    }
  }
  return scratch->update->add(batch, check_of(how.origin), how.transaction_version);
}

// Batches the broker made itself: stamped one by one, appended together.
void Log::State::stage_leader_batches(PendingAppend& append) {
  const auto bytes = append.leader_batches;
  if (bytes.size() > settings->segment_bytes) {
    append.result =
        fail(ErrorCode::record_list_too_large,
             fmt::format("Message batch size is {} bytes in append to partition {}, which exceeds the maximum "
                         "configured segment size of {}.",
                         bytes.size(), partition(), settings->segment_bytes));
    return;
  }
  scratch->update->clear();
  const Offset first = scratch->end;
  Offset next = first;
  Timestamp max_timestamp = no_timestamp;
  for (std::size_t at = 0; at < bytes.size();) {
    auto batch = records::MutableRecordBatch::parse(bytes.subspan(at));
    if (!batch) {
      append.result = std::unexpected(std::move(batch.error()));
      return;
    }
    const auto size = static_cast<std::size_t>(batch->size_bytes());
    if (size > static_cast<std::size_t>(settings->max_message_bytes)) {
      append.result =
          fail(ErrorCode::message_too_large,
               fmt::format("The record batch size in the append to {} is {} bytes which exceeds the maximum "
                           "configured value of {}).",
                           partition(), size, settings->max_message_bytes));
      return;
    }
    batch->set_base_offset(next);
    batch->set_partition_leader_epoch(append.how.epoch);
    const auto producer = producer_append_of(*batch);
    if (!producer) {
      append.result = std::unexpected(producer.error());
      return;
    }
    if (*producer) {
      if (auto ok = check_producer(**producer, append.how); !ok) {
        append.result = std::unexpected(std::move(ok.error()));
        return;
      }
    }
    next = batch->next_offset();
    max_timestamp = std::max(max_timestamp, batch->max_timestamp());
    at += size;
  }
  if (next == first) {
    append.result = fail(ErrorCode::invalid_record);
    return;
  }
  if (!make_room(first, next - 1, bytes.size(), max_timestamp, append.how.now)) {
    append.result = std::unexpected(directory.offline_error());
    return;
  }
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size(); ++count) {
    const BatchHeader header(bytes.data() + at);
    const auto size = static_cast<std::size_t>(header.size_bytes());
    add_staged(bytes.subspan(at, size), {.first = header.base_offset(),
                                         .last = header.last_offset(),
                                         .max_timestamp = header.max_timestamp(),
                                         .epoch = append.how.epoch,
                                         .size = size});
    at += size;
  }
  finish_stage(append, count, {.first_offset = first, .last_offset = next - 1, .record_errors = {}});
}

// Offsets and epochs stay as the leader gave them; a far offset begins a new segment.
void Log::State::stage_follower_batches(PendingAppend& append) {
  AppendResult result;
  std::size_t count = 0;
  scratch->update->clear();
  records::BatchWalker walker(append.follower_batches);
  while (walker.next() == records::BatchWalker::Step::entry) {
    const auto& entry = walker.entry();
    const auto bytes = entry.size_bytes();
    const BatchAt batch{.first = entry.first_known_offset(),
                        .last = entry.last_offset(),
                        .max_timestamp = entry.max_timestamp(),
                        .epoch = entry.partition_leader_epoch(),
                        .position = 0,
                        .size = bytes};
    const auto refuse = [&](ErrorCode code, std::string message) {
      // What came before it in this append is kept: it is whole, and the next fetch goes on behind it.
      if (count > 0) finish_stage(append, count, result);
      write_staged();
      append.result = fail(code, std::move(message));
    };
    if (batch.first < scratch->end) {
      return refuse(
          ErrorCode::offset_out_of_range,
          fmt::format("Unexpected offset in append to {}. First offset {} is less than the next offset {}. Log start "
                      "offset = {}",
                      partition(), batch.first, scratch->end, log_start));
    }
    if (bytes > settings->segment_bytes) {
      return refuse(
          ErrorCode::record_list_too_large,
          fmt::format("Message batch size is {} bytes in append to partition {}, which exceeds the maximum configured "
                      "segment size of {}.",
                      bytes, partition(), settings->segment_bytes));
    }
    std::optional<ProducerAppend> producer;
    if (entry.is_batch()) {
      auto parsed = producer_append_of(entry.batch());
      if (!parsed) return refuse(ErrorCode::corrupt_message, std::move(parsed.error().message));
      producer = *parsed;
    }
    // What is staged goes into the old segment before a new one begins.
    const bool full = scratch->bytes >= staged_bytes_max || scratch->parts.size() >= staged_parts_max;
    if (count > 0 && (full || active().should_roll(*settings, active().size + scratch->bytes, scratch->batches.size(),
                                                   bytes, batch.last, batch.max_timestamp, append.how.now))) {
      finish_stage(append, std::exchange(count, 0), result);
      if (!write_staged()) return;
      scratch->update->clear();
    }
    if (!make_room(batch.first, batch.last, bytes, batch.max_timestamp, append.how.now)) {
      append.result = std::unexpected(directory.offline_error());
      return;
    }
    if (producer) {
      if (auto ok = scratch->update->add(*producer, ProducerCheck::replication); !ok) {
        return refuse(ok.error().code, std::move(ok.error().message));
      }
    }
    {
      const ShortLock::Guard guard(lock);
      if (entry.magic() < 2) {
        // Older messages carry no epoch: what is known of epochs would be wrong from here on.
        if (!epochs.empty()) epochs_unsaved = true;
        epochs.clear();
      } else if (batch.epoch >= LeaderEpoch(0) && epochs.assign(batch.epoch, batch.first)) {
        epochs_unsaved = true;
      }
    }
    if (result.first_offset == no_offset) result.first_offset = batch.first;
    result.last_offset = batch.last;
    add_staged(append.follower_batches.subspan(walker.position(), bytes), batch);
    ++count;
  }
  if (count > 0) {
    finish_stage(append, count, result);
  } else if (result.last_offset == no_offset) {
    append.result = AppendResult{.log_start = log_start, .record_errors = {}};
  }
}

// Rolls when the batch does not belong into the active segment; what is staged goes into the old one first.
bool Log::State::make_room(Offset first, Offset last, std::uint64_t bytes, Timestamp max_timestamp, Timestamp now) {
  const bool early = active().size + scratch->bytes > 0 && environment.scheduling.chance("storage: roll");
  if (!early && !active().should_roll(*settings, active().size + scratch->bytes, scratch->batches.size(), bytes, last,
                                      max_timestamp, now)) {
    return true;
  }
  if (!write_staged()) return false;
  // What was staged may have been the whole reason.
  if (early || active().should_roll(*settings, active().size, 0, bytes, last, max_timestamp, now)) {
    roll_now(first);
    scratch->file.reset();
  }
  return true;
}

void Log::State::add_staged(Bytes bytes, const BatchAt& batch) {
  scratch->parts.push_back(bytes);
  scratch->batches.push_back(batch);
  scratch->batches.back().position = active().size + scratch->bytes;
  scratch->bytes += bytes.size();
  scratch->end = batch.last + 1;
}

void Log::State::finish_stage(PendingAppend& append, std::size_t batch_count, AppendResult result) {
  const auto completed = ProducerState::completed(*scratch->update);
  {
    const ShortLock::Guard guard(lock);
    producers.apply(*scratch->update);
    if (!completed.empty() || first_unstable || producers.first_unstable()) refresh_first_unstable_locked();
  }
  scratch->completed.insert(scratch->completed.end(), completed.begin(), completed.end());
  result.log_start = log_start;
  append.result = std::move(result);
  scratch->staged.push_back({&append, batch_count});
  // A marker's index entry says what the last stable offset is after it; the next batch may change that.
  if (!completed.empty()) write_staged();
}

// --- writing -------------------------------------------------------------------------------------------------------

bool Log::State::write_staged() {
  if (scratch->parts.empty()) return true;
  Segment& segment = active();
  try {
    if (!scratch->file) {
      const ShortLock::Guard guard(lock);
      segment.open_files();
      scratch->file = segment.log_file();
    }
    reserve_ahead(segment, segment.size + scratch->bytes);
    scratch->file->write_at(segment.size, std::span<const Bytes>(scratch->parts));
  } catch (const runtime::DiskError& error) {
    const auto answer = failed("appending records to", error);
    // A part may have been written. Cut off, it cannot be taken for a batch by whoever opens the directory next.
    try {
      if (scratch->file) scratch->file->truncate(segment.size);
    } catch (const runtime::DiskError&) {
      // The disk is gone; recovery cuts it then.
    }
    fail_staged(answer);
    return false;
  }
  publish_staged();
  try {
    write_completed_transactions();
    if (segment.index_page_is_full()) {
      segment.save_indexes();
      const auto kept = directory.index_memory_is_scarce() ? 0 : index_entries_kept;
      const ShortLock::Guard guard(lock);
      if (segment.offset_index.memory().size() > kept) segment.offset_index.trim_memory(kept / 2);
      segment.time_index.trim_memory(0);
      segment.index_memory.set(segment.offset_index.memory().size());
    }
    if (scratch->bytes_since_open >= hot_bytes && segment.size - segment.written_back >= 2 * write_back_step) {
      scratch->file->start_write_back(segment.written_back, write_back_step);
      segment.written_back += write_back_step;
    }
  } catch (const runtime::DiskError& error) {
    // The records are in the log and their offsets are taken; what was derived from them is not, and stays so until the
    // directory is recovered (KAFKA-7866).
    fail_staged(failed("appending records to", error));
    return false;
  }
  scratch->staged.clear();
  return true;
}

void Log::State::fail_staged(const Error& error) {
  for (const auto& staged : scratch->staged) staged.append->result = std::unexpected(error);
  scratch->staged.clear();
  scratch->parts.clear();
  scratch->batches.clear();
  scratch->completed.clear();
  scratch->bytes = 0;
  scratch->end = log_end;
}

// Shows what was written to readers.
void Log::State::publish_staged() {
  const auto bytes = std::exchange(scratch->bytes, 0);
  scratch->bytes_since_open += bytes;
  bool flush_later = false;
  {
    const ShortLock::Guard guard(lock);
    Segment& segment = active();
    for (const auto& batch : scratch->batches) segment.note(batch, settings->index_interval_bytes);
    segment.index_memory.set(segment.offset_index.memory().size());
    hints_locked().appended.add({.offset = scratch->end, .segment = segment.base, .position = segment.size});
    if (const auto latest = epochs.latest(); latest && latest->start >= log_end) epochs_unsaved = true;
    log_end = scratch->end;
    producers_end = scratch->end;
    closed_cleanly = false;
    flush_later = settings->flush_ms != LogSettings::endless && flush_due == runtime::never;
    if (flush_later) flush_due = later(environment.clock.now(), settings->flush_ms);
  }
  const bool sync = log_end - flushed >= settings->flush_messages && !planted(Plant::unsynced_ack);
  for (const auto& staged : scratch->staged) {
    if (staged.append->result) staged.append->result->needs_sync = sync;
  }
  scratch->parts.clear();
  scratch->batches.clear();
  if (flush_later) wake_upkeep();
}

void Log::State::write_completed_transactions() {
  if (scratch->completed.empty()) return;
  Segment& segment = active();
  for (const auto& transaction : std::exchange(scratch->completed, {})) {
    if (transaction.aborted) {
      {
        const ShortLock::Guard guard(lock);
        segment.transaction_index_file();
      }
      segment.append_aborted({.producer_id = transaction.producer_id,
                              .first_offset = transaction.first_offset,
                              .last_offset = transaction.last_offset,
                              .last_stable_offset = producers.last_stable_after(transaction)});
    }
    const ShortLock::Guard guard(lock);
    if (transaction.aborted) segment.has_transaction_index = true;
    producers.complete(transaction);
    producers.high_watermark_moved(high_watermark);
    refresh_first_unstable_locked();
  }
}

// Blocks are reserved ahead of a hot log, so that the file system gives it long runs of them.
void Log::State::reserve_ahead(Segment& segment, std::uint64_t end) {
  if (scratch->bytes_since_open < hot_bytes || end <= segment.reserved_end) return;
  const auto from = std::max(segment.reserved_end, segment.size);
  const auto to = std::min<std::uint64_t>(std::max(end, from + reserve_step), settings->segment_bytes);
  segment.reserved_end = std::max(to, end);
  if (to <= from || (to - from) * reserve_free_share > disk.free_bytes(directory.path())) return;
  scratch->file->reserve(from, to - from);
}

}  // namespace klamm::storage
