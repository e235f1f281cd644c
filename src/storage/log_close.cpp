#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

// Everything a start after a clean stop relies on, on disk. A log that nobody touched costs nothing.
void Log::State::close_cleanly() {
  Segment& last = active();
  std::optional<std::string> epochs_text;
  bool contents = false;
  bool names = false;
  {
    const ShortLock::Guard guard(lock);
    contents = flushed != log_end || first_unsynced_segment() + 1 < segments.size() || !snapshots_unsynced.empty() ||
               last.indexes_unsynced || last.offset_index.unsaved() > 0 || last.time_index.unsaved() > 0 ||
               last.reserved_end > last.size || producers_end > last_snapshot || (!closed_cleanly && last.size > 0);
    if (std::exchange(epochs_unsaved, false)) epochs_text = epochs.to_text();
    names = std::exchange(names_unsynced, false) || contents || epochs_text;
    if (contents) {
      for (const auto& segment : segments) {
        if (segments[first_unsynced_segment()]->base <= segment->base) segment->open_files();
      }
      last.open_files();
      last.open_indexes();
      last.add_time_entry();
    }
  }
  if (contents) {
    last.save_indexes();
    last.trim();
    take_snapshot(producers, producers_end, true);
    for (const auto offset : std::exchange(snapshots_unsynced, {})) {
      if (disk.exists(snapshot_path(offset))) disk.open(snapshot_path(offset), runtime::OpenMode::write)->sync_data();
    }
  }
  if (epochs_text) replace_epochs_file(*epochs_text);
  if (contents) {
    for (std::size_t i = first_unsynced_segment(); i < segments.size(); ++i) segments[i]->sync(true);
  }
  if (names) disk.sync_directory(files.directory);
  if (std::exchange(parent_unsynced, false)) directory.sync_names();
  const ShortLock::Guard guard(lock);
  names_unsynced = false;  // those of the snapshot too
  flushed = log_end;
  closed_cleanly = true;
}

// As Disk::replace_file; the sync of the directory is the caller's.
void Log::State::replace_epochs_file(std::string_view text) {
  const auto path = files.path(leader_epoch_checkpoint_name);
  const auto temporary = path + ".tmp";
  {
    const auto file = disk.open(temporary, runtime::OpenMode::create);
    file->truncate(0);
    file->write_at(0, as_bytes(text));
    file->sync_data();
  }
  disk.rename(temporary, path);
}

runtime::Task<Result<void>> Log::close(Reactor& reactor, bool clean) {
  State& state = *state_;
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) {
    const ShortLock::Guard guard(state.lock);
    state.closed = true;
    co_return std::unexpected(std::move(*error));
  }
  std::optional<Error> failure;
  if (clean) {
    // A flush that is under way goes first; nobody asks for another while the turn is held but for waiting appends.
    bool under_way = false;
    {
      const ShortLock::Guard guard(state.lock);
      under_way = state.flush_under_way_locked();
    }
    if (under_way) {
      auto flushing = state.flush(reactor, Offset(0));
      if (auto flushed = co_await std::move(flushing); !flushed) failure = std::move(flushed.error());
    }
    try {
      if (!failure) {
        auto closing = runtime::blocking(reactor, [log = shared_from_this()] { log->state_->close_cleanly(); });
        co_await std::move(closing);
      }
    } catch (const runtime::DiskError& error) {
      failure = state.failed("closing log segments for", error);
    }
  }
  {
    const ShortLock::Guard guard(state.lock);
    state.closed = true;
    for (const auto& segment : state.segments) segment->close_files();
  }
  state.scratch.reset();
  if (failure) co_return std::unexpected(std::move(*failure));
  co_return Result<void>();
}

}  // namespace klamm::storage
